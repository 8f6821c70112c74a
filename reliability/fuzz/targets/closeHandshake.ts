import type { Role } from '../../../lib/contracts';
import { WebSocketError } from '../../../lib/errors';
import type { WebSocket } from '../../../lib/webSocketHandler';
import { openWebSocket } from '../../../spec/support/openWebSocket';
import { FakeSocket, turns } from '../fakeSocket';
import { Input } from '../input';
import { settling } from '../settling';

/** What the program may do at any moment. */
const actions: readonly ((ws: WebSocket) => unknown)[] = [
  (ws) => ws.write('a message'),
  (ws) => ws.write(Buffer.alloc(70_000)),
  (ws) => ws.close(4000, 'enough'),
  (ws) => ws.close(),
  (ws) => ws.end('the last message'),
  (ws) => ws.destroy(),
  (ws) => ws.destroy(new Error('the program has failed')),
  (ws) => ws.abort(),
  (ws) => ws.pause(),
  (ws) => ws.resume(),
  (ws) => ws.ping('x').catch(() => {}),
  (ws) => ws.read(),
];

/** The opcodes of the frames that were sent, from the front; fails for bytes that are no frames. */
function opcodesOf(bytes: Buffer): number[] {
  const opcodes: number[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const [first, second] = [bytes.readUInt8(at), bytes.readUInt8(at + 1)];
    const form = second & 0x7f;
    const head = (form === 126 ? 4 : form === 127 ? 10 : 2) + (second & 0x80 ? 4 : 0);
    const length =
      form === 126 ? bytes.readUInt16BE(at + 2) : form === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : form;
    opcodes.push(first & 0x0f);
    at += head + length;
  }
  return opcodes;
}

interface Seen {
  ends: number;
  closes: number;
  readonly errors: unknown[];
}

function watch(ws: WebSocket): Seen {
  const seen: Seen = { ends: 0, closes: 0, errors: [] };
  ws.on('end', () => seen.ends++);
  ws.on('close', () => seen.closes++);
  ws.on('error', (error) => seen.errors.push(error));
  return seen;
}

/** Bytes of the peer and actions of the program, in any order and at any moment. Then the byte stream ends, and everything must be over. */
export const fuzz = settling(async (data: Buffer): Promise<void> => {
  const input = new Input(data);
  const role = input.pick<Role>(['server', 'client']);
  const stream = new FakeSocket();
  stream.on('error', () => {});
  const options = { heartbeat: false, sendTimeout: false, closeTimeout: 50, maxMessageSize: 1000 } as const;
  const ws = openWebSocket(role, { stream, head: Buffer.alloc(0) }, { options });
  const seen = watch(ws);
  while (input.left > 0) {
    const step = input.byte();
    if (step < actions.length) {
      if (!ws.destroyed) actions[step]?.(ws);
    } else if (step < 32) await turns(1);
    else if (!stream.destroyed && !stream.readableEnded) stream.push(input.take(step - 31));
  }
  await turns(2);
  if (!stream.destroyed && !stream.readableEnded) stream.push(null);
  ws.resume();
  await turns(5);
  stream.destroy();
  const outcome = await ws.whenClosed();
  for (let i = 0; i < 50 && !ws.closed; i++) await turns(1);
  check(ws, seen, stream);
  if (outcome.code < 1000 || outcome.code > 4999) throw new Error(`the code ${outcome.code}`);
});

function check(ws: WebSocket, { ends, closes, errors }: Seen, stream: FakeSocket): void {
  if (closes !== 1) throw new Error(`'close' was emitted ${closes} times`);
  if (ends > 1 || errors.length > 1) throw new Error(`${ends} times 'end', ${errors.length} errors`);
  const own = errors.filter((error) => !(error instanceof WebSocketError)).map((error) => (error as Error).message);
  if (own.some((message) => message !== 'the program has failed')) throw new Error(`foreign errors: ${own.join()}`);
  const opcodes = opcodesOf(stream.written);
  const close = opcodes.indexOf(8);
  if (close !== -1 && close !== opcodes.length - 1) throw new Error(`frames after Close: ${opcodes.join()}`);
  if (!ws.destroyed) throw new Error('not destroyed');
}
