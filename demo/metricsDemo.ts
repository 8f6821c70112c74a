import { subscribe } from 'node:diagnostics_channel';
import { createServer, type Server } from 'node:http';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { configureServer, type WebSocket, type WebSocketServer } from '../lib/webSocketHandler';
import { listen } from './listen';

/** Metrics of one server for Prometheus. The library's own counters are read when Prometheus asks for them. */
export function createMetrics(handle: WebSocketServer): Registry {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  const metric = (name: string, help: string) => ({ name: `websocket_${name}`, help, registers });

  new Gauge({
    ...metric('connections', 'Open connections'),
    collect() {
      this.set(handle.connections.size);
    },
  });
  new Gauge({
    ...metric('buffered_bytes', 'Bytes that wait for slow readers'),
    collect() {
      let bytes = 0;
      for (const { bufferedAmount } of handle.connections) bytes += bufferedAmount;
      this.set(bytes);
    },
  });

  const counter = (name: string, help: string, value: () => number) =>
    new Counter({
      ...metric(name, help),
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  counter('messages_received_total', 'Messages received', () => handle.counters.messagesReceived);
  counter('messages_sent_total', 'Messages sent', () => handle.counters.messagesSent);
  counter('received_bytes_total', 'Bytes received on the wire', () => handle.counters.bytesReceived);
  counter('sent_bytes_total', 'Bytes sent on the wire', () => handle.counters.bytesSent);
  counter('refused_total', 'Requests refused', () => handle.counters.refused);
  new Counter({
    ...metric('closed_total', 'Connections that have ended, by close code'),
    labelNames: ['code'],
    collect() {
      this.reset();
      for (const [code, count] of Object.entries(handle.counters.closed)) this.inc({ code }, count);
    },
  });

  // The library does not count sizes. The diagnostics channels publish each message, for all servers of the process.
  const sizes = new Histogram({
    ...metric('message_size_characters', 'Lengths of the messages received'),
    buckets: [16, 256, 4096, 65_536, 1_048_576],
  });
  subscribe('node-websocket-handler:message-received', (event) => {
    const { webSocket, message } = event as { webSocket: WebSocket; message: { length: number } };
    if (handle.connections.has(webSocket)) sizes.observe(message.length);
  });
  return registry;
}

/** An echo server with its metrics at /metrics. */
export function createMetricsDemo(): Server {
  const server = createServer(async (request, response) => {
    if (response.webSocket) {
      const ws = response.webSocket.connect();
      ws.pipe(ws);
      return;
    }
    if (request.url !== '/metrics') {
      response.writeHead(426, { Upgrade: 'websocket', Connection: 'Upgrade', 'Content-Type': 'text/plain' });
      response.end('We only speak WebSockets here\n');
      return;
    }
    response.writeHead(200, { 'Content-Type': registry.contentType }).end(await registry.metrics());
  });
  const registry = createMetrics(configureServer(server, { perMessageDeflate: true }));
  return server;
}

if (require.main === module) listen(createMetricsDemo());
