import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import * as http2 from 'node:http2';
import { type AddressInfo, connect as connectSocket, createServer as createSocketServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type AnyWebSocket,
  type ClientOptions,
  type ConnectionOptions,
  type ConnectOptions,
  configureServer,
  connect,
  createPair,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  type PairOptions,
  type Role,
  type WebSocketServer,
} from '../../lib/webSocketHandler';
import { LeftListeners } from '../support/leftListeners';
import { RawEnd } from './rawEnd';

export const transportKinds = ['pair', 'HTTP/1.1', 'HTTP/2'] as const;

export type TransportKind = (typeof transportKinds)[number];

/** What one connection is opened with. */
export interface Opening {
  readonly transport: TransportKind;
  /** That of the WebSocket under test. */
  readonly role: Role;
  /** Whether the peer is a raw byte stream in place of a WebSocket of the library. */
  readonly rawPeer: boolean;
  /** Of the WebSocket under test. */
  readonly options: ConnectionOptions;
  readonly peerOptions: ConnectionOptions;
  /** Of the client under test. */
  readonly signal: AbortSignal | undefined;
}

/** One open connection, with a server of its own if it is one of a network. */
export interface Connection extends AsyncDisposable {
  readonly ws: AnyWebSocket;
  readonly peer: AnyWebSocket | RawEnd;
  /** Of the server under test. */
  readonly handle: WebSocketServer | undefined;
  /** Those of the servers and sessions of this library that the WebSockets have. */
  readonly listeners: LeftListeners;
}

/** What is to be undone, the last of it first, and what outlasts the WebSockets. */
class Undo extends Array<() => unknown> {
  readonly listeners = new LeftListeners();
}

export async function open(opening: Opening): Promise<Connection> {
  const undo = new Undo();
  const connection =
    opening.transport === 'pair'
      ? await openPair(opening)
      : opening.role === 'server'
        ? await openServer(opening, undo)
        : await openClient(opening, undo);
  return {
    handle: undefined,
    listeners: undo.listeners,
    ...connection,
    async [Symbol.asyncDispose]() {
      while (undo.length > 0) await undo.pop()?.();
    },
  };
}

type Opened = Pick<Connection, 'ws' | 'peer'> & { readonly handle?: WebSocketServer };

async function openPair({ role, options }: Opening): Promise<Opened> {
  const [server, client] = createPair(options as PairOptions) as [AnyWebSocket, AnyWebSocket];
  const [ws, peer] = role === 'server' ? [server, client] : [client, server];
  await Promise.all([opened(ws), opened(peer)]);
  return { ws, peer };
}

const opened = (ws: AnyWebSocket) => once(ws, 'open');

/** A server of ours on a free port, for one connection. */
async function listen(transport: TransportKind, options: ConnectionOptions, undo: Undo) {
  const server = (transport === 'HTTP/2' ? http2.createServer() : createHttpServer()) as unknown as HttpServer &
    Socket &
    ReturnType<typeof createHttpServer>;
  const sockets = new Set<Socket>();
  const accepted = new EventEmitter();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('request', (_request: HttpRequest, response: HttpResponse) => {
    accepted.emit('webSocket', response.webSocket?.connect(options as ConnectOptions));
  });
  const handle = configureServer(server);
  undo.listeners.watch('the server', server as unknown as EventEmitter);
  undo.push(async () => {
    const closed = once(server, 'close');
    server.close();
    void handle.close({ timeout: 1 });
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { handle, authority, accepted: once(accepted, 'webSocket') as Promise<[AnyWebSocket]> };
}

/** A client of ours. Over HTTP/2 each has a session of its own: those that do not read would otherwise hold others up. */
function connectTo(authority: string, transport: TransportKind, options: ClientOptions, undo: Undo): AnyWebSocket {
  if (transport === 'HTTP/1.1') return connect(`ws://${authority}/`, options);
  const session = openSession(authority, undo);
  return connect(`ws://${authority}/`, { ...options, http2: session });
}

function openSession(authority: string, undo: Undo): http2.ClientHttp2Session {
  const session = http2.connect(`http://${authority}`);
  session.on('error', () => {});
  undo.listeners.watch('the session of the client', session);
  undo.push(() => session.destroy());
  return session;
}

async function openServer(opening: Opening, undo: Undo): Promise<Opened> {
  const { transport, options, peerOptions, rawPeer } = opening;
  const { handle, authority, accepted } = await listen(transport, options, undo);
  if (rawPeer) {
    const peer = await (transport === 'HTTP/2' ? rawHttp2Client : rawHttp1Client)(authority, undo);
    const [ws] = await accepted;
    return { ws, peer, handle };
  }
  const peer = connectTo(authority, transport, { perMessageDeflate: false, ...peerOptions } as ClientOptions, undo);
  const [[ws]] = await Promise.all([accepted, opened(peer)]);
  return { ws, peer, handle };
}

async function openClient(opening: Opening, undo: Undo): Promise<Opened> {
  const { transport, options, peerOptions, rawPeer, signal } = opening;
  const clientOptions = { perMessageDeflate: false, ...options, ...(signal && { signal }) } as ClientOptions;
  if (rawPeer) {
    const { authority, accepted } = await (transport === 'HTTP/2' ? rawHttp2Server : rawHttp1Server)(undo);
    const ws = connectTo(authority, transport, clientOptions, undo);
    const [[peer]] = await Promise.all([accepted, opened(ws)]);
    return { ws, peer };
  }
  const { authority, accepted } = await listen(transport, peerOptions, undo);
  const ws = connectTo(authority, transport, clientOptions, undo);
  const [[peer]] = await Promise.all([accepted, opened(ws)]);
  return { ws, peer };
}

async function readHead(socket: Socket): Promise<{ head: string; rest: Buffer }> {
  let bytes: Buffer = Buffer.alloc(0);
  for (;;) {
    const [more] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, more]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end !== -1) return { head: bytes.subarray(0, end).toString('latin1'), rest: bytes.subarray(end + 4) };
  }
}

async function rawHttp1Client(authority: string, undo: Undo): Promise<RawEnd> {
  const socket = connectSocket(Number(authority.split(':')[1]), '127.0.0.1');
  undo.push(() => socket.destroy());
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  const { rest } = await readHead(socket);
  return new RawEnd(socket, 'client', rest);
}

async function rawHttp2Client(authority: string, undo: Undo): Promise<RawEnd> {
  const session = openSession(authority, undo);
  await once(session, 'remoteSettings');
  const headers = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' };
  const stream = session.request(headers, { endStream: false });
  await once(stream, 'response');
  return new RawEnd(stream, 'client', Buffer.alloc(0));
}

type RawServer = { readonly authority: string; readonly accepted: Promise<[RawEnd]> };

async function rawHttp1Server(undo: Undo): Promise<RawServer> {
  const accepted = new EventEmitter();
  const server = createSocketServer(async (socket) => {
    undo.push(() => socket.destroy());
    const { head, rest } = await readHead(socket);
    const key = /sec-websocket-key: (.*)/i.exec(head)?.[1] ?? '';
    const proof = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const answer = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    socket.write(`${answer.join('\r\n')}\r\nSec-WebSocket-Accept: ${proof}\r\n\r\n`);
    accepted.emit('end', new RawEnd(socket, 'server', rest));
  });
  return listening(server, accepted, undo);
}

async function rawHttp2Server(undo: Undo): Promise<RawServer> {
  const accepted = new EventEmitter();
  const server = http2.createServer({ settings: { enableConnectProtocol: true } });
  server.on('session', (session) => undo.push(() => session.destroy()));
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 });
    accepted.emit('end', new RawEnd(stream, 'server', Buffer.alloc(0)));
  });
  return listening(server, accepted, undo);
}

async function listening(
  server: ReturnType<typeof createSocketServer> | http2.Http2Server,
  accepted: EventEmitter,
  undo: Undo,
): Promise<RawServer> {
  undo.unshift(() => {
    const closed = once(server, 'close');
    server.close();
    return closed;
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { authority: `127.0.0.1:${port}`, accepted: once(accepted, 'end') as Promise<[RawEnd]> };
}

/** Breaks the connection of a raw peer off, as a crash does. */
export function reset(end: RawEnd): void {
  const stream: Duplex & { close?(code: number): void; resetAndDestroy?(): void } = end.stream;
  if (stream.resetAndDestroy !== undefined) stream.resetAndDestroy();
  else stream.close?.(http2.constants.NGHTTP2_CANCEL);
}
