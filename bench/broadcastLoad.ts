/**
 * The audience of a broadcast, in a process of its own: raw sockets, of which one sends some messages, and the next when all of them
 * have received those. It runs until its parent says stop.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { checkAnswers, createPayloads, readAnswers } from './payloads';
import type { Scenario } from './scenarios';

const { port, scenario } = JSON.parse(process.argv[2] as string) as { port: number; scenario: Scenario };
const { connections, inFlight, deflate } = scenario;
const { messages, frames } = createPayloads(scenario);

/** Messages that have come, at all sockets together, and the bytes of their payloads. */
let echoed = 0;
let received = 0;
let sent = 0;
let running = true;

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  socket.on('error', () => {});
  const offer = deflate ? 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n' : '';
  socket.write(
    'GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${offer}\r\n`,
  );
  let head = '';
  while (!head.endsWith('\r\n\r\n')) head += ((await once(socket, 'data')) as [Buffer])[0].toString('latin1');
  if (!head.startsWith('HTTP/1.1 101') || head.includes('permessage-deflate') !== deflate) throw new Error(head);
  return socket;
}

/** Counts what comes; the first message is looked at, byte for byte. */
function listen(socket: Socket, onMessage: () => void): void {
  let rest: Buffer = Buffer.alloc(0);
  let checked = false;
  socket.on('data', (bytes) => {
    const read = readAnswers(rest.length === 0 ? bytes : Buffer.concat([rest, bytes]));
    rest = read.rest;
    for (const answer of read.answers) {
      if (!checked) checkAnswers([answer], messages.slice(0, 1));
      checked = true;
      received += answer.payload.length;
      onMessage();
    }
  });
}

async function main(): Promise<void> {
  const sockets: Socket[] = [];
  // A few at a time: the queue of a listening socket is short.
  while (sockets.length < connections) {
    const batch = Math.min(50, connections - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, open))));
  }
  const sendNext = () => {
    const next = Array.from({ length: inFlight }, () => frames[sent++ % frames.length] as Buffer);
    sockets[0]?.write(Buffer.concat(next));
  };
  for (const socket of sockets) {
    listen(socket, () => {
      if (++echoed % (connections * inFlight) === 0 && running) sendNext();
    });
  }
  process.on('message', (message) => {
    if (message === 'count') {
      process.send?.({ echoed, received });
      return;
    }
    running = false;
    for (const socket of sockets) socket.destroy();
    process.disconnect?.();
  });
  sendNext();
  process.send?.({ ready: true });
}

main();
