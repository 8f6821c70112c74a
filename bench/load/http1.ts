import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** A bare socket on which a WebSocket has been opened. */
export async function openSocket(port: number, deflate: boolean): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const offer = deflate ? 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n' : '';
  socket.write(
    'GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${offer}\r\n`,
  );
  let head = '';
  while (!head.endsWith('\r\n\r\n')) head += ((await once(socket, 'data')) as [Buffer])[0].toString('latin1');
  const accepted = head.startsWith('HTTP/1.1 101') && head.includes(`: ${accept}\r\n`);
  if (!accepted || head.includes('permessage-deflate') !== deflate) throw new Error(`A handshake failed: ${head}`);
  socket.on('error', () => {});
  return socket;
}

/** Closes without a trace: what ends in order occupies its port for another minute. */
export async function dropSocket(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  const closed = once(socket, 'close');
  socket.resetAndDestroy();
  await closed;
}
