import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { type Topic, Topics } from '../../lib/topics';
import {
  type AnyWebSocket,
  BroadcastStream,
  type ClientOptions,
  type ConnectionOptions,
  type ConnectOptions,
  configureServer,
  connect,
  createPair,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  type Message,
  type PairOptions,
} from '../../lib/webSocketHandler';
import { ObservedEnd, type Wrap } from '../../spec/support/observedEnd';
import { torturedBroker } from './broker';
import type { Faults } from './faults';

/** Deadlines that are short enough to wait for, and long enough for a busy machine. */
const options = { closeTimeout: 1000, heartbeat: { interval: 400, timeout: 400 }, sendTimeout: 1000 } as const;

const long = (label: string) => `${label}|${'x'.repeat(90_000)}`;
const compressible = (label: string) => `${label}|${'a message '.repeat(50)}`;
/** The functions of the program under test can throw. */
const wrapped =
  (faults: Faults): Wrap =>
  (what, work) =>
    faults.program(what, work);

const number = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The two ends of a connection. */
export interface Talk {
  readonly one: ObservedEnd;
  readonly other: ObservedEnd;
}

/** What the ends of a conversation say. A side is made as soon as its WebSocket is there. */
export interface Conversation {
  readonly name: string;
  /** Runs the conversation until every end of it is over; returns what both have seen. */
  run(faults: Faults): Promise<readonly Talk[]>;
}

/** Sends some messages, reads everything, and ends. */
function clientTalks(side: ObservedEnd, textOf: (label: string) => unknown): void {
  side.read();
  for (const i of number(4)) side.write(`client ${i}`, textOf(`client ${i}`));
  side.ws.ping('x').catch(() => {});
  side.ws.end();
}

/** Sends some messages, and an answer to each that it reads; the library ends it after the peer. */
function serverTalks(side: ObservedEnd, textOf: (label: string) => unknown): void {
  side.read((message) => {
    const label = String(message).split('|', 1)[0];
    if (!side.ws.destroyed) side.write(`answer to ${label}`, textOf(`answer to ${label}`));
  });
  for (const i of number(4)) side.write(`server ${i}`, textOf(`server ${i}`));
}

type TransportKind = 'HTTP/1.1' | 'HTTP/2';

interface Served {
  readonly url: string;
  connect(more?: ClientOptions): AnyWebSocket;
  close(): Promise<void>;
}

/** A server, and clients of it. Over HTTP/2 each client has a session of its own. */
async function serve(
  kind: TransportKind,
  more: ConnectionOptions,
  accepted: (ws: AnyWebSocket, request: HttpRequest) => void,
): Promise<Served> {
  const server = (kind === 'HTTP/2' ? http2.createServer() : createHttpServer()) as unknown as HttpServer &
    ReturnType<typeof createHttpServer>;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.on('request', (request: HttpRequest, response: HttpResponse) => {
    const ws = response.webSocket;
    if (ws !== undefined) accepted(ws.connect({ ...options, ...more } as ConnectOptions), request);
  });
  // A client that is refused by a handler that has failed must not wait for long.
  const handle = configureServer(server, { ...(more as object), handshakeTimeout: 1000 });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sessions: http2.ClientHttp2Session[] = [];
  return {
    url,
    connect(clientOptions = {}) {
      const common = { perMessageDeflate: false, handshakeTimeout: 1500, ...options, ...more, ...clientOptions };
      if (kind === 'HTTP/1.1') return connect(url.replace('http', 'ws'), common as ClientOptions);
      const session = http2.connect(url);
      session.on('error', () => {});
      sessions.push(session);
      return connect(url.replace('http', 'ws'), { ...common, http2: session } as ClientOptions);
    },
    async close() {
      for (const session of sessions) session.destroy();
      const closed = once(server, 'close');
      server.close();
      await handle.close({ timeout: 100 });
      for (const socket of sockets) socket.destroy();
      await closed;
      if (handle.connections.size > 0) throw new Error(`${handle.connections.size} connections are in the handle`);
    },
  };
}

interface Speech {
  readonly options?: ConnectionOptions;
  readonly textOf?: (label: string) => unknown;
  readonly client?: (side: ObservedEnd, textOf: (label: string) => unknown) => void;
  readonly server?: (side: ObservedEnd, textOf: (label: string) => unknown) => void;
}

const plain = (label: string) => label;

/** One client and one server over a network. */
async function overNetwork(kind: TransportKind, faults: Faults, speech: Speech): Promise<readonly Talk[]> {
  const { textOf = plain, client = clientTalks, server = serverTalks } = speech;
  let serverSide: ObservedEnd | undefined;
  const handler = faults.program('request handler', (ws: AnyWebSocket) => {
    server(serverSide as ObservedEnd, textOf);
    void ws;
  });
  const served = await serve(kind, speech.options ?? {}, (ws) => {
    serverSide = new ObservedEnd('server', ws, wrapped(faults));
    handler(ws);
  });
  try {
    const side = new ObservedEnd('client', served.connect(), wrapped(faults));
    client(side, textOf);
    await side.over;
    // The server sees the end of a client, if it has accepted it at all. A handler that has failed leaves its WebSocket to the peer.
    await (serverSide as ObservedEnd | undefined)?.over;
    return serverSide === undefined ? [] : [{ one: side, other: serverSide }];
  } finally {
    await served.close();
  }
}

/** Both ends write a message as a stream, and read messages as streams. */
async function* pieces(label: string, fail: () => void): AsyncGenerator<string> {
  yield `${label}|`;
  for (const piece of ['one', 'two', 'three']) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    fail();
    yield piece.repeat(1000);
  }
}

function streamingTalk(faults: Faults): Speech {
  const source = (label: string) =>
    pieces(
      label,
      faults.program('source of a message', () => {}),
    );
  return {
    options: { messages: 'stream' } as ConnectionOptions,
    client(side) {
      side.readStreams();
      for (const i of number(2)) side.write(`client ${i}`, source(`client ${i}`));
      side.write('client 2');
      side.ws.end();
    },
    server(side) {
      side.readStreams();
      for (const i of number(2)) side.write(`server ${i}`, source(`server ${i}`));
    },
  };
}

/** Three clients of a broadcast, of which each is a talk. */
async function broadcast(faults: Faults): Promise<readonly Talk[]> {
  const group = new BroadcastStream({ policy: 'drop-oldest', limit: 4 });
  const sides = new Map<string, ObservedEnd>();
  const joined: AnyWebSocket[] = [];
  const add = faults.program('request handler', (ws: AnyWebSocket) => {
    group.add(ws.resume() as never);
  });
  const served = await serve('HTTP/1.1', {}, (ws, { url = '' }) => {
    sides.set(url, new ObservedEnd('server', ws, wrapped(faults)));
    joined.push(ws);
    add(ws);
  });
  try {
    const clients = number(3).map((i) => {
      const side = new ObservedEnd('client', connectTo(served, `/${i}`), wrapped(faults));
      side.read();
      return side;
    });
    // Those that cannot be opened are over before.
    await Promise.all(clients.map(({ ws, over }) => Promise.race([once(ws, 'open').catch(() => {}), over])));
    for (const i of number(5)) {
      group.write(
        `news ${i}`,
        faults.program('write callback of the broadcast', () => {}),
      );
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await new Promise<void>((resolve) => {
      group.end(() => resolve());
    });
    for (const ws of joined) ws.end();
    await Promise.all(clients.map(({ over }) => over));
    await Promise.all([...sides.values()].map(({ over }) => over));
    const news = number(5).map((i) => `news ${i}`);
    for (const client of clients) checkNews(client, news);
    return [];
  } finally {
    group.destroy();
    await served.close();
  }
}

/** How the members of a topic join it: with which options, and how many messages were published before. */
interface Joining {
  readonly after?: 'start';
  readonly before: number;
}

/** Publishes a message until the broker has it, as a program does that must not lose it. */
async function publishNews(news: Topic, number: number): Promise<void> {
  const isPublished = () => new Promise<boolean>((resolve) => news.write(`news ${number}`, (error) => resolve(!error)));
  while (!(await isPublished()));
}

/** Three members of a topic, each of which leaves when it has got the last message: one that is lost silently is waited for. */
async function topic(faults: Faults, { before, ...options }: Joining): Promise<readonly Talk[]> {
  await using topics = new Topics({ broker: torturedBroker(faults), initialDelay: 10, maxDelay: 20 });
  const news = topics.topic('news');
  for (const i of number(before)) await publishNews(news, i);
  const sides: ObservedEnd[] = [];
  const add = faults.program('request handler', (ws: AnyWebSocket) => {
    news.add(ws.resume() as never, options);
  });
  const served = await serve('HTTP/1.1', {}, (ws) => {
    sides.push(new ObservedEnd('server', ws, wrapped(faults)));
    try {
      add(ws);
    } catch {
      ws.close(1011);
    }
  });
  try {
    const clients = number(3).map((i) => {
      const side = new ObservedEnd('client', connectTo(served, `/${i}`), wrapped(faults));
      // Before the listener that may throw: an emitter calls no listener after that.
      side.ws.on('message', ((message: Message) => {
        if (message === 'news 4') side.ws.end();
      }) as never);
      side.read();
      return side;
    });
    await Promise.all(clients.map(({ ws, over }) => Promise.race([once(ws, 'open').catch(() => {}), over])));
    for (const i of number(5).slice(before)) await publishNews(news, i);
    await Promise.all([...clients, ...sides].map(({ over }) => over));
    for (const client of clients)
      checkNews(
        client,
        number(5).map((i) => `news ${i}`),
      );
    return [];
  } finally {
    await served.close();
  }
}

const connectTo = (served: Served, path: string) => connect(`${served.url.replace('http', 'ws')}${path}`, options);

/** Nobody lags here, so a member that ends cleanly after it has got the first one has got all. */
function checkNews({ received, endedCleanly, name, events }: ObservedEnd, news: readonly string[]): void {
  const expected = news.slice(news.indexOf(received[0] as string));
  const isStart = received.every((label, i) => label === expected[i]);
  if (!isStart || (endedCleanly && received.length > 0 && received.length < expected.length))
    throw new Error(`the ${name} received ${received.join(', ')}, and saw ${events.join(', ')}`);
}

async function onPair(faults: Faults): Promise<readonly Talk[]> {
  const [server, client] = createPair({ ...options } as PairOptions);
  const talk = {
    one: new ObservedEnd('client', client, wrapped(faults)),
    other: new ObservedEnd('server', server, wrapped(faults)),
  };
  serverTalks(talk.other, (label) => (label === 'server 1' ? long(label) : label));
  clientTalks(talk.one, plain);
  await Promise.all([talk.one.over, talk.other.over]);
  return [talk];
}

export const conversations: readonly Conversation[] = [
  { name: 'a pair', run: onPair },
  {
    name: 'HTTP/1.1',
    run: (faults) =>
      overNetwork('HTTP/1.1', faults, { textOf: (label) => (label.endsWith(' 2') ? long(label) : label) }),
  },
  { name: 'HTTP/2', run: (faults) => overNetwork('HTTP/2', faults, {}) },
  {
    name: 'compression',
    run: (faults) =>
      overNetwork('HTTP/1.1', faults, {
        options: { perMessageDeflate: { threshold: 0 } },
        textOf: (label) => (label.endsWith(' 2') ? long(label) : compressible(label)),
      }),
  },
  { name: 'messages as streams', run: (faults) => overNetwork('HTTP/1.1', faults, streamingTalk(faults)) },
  {
    name: 'messages as streams, compressed',
    run: (faults) =>
      overNetwork('HTTP/2', faults, {
        ...streamingTalk(faults),
        options: { messages: 'stream', perMessageDeflate: { threshold: 0 } } as ConnectionOptions,
      }),
  },
  { name: 'broadcast', run: broadcast },
  { name: 'topics', run: (faults) => topic(faults, { before: 0 }) },
  { name: 'topics with a history', run: (faults) => topic(faults, { after: 'start', before: 3 }) },
];
