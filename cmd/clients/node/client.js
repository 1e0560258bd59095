// Subscribes or publishes once with npm's mqtt, as its only argument, a JSON object, says. The packages are
// found by NODE_PATH.
const mqtt = require('mqtt');

const job = JSON.parse(process.argv[2]);
const client = mqtt.connect({
  protocol: 'mqtt',
  host: job.host,
  port: job.port,
  clientId: job.clientId,
  username: job.username,
  password: job.password,
  clean: job.clean,
  protocolVersion: job.level,
  protocolId: job.level === 3 ? 'MQIsdp' : 'MQTT',
  reconnectPeriod: 0,
  resubscribe: false,
});

const fail = (reason) => {
  console.error(String(reason));
  process.exit(1);
};

let received = 0;
client.on('error', fail);
client.on('close', () => { if (!client.disconnecting) fail('lost the connection'); });

client.on('connect', (connack) => {
  console.log('connected', connack.sessionPresent ? 1 : 0);
  if (job.publish) {
    let left = job.payloads.length;
    for (const payload of job.payloads) {
      client.publish(job.topic, payload, { qos: job.qos }, (err) => {
        if (err) fail(err);
        if (--left === 0) client.end();
      });
    }
  } else if (job.subscribe) {
    client.subscribe(job.topic, { qos: job.qos }, (err, granted) => {
      if (err) fail(err);
      console.log('subscribed', granted[0].qos);
      if (job.count === 0) client.end();
    });
  }
});

client.on('message', (topic, payload, packet) => {
  console.log('message', packet.qos, topic, payload.toString());
  if (++received === job.count) client.end();
});
