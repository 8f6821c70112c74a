import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A server made of a bare socket: it gets the head of each request, and answers by hand. */
export interface RawServer extends AsyncDisposable {
  readonly port: number;
}

/** @param answer called for each connection, once the head of its request is there */
export async function rawServer(answer: (head: string, socket: Socket) => void): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    let head = '';
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const before = head.includes('\r\n\r\n');
      head += bytes.toString('latin1');
      if (!before && head.includes('\r\n\r\n')) answer(head, socket);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The proof that a server of RFC 6455 §4.2.2 owes to the request with this head. */
export function acceptFor(head: string): string {
  const key = /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1] ?? '';
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

export function lines(...all: string[]): string {
  return [...all, '', ''].join('\r\n');
}

/** A good answer, with more headers. */
export function switching(head: string, ...more: string[]): string {
  return lines(
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptFor(head)}`,
    ...more,
  );
}
