import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers';
import type { Incoming, Message } from '../contracts';
import { WebSocketError } from '../errors';
import type { CompressionCounter } from '../framing/counters';
import type { MessageReader } from '../framing/messageReader';

/** The reader of messages, as far as the input uses it. */
export type InputReader = Pick<MessageReader, 'feed' | 'next' | 'finish' | 'release' | 'inMessage' | 'decompression'>;

/** Lends a reader to the input. A FramingPool does. */
export interface ReaderPool {
  takeReader(): InputReader;
  /** Takes a reader back if it is idle. Returns the reader that the input goes on with, if any. */
  returnReader(reader: InputReader | undefined): InputReader | undefined;
}

/** The readable side of a byte stream, as far as the input holds it back. */
export type InputStream = Pick<Duplex, 'isPaused' | 'pause' | 'resume' | 'unshift'>;

/** What stands above the input of a connection. */
export interface InputReceiver {
  /** Takes a message or a control frame. False stops the reading until `readOn()`. */
  receive(item: Incoming): boolean;
  /** Nothing more will come, and all that came has been received. The error says why, unless the peer just ended its side. */
  inputEnded(error: WebSocketError | undefined): void;
  /** Calls back in the asynchronous context of the connection. */
  inContext(work: () => void): void;
}

/** The half of a connection that reads: from the bytes of the byte stream to messages, as fast as its receiver takes them. */
export class ByteInput {
  /** Bytes that have come. */
  received = 0;
  readonly #stream: InputStream;
  readonly #pool: ReaderPool;
  readonly #receiver: InputReceiver;
  /** There while something goes on (see FramingPool). */
  #reader: InputReader | undefined;
  /** The reader has bytes that have not been decoded. */
  #undecoded = false;
  /** `'elsewhere'`: a message is being decompressed on another thread; those behind it wait. */
  #decoding: 'no' | 'here' | 'elsewhere' = 'no';
  /** `'ended'`: the peer's bytes have; `'over'`: and all has been received; `'discarding'`: nothing is looked at any more. */
  #end: 'open' | 'ended' | 'over' | 'discarding' = 'open';
  #failure: Error | undefined;
  /** The value of `received` when `hasHeard()` was last called. */
  #heard = 0;
  #pausedTime = 0;
  #pausedSince: number | undefined;

  constructor(stream: InputStream, pool: ReaderPool, receiver: InputReceiver) {
    this.#stream = stream;
    this.#pool = pool;
    this.#receiver = receiver;
  }

  /** Whether everything that came has been received, or was discarded. */
  get isOver(): boolean {
    return this.#end === 'over' || this.#end === 'discarding';
  }

  /** Whether the byte stream stands still because the receiver has enough. */
  get isPaused(): boolean {
    return this.#undecoded && !this.isOver;
  }

  /** Whether a message has begun and not ended. */
  get inMessage(): boolean {
    return this.#reader?.inMessage === true;
  }

  get decompression(): Readonly<CompressionCounter> | undefined {
    return this.#reader?.decompression;
  }

  /** Milliseconds in which nothing was read because the receiver had enough. */
  get pausedTime(): number {
    return this.#pausedTime + (this.#pausedSince === undefined ? 0 : performance.now() - this.#pausedSince);
  }

  /** Whether bytes have come since this was last asked. */
  hasHeard(): boolean {
    const heard = this.received > this.#heard;
    this.#heard = this.received;
    return heard;
  }

  /** The byte stream has read these bytes. */
  read(bytes: Buffer): void {
    if (this.#undecoded && this.#end !== 'discarding') {
      // Somebody else has resumed the byte stream: the reader takes one chunk at a time.
      this.#stream.pause();
      this.#stream.unshift(bytes);
      return;
    }
    this.received += bytes.length;
    if (this.isOver) return;
    this.#reader ??= this.#pool.takeReader();
    this.#reader.feed(bytes);
    this.#undecoded = true;
    this.#decode();
  }

  /** The receiver takes more. */
  readOn(): void {
    if (this.#undecoded) this.#decode();
  }

  /** The peer's bytes have ended. The end is reported when all that came before it has been received. */
  end(): void {
    if (this.isOver) return;
    this.#end = 'ended';
    if (!this.#undecoded) this.#finish();
  }

  /** Looks at nothing more that comes. */
  discard(): void {
    this.#end = 'discarding';
    this.#undecoded = false;
    // Not inside of the decompression itself.
    if (this.#decoding !== 'here') this.#release();
    this.#resume();
  }

  #decode(): void {
    // A receiver may ask for more inside of receive(): the loop that called it goes on.
    if (this.#decoding !== 'no') return;
    this.#decoding = 'here';
    let completed = false;
    try {
      while (this.#undecoded && this.#decodeNext());
      completed = true;
    } finally {
      if (this.#decoding === 'here') this.#decoding = 'no';
      // What a listener throws is the program's affair; the messages behind the one in hand are delivered all the same.
      if (!completed && this.#undecoded) setImmediate(() => this.#receiver.inContext(() => this.readOn()));
      if (!completed && this.#end === 'discarding') this.#release();
    }
    this.#afterDecoding();
  }

  /** Returns whether to go on. */
  #decodeNext(): boolean {
    const item = this.#nextItem();
    if (item === undefined) {
      this.#undecoded = false;
      return false;
    }
    if (!(item instanceof Promise)) return this.#receiver.receive(item);
    this.#await(item);
    return false;
  }

  #nextItem(): Incoming | Promise<Message> | undefined {
    try {
      return (this.#reader as InputReader).next();
    } catch (error) {
      this.#failure = error as Error;
      return undefined;
    }
  }

  #afterDecoding(): void {
    if (this.#end === 'discarding') return this.#release();
    if (this.#undecoded) return this.#pause();
    if (this.#failure !== undefined || this.#end === 'ended') return this.#finish();
    this.#reader = this.#pool.returnReader(this.#reader);
    this.#resume();
  }

  #await(message: Promise<Message>): void {
    this.#decoding = 'elsewhere';
    const goOn = (work: () => void) => {
      this.#decoding = 'no';
      if (this.#end === 'discarding') this.#release();
      else this.#receiver.inContext(work);
    };
    const deliver = (decompressed: Message) => {
      goOn(() => {
        let completed = false;
        try {
          if (this.#receiver.receive(decompressed)) this.readOn();
          completed = true;
        } finally {
          if (!completed) setImmediate(() => this.#receiver.inContext(() => this.readOn()));
        }
      });
    };
    const fail = (error: Error) => {
      goOn(() => {
        this.#failure = error;
        this.#undecoded = false;
        this.#finish();
      });
    };
    // Not in the callbacks of the promise, where an exception of a listener would become a rejection.
    message.then(
      (decompressed) => process.nextTick(deliver, decompressed),
      (error) => process.nextTick(fail, error),
    );
  }

  #finish(): void {
    if (this.isOver) return;
    this.#end = 'over';
    let error = this.#failure;
    try {
      if (error === undefined) this.#reader?.finish();
    } catch (cause) {
      error = cause as Error;
    }
    this.#release();
    this.#countPause();
    this.#receiver.inputEnded(asWebSocketError(error));
  }

  #release(): void {
    if (this.#decoding !== 'elsewhere') this.#reader?.release();
  }

  #pause(): void {
    if (this.#stream.isPaused()) return;
    this.#stream.pause();
    this.#pausedSince ??= performance.now();
  }

  #resume(): void {
    if (!this.#stream.isPaused()) return;
    this.#stream.resume();
    this.#countPause();
  }

  /** The pause, if there is one, is over. */
  #countPause(): void {
    this.#pausedTime = this.pausedTime;
    this.#pausedSince = undefined;
  }
}

function asWebSocketError(error: Error | undefined): WebSocketError | undefined {
  if (error === undefined || error instanceof WebSocketError) return error;
  return new WebSocketError('WS_ERR_INVALID_COMPRESSION', error.message, { cause: error });
}
