// Carries out the visits that the test has for this page, one after the other, and tells what was seen.
'use strict';

const patience = 20000; // milliseconds for a visit

function visit(v) {
  return new Promise((resolve) => {
    const seen = { name: v.name, subprotocol: '', granted: 0, topic: '', qos: 0, payload: '', error: '' };
    const payload = 'x'.repeat(v.bytes);
    const client = mqtt.connect(v.url, {
      clientId: v.clientId, username: v.username, password: v.password, reconnectPeriod: 0, keepalive: 60,
      protocolId: v.level === 3 ? 'MQIsdp' : 'MQTT', protocolVersion: v.level,
      createWebsocket: (url, subprotocols) => {
        const socket = new WebSocket(url, subprotocols);
        socket.addEventListener('open', () => { seen.subprotocol = socket.protocol; });
        return socket;
      },
    });
    const timer = setTimeout(() => end('nothing more came'), patience);
    function end(error) {
      clearTimeout(timer);
      seen.error = error;
      client.end(true);
      resolve(seen);
    }
    client.on('error', (e) => end(e.message));
    client.on('connect', () => {
      client.subscribe(v.topic, { qos: v.qos }, (error, granted) => {
        if (error) {
          end(error.message);
          return;
        }
        seen.granted = granted[0].qos;
        client.publish(v.topic, payload, { qos: v.qos });
      });
    });
    client.on('message', (topic, body, packet) => {
      seen.topic = topic;
      seen.qos = packet.qos;
      const text = body.toString();
      seen.payload = text === payload ? 'as published' : text.slice(0, 100);
      end('');
    });
  });
}

(async () => {
  const visits = await (await fetch('/visits')).json();
  const seen = [];
  for (const v of visits) {
    seen.push(await visit(v));
  }
  await fetch('/seen', { method: 'POST', body: JSON.stringify(seen) });
})();
