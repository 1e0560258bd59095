// A device made with the official SDK alibabacloud-iot-device-sdk, unchanged: only its broker's address is
// set. The only argument is a JSON object with productKey, deviceName, deviceSecret and brokerUrl.
const iot = require('alibabacloud-iot-device-sdk');

const job = JSON.parse(process.argv[2]);
const say = (...words) => console.log(...words);

const device = iot.device({
  productKey: job.productKey,
  deviceName: job.deviceName,
  deviceSecret: job.deviceSecret,
  brokerUrl: job.brokerUrl,
});

device.on('error', (err) => { console.error(String(err)); process.exit(1); });

device.on('connect', () => {
  say('connected');
  // A service of the product's model, called by RRPC: the SDK answers on the response topic.
  device.onService('add', (request, reply) => {
    say('service', JSON.stringify(request.params));
    reply({ id: request.id, code: 200, data: { sum: request.params.a + request.params.b } }, 'sync');
  });
  device.publish(`/${job.productKey}/${job.deviceName}/update`, 'hello from the SDK', { qos: 1 }, (err) => {
    if (err) { console.error(String(err)); process.exit(1); }
    say('published');
  });
});

device.on('message', (topic, payload) => say('message', topic, payload.toString()));

process.stdin.on('end', () => device.end());
process.stdin.resume();
