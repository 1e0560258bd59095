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
  'products': async () => {
    await client.updateProduct(new Iot.UpdateProductRequest({ productKey, productName: 'big valves', description: 'd' }));
    const { body } = await client.queryProduct(new Iot.QueryProductRequest({ productKey }));
    assert.strictEqual(body.data.productName, 'big valves');
    assert.strictEqual(body.data.deviceCount, 4);
    const list = await client.queryProductList(new Iot.QueryProductListRequest({ currentPage: 1, pageSize: 50 }));
    assert.ok(list.body.data.list.productInfo.some((p) => p.productKey === productKey && p.productName === 'big valves'));
    const other = await client.createProduct(new Iot.CreateProductRequest({ productName: 'for a moment', nodeType: 1 }));
    assert.strictEqual((await client.deleteProduct(new Iot.DeleteProductRequest({ productKey: other.body.productKey }))).body.success, true);
    assert.strictEqual((await client.deleteProduct(new Iot.DeleteProductRequest({ productKey }))).body.code, 'iot.prod.ProductHasDevices');
  },
  'devices with given names': async () => {
    let { body } = await client.batchCheckDeviceNames(new Iot.BatchCheckDeviceNamesRequest({ productKey, deviceName: ['valve-2', 'a b', 'valve-1'] }));
    assert.deepStrictEqual(body.data.invalidDeviceNameList.invalidDeviceName, ['a b', 'valve-1']);
    ({ body } = await client.batchCheckDeviceNames(new Iot.BatchCheckDeviceNamesRequest({ productKey, deviceName: ['valve-2', 'valve-3'] })));
    const { applyId } = body.data;
    const status = async () => (await client.queryBatchRegisterDeviceStatus(new Iot.QueryBatchRegisterDeviceStatusRequest({ productKey, applyId }))).body.data.status;
    assert.strictEqual(await status(), 'CREATE');
    ({ body } = await client.batchRegisterDeviceWithApplyId(new Iot.BatchRegisterDeviceWithApplyIdRequest({ productKey, applyId })));
    assert.strictEqual(body.data.applyId, applyId);
    assert.strictEqual(await status(), 'CREATE_SUCCESS');
    ({ body } = await client.queryDevice(new Iot.QueryDeviceRequest({ productKey, currentPage: 1, pageSize: 50 })));
    assert.strictEqual(body.total, 6);
    assert.ok(body.data.deviceInfo.some((d) => d.deviceName === 'valve-3' && d.deviceStatus === 'UNACTIVE'));
    ({ body } = await client.batchGetDeviceState(new Iot.BatchGetDeviceStateRequest({ productKey, deviceName: ['valve-1', 'valve-2'] })));
    assert.deepStrictEqual(body.deviceStatusList.deviceStatus.map((d) => d.status), ['UNACTIVE', 'UNACTIVE']);
    ({ body } = await client.batchGetDeviceState(new Iot.BatchGetDeviceStateRequest({ iotId: [iotId, 'none'] })));
    assert.deepStrictEqual(body.deviceStatusList.deviceStatus.map((d) => d.deviceName), ['valve-1']);
  },
  'topics': async () => {
    const { body } = await client.createProductTopic(new Iot.CreateProductTopicRequest({ productKey, topicShortName: 'user/a', operation: 'PUB' }));
    await client.updateProductTopic(new Iot.UpdateProductTopicRequest({ topicId: body.topicId, topicShortName: 'user/b', operation: 'ALL' }));
    const topics = async () => (await client.queryProductTopic(new Iot.QueryProductTopicRequest({ productKey }))).body.data.productTopicInfo;
    assert.strictEqual((await topics()).find((t) => t.topicShortName.endsWith('/user/b')).operation, '2');
    await client.deleteProductTopic(new Iot.DeleteProductTopicRequest({ topicId: body.topicId }));
    assert.ok(!(await topics()).some((t) => t.topicShortName.endsWith('/user/b')));
  },
  'BatchPub': async () => {
    const { body } = await client.batchPub(new Iot.BatchPubRequest({ productKey, deviceName: ['valve-1', 'valve-2'], topicShortName: 'user/open', messageContent: base64('x'), qos: 0 }));
    assert.strictEqual(body.success, true, JSON.stringify(body));
  },
  'what a device has and is to have': async () => {
    const named = { productKey, deviceName: 'valve-1' };
    await client.saveDeviceProp(new Iot.SaveDevicePropRequest({ ...named, props: '{"room":"12"}' }));
    assert.strictEqual((await client.queryDeviceProp(new Iot.QueryDevicePropRequest(named))).body.props, '{"room":"12"}');
    let { body } = await client.setDeviceDesiredProperty(new Iot.SetDeviceDesiredPropertyRequest({ ...named, items: '{"open":true,"level":3}', versions: '{"open":0}' }));
    assert.strictEqual(body.data.versions, '{"level":1,"open":1}');
    ({ body } = await client.setDeviceDesiredProperty(new Iot.SetDeviceDesiredPropertyRequest({ ...named, items: '{"open":false}', versions: '{"open":7}' })));
    assert.strictEqual(body.code, 'iot.device.DesiredVersionMismatch');
    ({ body } = await client.queryDeviceDesiredProperty(new Iot.QueryDeviceDesiredPropertyRequest({ ...named, identifier: ['open'] })));
    assert.deepStrictEqual(body.data.list.desiredPropertyInfo.map((p) => [p.identifier, p.value, p.version]), [['open', 'true', 1]]);
    ({ body } = await client.setDeviceProperty(new Iot.SetDevicePropertyRequest({ ...named, items: '{"open":true}' })));
    assert.strictEqual(body.code, 'iot.device.OfflineDevice');
    ({ body } = await client.invokeThingService(new Iot.InvokeThingServiceRequest({ ...named, identifier: 'turn', args: '{}' })));
    assert.strictEqual(body.code, 'iot.device.OfflineDevice');
    ({ body } = await client.queryDevicePropertyStatus(new Iot.QueryDevicePropertyStatusRequest(named)));
    assert.deepStrictEqual(body.data.list.propertyStatusInfo, []);
    const shadowMessage = JSON.stringify({ method: 'update', state: { desired: { open: true } }, version: 1 });
    ({ body } = await client.updateDeviceShadow(new Iot.UpdateDeviceShadowRequest({ ...named, shadowMessage })));
    assert.strictEqual(body.success, true, JSON.stringify(body));
    ({ body } = await client.getDeviceShadow(new Iot.GetDeviceShadowRequest(named)));
    const { payload } = JSON.parse(body.shadowMessage);
    assert.deepStrictEqual(payload.state.desired, { open: true });
    assert.ok(payload.metadata.desired.open.timestamp > 0);
  },
  'topologies': async () => {
    let { body } = await client.getThingTopo(new Iot.GetThingTopoRequest({ iotId, pageNo: 1, pageSize: 10 }));
    assert.strictEqual(body.data.total, 0);
    ({ body } = await client.getGatewayBySubDevice(new Iot.GetGatewayBySubDeviceRequest({ iotId })));
    assert.strictEqual(body.code, 'iot.gateway.NotExistedTopo');
    ({ body } = await client.removeThingTopo(new Iot.RemoveThingTopoRequest({ iotId })));
    assert.strictEqual(body.code, 'iot.gateway.NotExistedTopo');
    const gateway = { gwProductKey: productKey, gwDeviceName: 'valve-1' };
    ({ body } = await client.notifyAddThingTopo(new Iot.NotifyAddThingTopoRequest({ ...gateway, deviceListStr: JSON.stringify([{ productKey, deviceName: 'valve-2' }]) })));
    assert.strictEqual(body.code, 'iot.device.OfflineDevice');
  },
  'the end of a device': async () => {
    const status = async () => (await client.getDeviceStatus(new Iot.GetDeviceStatusRequest({ iotId }))).body.data.status;
    await client.disableThing(new Iot.DisableThingRequest({ iotId }));
    assert.strictEqual(await status(), 'DISABLE');
    await client.enableThing(new Iot.EnableThingRequest({ iotId }));
    assert.strictEqual(await status(), 'UNACTIVE');
    assert.strictEqual((await client.resetThing(new Iot.ResetThingRequest({ iotId }))).body.success, true);
    assert.strictEqual((await client.deleteDevice(new Iot.DeleteDeviceRequest({ iotId }))).body.success, true);
    const { body } = await client.getDeviceStatus(new Iot.GetDeviceStatusRequest({ iotId }));
    assert.strictEqual(body.code, 'iot.device.NotExistedDevice');
  },
  'an error of the business': async () => {
    const { body } = await client.queryDeviceDetail(new Iot.QueryDeviceDetailRequest({ productKey, deviceName: 'none' }));
    assert.strictEqual(body.success, false);
    assert.strictEqual(body.code, 'iot.device.NotExistedDevice');
  },
  'a wrong secret': async () => {
    assert.strictEqual(await thrown(stranger.getDeviceStatus(new Iot.GetDeviceStatusRequest({ productKey, deviceName: 'valve-2' }))), 'SignatureDoesNotMatch');
  },
});
