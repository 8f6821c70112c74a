import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import FayeWebSocket from 'faye-websocket';
import type { Context } from 'mocha';
import { server as WebSocketNodeServer } from 'websocket';
import { WebSocketServer as WsServer } from 'ws';
import type { Message } from '../../lib/webSocketHandler';
import type { createCertificate } from './certificate';
import { listen, type TestServer } from './http';
import type { Closing } from './peers';
import { accepting, type Files, freePort, Program } from './program';
import { haproxy, need, nginx, python } from './tools';

type Certificate = ReturnType<typeof createCertificate>;

/** Bytes of the largest message that each of the servers takes. */
export const maxMessageSize = 8 * 1024 * 1024;

/**
 * A server that our client can talk to. It echoes all messages, and before that
 * - on `/close?code=4321&reason=bye` it sends a message, `last words`, and closes with that code and reason;
 * - on `/ping` it pings with the payload `Are you there?`, and sends that of the pong in a message, behind `pong: `.
 */
export interface RunningServer {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** What its certificate is to be verified with; undefined without TLS. */
  readonly ca: Buffer | undefined;
  url(path: string): string;
  /** The close that the server will have read from a client, which must ask for this path after this call. */
  closing(path: string): Promise<Closing>;
  stop(): Promise<void>;
}

/** In what the servers differ. */
export interface Capabilities {
  /** Whether it agrees to permessage-deflate. */
  readonly compression: boolean;
  /** What it answers a client's Close with. */
  closeAnswer(closing: Closing): Closing;
}

/** A server that can be started. The context is that of the calling hook, which is skipped without the server's program. */
export interface Startable extends Pick<RunningServer, 'name' | 'capabilities'> {
  start(context: Context, certificate?: Certificate): Promise<RunningServer>;
}

/** What the server is told to be. */
interface Setting {
  readonly context: Context;
  /** For TLS; without it the server speaks plain text. */
  readonly certificate: Certificate | undefined;
  /** To be called when a connection has ended, with the path of its request. */
  report(path: string, closing: Closing): void;
}

interface Listening {
  readonly port: number;
  stop(): Promise<void>;
}

const asRead = (closing: Closing) => closing;
const withoutReason = ({ code }: Closing) => ({ code, reason: '' });

export const servers: readonly Startable[] = [
  startable('the ws package', startWs, { compression: true, closeAnswer: asRead }),
  startable('faye-websocket', startFaye, { compression: false, closeAnswer: asRead }),
  startable('the websocket package', startWebSocketNode, {
    compression: false,
    // It acknowledges every valid code with this one, and does not read the answer to its own Close.
    closeAnswer: () => ({ code: 1000, reason: '' }),
  }),
  startable('the websockets package of Python', startPython, { compression: true, closeAnswer: asRead }),
  startable('nginx in front of our server', startNginx, { compression: true, closeAnswer: withoutReason }),
  startable('haproxy in front of our server', startHaproxy, { compression: true, closeAnswer: withoutReason }),
];

function startable(
  name: string,
  listenWith: (setting: Setting) => Promise<Listening>,
  capabilities: Capabilities,
): Startable {
  return {
    name,
    capabilities,
    async start(context, certificate) {
      const reports = new EventEmitter();
      const report = (path: string, closing: Closing) => void reports.emit(path, closing);
      const { port, stop } = await listenWith({ context, certificate, report });
      return {
        name,
        capabilities,
        ca: certificate?.cert,
        url: (path) => `${certificate ? 'wss' : 'ws'}://localhost:${port}${path}`,
        closing: (path) => new Promise((resolve) => void reports.once(path, resolve)),
        stop,
      };
    },
  };
}

/** A connection, with what every library can do. */
interface Connection {
  send(message: Message): void;
  close(code: number, reason: string): void;
  /** Calls back when the pong has come, with its payload. */
  ping(payload: string, ponged: (payload: string) => void): void;
}

/** Does what the path asks for. */
function greet(path: string, connection: Connection): void {
  const { pathname, searchParams } = new URL(path, 'ws://localhost');
  if (pathname === '/close') {
    connection.send('last words');
    connection.close(Number(searchParams.get('code')), searchParams.get('reason') ?? '');
  }
  if (pathname === '/ping') connection.ping('Are you there?', (payload) => connection.send(`pong: ${payload}`));
}

function startWs({ certificate, report }: Setting): Promise<Listening> {
  const http = createHttpServer(certificate);
  const server = new WsServer({ server: http, perMessageDeflate: true, maxPayload: maxMessageSize });
  server.on('connection', (socket, { url: path = '' }) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.on('close', (code, reason) => report(path, { code, reason: reason.toString() }));
    greet(path, {
      send: (message) => socket.send(message),
      close: (code, reason) => socket.close(code, reason),
      ping(payload, ponged) {
        socket.once('pong', (bytes) => ponged(bytes.toString()));
        socket.ping(payload);
      },
    });
  });
  return listening(http);
}

function startFaye({ certificate, report }: Setting): Promise<Listening> {
  const http = createHttpServer(certificate);
  http.on('upgrade', (request, socket, body) => {
    const { url: path = '' } = request;
    const peer = new FayeWebSocket(request, socket, body, [], { maxLength: maxMessageSize });
    peer.on('message', ({ data }) => peer.send(data));
    peer.on('close', ({ code, reason }) => report(path, { code, reason }));
    peer.on('open', () =>
      greet(path, {
        send: (message) => peer.send(message),
        close: (code, reason) => peer.close(code, reason),
        // It finds the callback by the payload of the pong.
        ping: (payload, ponged) => peer.ping(payload, () => ponged(payload)),
      }),
    );
  });
  return listening(http);
}

function startWebSocketNode({ certificate, report }: Setting): Promise<Listening> {
  const http = createHttpServer(certificate);
  const server = new WebSocketNodeServer({
    httpServer: http,
    maxReceivedFrameSize: maxMessageSize,
    maxReceivedMessageSize: maxMessageSize,
  });
  server.on('request', (request) => {
    const path = request.resource;
    const connection = request.accept();
    connection.on('message', (message) => {
      if (message.type === 'utf8') connection.sendUTF(message.utf8Data);
      else connection.sendBytes(message.binaryData);
    });
    connection.on('close', (code, reason) => report(path, { code, reason }));
    greet(path, {
      send: (message) => connection.send(message),
      close: (code, reason) => connection.close(code, reason),
      ping(payload, ponged) {
        connection.once('pong', (bytes: Buffer) => ponged(bytes.toString()));
        connection.ping(payload);
      },
    });
  });
  return listening(http);
}

function createHttpServer(certificate: Certificate | undefined): Server {
  return certificate ? (createSecureServer(certificate) as unknown as Server) : createServer();
}

async function listening(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      // A client that failed may have left one open.
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function startPython({ context, certificate, report }: Setting): Promise<Listening> {
  const command = [need(python, context), join(__dirname, 'echo_server.py'), String(maxMessageSize)];
  if (certificate) command.push(certificateFile);
  const program = await Program.start(command, certificateFiles(certificate));
  const lines = createInterface(program.child.stdout);
  const [line] = await Promise.race([once(lines, 'line'), once(lines, 'close')]);
  if (line === undefined) throw await program.failure();
  lines.on('line', (text) => {
    const { path, closing } = JSON.parse(text);
    report(path, closing);
  });
  return { port: JSON.parse(line).port, stop: () => program.stop() };
}

function startNginx({ context, certificate, report }: Setting): Promise<Listening> {
  const path = need(nginx, context);
  return startProxy({
    certificate,
    report,
    command: [path, '-e', 'stderr', '-p', '.', '-c', 'nginx.conf'],
    configuration: (port, target) => ({
      'nginx.conf': `
        ${process.getuid?.() === 0 ? 'user root;' : '# Only root may name a user.'}
        daemon off;
        master_process off;
        pid nginx.pid;
        error_log stderr error;
        events {
          worker_connections 1024;
        }
        http {
          access_log off;
          client_body_temp_path body;
          proxy_temp_path proxy;
          fastcgi_temp_path fastcgi;
          uwsgi_temp_path uwsgi;
          scgi_temp_path scgi;
          server {
            listen 127.0.0.1:${port} ${certificate ? 'ssl' : ''};
            ${certificate ? `ssl_certificate ${certificateFile}; ssl_certificate_key ${certificateFile};` : ''}
            location / {
              proxy_pass http://127.0.0.1:${target};
              proxy_http_version 1.1;
              proxy_set_header Host $http_host;
              proxy_set_header Upgrade $http_upgrade;
              proxy_set_header Connection upgrade;
            }
          }
        }
      `,
    }),
  });
}

function startHaproxy({ context, certificate, report }: Setting): Promise<Listening> {
  const path = need(haproxy, context);
  return startProxy({
    certificate,
    report,
    command: [path, '-db', '-f', 'haproxy.cfg'],
    configuration: (port, target) => ({
      'haproxy.cfg': `
        global
          maxconn 500
        defaults
          mode http
          timeout connect 5s
          timeout client 20s
          timeout server 20s
          timeout tunnel 1m
        frontend clients
          bind 127.0.0.1:${port} ${certificate ? `ssl crt ${certificateFile}` : ''}
          default_backend ours
        backend ours
          server ours 127.0.0.1:${target}
      `,
    }),
  });
}

interface Proxy extends Omit<Setting, 'context'> {
  readonly command: readonly string[];
  /** The files that make it pass on what comes to one port to another. */
  configuration(port: number, target: number): Files;
}

/** Starts a proxy, and behind it our own server, which does not know of TLS. */
async function startProxy({ command, configuration, certificate, report }: Proxy): Promise<Listening> {
  const ours = await startOurs(report);
  try {
    const port = await freePort();
    const files = { ...configuration(port, ours.port), ...certificateFiles(certificate) };
    const program = await Program.start(command, files);
    await accepting(port, program);
    return {
      port,
      async stop() {
        await Promise.all([program.stop(), ours[Symbol.asyncDispose]()]);
      },
    };
  } catch (error) {
    await ours[Symbol.asyncDispose]();
    throw error;
  }
}

function startOurs(report: Setting['report']): Promise<TestServer> {
  return listen(
    ({ url: path = '' }, response) => {
      const ws = response.webSocket?.connect();
      if (ws === undefined) return void response.writeHead(426).end();
      ws.on('message', (message) => ws.write(message));
      void ws.closed.then(({ code, reason }: Closing) => report(path, { code, reason }));
      greet(path, {
        send: (message) => ws.write(message),
        close: (code, reason) => ws.close(code, reason),
        ping(payload, ponged) {
          ws.once('pong', (bytes) => ponged(bytes.toString()));
          void ws.ping(payload);
        },
      });
    },
    { perMessageDeflate: true, maxMessageSize },
  );
}

const certificateFile = 'certificate.pem';

/** The certificate and its key, as all of the programs read them from one file. */
function certificateFiles(certificate: Certificate | undefined): Files {
  return certificate ? { [certificateFile]: `${certificate.cert}${certificate.key}` } : {};
}
