import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import FayeWebSocket from 'faye-websocket';
import { server as WebSocketNodeServer } from 'websocket';
import { WebSocketServer as WsServer } from 'ws';
import { Program } from './program';
import {
  asRead,
  type Certificate,
  certificateFile,
  certificateFiles,
  greet,
  type Listening,
  maxMessageSize,
  type Setting,
  type Startable,
  startable,
} from './startable';
import { need, python } from './tools';

/** Servers that others have written. */
export const servers: readonly Startable[] = [
  startable('the ws package', startWs, { compression: true, closeAnswer: asRead }),
  startable('faye-websocket', startFaye, { compression: false, closeAnswer: asRead }),
  startable('the websocket package', startWebSocketNode, {
    compression: false,
    // It acknowledges every valid code with this one, and does not read the answer to its own Close.
    closeAnswer: () => ({ code: 1000, reason: '' }),
  }),
  startable('the websockets package of Python', startPython, { compression: true, closeAnswer: asRead }),
];

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
