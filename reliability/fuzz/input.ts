import { chunksOf } from '../../spec/support/vectors';

/** Reads decisions from the front of the bytes of the fuzzer; what is left of them is the subject. A byte that is missing is zero. */
export class Input {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.byte() % choices.length] as T;
  }

  flag(): boolean {
    return (this.byte() & 1) === 1;
  }

  get left(): number {
    return Math.max(0, this.#bytes.length - this.#at);
  }

  /** The next bytes, in memory of their own. */
  take(length: number): Buffer {
    const bytes = Buffer.from(this.#bytes.subarray(this.#at, this.#at + length));
    this.#at += length;
    return bytes;
  }

  rest(): Buffer {
    return this.take(this.left);
  }
}

/** Cuts bytes into pieces of which each has memory of its own: of one size, or, for 0, of sizes that the bytes themselves decide. */
export function cut(bytes: Buffer, size: number): Buffer[] {
  if (size > 0) return [...chunksOf(bytes, size)];
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + ((bytes[at] as number) & 15);
    pieces.push(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return pieces;
}

/** Fails the target: the fuzzer keeps the bytes. */
export function expectSame(what: string, one: unknown, other: unknown): void {
  const [first, second] = [JSON.stringify(one), JSON.stringify(other)];
  if (first !== second) throw new Error(`${what}: ${first} and ${second}`);
}
