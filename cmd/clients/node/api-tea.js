// The server-side API, called with the newer line of the official SDKs, @alicloud/iot20180120 (signature
// version 3).
const Iot = require('@alicloud/iot20180120');
const { Config } = require('@alicloud/openapi-client');
const { assert, job, base64, run } = require('./steps');

const config = new Config({
  accessKeyId: job.accessKeyId, accessKeySecret: job.accessKeySecret,
  endpoint: job.api.replace('http://', ''), protocol: 'HTTP', regionId: 'cn-shanghai',
});
const client = new Iot.default(config);
const stranger = new Iot.default(new Config({ ...config, accessKeySecret: 'wrong' }));
let productKey;
let iotId;

const thrown = async (promise) => {
  try { await promise; } catch (err) { return err.code; }
  throw new Error('it was not refused');
};

run({
  'CreateProduct': async () => {
    const { body } = await client.createProduct(new Iot.CreateProductRequest({ productName: 'valves', nodeType: 0, dataFormat: 1 }));
    assert.strictEqual(body.success, true, JSON.stringify(body));
    ({ productKey } = body);
    assert.ok(body.data.productSecret);
  },
  'RegisterDevice': async () => {
    const { body } = await client.registerDevice(new Iot.RegisterDeviceRequest({ productKey, deviceName: 'valve-1', nickname: '阀门 one' }));
    assert.strictEqual(body.data.deviceName, 'valve-1');
    ({ iotId } = body.data);
    const detail = await client.queryDeviceDetail(new Iot.QueryDeviceDetailRequest({ iotId }));
    assert.strictEqual(detail.body.data.nickname, '阀门 one');
    assert.strictEqual(detail.body.data.status, 'UNACTIVE');
  },
  'GetDeviceStatus': async () => {
    const { body } = await client.getDeviceStatus(new Iot.GetDeviceStatusRequest({ productKey, deviceName: 'valve-1' }));
    assert.strictEqual(body.data.status, 'UNACTIVE');
  },
  'CreateProductTopic': async () => {
    const { body } = await client.createProductTopic(new Iot.CreateProductTopicRequest({ productKey, topicShortName: 'user/open', operation: 'SUB', desc: 'x' }));
    assert.ok(body.topicId);
    const list = await client.queryProductTopic(new Iot.QueryProductTopicRequest({ productKey }));
    assert.ok(list.body.data.productTopicInfo.some((t) => t.topicShortName.endsWith('/user/open')));
  },
  'Pub with a body in chunks': async () => {
    const { body } = await client.pub(new Iot.PubRequest({
      productKey, topicFullName: `/${productKey}/valve-1/user/open`, messageContent: base64('x'.repeat(200000)), qos: 1,
    }));
    assert.strictEqual(body.success, true, JSON.stringify(body));
    assert.match(String(body.messageId), /^[0-9]{19}$/);
  },
  'RRpc': async () => {
    const { body } = await client.rRpc(new Iot.RRpcRequest({ productKey, deviceName: 'valve-1', requestBase64Byte: base64('x'), timeout: 2000 }));
    assert.strictEqual(body.rrpcCode, 'OFFLINE');
  },
  'PubBroadcast': async () => {
    const { body } = await client.pubBroadcast(new Iot.PubBroadcastRequest({ productKey, topicFullName: `/broadcast/${productKey}/x`, messageContent: base64('x') }));
    assert.strictEqual(body.success, true, JSON.stringify(body));
  },
  'BatchRegisterDevice': async () => {
    const { body } = await client.batchRegisterDevice(new Iot.BatchRegisterDeviceRequest({ productKey, count: 3 }));
    const page = await client.queryPageByApplyId(new Iot.QueryPageByApplyIdRequest({ applyId: body.data.applyId, currentPage: 1, pageSize: 10 }));
    assert.strictEqual(page.body.applyDeviceList.applyDeviceInfo.length, 3);
  },
  'an error of the business': async () => {
    const { body } = await client.queryDeviceDetail(new Iot.QueryDeviceDetailRequest({ productKey, deviceName: 'none' }));
    assert.strictEqual(body.success, false);
    assert.strictEqual(body.code, 'iot.device.NotExistedDevice');
  },
  'a wrong secret': async () => {
    assert.strictEqual(await thrown(stranger.getDeviceStatus(new Iot.GetDeviceStatusRequest({ iotId }))), 'SignatureDoesNotMatch');
  },
});
