import { constants } from 'node:zlib';
import { InflateRaw } from 'minizlib';
import type { Work } from '../work';
import { createReply, type Frame, readFrames } from './frames';
import { flushTail, type Messages } from './messages';

/** What comes back on one connection. Every byte is looked at; the first wrong one throws. */
export interface Replies {
  /** How many have come; of one that is under way, the part. */
  readonly messages: number;
  /** Bytes of all of them. */
  readonly bytes: number;
  /** @returns how many are complete with these bytes */
  read(bytes: Buffer): number;
}

/** Makes `Replies` for connections that all do the same work. */
export function expectReplies(work: Work, messages: Messages, returns: 'messages' | 'bytes'): () => Replies {
  if (work.deflate) return () => new CompressedReplies(work.kind, messages.answers);
  const [answer] = messages.answers as [Buffer];
  const [request] = messages.requests as [Buffer];
  const reply = returns === 'bytes' ? request : createReply(answer, { kind: work.kind, compressed: false });
  // As long as the longest chunk of a socket, from any place of a reply on.
  const copies = 1 + Math.ceil(longestChunk / reply.length);
  const repeated = Buffer.concat(Array.from({ length: copies }, () => reply));
  return () => new PlainReplies(reply.length, repeated);
}

const longestChunk = 64 * 1024;

/** All of them are the same: each chunk is compared with that part of a long row of them, which costs next to nothing. */
class PlainReplies implements Replies {
  bytes = 0;
  /** Bytes of the reply that is under way. */
  #at = 0;

  readonly size: number;
  readonly expected: Buffer;

  constructor(size: number, expected: Buffer) {
    this.size = size;
    this.expected = expected;
  }

  get messages(): number {
    return this.bytes / this.size;
  }

  read(bytes: Buffer): number {
    let complete = 0;
    for (let i = 0; i < bytes.length; i += longestChunk) {
      const end = Math.min(bytes.length, i + longestChunk);
      if (bytes.compare(this.expected, this.#at, this.#at + end - i, i, end) !== 0) throw new WrongReply();
      const now = this.#at + end - i;
      complete += Math.floor(now / this.size);
      this.#at = now % this.size;
    }
    this.bytes += bytes.length;
    return complete;
  }
}

/** They refer to earlier ones, so each is decompressed, at once and in order, and then compared. */
class CompressedReplies implements Replies {
  messages = 0;
  bytes = 0;
  #rest: Buffer = Buffer.alloc(0);
  #inflater: InflateRaw | undefined;
  readonly #output: Buffer[] = [];

  readonly kind: 'text' | 'binary';
  readonly answers: readonly Buffer[];

  constructor(kind: 'text' | 'binary', answers: readonly Buffer[]) {
    this.kind = kind;
    this.answers = answers;
  }

  read(bytes: Buffer): number {
    this.bytes += bytes.length;
    const { frames, rest } = readFrames(this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]));
    this.#rest = rest;
    for (const frame of frames) {
      const expected = this.answers[this.messages++ % this.answers.length] as Buffer;
      if (frame.kind !== this.kind || !this.#decompress(frame).equals(expected)) throw new WrongReply();
    }
    return frames.length;
  }

  #decompress({ compressed, payload }: Frame): Buffer {
    if (!compressed) return payload;
    this.#inflater ??= this.#createInflater();
    this.#inflater.write(payload);
    this.#inflater.write(flushTail);
    return Buffer.concat(this.#output.splice(0));
  }

  #createInflater(): InflateRaw {
    const inflater = new InflateRaw({ flush: constants.Z_SYNC_FLUSH });
    inflater.on('data', (bytes: Buffer) => this.#output.push(bytes));
    return inflater;
  }
}

class WrongReply extends Error {
  override message = 'A reply is not what it must be';
}
