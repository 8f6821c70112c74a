import { constants, inflateRawSync } from 'node:zlib';
import { frame } from '../../../spec/endings/rawEnd';
import { cut, expectSame, Input } from '../input';
import { independentOfCuts, readAll } from '../readAll';
import { settling } from '../settling';
import { defined, tail } from '../wellFormed';

/** What zlib makes of a message that is compressed alone and has no final block; undefined if it refuses it, or has not read all of it. */
function reference(payload: Buffer): Buffer | undefined {
  const input = Buffer.concat([payload, tail]);
  try {
    const settings = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 200_000, info: true };
    const { buffer, engine } = inflateRawSync(input, settings) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    return engine.bytesWritten === input.length ? buffer : undefined;
  } catch {
    return undefined;
  }
}

/** With the largest window: zlib notices a reference beyond a smaller one only where an output buffer ends. */
const extensions = ['permessage-deflate', 'permessage-deflate; server_no_context_takeover'] as const;

/**
 * Compressed messages, with final blocks (BFINAL) anywhere: at once or in parts, and however cut, they come out the same, and as zlib has them. All
 * are binary: that a text is not UTF-8 may be found before or after an error of its compression.
 */
export const fuzz = settling(async (data: Buffer): Promise<void> => {
  const input = new Input(data);
  const size = input.byte() % 8;
  const agreed = input.pick(extensions);
  const maxMessageSize = input.flag() ? 300 : 150_000;
  const payloads: Buffer[] = [];
  while (input.left > 0 && payloads.length < 8) payloads.push(input.flag() ? input.rest() : input.take(input.byte()));
  // RSV1, FIN, binary, as a server sends it.
  const bytes = Buffer.concat(
    defined(payloads, agreed !== extensions[1]).map((payload) => frame(0xc2, payload, 'server')),
  );
  const settings = { version: '13', role: 'client', maxMessageSize, extensions: agreed, parts: false } as const;
  const whole = independentOfCuts(await readAll(settings, [bytes]));
  const parts = independentOfCuts(await readAll({ ...settings, parts: true }, cut(bytes, size)));
  expectSame('cut', whole, independentOfCuts(await readAll(settings, cut(bytes, size))));
  expectSame('in parts', whole, parts);
  const [first] = payloads;
  const expected = first && first.length > 0 ? reference(first) : undefined;
  if (expected === undefined || expected.length > maxMessageSize) return;
  expectSame('zlib has the same', whole.items[0], `binary ${expected.toString('hex')}`);
});
