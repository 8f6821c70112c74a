/**
 * The load generator, in a process of its own: raw sockets that send frames made beforehand and count what comes back, so
 * that it costs a fraction of any server. It runs until its parent says stop.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Answer, checkAnswers, createPayloads, readAnswers } from './payloads';
import type { Scenario } from './scenarios';

const { port, scenario } = JSON.parse(process.argv[2] as string) as { port: number; scenario: Scenario };
const { connections, inFlight, deflate } = scenario;
const { messages, frames } = createPayloads(scenario);

let echoed = 0;
let received = 0;
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

/** Sends every message once, and looks at what comes back. */
async function exchangeOnce(socket: Socket, count: number): Promise<void> {
  const answers: Answer[] = [];
  let bytes: Buffer = Buffer.alloc(0);
  for (const frame of frames.slice(0, count)) socket.write(frame);
  while (answers.length < Math.min(count, frames.length)) {
    bytes = Buffer.concat([bytes, ...((await once(socket, 'data')) as [Buffer])]);
    const read = readAnswers(bytes);
    answers.push(...read.answers);
    bytes = read.rest;
  }
  checkAnswers(answers, messages.slice(0, count));
}

/** Every answer is as long as the others: bytes are counted, and nothing else. */
function loadPlain(socket: Socket): void {
  const [frame] = frames as [Buffer];
  const requests = Buffer.concat(Array.from({ length: inFlight }, () => frame));
  const answerSize = frame.length - 4;
  let unread = 0;
  socket.on('data', (bytes) => {
    unread += bytes.length;
    const complete = Math.floor(unread / answerSize);
    if (complete === 0) return;
    unread -= complete * answerSize;
    echoed += complete;
    received += complete * answerSize;
    if (running) socket.write(complete === inFlight ? requests : requests.subarray(0, complete * frame.length));
  });
  socket.write(requests);
}

function loadCompressed(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  let sent = 0;
  const send = (count: number) => {
    const batch: Buffer[] = [];
    for (let i = 0; i < count; i++) batch.push(frames[sent++ % frames.length] as Buffer);
    socket.write(Buffer.concat(batch));
  };
  socket.on('data', (bytes) => {
    const read = readAnswers(rest.length === 0 ? bytes : Buffer.concat([rest, bytes]));
    rest = read.rest;
    echoed += read.answers.length;
    for (const { payload } of read.answers) received += payload.length;
    if (running && read.answers.length > 0) send(read.answers.length);
  });
  send(inFlight);
}

async function main(): Promise<void> {
  const sockets: Socket[] = [];
  // A few at a time: the queue of a listening socket is short.
  while (sockets.length < connections) {
    const batch = Math.min(50, connections - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, open))));
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
  if (scenario.measures === 'memory') for (const socket of sockets) await exchangeOnce(socket, 1);
  else {
    await Promise.all(sockets.slice(0, 1).map((socket) => exchangeOnce(socket, frames.length)));
    for (const socket of sockets) (deflate ? loadCompressed : loadPlain)(socket);
  }
  process.send?.({ ready: true });
}

main();
