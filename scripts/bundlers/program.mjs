/** The small program that is bundled: a server and a client, with compression, and the API of ws beside them. */
import { strictEqual, throws } from 'node:assert';
import { once } from 'node:events';
import { createServer } from 'node:http';

/** @param library what `node-websocket-handler` has, and the default of `node-websocket-handler/ws` as `WebSocket` */
export async function run({ configureServer, connect, WebSocketError, WebSocket }) {
  const server = createServer((_request, response) => {
    const ws = response.webSocket.connect();
    ws.pipe(ws);
  });
  const handle = configureServer(server, { perMessageDeflate: true });
  await once(server.listen(0, 'localhost'), 'listening');
  const url = `ws://localhost:${server.address().port}`;

  const text = 'again and '.repeat(1000);
  const ws = connect(url, { perMessageDeflate: true });
  ws.end(text);
  const echoes = await ws.toArray();
  strictEqual(echoes.join(), text);
  strictEqual(ws.extensions.includes('permessage-deflate'), true);

  const adapted = new WebSocket(url);
  adapted.onopen = () => adapted.send('hello');
  const [echo] = await once(adapted, 'message');
  strictEqual(String(echo), 'hello');
  adapted.close();
  await once(adapted, 'close');
  // The library is in the bundle once: both entries throw errors of the same class.
  throws(() => connect('nonsense:'), WebSocketError);
  throws(() => new WebSocket.WebSocketServer({}), WebSocketError);

  server.close();
  await handle.close();
  console.log('it works');
}
