/**
 * The load generator, in a process of its own: raw sockets that send frames made beforehand and count the bytes that come
 * back, so that it costs a fraction of any server. It runs until its parent says stop, then tells how many messages were echoed.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Scenario } from './scenarios';

const { port, scenario } = JSON.parse(process.argv[2] as string) as { port: number; scenario: Scenario };
const { size, connections, inFlight, kind } = scenario;

let echoed = 0;
let running = true;

/** A frame of RFC 6455 with this payload size, masked as a client's must be, or not as a server's. */
function frame(masked: boolean): Buffer {
  const first = kind === 'text' ? 0x81 : 0x82;
  const maskBit = masked ? 0x80 : 0;
  const head =
    size < 126
      ? [first, maskBit | size]
      : size < 65536
        ? [first, maskBit | 126, size >> 8, size & 255]
        : [first, maskBit | 127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255];
  const key = [0x37, 0xfa, 0x21, 0x3d];
  const payload = Buffer.alloc(size, 'a WebSocket message of some length; ');
  if (masked) for (let i = 0; i < size; i++) payload[i] = (payload[i] as number) ^ (key[i & 3] as number);
  return Buffer.concat([Buffer.from(head), Buffer.from(masked ? key : []), payload]);
}

const request = frame(true);
const requests = Buffer.concat(Array.from({ length: inFlight }, () => request));
const answerSize = frame(false).length;

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  socket.on('error', () => {});
  socket.write(
    'GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  );
  let head = '';
  while (!head.endsWith('\r\n\r\n')) head += ((await once(socket, 'data')) as [Buffer])[0].toString('latin1');
  if (!head.startsWith('HTTP/1.1 101')) throw new Error(head);
  return socket;
}

function load(socket: Socket): void {
  let received = 0;
  socket.on('data', (bytes) => {
    received += bytes.length;
    const complete = Math.floor(received / answerSize);
    if (complete === 0) return;
    received -= complete * answerSize;
    echoed += complete;
    if (running) socket.write(complete === inFlight ? requests : requests.subarray(0, complete * request.length));
  });
  socket.write(requests);
}

async function main(): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: connections }, open));
  process.on('message', (message) => {
    if (message === 'count') {
      process.send?.({ echoed });
      return;
    }
    running = false;
    for (const socket of sockets) socket.destroy();
    process.disconnect?.();
  });
  for (const socket of sockets) load(socket);
  process.send?.({ ready: true });
}

main();
