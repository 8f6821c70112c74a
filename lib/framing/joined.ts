import type { Incoming, Message, Outgoing } from '../contracts';
import type { CompressionCounter } from './counters';
import { MessageReader, type MessageReaderSettings } from './messageReader';
import { MessageWriter, type MessageWriterSettings } from './messageWriter';

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

/** A MessageReader with a loop that hands items to a connection. The redesign of lib/connection replaces it. */
export class JoinedDeframer {
  neighbour: DeframerNeighbour | undefined;
  /** Whether the chunk in hand waits for the neighbour to take more. */
  busy = false;
  readonly #reader: MessageReader;
  #pulling = false;
  #decompressing = false;

  constructor(settings: MessageReaderSettings) {
    this.#reader = new MessageReader(settings);
  }

  get isIdle(): boolean {
    return !this.busy && this.#reader.idle;
  }

  get decompression(): Readonly<CompressionCounter> | undefined {
    return this.#reader.decompression;
  }

  feed(bytes: Buffer): void {
    this.busy = true;
    this.#reader.feed(bytes);
    this.pull();
  }

  pull(): void {
    if (!this.busy || this.#pulling || this.#decompressing) return;
    this.#pulling = true;
    try {
      for (let item = this.#next(); item !== undefined; item = this.#next()) {
        if (item instanceof Promise) return this.#await(item);
        if (this.neighbour?.take(item) !== true) return;
      }
    } finally {
      this.#pulling = false;
    }
    this.#finishChunk();
  }

  _flush(done: (error?: Error) => void): void {
    try {
      this.#reader.finish();
    } catch (error) {
      return done(error as Error);
    }
    done();
  }

  /** Gives the memory for decompression back, once the chunk in hand is used up. */
  release(): void {
    this.#released = true;
    if (!this.busy) this.#reader.release();
  }

  #released = false;
  #failure: Error | undefined;

  #next(): Incoming | Promise<Message> | undefined {
    if (this.#failure !== undefined) return undefined;
    try {
      return this.#reader.next();
    } catch (error) {
      this.#failure = error as Error;
      return undefined;
    }
  }

  #finishChunk(): void {
    this.busy = false;
    if (this.#released) this.#reader.release();
    this.neighbour?.chunkUsed(this.#failure);
  }

  #await(decompressed: Promise<Message>): void {
    this.#decompressing = true;
    const goOn = (message: Message) => {
      this.#decompressing = false;
      if (this.neighbour?.take(message) === true) this.pull();
    };
    const fail = (error: Error) => {
      this.#decompressing = false;
      this.#failure = error;
      this.#finishChunk();
    };
    decompressed.then(
      (message) => process.nextTick(goOn, message),
      (error) => process.nextTick(fail, error),
    );
  }
}

/** A MessageWriter that hands its bytes to a connection. The redesign of lib/connection replaces it. */
export class JoinedFramer {
  neighbour: FramerNeighbour | undefined;
  readonly #writer: MessageWriter;

  constructor(settings: MessageWriterSettings) {
    this.#writer = new MessageWriter(settings);
    this.#writer.onReady = () => this.neighbour?.compressed();
  }

  get isIdle(): boolean {
    return this.#writer.idle;
  }

  get busy(): boolean {
    return this.#writer.busy;
  }

  get compression(): Readonly<CompressionCounter> | undefined {
    return this.#writer.compression;
  }

  get bytes(): number {
    return this.#writer.length + this.#writer.waitingBytes;
  }

  get gatheredBytes(): number {
    return this.#writer.length;
  }

  get gatheredPieces(): number {
    return this.#writer.pieces;
  }

  feed(item: Outgoing): void {
    this.#writer.write(item);
  }

  flush(): void {
    const only = this.#writer.takeOnly();
    if (only !== undefined) this.neighbour?.writeBytes(only);
    else for (const piece of this.#writer.take()) this.neighbour?.writeBytes(piece);
  }

  release(): void {
    this.#writer.release();
  }
}
