/** A user's program in TypeScript, which runs as it is where types are stripped: no build, no flag. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CloseOutcome, configureServer, connect, type HttpResponse, type Message } from 'node-websocket-handler';
import WebSocket, { type RawData } from 'node-websocket-handler/ws';

const server = createServer((_request, response: HttpResponse) => {
  const ws = response.webSocket?.connect();
  ws?.pipe(ws);
});
const handle = configureServer(server);
await once(server.listen(0, '127.0.0.1'), 'listening');
const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;

const ws = connect(url);
ws.end('it');
const messages: Message[] = await ws.toArray();
const { wasClean }: CloseOutcome = await ws.whenClosed();

const adapted: WebSocket = new WebSocket(url);
adapted.onopen = () => adapted.send('works');
const [data] = (await once(adapted, 'message')) as [RawData];
adapted.close();
await once(adapted, 'close');

server.close();
await handle.close();
console.log(...messages, String(data), wasClean);
