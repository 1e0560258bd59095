// A gateway with sub-devices, made with the official SDK alibabacloud-iot-device-sdk, and a server made with
// @alicloud/pop-core.
const iot = require('alibabacloud-iot-device-sdk');
const { assert, job, heard, called, settled, server, base64, run } = require('./steps');

const { productKey, deviceName, deviceSecret } = job;
const gatewayNamed = { ProductKey: productKey, DeviceName: deviceName };
const subs = job.subs; // triples
const triple = (i) => ({ ...subs[i] }); // the SDK writes into what it gets
const named = (i) => ({ ProductKey: subs[i].productKey, DeviceName: subs[i].deviceName });
const name = (i) => ({ productKey: subs[i].productKey, deviceName: subs[i].deviceName });
let gateway;
let sub;

run({
  'connect': async () => {
    gateway = iot.gateway({ productKey, deviceName, deviceSecret, brokerUrl: job.brokerUrl });
    gateway.on('error', (err) => { console.error(String(err)); process.exit(1); });
    await heard(gateway, 'connect');
  },
  'a sub-device that is not in the topology does not log in': async () => {
    const answer = await called('login', (cb) => gateway.login(triple(2), cb).on('error', () => {}));
    assert.strictEqual(answer.code, 6401, JSON.stringify(answer));
  },
  'topology': async () => {
    let answer = await called('addTopo', (cb) => gateway.addTopo([triple(0), triple(1)], cb));
    assert.strictEqual(answer.code, 200, JSON.stringify(answer));
    answer = await called('getTopo', (cb) => gateway.getTopo(cb));
    assert.strictEqual(answer.code, 200);
    assert.deepStrictEqual(answer.data, [name(0), name(1)]);
    const { Data } = await server('GetThingTopo', { ...gatewayNamed, PageNo: 1, PageSize: 10 });
    assert.deepStrictEqual(Data.List.deviceInfo.map((d) => d.DeviceName), [subs[0].deviceName, subs[1].deviceName]);
  },
  'a wrong secret': async () => {
    const bad = { ...triple(2), deviceSecret: 'wrong' };
    const answer = await called('addTopo', (cb) => gateway.addTopo([bad], cb));
    assert.strictEqual(answer.code, 401, JSON.stringify(answer));
  },
  'login': async () => {
    const answer = await called('login', (cb) => { sub = gateway.login(triple(0), cb); });
    assert.strictEqual(answer.code, 200, JSON.stringify(answer));
    assert.deepStrictEqual({ ...answer.data }, name(0));
    assert.strictEqual((await server('GetDeviceStatus', named(0))).Data.Status, 'ONLINE');
    assert.strictEqual((await server('GetDeviceStatus', named(1))).Data.Status, 'UNACTIVE');
  },
  'a sub-device publishes': async () => {
    // The SDK has sent the SUBSCRIBE for the answer before.
    const answer = await called('postProps', (cb) => sub.postProps({ Humidity: 40 }, cb));
    assert.strictEqual(answer.code, 200);
    const { Data } = await server('QueryDevicePropertyStatus', named(0));
    assert.deepStrictEqual(Data.List.PropertyStatusInfo.map((p) => [p.Identifier, p.Value]), [['Humidity', '40']]);
  },
  'a sub-device receives': async () => {
    const got = called('onProps', (cb) => sub.onProps(cb));
    await settled(sub);
    await server('SetDeviceProperty', { ...named(0), Items: '{"Target":50}' });
    assert.deepStrictEqual((await got).params, { Target: 50 });
    const topic = `/${subs[0].productKey}/${subs[0].deviceName}/user/get`;
    await called('subscribe', (cb) => sub.subscribe(topic, cb));
    const message = heard(gateway, 'message', (t) => t === topic);
    await server('Pub', { ProductKey: subs[0].productKey, TopicFullName: topic, MessageContent: base64('{"id":"1","to":"sub"}') });
    assert.strictEqual((await message)[1].toString(), '{"id":"1","to":"sub"}');
  },
  'a sub-device is called': async () => {
    sub.onService('add', (request, reply) => reply({ id: request.id, code: 200, data: { sum: request.params.a + 1 } }, 'sync'));
    await settled(sub);
    const { Data } = await server('InvokeThingService', { ...named(0), Identifier: 'add', Args: '{"a":1}', CallType: 'sync' });
    assert.deepStrictEqual(JSON.parse(Data.Result), { sum: 2 });
  },
  'logout': async () => {
    const answer = await called('logout', (cb) => gateway.logout(name(0), cb));
    assert.strictEqual(answer.code, 200, JSON.stringify(answer));
    assert.strictEqual((await server('GetDeviceStatus', named(0))).Data.Status, 'OFFLINE');
  },
  'a sub-device that is logged out may not publish': async () => {
    const topic = `/ext/error/${productKey}/${deviceName}`;
    await called('subscribe', (cb) => gateway.subscribe(topic, cb));
    const got = heard(gateway, 'message', (t) => t === topic);
    sub.postProps({ Humidity: 41 }, () => { console.error('it was answered'); process.exit(1); });
    const error = JSON.parse((await got)[1].toString());
    assert.strictEqual(error.code, 520);
    assert.deepStrictEqual(error.data, name(0));
  },
  'registration of a sub-device': async () => {
    const wanted = { productKey: subs[0].productKey, deviceName: `${subs[0].deviceName}-new` };
    const unknown = await called('regiestSubDevice', (cb) => gateway.regiestSubDevice([wanted], cb));
    assert.strictEqual(unknown.code, 6100, JSON.stringify(unknown));
    await server('RegisterDevice', { ProductKey: wanted.productKey, DeviceName: wanted.deviceName });
    const answer = await called('regiestSubDevice', (cb) => gateway.regiestSubDevice([wanted], cb));
    assert.strictEqual(answer.code, 200, JSON.stringify(answer));
    const { Data } = await server('QueryDeviceDetail', { ProductKey: wanted.productKey, DeviceName: wanted.deviceName });
    assert.strictEqual(answer.data[0].deviceSecret, Data.DeviceSecret);
  },
  'removed from the topology': async () => {
    let answer = await called('removeTopo', (cb) => gateway.removeTopo([name(0)], cb));
    assert.strictEqual(answer.code, 200);
    answer = await called('getTopo', (cb) => gateway.getTopo(cb));
    assert.deepStrictEqual(answer.data, [name(1)]);
  },
});
