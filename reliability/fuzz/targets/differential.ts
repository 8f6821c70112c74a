import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type PerMessageDeflateOfWs from 'ws/lib/permessage-deflate';
import type ReceiverOfWs from 'ws/lib/receiver';
import { DeflateDecompressor } from '../../../lib/extensions/deflateDecompressor';
import { differences } from '../differences';
import { cut, Input } from '../input';
import { type Reading, readAll } from '../readAll';
import { settling } from '../settling';
import { defined } from '../wellFormed';

// Internals of ws, which its package does not export.
const internals = dirname(require.resolve('ws'));
const PerMessageDeflate = require(join(internals, 'lib', 'permessage-deflate')) as typeof PerMessageDeflateOfWs;
const Receiver = require(join(internals, 'lib', 'receiver')) as typeof ReceiverOfWs;

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

interface Settings {
  readonly role: 'server' | 'client';
  readonly compression: boolean;
  readonly maxMessageSize: number;
}

/** The compressed messages that our reader has begun to decompress. */
let compressed: Buffer[] = [];
const { decompress } = DeflateDecompressor.prototype;
DeflateDecompressor.prototype.decompress = function (payload) {
  compressed.push(Buffer.from(payload));
  return decompress.call(this, payload);
};

/** The number of compressed messages up to the first one that ends inside a block; Infinity if none does. */
function firstOpenBlock(): number {
  const { length } = defined(compressed, true);
  return length < compressed.length ? length : Number.POSITIVE_INFINITY;
}

/** What the receiver of `ws` makes of the same bytes. */
async function readByWs({ role, compression, maxMessageSize }: Settings, chunks: readonly Buffer[]): Promise<Reading> {
  const isServer = role === 'server';
  const extension = new PerMessageDeflate({ isServer, maxPayload: maxMessageSize });
  extension.accept([{}]);
  const receiver = new Receiver({
    isServer,
    maxPayload: maxMessageSize,
    extensions: compression ? { [PerMessageDeflate.extensionName]: extension } : {},
  });
  const items: string[] = [];
  let refusal: string | undefined;
  let closed = false;
  receiver.on('message', (payload, binary) => items.push(`${binary ? 'binary' : 'text'} ${hexOf(payload)}`));
  receiver.on('ping', (payload) => items.push(`ping ${hexOf(payload)}`));
  receiver.on('pong', (payload) => items.push(`pong ${hexOf(payload)}`));
  receiver.on('conclude', (code, reason) => {
    items.push(`close ${code} ${reason}`);
    closed = true;
  });
  receiver.on('error', (error) => {
    const codes = Object.getOwnPropertySymbols(error).map((symbol) => Reflect.get(error, symbol) as unknown);
    refusal = `${error.code} ${codes.find((code) => typeof code === 'number')}`;
  });
  for (const chunk of chunks) {
    // What follows a Close frame is ignored (RFC 6455 §5.5.1): a program of ws stops to write to the receiver.
    if (closed || receiver.destroyed || receiver.errored) break;
    await new Promise<void>((resolve) => {
      receiver.write(chunk, () => resolve());
    });
  }
  await turn();
  receiver.destroy();
  extension.cleanup();
  return { items, refusal };
}

const closeCodeOf = ({ refusal }: Reading) => refusal?.split(' ')[1];

/** The same bytes to the receiver of `ws`: the same items and the same refusal, or a difference that is explained. */
export const fuzz = settling(async (data: Buffer): Promise<void> => {
  const input = new Input(data);
  const role = input.pick(['server', 'client'] as const);
  const compression = input.flag();
  const maxMessageSize = input.flag() ? 64 : 100_000;
  const size = input.byte();
  const pieces = cut(input.rest(), size);
  const settings = {
    version: '13',
    role,
    maxMessageSize,
    extensions: compression ? 'permessage-deflate' : '',
    parts: false,
  } as const;
  const copies = pieces.map((piece) => Buffer.from(piece));
  const theirs = await readByWs({ role, compression, maxMessageSize }, copies);
  compressed = [];
  const ours = await readAll(settings, pieces);
  if (ours.items.join() === theirs.items.join() && closeCodeOf(ours) === closeCodeOf(theirs)) return;
  if (differences.some(({ holds }) => holds(ours, theirs, compression, firstOpenBlock()))) return;
  throw new Error(`ours: ${JSON.stringify(ours)}, ws: ${JSON.stringify(theirs)}`);
});
