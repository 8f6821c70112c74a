import { decodeUtf8, Utf8Validator } from '../../../lib/codec/utf8';
import { cut, expectSame, Input } from '../input';

function judge(pieces: readonly Buffer[]): boolean {
  const validator = new Utf8Validator();
  return pieces.every((piece) => validator.accept(piece)) && validator.complete;
}

/** The text that these bytes are, by the implementation of the WHATWG in Node; undefined for none. */
function reference(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The first cut after which no further bytes make the text valid must be found there, and not later: it is closed with 1007 at once. */
function refusedAfter(bytes: Buffer): number | undefined {
  const validator = new Utf8Validator();
  for (let at = 0; at < bytes.length; at++) if (!validator.accept(bytes.subarray(at, at + 1))) return at + 1;
  return undefined;
}

/** Decoding and checking piece by piece agree with each other and with Node's TextDecoder. */
export function fuzz(data: Buffer): void {
  const input = new Input(data);
  const size = input.byte() % 8;
  const bytes = input.rest();
  const text = reference(bytes);
  expectSame('decodeUtf8', decodeUtf8(bytes, 0, bytes.length), text);
  expectSame('in one piece', judge([bytes]), text !== undefined);
  expectSame('cut', judge(cut(bytes, size)), text !== undefined);
  const end = refusedAfter(bytes);
  if (end !== undefined && text !== undefined) throw new Error(`refused after ${end} bytes of a valid text`);
  // What is not refused yet can be completed, and what is refused cannot.
  const completed = ['', '\x80', '\x80\x80', '\x80\x80\x80', '\xa0\x80', '\x90\x80\x80'].some(
    (tail) => reference(Buffer.concat([bytes, Buffer.from(tail, 'latin1')])) !== undefined,
  );
  expectSame('refused at the first byte that is wrong', end === undefined, completed);
}
