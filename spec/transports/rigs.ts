import { EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import {
  type ClientOptions,
  type ConnectOptions,
  configureServer,
  connect,
  createPair,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  type PairOptions,
  type Streamed,
  type TransportName,
  type WebSocket,
  type WebSocketServer,
} from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';

/** The two ends of one connection. */
export type Ends = Readonly<Record<'server' | 'client', WebSocket>>;

/** What both ends of a connection are opened with; the subprotocol is the one to agree on. */
export type EndOptions = Omit<PairOptions, 'version' | 'messages'> & { messages?: 'whole' | 'stream' };

/** Something that carries WebSockets, for as long as a spec needs it. */
export interface Rig extends AsyncDisposable {
  /** Opens a connection, and waits until both ends are open. */
  open(options?: EndOptions): Promise<Ends>;
  /** Breaks everything that is open, as a network does: no end of it says anything. */
  cut(): void;
  /** There if a server stands behind it. */
  readonly server?: {
    readonly handle: WebSocketServer;
    readonly http: EventEmitter & Pick<NetServer, 'close'>;
    connect(options?: ClientOptions): WebSocket;
  };
}

export interface RigKind {
  readonly name: string;
  readonly transport: TransportName;
  create(): Promise<Rig>;
}

async function pairRig(): Promise<Rig> {
  const open: WebSocket[] = [];
  return {
    async open(options = {}) {
      const [server, client] = createPair(options as PairOptions);
      open.push(server, client);
      await Promise.all([once(server, 'open'), once(client, 'open')]);
      return { server, client };
    },
    cut: () => open[0]?.abort(),
    async [Symbol.asyncDispose]() {
      for (const end of open) end.abort();
      await Promise.all(open.map((ws) => ws.whenClosed()));
    },
  };
}

/** A real server on a real port, and our client. Each connection is told from others by what it asks for. */
async function serverRig(
  http: HttpServer & EventEmitter & Pick<NetServer, 'listen' | 'listening' | 'close' | 'address'>,
  scheme: 'ws' | 'wss',
  clientOptions: ClientOptions,
): Promise<Rig> {
  const accepted = new EventEmitter().setMaxListeners(0);
  const settings = new Map<string, EndOptions>();
  const sockets = new Set<Socket>();
  const clients = new Set<WebSocket>();
  let count = 0;
  http.on('request', ({ url = '', headers }: HttpRequest, response: HttpResponse) => {
    const { 'x-refuse': refuse } = headers;
    if (refuse === 'never') return;
    if (refuse !== undefined)
      (response as ServerResponse).writeHead(Number(refuse), { 'X-Reason': 'unknown' }).end('who are you?');
    else if (response.webSocket === undefined) response.writeHead(404).end();
    else if (url === '/other') response.webSocket.pipe(response.webSocket.connect());
    else accepted.emit(url, response.webSocket.connect(settings.get(url) as ConnectOptions));
  });
  http.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const handle = configureServer(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  // What the messages are is for the specs to know.
  const open = (path: string, options: ClientOptions | Streamed<ClientOptions> = {}) => {
    const all = { family: 4, ...clientOptions, ...options } as ClientOptions;
    const client = connect(`${scheme}://localhost:${port}${path}`, all);
    clients.add(client);
    return client;
  };
  return {
    async open({ protocol, ...options } = {}) {
      const path = `/${++count}`;
      settings.set(path, { ...options, ...(protocol && { protocol }) });
      const arrived = once(accepted, path) as Promise<[WebSocket]>;
      const client = open(path, {
        perMessageDeflate: false,
        ...options,
        ...(protocol && { protocols: ['other', protocol] }),
      } as ClientOptions);
      const [[server]] = await Promise.all([arrived, once(client, 'open')]);
      return { server, client };
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    server: { handle, http, connect: (options) => open('/other', options) },
    async [Symbol.asyncDispose]() {
      // A spec may have closed it.
      const closed = http.listening ? once(http, 'close') : undefined;
      http.close();
      for (const client of clients) client.abort();
      await handle.close({ timeout: 200 });
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...[...clients].map((client) => client.whenClosed())]);
    },
  };
}

let certificate: ReturnType<typeof createCertificate> | undefined;

function secure() {
  certificate ??= createCertificate();
  return { ...certificate, client: { ca: certificate.cert } };
}

/** Everything that carries WebSockets; a new transport has a line here, and keeps the contract. */
export const rigKinds: readonly RigKind[] = [
  { name: 'memory', transport: 'pair', create: pairRig },
  { name: 'HTTP/1.1', transport: 'http1', create: () => serverRig(createServer(), 'ws', {}) },
  {
    name: 'HTTP/1.1 over TLS',
    transport: 'http1',
    create: () => serverRig(createHttpsServer(secure()), 'wss', secure().client),
  },
  { name: 'HTTP/2', transport: 'http2', create: () => serverRig(createHttp2Server(), 'ws', { http2: true }) },
  {
    name: 'HTTP/2 over TLS',
    transport: 'http2',
    create: () => serverRig(createSecureServer(secure()), 'wss', { ...secure().client, http2: true }),
  },
  {
    name: 'HTTP/1.1 on a server for both',
    transport: 'http1',
    create: () => serverRig(createSecureServer({ ...secure(), allowHTTP1: true }), 'wss', secure().client),
  },
];
