// What the scripts with the official SDKs have in common: a server's client, waiting, and steps that say what
// they do. The packages are found by NODE_PATH.
const assert = require('assert');
const Core = require('@alicloud/pop-core');

const job = JSON.parse(process.argv[2]);
const patience = 20000; // milliseconds

// within rejects if a promise takes too long, naming what was waited for.
const within = (what, promise) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited too long for ${what}`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

// heard is the next event of an emitter for which the test is true.
const heard = (emitter, event, test = () => true) => within(event, new Promise((resolve) => {
  const listen = (...args) => {
    if (!test(...args)) return;
    emitter.removeListener(event, listen);
    resolve(args);
  };
  emitter.on(event, listen);
}));

// called is the argument of a callback that f gets: called(cb => device.postProps({...}, cb)).
const called = (what, f) => within(what, new Promise((resolve) => f(resolve)));

// settled waits until the broker has done what a device has sent, such as the SUBSCRIBEs for which the SDK has no
// callback: what comes after them is answered after them.
const settled = (device) => called('postProps', (cb) => device.postProps({ Settled: 1 }, cb));

const client = new Core.RPCClient({
  accessKeyId: job.accessKeyId,
  accessKeySecret: job.accessKeySecret,
  endpoint: job.api,
  apiVersion: '2018-01-20',
});

// server calls the server-side API, with POST unless told otherwise.
const server = (action, params = {}, method = 'POST') => client.request(action, params, { method, timeout: patience });

// refused is the code with which the API refuses a call.
const refused = async (action, params, method) => {
  try {
    await server(action, params, method);
  } catch (err) {
    return err.code || err.data && err.data.Code || String(err);
  }
  throw new Error(`${action} was not refused`);
};

const base64 = (text) => Buffer.from(text).toString('base64');
const plain = (text) => Buffer.from(text, 'base64').toString();

// run does the steps of a script, each named in the output, and ends the process.
const run = async (steps) => {
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
    } catch (err) {
      console.error(`${name}: ${err && err.stack || JSON.stringify(err)}`);
      process.exit(1);
    }
    console.log('ok', name);
  }
  console.log('done');
  process.exit(0);
};

module.exports = { assert, job, within, heard, called, settled, server, refused, base64, plain, run };
