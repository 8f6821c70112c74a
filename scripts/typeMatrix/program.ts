/** A user's program that names everything public. It is only type-checked, by `npm run types:matrix`, against the packed library. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { Duplex, Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  type AnyWebSocket,
  type BinaryData,
  type BroadcastCounts,
  type BroadcastFilter,
  type BroadcastMessage,
  type BroadcastPolicy,
  BroadcastStream,
  type BroadcastStreamOptions,
  type BroadcastTotals,
  byteStream,
  type ClientOptions,
  type CloseFrame,
  type CloseOptions,
  type CloseOutcome,
  type CloseSummary,
  type ConnectionCounters,
  type ConnectionOptions,
  type ConnectOptions,
  type ControlFrame,
  closeCodes,
  configureServer,
  connect,
  createPair,
  type DataFrame,
  Deframer,
  type DeframerOptions,
  Framer,
  type FramerOptions,
  type HeartbeatOptions,
  type HighWaterMark,
  type HighWaterMarkOptions,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  handleHttpUpgrade,
  type Incoming,
  isWebSocketRequest,
  type Message,
  type MessageInfo,
  type MessageSource,
  MessageStream,
  type Origins,
  type Outgoing,
  type PairOptions,
  type PerMessageDeflateOptions,
  type PingFrame,
  PreparedMessage,
  type PreparedMessageOptions,
  type ReconnectingOptions,
  type Role,
  reconnecting,
  type SendOptions,
  type ServerCounters,
  type ServerOptions,
  type Streamed,
  type TransportName,
  type Version,
  WebSocket,
  type WebSocketError,
  type WebSocketErrorCode,
  type WebSocketEvents,
  type WebSocketServer,
} from 'node-websocket-handler';
import {
  createWebSocketStream,
  WebSocketServer as WsServer,
  type ServerOptions as WsServerOptions,
  WebSocket as WsSocket,
} from 'node-websocket-handler/ws';

// Servers.
const deflate: PerMessageDeflateOptions = { serverNoContextTakeover: true, level: 9, threshold: 0, idleRelease: 1000 };
const mark: HighWaterMark = { messages: 1 };
const marks: HighWaterMarkOptions = { highWaterMark: mark, readableHighWaterMark: { bytes: 1 } };
const heartbeat: HeartbeatOptions = { interval: 1000, timeout: 500 };
const origins: Origins = (origin, request) => origin === undefined && isWebSocketRequest(request);
const common: ConnectionOptions = {
  ...marks,
  heartbeat,
  maxMessageSize: 1024,
  closeTimeout: 1000,
  perMessageDeflate: deflate,
  messages: 'whole',
  maxBufferedAmount: Number.POSITIVE_INFINITY,
  sendTimeout: false,
  allowHalfOpen: true,
};
const versions: readonly Version[] = ['13', '8', '7', 'draft03', 'draft76', 'draft75'];
const serverOptions: ServerOptions = { ...common, origins, versions, filter: () => true, handshakeTimeout: 1 };
const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  const ws: WebSocket | undefined = response.webSocket?.connect({ protocol: 'chat', headers: { 'X-Tag': ['a', 'b'] } });
  ws?.on('message', (message: Message, { binary }: MessageInfo) => binary || ws.sendTextMessage(message));
  ws?.on('ping', (payload) => payload.readUInt8(0));
  const asked: HttpRequest | undefined = ws?.request ?? request;
  console.log(asked.headers.host);
});
const handle: WebSocketServer = configureServer(server, serverOptions);
const everywhere: HttpServer = server;
server.on('upgrade', (request, socket, head) => {
  // `handleHttpUpgrade()` says whether the request was for a WebSocket.
  if (!handleHttpUpgrade(everywhere, request, socket as Duplex, head, serverOptions)) socket.destroy();
});
const secure = createSecureServer({ allowHTTP1: true }, (_request, response) => {
  const answered: HttpResponse = response;
  response.webSocket?.connect().pipe(new Transform({ objectMode: true }));
  answered.end();
});
configureServer(secure, { origins: ['https://example.org'] });
const closing: CloseOptions = { code: closeCodes.goingAway, reason: 'bye', spread: 0, timeout: 1 };
const everybody: BroadcastFilter = (webSocket: AnyWebSocket) => webSocket.protocol === 'chat';
const news: BroadcastMessage = 'news';

export async function shutDown(): Promise<CloseSummary> {
  const told: number = handle.broadcast(news, everybody);
  for (const connection of handle.connections) connection.close(1001, `${told}`);
  const counters: ServerCounters = handle.counters;
  console.log(counters.opened, counters.closed[1000]);
  await handle[Symbol.asyncDispose]();
  return handle.close(closing);
}

// Clients, of whole and of streamed messages.
const clientOptions: ClientOptions = {
  protocols: ['chat'],
  headers: { Authorization: 'Bearer' },
  signal: new AbortController().signal,
  rejectUnauthorized: false,
  ca: 'certificate',
  family: 4,
  followRedirects: 3,
  http2: true,
};
connect('wss://localhost/');
connect(new URL('ws://localhost/'), { version: '13' });
connect('wss://localhost/', { origin: 'https://example.org', handshakeTimeout: 1000, maxMessageSize: 1024 });
const streamedOptions: Streamed<ConnectOptions> = { messages: 'stream' };
console.log(streamedOptions.messages);

export async function useClient(): Promise<CloseOutcome> {
  const ws: WebSocket = connect('ws://localhost/', clientOptions);
  const open: boolean = ws.write('text', (error) => console.log(error?.message));
  ws.sendBinaryMessage(new Uint8Array(1), { compress: false } satisfies SendOptions, () => {});
  const bytes: readonly BinaryData[] = [Buffer.from(''), new DataView(new ArrayBuffer(1)), new SharedArrayBuffer(1)];
  for (const data of bytes) ws.write(data);
  const source: MessageSource = Readable.from(['a', 'b']);
  ws.write(source);
  const version: Version = ws.version;
  const transport: TransportName | undefined = ws.transport;
  const counters: ConnectionCounters = ws.counters;
  console.log(open, version, transport, counters.bytesSent, ws.bufferedAmount, ws.protocols.length, ws.extensions);
  const roundTrip: number = await ws.ping('payload');
  console.log(roundTrip, ws.pong(), ws.closed satisfies boolean, ws.closeCode, ws.closeReason, ws.wasClean);
  for await (const message of ws) console.log(message.length);
  const web = Duplex.toWeb(ws);
  console.log(web.readable.locked);
  await pipeline(ws, new Transform({ objectMode: true }), ws);
  return ws.whenClosed();
}

export async function useStreams(): Promise<void> {
  const ws = connect('ws://localhost/', { messages: 'stream' });
  for await (const message of ws) {
    const stream: MessageStream = message;
    if (stream.binary && stream instanceof MessageStream) stream.resume();
  }
  ws.on('error', (error: WebSocketError) => {
    const code: WebSocketErrorCode = error.code;
    const { closeCode, statusCode, headers, body } = error;
    console.log(code, closeCode, statusCode, headers, body, error instanceof Error);
  });
  const names: (keyof WebSocketEvents)[] = ['start', 'open', 'data', 'message', 'ping', 'pong', 'error'];
  console.log(names);
}

export async function comeBack(): Promise<void> {
  const options: ReconnectingOptions = {
    initialDelay: 1,
    maxDelay: 2,
    headers: () => ({ 'X-Last': '1' }),
    retry: (error, failures) => failures < 3 && error.name !== 'AbortError',
  };
  for await (const ws of reconnecting(() => 'ws://localhost/', options)) ws.end('bye');
}

// Broadcasts.
const policy: BroadcastPolicy = 'keep-latest';
const options: BroadcastStreamOptions = { policy, key: (message: string) => message, limit: 3, code: 1013 };
const room = new BroadcastStream(options);
const prepared = new PreparedMessage('text', { binary: true, compress: true } satisfies PreparedMessageOptions);
const pairOptions: PairOptions = { protocol: 'chat', version: '13' };
const [one, other] = createPair(pairOptions);
room.add(one).add(other).write(prepared);
const counts: BroadcastCounts | undefined = room.stats(one);
const totals: BroadcastTotals = room.totals;
console.log(counts?.sent, totals.closed, room.members.size, room.delete(one), one instanceof WebSocket);

// The wire format.
const role: Role = 'server';
const deframer = new Deframer({ role, version: '13' } satisfies DeframerOptions);
const framer = new Framer({ role: 'client' } satisfies FramerOptions);
const ping: PingFrame = { opcode: 'ping', payload: new Uint8Array(1) };
const close: CloseFrame = { opcode: 'close', code: 1000, reason: '' };
const fragment: DataFrame = { opcode: 'text', fin: false, payload: 'frag' };
const control: ControlFrame = ping;
const outgoing: readonly Outgoing[] = ['text', Buffer.from(''), ping, close, fragment, control];
for (const item of outgoing) framer.write(item);
deframer.on('data', (incoming: Incoming) => console.log(incoming));
framer.pipe(deframer);

// A stream of bytes, and the API of ws.
const bytes: Duplex = byteStream(one);
bytes.pipe(bytes);
const wss = new WsServer({ port: 0, verifyClient: ({ origin, secure }) => secure || origin === undefined });
wss.on('connection', (socket: WsSocket, request: IncomingMessage) => {
  socket.on('message', (data, isBinary) => socket.send(isBinary ? data : `${request.url} ${data}`));
  socket.onclose = ({ code, reason, target }) => console.log(code, reason, target === socket);
  socket.stream.pipe(socket.stream);
});
const wsOptions: WsServerOptions = { noServer: true, heartbeat: false };
createWebSocketStream(new WsSocket('ws://localhost', 'chat', { maxPayload: 10 }), { encoding: 'utf8' });
console.log(wsOptions);

// What must not compile.
// @ts-expect-error an option that does not exist
configureServer(server, { maxPayload: 1 });
// @ts-expect-error an event that does not exist
one.on('massage', () => {});
// @ts-expect-error the listener of ws's 'message' event
one.on('message', (data: Message, isBinary: boolean) => console.log(data, isBinary));
// @ts-expect-error the listener of ws's 'close' event
one.on('close', (code: number, reason: Buffer) => console.log(code, reason));
// @ts-expect-error a number is no message
one.sendTextMessage(1);
