import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as streams from 'node:stream';
import { type Duplex, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { createWebSocketStream, WebSocket, WebSocketServer } from '../../../lib/adapters/ws';
import { byteStream, createPair, type Message } from '../../../lib/webSocketHandler';
import { adapted } from '../../support/adapted';
import { runRecipe } from '../../support/recipes';

// biome-ignore lint/suspicious/noExplicitAny: of packages without types here
type Any = any;

const urlOf = (server: { address(): unknown }, path = '') =>
  `ws://localhost:${(server.address() as AddressInfo).port}${path}`;

/** The first arguments of the next event. */
const next = (emitter: Any, event: string): Promise<Any> =>
  new Promise((resolve) => emitter.once(event, (first: unknown) => resolve(first)));

describe('Programs for ws, unchanged, over node-websocket-handler/ws', () => {
  let wss: WebSocketServer;

  async function listen(): Promise<string> {
    wss = new WebSocketServer({ port: 0, host: 'localhost' });
    await once(wss, 'listening');
    return urlOf(wss);
  }

  async function close(): Promise<void> {
    for (const client of wss.clients ?? []) client.terminate();
    await new Promise<void>((resolve) => wss.close(() => resolve()));
  }

  it('are given it where they ask for ws', () => {
    expect(adapted('ws')).to.equal(WebSocket);
  });

  it('graphql-ws: a query and a subscription', async () => {
    const { createClient } = adapted('graphql-ws');
    const { useServer } = adapted('graphql-ws/use/ws');
    const { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } = adapted('graphql');
    async function* count() {
      for (let countdown = 3; countdown > 0; countdown--) yield { countdown };
    }
    const query = { hello: { type: GraphQLString, resolve: () => 'grüße' } };
    const subscription = { countdown: { type: GraphQLInt, subscribe: count } };
    const schema = new GraphQLSchema({
      query: new GraphQLObjectType({ name: 'Query', fields: query }),
      subscription: new GraphQLObjectType({ name: 'Subscription', fields: subscription }),
    });
    const url = await listen();
    const server = useServer({ schema }, wss);
    const client = createClient({ url, webSocketImpl: WebSocket, lazy: false });
    const results: unknown[] = [];
    for (const document of ['{ hello }', 'subscription { countdown }'])
      for await (const { data } of client.iterate({ query: document })) results.push({ ...data });
    expect(results).to.deep.equal([{ hello: 'grüße' }, { countdown: 3 }, { countdown: 2 }, { countdown: 1 }]);
    const [connection] = wss.clients ?? [];
    const end = next(connection, 'close');
    await client.dispose();
    expect(await end).to.equal(1000);
    await server.dispose();
    await close();
  });

  it('tRPC: a query, a mutation and a subscription', async () => {
    const { initTRPC } = adapted('@trpc/server');
    const { applyWSSHandler } = adapted('@trpc/server/adapters/ws');
    const { createTRPCClient, createWSClient, wsLink } = adapted('@trpc/client');
    const t = initTRPC.create();
    let saved: unknown;
    const router = t.router({
      hello: t.procedure.input((name: unknown) => name).query(({ input }: Any) => `hello ${input}`),
      save: t.procedure
        .input((value: unknown) => value)
        .mutation(({ input }: Any) => {
          saved = input;
        }),
      count: t.procedure.subscription(async function* () {
        yield 1;
        yield 2;
      }),
    });
    const url = await listen();
    const handler = applyWSSHandler({ wss, router, createContext: () => ({}) });
    const wsClient = createWSClient({ url, WebSocket });
    const client = createTRPCClient({ links: [wsLink({ client: wsClient })] });
    expect(await client.hello.query('you')).to.equal('hello you');
    await client.save.mutate({ a: 1 });
    expect(saved).to.deep.equal({ a: 1 });
    const counted: number[] = [];
    await new Promise<void>((resolve, reject) =>
      client.count.subscribe(undefined, {
        onData: (number: number) => counted.push(number),
        onComplete: resolve,
        onError: reject,
      }),
    );
    expect(counted).to.deep.equal([1, 2]);
    handler.broadcastReconnectNotification();
    await wsClient.close();
    await close();
  });

  describe('Socket.IO, with wsEngine', () => {
    let http: Server;
    let io: Any;
    const sockets: Any[] = [];

    beforeEach(async () => {
      http = createServer().listen(0, 'localhost');
      await once(http, 'listening');
      io = new (adapted('socket.io').Server)(http, { wsEngine: WebSocketServer });
    });

    afterEach(async () => {
      for (const socket of sockets.splice(0)) socket.disconnect();
      await io.close();
    });

    const open = (options: object) => {
      const socket = adapted('socket.io-client').io(urlOf(http).replace('ws:', 'http:'), {
        forceNew: true,
        ...options,
      });
      sockets.push(socket);
      return socket;
    };

    it('sends events, acknowledgements, binary data and broadcasts over WebSockets', async () => {
      io.on('connection', (socket: Any) => {
        socket.join('room');
        socket.on('echo', (data: unknown, answer: (data: unknown) => void) => answer(data));
        socket.on('tell', (data: unknown) => io.to('room').emit('told', data));
      });
      const [one, other] = [open({ transports: ['websocket'] }), open({ transports: ['websocket'] })];
      await Promise.all([next(one, 'connect'), next(other, 'connect')]);
      const data = { text: 'grün', bytes: Buffer.from([1, 2, 3]) };
      expect(await one.emitWithAck('echo', data)).to.deep.equal(data);
      const told = Promise.all([next(one, 'told'), next(other, 'told')]);
      one.emit('tell', data);
      expect(await told).to.deep.equal([data, data]);
      expect(one.io.engine.transport.name).to.equal('websocket');
      const gone = next(one, 'disconnect');
      io.disconnectSockets(true);
      expect(await gone).to.match(/server disconnect|transport close/);
    });

    it('upgrades a connection from polling', async () => {
      const upgraded = new Promise<Any>((resolve) =>
        io.engine.once('connection', (socket: Any) => socket.once('upgrade', resolve)),
      );
      await next(open({ transports: ['polling', 'websocket'] }), 'connect');
      expect((await upgraded).name).to.equal('websocket');
    });
  });

  it('engine.io, with wsEngine: messages both ways', async () => {
    const http = createServer().listen(0, 'localhost');
    await once(http, 'listening');
    const server = adapted('engine.io').attach(http, { wsEngine: WebSocketServer, transports: ['websocket'] });
    server.on('connection', (socket: Any) => socket.on('message', (data: unknown) => socket.send(data)));
    const client = new WebSocket(`${urlOf(http)}/engine.io/?EIO=4&transport=websocket`);
    const messages: string[] = [];
    client.on('message', (data) => messages.push(String(data)));
    await next(client, 'message');
    client.send('4hello');
    await next(client, 'message');
    expect([messages[0]?.[0], messages[1]]).to.deep.equal(['0', '4hello']);
    client.close();
    await next(client, 'close');
    server.close();
    http.close();
    await once(http, 'close');
  });

  it('y-websocket: two documents become the same', async () => {
    const Y = adapted('yjs');
    const { WebsocketProvider } = adapted('y-websocket');
    const { docs: kept, setupWSConnection } = adapted('y-websocket/bin/utils');
    const url = await listen();
    wss.on('connection', (socket, request) => setupWSConnection(socket, request));
    const docs = [new Y.Doc(), new Y.Doc()];
    const providers = docs.map(
      (doc) => new WebsocketProvider(url, 'room', doc, { WebSocketPolyfill: WebSocket, disableBc: true }),
    );
    await Promise.all(providers.map((provider) => new Promise((resolve) => provider.once('sync', resolve))));
    const updated = new Promise((resolve) => docs[1].once('update', resolve));
    docs[0].getText('text').insert(0, 'written by one');
    await updated;
    expect(docs[1].getText('text').toString()).to.equal('written by one');
    for (const provider of providers) provider.destroy();
    await Promise.all([...(wss.clients ?? [])].map((client) => next(client, 'close')));
    // Without a database, the server keeps its own documents.
    for (const doc of [...docs, ...kept.values()]) doc.destroy();
    await close();
  });

  it('rpc-websockets: calls and notifications, both ends on it', async () => {
    const { Client, Server: RpcServer } = adapted('rpc-websockets');
    const server = new RpcServer({ port: 0, host: 'localhost' });
    await next(server, 'listening');
    server.register('sum', ([one, other]: number[]) => (one as number) + (other as number));
    server.event('news');
    const client = new Client(urlOf(server.wss), { reconnect: false });
    await next(client, 'open');
    expect(await client.call('sum', [1, 2])).to.equal(3);
    await client.subscribe('news');
    const news = next(client, 'news');
    server.emit('news', 'good');
    expect(await news).to.equal('good');
    const closed = next(client, 'close');
    client.close();
    await closed;
    await server.close();
  });

  it('reconnecting-websocket: connects again', async () => {
    const url = await listen();
    const ReconnectingWebSocket = adapted('reconnecting-websocket');
    const options = { WebSocket, minReconnectionDelay: 1, maxReconnectionDelay: 2 };
    const first = next(wss, 'connection');
    const client = new ReconnectingWebSocket(url, [], options);
    const messages: string[] = [];
    const second = new Promise<void>((resolve) =>
      client.addEventListener('message', ({ data }: { data: string }) => {
        messages.push(data);
        if (messages.length === 2) resolve();
      }),
    );
    const socket = await first;
    const again = next(wss, 'connection');
    await new Promise((resolve) => socket.send('first', resolve));
    socket.terminate();
    (await again).send('second');
    await second;
    expect(messages).to.deep.equal(['first', 'second']);
    const closed = new Promise((resolve) => client.addEventListener('close', resolve));
    client.close();
    await closed;
    await close();
  });

  it('mqtt: publishes and subscribes', async () => {
    const { Aedes } = await import('aedes');
    const broker = await Aedes.createBroker();
    const url = await listen();
    wss.on('connection', (socket, request) => broker.handle(createWebSocketStream(socket), request));
    const mqtt = await adapted('mqtt').connectAsync(url, { reconnectPeriod: 0 });
    await mqtt.subscribeAsync('grüße/#', { qos: 1 });
    const received = next(mqtt, 'message');
    await mqtt.publishAsync('grüße/welt', 'x'.repeat(100_000), { qos: 1 });
    expect(await received).to.equal('grüße/welt');
    await mqtt.endAsync();
    await new Promise<void>((resolve) => broker.close(resolve));
    await close();
  });
});

describe('Programs for byte streams, unchanged, over byteStream()', () => {
  let ends: [Duplex, Duplex];

  beforeEach(() => {
    const [server, client] = createPair();
    ends = [byteStream(server), byteStream(client)];
  });

  it('ssh2: a command, its input and its output', async () => {
    const { Client, Server: SshServer, utils } = adapted('ssh2');
    const [serverBytes, clientBytes] = ends;
    const server = new SshServer({ hostKeys: [utils.generateKeyPairSync('ed25519').private] }, (client: Any) => {
      client.on('authentication', (context: Any) => context.accept());
      client.on('session', (accept: Any) => {
        accept().on('exec', (acceptExec: Any, _reject: unknown, { command }: { command: string }) => {
          const channel = acceptExec();
          channel.write(`${command}: `);
          channel.on('data', (data: Buffer) => channel.write(data));
          channel.on('end', () => {
            channel.exit(0);
            channel.end();
          });
        });
      });
    });
    server.injectSocket(serverBytes);
    const client = new Client();
    client.connect({ sock: clientBytes, username: 'any', password: 'any' });
    await next(client, 'ready');
    const channel: Duplex = await new Promise((resolve, reject) =>
      client.exec('echo', (error: Error | undefined, stream: Duplex) => (error ? reject(error) : resolve(stream))),
    );
    channel.end('x'.repeat(1_000_000));
    expect(await text(channel)).to.equal(`echo: ${'x'.repeat(1_000_000)}`);
    const closed = next(client, 'close');
    client.end();
    await closed;
  });

  it('vscode-jsonrpc: requests and notifications both ways', async () => {
    const { createMessageConnection, StreamMessageReader, StreamMessageWriter } = adapted('vscode-jsonrpc/node');
    const [server, client] = ends.map((bytes) =>
      createMessageConnection(new StreamMessageReader(bytes), new StreamMessageWriter(bytes)),
    );
    server.onRequest('upper', (word: string) => word.toUpperCase());
    const told = new Promise((resolve) => client.onNotification('told', resolve));
    server.listen();
    client.listen();
    expect(await client.sendRequest('upper', 'grün')).to.equal('GRÜN');
    await server.sendNotification('told', 'news');
    expect(await told).to.equal('news');
    const closed = new Promise<void>((resolve) => server.onClose(resolve));
    client.dispose();
    ends[1].end();
    await closed;
    server.dispose();
  });
});

describe('docs/recipes.md', () => {
  it('MessagePack: answers objects, in binary messages', async () => {
    const { decode, encode } = adapted('@msgpack/msgpack');
    const { compose } = streams as Any;
    const [ws, peer] = createPair();
    const answers = peer.map((message: Message) => decode(message as Buffer)).toArray();
    await runRecipe('MessagePack', 0, { Transform, compose, decode, encode, ws });
    peer.write(encode({ id: 1, text: 'one' }));
    peer.end(encode({ id: 2, text: 'grün' }));
    expect(await answers).to.deep.equal([
      { id: 1, answer: 'ONE' },
      { id: 2, answer: 'GRÜN' },
    ]);
  });
});
