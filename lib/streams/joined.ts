import type { TransformCallback } from 'node:stream';
import type { Incoming, Outgoing } from '../contracts';
import { Deframer, type DeframerOptions } from './deframer';
import { Framer, type FramerOptions } from './framer';
import { messageSize } from './outgoingMessage';

const noEncoding = 'buffer' as BufferEncoding;

/**
 * The Deframer and the Framer of a WebSocket: the same transforms, joined to their neighbours without the queues that a
 * stream has on both sides. The socket and the WebSocket have queues; two more would cost each read six ticks of the event
 * loop (1.2 of 10 µs for a small echo).
 */
export class JoinedDeframer extends Deframer {
  readonly #take: (item: Incoming) => boolean;
  readonly #done: (error?: Error | null) => void;
  /** Whether the chunk in hand waits for the owner to take more. */
  busy = false;

  /** @param done the chunk in hand is used up, or was not worth it */
  constructor(options: DeframerOptions, take: (item: Incoming) => boolean, done: (error?: Error | null) => void) {
    super(options);
    this.#take = take;
    this.#done = (error) => {
      this.busy = false;
      done(error);
    };
  }

  feed(bytes: Buffer): void {
    this.busy = true;
    this._transform(bytes, noEncoding, this.#done);
  }

  pull(): void {
    if (this.busy) this._read(1);
  }

  override push(item: Incoming): boolean {
    return this.#take(item);
  }
}

export class JoinedFramer extends Framer {
  readonly #take: (bytes: Uint8Array) => void;
  readonly #compressed: () => void;
  /** A message is being compressed on another thread, and others must not overtake it. */
  busy = false;
  /** What came meanwhile. */
  readonly #behind: Outgoing[] = [];
  #waiting: Outgoing | undefined;

  /** @param compressed no longer busy */
  constructor(options: FramerOptions, take: (bytes: Uint8Array) => void, compressed: () => void) {
    super(options);
    this.hold();
    this.#take = take;
    this.#compressed = compressed;
  }

  /** Bytes in hand: encoded, and to be encoded. */
  get bytes(): number {
    return this.gatheredBytes + (this.#waiting === undefined ? 0 : messageSize(this.#waiting));
  }

  feed(item: Outgoing): void {
    if (this.busy) return this.#feedWhileBusy(item);
    this.busy = true;
    this._transform(item, noEncoding, this.#done);
    if (this.busy) this.#waiting = item;
  }

  #feedWhileBusy(item: Outgoing): void {
    // Between two messages there is always room for a ping or a pong (RFC 6455 §5.5).
    const mayOvertake =
      typeof item === 'object' && 'opcode' in item && (item.opcode === 'ping' || item.opcode === 'pong');
    if (mayOvertake) this._transform(item, noEncoding, throwError);
    else this.#behind.push(item);
  }

  readonly #done: TransformCallback = (error) => {
    this.busy = false;
    if (error) throw error;
    if (this.#waiting === undefined) return;
    this.#waiting = undefined;
    while (!this.busy && this.#behind.length > 0) this.feed(this.#behind.shift() as Outgoing);
    if (!this.busy) this.#compressed();
  };

  override push(bytes: Uint8Array): boolean {
    this.#take(bytes);
    return true;
  }
}

function throwError(error?: Error | null): void {
  if (error) throw error;
}
