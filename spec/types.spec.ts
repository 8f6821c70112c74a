import { expect } from 'chai';
import type { NodeOptions, nodeOptionNames } from '../lib/client/nodeOptions';
import {
  type AnyWebSocket,
  type ClientOptions,
  type ConnectOptions,
  closeCodes,
  configureServer,
  connect,
  createPair,
  type HeartbeatOptions,
  type HighWaterMarkOptions,
  type Message,
  type MessageStream,
  type RetryOptions,
  reconnecting,
  type Streamed,
  type WebSocket,
  type WebSocketError,
} from '../lib/webSocketHandler';
import { listen, RawClient } from './support/http';

/** Whether two types are the same. */
type Same<One, Other> = (<T>() => T extends One ? 1 : 2) extends <T>() => T extends Other ? 1 : 2 ? true : false;

/** Compiles only if they are: `npm run types` is the test of the functions below, and nothing calls them. */
const same = <One, Other>(_same: Same<One, Other>): void => {};

const url = 'ws://localhost/';

/** Options that a program may want to build on its own. Never called. */
const optionsOfPrograms = (heartbeat: HeartbeatOptions, marks: HighWaterMarkOptions, retry: RetryOptions) => {
  connect(url, {});
  connect(url, { heartbeat, ...marks, keepAlive: true, autoSelectFamily: false, ca: '', family: 4 });
  reconnecting(url, { ...retry, maxAttempts: 5, sendTimeout: false });
  // @ts-expect-error it is in the URL
  connect(url, { path: '/chat' });
  // @ts-expect-error the name of another library
  connect(url, { maxPayload: 5 });
};

/** What each way of reading gives, in the eyes of TypeScript. Never called. */
const ofWholeMessages = [
  async (ws: WebSocket) => {
    ws.on('data', (message) => same<typeof message, Message>(true));
    ws.once('message', (message, info) => same<[typeof message, boolean], [Message, typeof info.binary]>(true));
    for await (const message of ws) same<typeof message, Message>(true);
    const read = ws.read();
    same<typeof read, Message | null>(true);
    // @ts-expect-error a message is no stream
    ws.on('message', (message) => message.resume());
  },
  (ws: WebSocket) => {
    same<ReturnType<typeof ws.connect>, AnyWebSocket>(true);
    const byDefault = [ws.connect(), ws.connect({}), ws.connect({ messages: 'whole' }), connect(url), createPair()[0]];
    same<(typeof byDefault)[number], WebSocket>(true);
  },
  (ws: WebSocket, ours: ConnectOptions, theirs: ClientOptions) => {
    // What the type of the options does not say is not in them.
    const fromVariables = [ws.connect(ours), connect(url, theirs)];
    same<(typeof fromVariables)[number], WebSocket>(true);
    // @ts-expect-error these are the options of whole messages
    ours.messages = 'stream';
  },
];

const ofStreams = [
  async (ws: WebSocket<MessageStream>) => {
    ws.on('data', (message) => same<typeof message, MessageStream>(true));
    ws.addListener('message', (message) => same<typeof message.binary, boolean>(true));
    for await (const message of ws) same<typeof message, MessageStream>(true);
    const read = ws.read();
    same<typeof read, MessageStream | null>(true);
    // @ts-expect-error a stream has no length
    ws.on('message', (message) => message.length);
    // @ts-expect-error nor is it a string
    for await (const message of ws) message.toUpperCase();
  },
  async (ws: WebSocket, ours: Streamed<ConnectOptions>, theirs: Streamed<ClientOptions>) => {
    const messages = 'stream';
    const streaming = [
      ws.connect({ messages }),
      ws.connect({ messages: 'stream', protocol: 'chat' }),
      ws.connect(ours),
      connect(url, { messages }),
      connect(url, theirs),
      ...createPair({ messages }),
    ];
    same<(typeof streaming)[number], WebSocket<MessageStream>>(true);
    for await (const again of reconnecting(url, { messages })) same<typeof again, WebSocket<MessageStream>>(true);
    for await (const again of reconnecting(url)) same<typeof again, WebSocket>(true);
  },
];

const ofEither = [
  (ws: WebSocket, options: ConnectOptions | Streamed<ConnectOptions>) => {
    const either = ws.connect(options);
    same<typeof either, WebSocket<Message | MessageStream>>(true);
    // @ts-expect-error it may be a stream
    either.on('message', (message) => message.length);
  },
  (whole: WebSocket, streams: WebSocket<MessageStream>) => {
    const all: AnyWebSocket[] = [whole, streams];
    const handle = configureServer({} as Parameters<typeof configureServer>[0], { messages: 'stream' });
    same<typeof handle.connections, ReadonlySet<AnyWebSocket>>(true);
    handle.broadcast('all', (each) => each === whole || handle.connections.has(streams) || all.includes(each));
    // @ts-expect-error a program for messages cannot do with streams
    const wrong: WebSocket = streams;
    return wrong;
  },
];

/** The events, and no others but symbols. Never called. */
const ofEvents = (ws: WebSocket, streams: WebSocket<MessageStream>) => {
  ws.on('error', (error) => same<typeof error, WebSocketError>(true));
  ws.on('ping', (payload) => same<typeof payload, Buffer>(true)).once('pong', (payload) => payload.toString('utf8'));
  ws.on('close', () => {})
    .on('end', () => {})
    .on('drain', () => {})
    .off('finish', () => {});
  ws.on(Symbol('of a program'), (anything) => anything);
  streams.on('error', (error) => same<typeof error.code, WebSocketError['code']>(true));
  // @ts-expect-error the second argument is an object, not the boolean of another library
  ws.on('message', (_data, isBinary: boolean) => isBinary);
  // @ts-expect-error the code is `ws.closeCode`
  ws.on('close', (code: number, reason: Buffer) => [code, reason]);
  // @ts-expect-error no event has this name
  ws.on('massage', () => {});
  // @ts-expect-error nor this, of another library
  ws.once('upgrade', () => {});
  // @ts-expect-error nor can it be emitted
  ws.emit('massage');
};

/** The options of Node that `connect()` declares, and those that it accepts. */
const declaredAndAccepted = (): void => {
  same<Exclude<keyof NodeOptions, (typeof nodeOptionNames)[number]>, never>(true);
};

// The compiler counts a constant without a use as a mistake.
void [ofEvents, ofWholeMessages, ofStreams, ofEither, optionsOfPrograms, declaredAndAccepted, closeCodes];

describe('The types of delivered messages', () => {
  it('are the types of the received values', async () => {
    let binary: Promise<boolean> | undefined;
    await using server = await listen((_request, response) => {
      const streams = response.webSocket?.connect({ messages: 'stream' });
      binary = new Promise((resolve) => streams?.on('message', (message) => resolve(message.resume().binary)));
    });
    using client = await RawClient.open(server.port);
    client.write(Buffer.from('818000000000', 'hex'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await binary).to.equal(false);
  });
});
