// The server-side API, called with the official SDK @alicloud/pop-core (signature version 1), by GET and by
// POST.
const { assert, job, server, refused, base64, run } = require('./steps');

let ProductKey;
const names = ['pump-1', 'pump-2', 'pump*~ 3'];

const steps = (method) => ({
  [`${method}: products`]: async () => {
    const made = await server('CreateProduct', { ProductName: `pumps ${method} (a+b)/c*`, NodeType: 0 }, method);
    assert.strictEqual(made.Success, true);
    assert.ok(made.RequestId);
    ({ ProductKey } = made);
    assert.strictEqual(made.Data.ProductKey, ProductKey);
    assert.ok(made.Data.ProductSecret);
    const { Data } = await server('QueryProduct', { ProductKey }, method);
    assert.strictEqual(Data.ProductName, `pumps ${method} (a+b)/c*`);
    assert.strictEqual(await refused('QueryProduct', { ProductKey: 'none' }, method), 'iot.prod.NotExistedProduct');
    assert.strictEqual(await refused('QueryProduct', {}, method), 'iot.prod.NullProductKey');
  },
  [`${method}: devices`]: async () => {
    for (const DeviceName of names.slice(0, 2)) {
      const { Data } = await server('RegisterDevice', { ProductKey, DeviceName }, method);
      assert.strictEqual(Data.DeviceName, DeviceName);
      assert.ok(Data.DeviceSecret && Data.IotId);
      assert.strictEqual((await server('QueryDeviceDetail', { IotId: Data.IotId }, method)).Data.DeviceName, DeviceName);
    }
    assert.strictEqual(await refused('RegisterDevice', { ProductKey, DeviceName: names[0] }, method), 'iot.device.AlreadyExistedDeviceName');
    assert.strictEqual(await refused('RegisterDevice', { ProductKey, DeviceName: names[2] }, method), 'iot.device.InvalidFormattedDeviceName');
    assert.strictEqual(await refused('QueryDeviceDetail', { ProductKey, DeviceName: 'none' }, method), 'iot.device.NotExistedDevice');
    const list = await server('QueryDevice', { ProductKey, PageSize: 1, CurrentPage: 2 }, method);
    assert.strictEqual(list.Total, 2);
    assert.deepStrictEqual(list.Data.DeviceInfo.map((d) => d.DeviceName), [names[1]]);
    const states = await server('BatchGetDeviceState', { ProductKey, DeviceName: names.slice(0, 2) }, method);
    assert.deepStrictEqual(states.DeviceStatusList.DeviceStatus.map((d) => [d.DeviceName, d.Status]), [[names[0], 'UNACTIVE'], [names[1], 'UNACTIVE']]);
  },
  [`${method}: batches of devices`]: async () => {
    let { Data: { ApplyId } } = await server('BatchRegisterDevice', { ProductKey, Count: 7 }, method);
    let page = await server('QueryPageByApplyId', { ApplyId, PageSize: 5, CurrentPage: 2 }, method);
    assert.strictEqual(page.Total, 7);
    assert.strictEqual(page.ApplyDeviceList.ApplyDeviceInfo.length, 2);
    const DeviceName = ['batch-1', 'batch-2'];
    ({ Data: { ApplyId } } = await server('BatchCheckDeviceNames', { ProductKey, DeviceName }, method));
    await server('BatchRegisterDeviceWithApplyId', { ProductKey, ApplyId }, method);
    page = await server('QueryPageByApplyId', { ApplyId, PageSize: 10, CurrentPage: 1 }, method);
    assert.deepStrictEqual(page.ApplyDeviceList.ApplyDeviceInfo.map((d) => d.DeviceName), DeviceName);
    assert.strictEqual((await server('QueryDeviceDetail', { ProductKey, DeviceName: 'batch-1' }, method)).Data.DeviceSecret,
      page.ApplyDeviceList.ApplyDeviceInfo[0].DeviceSecret);
  },
  [`${method}: topics`]: async () => {
    const { TopicId } = await server('CreateProductTopic', { ProductKey, TopicShortName: 'user/alarm', Operation: 'SUB', Desc: 'alarms' }, method);
    const { Data } = await server('QueryProductTopic', { ProductKey }, method);
    const found = Data.ProductTopicInfo.find((t) => String(t.Id) === String(TopicId));
    assert.strictEqual(found.TopicShortName, `/${ProductKey}/\${deviceName}/user/alarm`);
    assert.strictEqual(found.Operation, '1');
    assert.strictEqual(await refused('CreateProductTopic', { ProductKey, TopicShortName: 'user/alarm', Operation: 'SUB' }, method), 'iot.messagebroker.TopicAlreadyFound');
    assert.strictEqual(await refused('CreateProductTopic', { ProductKey, TopicShortName: 'user/x', Operation: 'READ' }, method), 'iot.messagebroker.InvalidTopicTemplateOperationValue');
    await server('DeleteProductTopic', { TopicId }, method);
    assert.strictEqual(await refused('DeleteProductTopic', { TopicId }, method), 'iot.messagebroker.TopicTemplateIsNotFound');
  },
  [`${method}: messages to devices that are offline`]: async () => {
    const topic = { ProductKey, TopicFullName: `/${ProductKey}/${names[0]}/user/get` };
    const { MessageId } = await server('Pub', { ...topic, MessageContent: base64('x y+z') }, method);
    assert.match(MessageId, /^[0-9]{19}$/);
    assert.strictEqual(await refused('Pub', { ...topic, MessageContent: '***' }, method), 'iot.messagebroker.MessageContentIsNotBase64Encode');
    assert.strictEqual(await refused('Pub', topic, method), 'iot.messagebroker.NullMessageContent');
    assert.strictEqual(await refused('Pub', { ProductKey, MessageContent: '' }, method), 'iot.messagebroker.NullTopicName');
    assert.strictEqual(await refused('Pub', { ProductKey, TopicFullName: 'x', MessageContent: '' }, method), 'iot.messagebroker.InvalidFormattedTopicName');
    await server('BatchPub', { ProductKey, DeviceName: names.slice(0, 2), TopicShortName: 'user/get', MessageContent: base64('x') }, method);
    const answer = await server('RRpc', { ProductKey, DeviceName: names[0], RequestBase64Byte: base64('x'), Timeout: 1000 }, method);
    assert.strictEqual(answer.RrpcCode, 'OFFLINE');
    assert.strictEqual(await refused('RRpc', { ProductKey, DeviceName: names[0], RequestBase64Byte: '*', Timeout: 1000 }, method), 'iot.messagebroker.MessageContentIsNotBase64Encode');
  },
  [`${method}: broadcasts and their limits`]: async () => {
    const topic = { ProductKey, TopicFullName: `/broadcast/${ProductKey}/news` };
    await server('PubBroadcast', { ...topic, MessageContent: base64('news') }, method);
    assert.strictEqual(await refused('PubBroadcast', { ...topic, TopicFullName: '/broadcast/other/news', MessageContent: '' }, method), 'iot.messagebroker.InvalidFormattedTopicName');
    await server('PubBroadcast', { ProductKey, MessageContent: base64('all') }, method);
    assert.strictEqual(await refused('PubBroadcast', { ProductKey, MessageContent: base64('all') }, method), 'iot.messagebroker.RateLimit');
  },
  [`${method}: the end of a device`]: async () => {
    await server('DisableThing', { ProductKey, DeviceName: names[0] }, method);
    assert.strictEqual((await server('GetDeviceStatus', { ProductKey, DeviceName: names[0] }, method)).Data.Status, 'DISABLE');
    await server('EnableThing', { ProductKey, DeviceName: names[0] }, method);
    await server('ResetThing', { ProductKey, DeviceName: names[0] }, method);
    assert.strictEqual((await server('GetDeviceStatus', { ProductKey, DeviceName: names[0] }, method)).Data.Status, 'UNACTIVE');
    await server('DeleteDevice', { ProductKey, DeviceName: names[0] }, method);
    assert.strictEqual(await refused('GetDeviceStatus', { ProductKey, DeviceName: names[0] }, method), 'iot.device.NotExistedDevice');
  },
  [`${method}: an action that there is not`]: async () => {
    assert.strictEqual(await refused('MakeCoffee', {}, method), 'InvalidAction.NotFound');
  },
});

run({ ...steps('POST'), ...steps('GET') });
