// A device made with the official SDK alibabacloud-iot-device-sdk, from its dynamic registration on, and a
// server made with the official SDK @alicloud/pop-core, each unchanged.
const iot = require('alibabacloud-iot-device-sdk');
const { assert, job, heard, called, settled, server, refused, base64, plain, run } = require('./steps');

const { productKey, deviceName } = job;
const named = { ProductKey: productKey, DeviceName: deviceName };
const own = `/${productKey}/${deviceName}`;
let device;
let deviceSecret;

run({
  'dynamic registration over HTTP': async () => {
    const answer = await called('register', (cb) => iot.register({
      productKey, productSecret: job.productSecret, deviceName, registerURL: `${job.api}/auth/register/device`,
    }, cb));
    assert.strictEqual(answer.code, 200, JSON.stringify(answer));
    ({ deviceSecret } = answer.data);
    const { Data } = await server('QueryDeviceDetail', named);
    assert.strictEqual(Data.DeviceSecret, deviceSecret);
    assert.strictEqual(Data.Status, 'UNACTIVE');
  },
  'a wrong product secret': async () => {
    const answer = await called('register', (cb) => iot.register({
      productKey, productSecret: 'wrong', deviceName, registerURL: `${job.api}/auth/register/device`,
    }, cb));
    assert.strictEqual(answer.code, 6600, JSON.stringify(answer));
  },
  'connect': async () => {
    device = iot.device({ productKey, deviceName, deviceSecret, brokerUrl: job.brokerUrl });
    device.on('error', (err) => { console.error(String(err)); process.exit(1); });
    await heard(device, 'connect');
    const { Data } = await server('GetDeviceStatus', named);
    assert.strictEqual(Data.Status, 'ONLINE');
  },
  'an active device does not register again': async () => {
    const answer = await called('register', (cb) => iot.register({
      productKey, productSecret: job.productSecret, deviceName, registerURL: `${job.api}/auth/register/device`,
    }, cb));
    assert.strictEqual(answer.code, 6289, JSON.stringify(answer));
  },
  'properties': async () => {
    const answer = await called('postProps', (cb) => device.postProps({ Temperature: 21.5, Mode: 'auto' }, cb));
    assert.strictEqual(answer.code, 200);
    assert.strictEqual(answer.method, 'thing.event.property.post');
    const { Data } = await server('QueryDevicePropertyStatus', named);
    const values = Object.fromEntries(Data.List.PropertyStatusInfo.map((p) => [p.Identifier, p.Value]));
    assert.deepStrictEqual(values, { Temperature: '21.5', Mode: 'auto' });
  },
  'events': async () => {
    const answer = await called('postEvent', (cb) => device.postEvent('lowBattery', { level: 3 }, cb));
    assert.strictEqual(answer.code, 200);
    assert.strictEqual(answer.method, 'thing.event.lowBattery.post');
  },
  'property set by the server': async () => {
    const got = called('onProps', (cb) => device.onProps(cb));
    const { Data } = await server('SetDeviceProperty', { ...named, Items: '{"Target":23}' });
    assert.ok(Data.MessageId);
    const message = await got;
    assert.strictEqual(message.method, 'thing.service.property.set');
    assert.deepStrictEqual(message.params, { Target: 23 });
  },
  'asynchronous service': async () => {
    const got = called('onService', (cb) => device.onService('reboot', (request, reply) => {
      reply({ id: request.id, code: 200, data: {} }); // asynchronous is the SDK's default
      cb(request);
    }));
    await settled(device);
    await server('InvokeThingService', { ...named, Identifier: 'reboot', Args: '{"delay":5}' });
    assert.deepStrictEqual((await got).params, { delay: 5 });
  },
  'synchronous service': async () => {
    device.onService('add', (request, reply) => {
      reply({ id: request.id, code: 200, data: { sum: request.params.a + request.params.b } }, 'sync');
    });
    const { Data } = await server('InvokeThingService', { ...named, Identifier: 'add', Args: '{"a":2,"b":3}', CallType: 'sync' });
    assert.deepStrictEqual(JSON.parse(Data.Result), { sum: 5 });
  },
  'a service that the product says is synchronous': async () => {
    await server('UpdateProduct', { ProductKey: productKey, ProductName: 'lamps', SyncServices: 'add' });
    const { Data } = await server('InvokeThingService', { ...named, Identifier: 'add', Args: '{"a":20,"b":3}' });
    assert.deepStrictEqual(JSON.parse(Data.Result), { sum: 23 });
  },
  'RRPC with raw bytes': async () => {
    const prefix = `/sys/${productKey}/${deviceName}/rrpc/request/`;
    const asked = heard(device, 'message', (topic) => topic.startsWith(prefix)).then(([topic, payload]) => {
      device.publish(topic.replace('/request/', '/response/'), Buffer.concat([payload, Buffer.from([0, 255])]));
    });
    const answer = await server('RRpc', { ...named, RequestBase64Byte: base64('not JSON'), Timeout: 5000 });
    await asked;
    assert.strictEqual(answer.RrpcCode, 'SUCCESS');
    assert.deepStrictEqual(Buffer.from(answer.PayloadBase64Byte, 'base64'), Buffer.concat([Buffer.from('not JSON'), Buffer.from([0, 255])]));
    // JSON's numbers are too small for a message id; pop-core therefore reads it exactly.
    assert.match(String(answer.MessageId), /^[0-9]{19}$/);
  },
  'RRPC that is not answered': async () => {
    const answer = await server('RRpc', { ...named, RequestBase64Byte: base64('[]'), Timeout: 1000 });
    assert.strictEqual(answer.RrpcCode, 'TIMEOUT');
    assert.strictEqual(await refused('RRpc', { ...named, RequestBase64Byte: base64('[]'), Timeout: 999 }), 'iot.messagebroker.InvalidTimeoutValue');
  },
  'tags': async () => {
    let answer = await called('postTags', (cb) => device.postTags([{ attrKey: 'room', attrValue: '12' }, { attrKey: 'floor', attrValue: '3' }], cb));
    assert.strictEqual(answer.code, 200);
    answer = await called('deleteTags', (cb) => device.deleteTags(['floor'], cb));
    assert.strictEqual(answer.code, 200);
    const { Props } = await server('QueryDeviceProp', named);
    assert.deepStrictEqual(JSON.parse(Props), { room: '12' });
  },
  'configuration': async () => {
    const answer = await called('getConfig', (cb) => device.getConfig(cb));
    assert.strictEqual(answer.code, 6710, JSON.stringify(answer)); // there is none
  },
  'shadow': async () => {
    const next = () => called('onShadow', (cb) => device.onShadow(cb));
    let got = next();
    device.postShadow({ colour: 'red' });
    assert.strictEqual((await got).payload.status, 'success');
    got = next();
    device.getShadow();
    assert.deepStrictEqual((await got).payload.state.reported, { colour: 'red' });
    got = next();
    const version = Date.now() + 1000;
    await server('UpdateDeviceShadow', { ...named, ShadowMessage: JSON.stringify({ method: 'update', state: { desired: { colour: 'blue' } }, version }) });
    const control = await got;
    assert.strictEqual(control.method, 'control');
    assert.strictEqual(control.version, version);
    assert.deepStrictEqual(control.payload.state.desired, { colour: 'blue' });
    got = next();
    device.publish(`/shadow/update${own}`, JSON.stringify({ method: 'delete', state: { reported: 'null' }, version: version + 1 }));
    assert.strictEqual((await got).payload.status, 'success');
    const { ShadowMessage } = await server('GetDeviceShadow', named);
    assert.deepStrictEqual(JSON.parse(ShadowMessage).payload.state, { reported: {}, desired: { colour: 'blue' } });
  },
  'custom topics': async () => {
    await called('subscribe', (cb) => device.subscribe(`${own}/user/get`, { qos: 1 }, cb));
    const got = heard(device, 'message', (topic) => topic === `${own}/user/get`);
    await server('Pub', { ProductKey: productKey, TopicFullName: `${own}/user/get`, MessageContent: base64('hello'), Qos: 1 });
    assert.strictEqual((await got)[1].toString(), 'hello');
    assert.strictEqual(await refused('Pub', { ProductKey: productKey, TopicFullName: `${own}/user/other`, MessageContent: '' }), 'iot.messagebroker.TopicTemplateIsNotFound');
    await called('publish', (cb) => device.publish(`${own}/user/update`, '{}', { qos: 1 }, cb));
  },
  'broadcasts': async () => {
    const topic = `/broadcast/${productKey}/news`;
    await called('subscribe', (cb) => device.subscribe(topic, cb));
    let got = heard(device, 'message', (t) => t === topic);
    await server('PubBroadcast', { ProductKey: productKey, TopicFullName: topic, MessageContent: base64('to who listens') });
    assert.strictEqual((await got)[1].toString(), 'to who listens');
    const prefix = `/sys/${productKey}/${deviceName}/broadcast/request/`;
    got = heard(device, 'message', (t) => t.startsWith(prefix));
    await server('PubBroadcast', { ProductKey: productKey, MessageContent: base64('to all') });
    assert.strictEqual((await got)[1].toString(), 'to all');
  },
  'disabled and enabled again': async () => {
    const closed = heard(device, 'close');
    await server('DisableThing', named);
    await closed;
    device.end(true);
    assert.strictEqual((await server('GetDeviceStatus', named)).Data.Status, 'DISABLE');
    await server('EnableThing', named);
    assert.strictEqual((await server('GetDeviceStatus', named)).Data.Status, 'OFFLINE');
    const answer = await server('RRpc', { ...named, RequestBase64Byte: base64('x'), Timeout: 1000 });
    assert.strictEqual(answer.RrpcCode, 'OFFLINE');
    assert.strictEqual(plain(base64('x')), 'x');
  },
});
