import type { TransformCallback } from 'node:stream';
import type { Incoming, Outgoing } from '../contracts';
import { Deframer, type DeframerOptions } from './deframer';
import { Framer } from './framer';
import { messageSize } from './outgoingMessage';

const noEncoding = 'buffer' as BufferEncoding;

/** The settings of a connection that its Deframer and its Framer take. */
type SharedOptions = Required<Omit<DeframerOptions, 'perMessageDeflate'>> & Pick<DeframerOptions, 'perMessageDeflate'>;

/** What stands behind the Deframer. */
export interface DeframerNeighbour {
  /** Returns false when it has enough. */
  take(item: Incoming): boolean;
  /** The chunk in hand is used up, or was not worth it. */
  chunkUsed(error?: Error | null): void;
}

/** What stands behind the Framer. */
export interface FramerNeighbour {
  writeBytes(bytes: Uint8Array): void;
  /** The Framer is not busy any more. */
  compressed(): void;
}

/**
 * The Deframer and the Framer of a WebSocket: the same transforms, joined to their neighbours without the queues that a
 * stream has on both sides. The socket and the WebSocket have queues; two more would cost each read six ticks of the event
 * loop (1.2 of 10 µs for a small echo).
 */
export class JoinedDeframer extends Deframer {
  /** Whose it is at the moment. */
  neighbour: DeframerNeighbour | undefined;
  /** Whether the chunk in hand waits for the neighbour to take more. */
  busy = false;

  constructor({ role, version, maxMessageSize, extensions, perMessageDeflate = false, parts }: SharedOptions) {
    super({ role, version, maxMessageSize, extensions, perMessageDeflate, parts });
  }

  readonly #done = (error?: Error | null) => {
    this.busy = false;
    this.neighbour?.chunkUsed(error);
  };

  feed(bytes: Buffer): void {
    this.busy = true;
    this._transform(bytes, noEncoding, this.#done);
  }

  pull(): void {
    if (this.busy) this._read(1);
  }

  override push(item: Incoming): boolean {
    return this.neighbour?.take(item) === true;
  }
}

export class JoinedFramer extends Framer {
  /** Whose it is at the moment. */
  neighbour: FramerNeighbour | undefined;
  /** A message is being compressed on another thread, and others must not overtake it. */
  busy = false;
  /** What came meanwhile. */
  readonly #behind: Outgoing[] = [];
  #waiting: Outgoing | undefined;

  constructor({ role, version, extensions, perMessageDeflate = false }: SharedOptions) {
    super({ role, version, extensions, perMessageDeflate });
    this.hold();
  }

  override get isIdle(): boolean {
    return !this.busy && super.isIdle;
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
    if (!this.busy) this.neighbour?.compressed();
  };

  override push(bytes: Uint8Array): boolean {
    this.neighbour?.writeBytes(bytes);
    return true;
  }
}

function throwError(error?: Error | null): void {
  if (error) throw error;
}
