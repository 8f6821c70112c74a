import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers';
import type { Incoming, Message } from '../contracts';
import { WebSocketError } from '../errors';
import type { CompressionCounter } from '../framing/counters';
import type { MessageReader } from '../framing/messageReader';

/** The methods of a MessageReader that the input uses. */
export type InputReader = Pick<
  MessageReader,
  'feed' | 'next' | 'finish' | 'release' | 'inMessage' | 'partialSize' | 'decompression'
>;

/** Lends readers to inputs. Implemented by FramingPool. */
export interface ReaderPool {
  takeReader(): InputReader;
  /**
   * Takes a reader back if it is idle, and returns undefined; otherwise returns the same reader, which the input keeps.
   */
  returnReader(reader: InputReader | undefined): InputReader | undefined;
}

/** The methods of the byte stream that the input uses to pause it. */
export type InputStream = Pick<Duplex, 'isPaused' | 'pause' | 'resume' | 'unshift'>;

/** The receiver of decoded items: a ByteChannel. */
export interface InputReceiver {
  readonly stream: InputStream;
  readonly pool: ReaderPool;
  /**
   * Receives a message or a control frame. If it returns false, the input decodes no further item until `readOn()` is
   * called.
   */
  receive(item: Incoming): boolean;
  /**
   * Called once, when the last received item has been passed to `receive()` and no more bytes can arrive.
   * @param error undefined if the peer has ended its side of the byte stream and nothing was truncated or invalid
   */
  inputEnded(error: WebSocketError | undefined): void;
  /** Runs `work` in the asynchronous context of the connection. */
  inContext(work: () => void): void;
}

/**
 * The reading half of a connection: decodes the bytes of the byte stream into messages, one at a time, as long as its
 * receiver accepts more.
 */
export class ByteInput {
  /** Received bytes. */
  received = 0;
  readonly #receiver: InputReceiver;
  /** Undefined while the connection is idle: the reader is then returned to the FramingPool. */
  #reader: InputReader | undefined;
  /** Whether the reader has bytes that have not been decoded. */
  #undecoded = false;
  /** How often `isAdvancing()` may return true before the next item is decoded. */
  #looks = 0;
  /** `'elsewhere'`: a message is being decompressed on another thread, and the messages after it wait. */
  #decoding: 'no' | 'here' | 'elsewhere' = 'no';
  /**
   * `'ended'`: the byte stream has emitted 'end'; an error: the received bytes are invalid; `'over'`: all received bytes
   * have also been delivered; `'discarding'`: received bytes are dropped.
   */
  #end: 'open' | 'ended' | Error | 'over' | 'discarding' = 'open';
  /** The value of `received` when `hasReceived()` was last called. */
  #receivedBefore = 0;
  /** Made at the first pause, to save the memory on idle connections. */
  #pauses: Pauses | undefined;

  constructor(receiver: InputReceiver) {
    this.#receiver = receiver;
  }

  get #stream(): InputStream {
    return this.#receiver.stream;
  }

  /** Whether all received bytes have been delivered, or are discarded. */
  get isOver(): boolean {
    return this.#end === 'over' || this.#end === 'discarding';
  }

  /** Whether reading is paused, because the receiver accepts no more items (backpressure) or a limit has suspended it. */
  get isPaused(): boolean {
    return (this.#undecoded || this.#isSuspended) && !this.isOver;
  }

  /** Whether a message has been received in part. */
  get inMessage(): boolean {
    return this.#reader?.inMessage === true;
  }

  /** Bytes that are kept of a message that has been received in part. */
  get partialSize(): number {
    return this.#reader?.partialSize ?? 0;
  }

  get decompression(): Readonly<CompressionCounter> | undefined {
    return this.#reader?.decompression;
  }

  /** Milliseconds for which the byte stream was paused. */
  get pausedTime(): number {
    return this.#pauses?.elapsed ?? 0;
  }

  /** Returns whether bytes were received since the last call. */
  hasReceived(): boolean {
    const hasReceived = this.received > this.#receivedBefore;
    this.#receivedBefore = this.received;
    return hasReceived;
  }

  /**
   * Returns whether the receiver takes the items of one chunk in several steps: bytes of the chunk wait, and items were
   * decoded since the last call or the one before.
   */
  isAdvancing(): boolean {
    return this.#undecoded && this.#looks-- > 0;
  }

  /** Decodes the bytes of a 'data' event. */
  read(bytes: Buffer): void {
    if (this.#undecoded) {
      // The byte stream was resumed by other code than this class. The reader holds one chunk at a time, so put this
      // one back.
      this.#stream.pause();
      this.#stream.unshift(bytes);
      return;
    }
    this.received += bytes.length;
    if (this.isOver) return;
    this.#reader ??= this.#receiver.pool.takeReader();
    this.#reader.feed(bytes);
    this.#undecoded = true;
    this.#decode();
  }

  /** Goes on with decoding: the receiver accepts more items. */
  readOn(): void {
    if (this.#undecoded) this.#decode();
  }

  /** Reads and delivers nothing more, until `resume()` is called as often. */
  suspend(): void {
    this.#pauses ??= new Pauses();
    this.#pauses.suspensions++;
    if (!this.isOver) this.#pause();
  }

  /** Goes on with reading after `suspend()`. */
  resume(): void {
    const pauses = this.#pauses as Pauses;
    pauses.suspensions--;
    if (pauses.suspensions > 0 || this.isOver) return;
    const { isAwaited } = pauses;
    // Before decoding: a receiver may suspend reading again.
    pauses.isAwaited = false;
    if (!this.#undecoded) this.#resumeStream();
    // If the receiver accepts no more items, it will call readOn().
    else if (isAwaited) this.#decode();
  }

  get #isSuspended(): boolean {
    return this.#pauses !== undefined && this.#pauses.suspensions > 0;
  }

  /** Returns whether decoding must stop here, although the receiver accepts more items. */
  #stopsHere(): boolean {
    if (this.#pauses === undefined || this.#pauses.suspensions === 0) return false;
    this.#pauses.isAwaited = true;
    return true;
  }

  /**
   * Called when the byte stream has emitted 'end' or 'close'. The receiver is told when all bytes received before have
   * been delivered.
   */
  end(): void {
    if (this.isOver) return;
    this.#end = 'ended';
    if (!this.#undecoded) this.#finish();
  }

  /** Discards all bytes that are received from now on, and those that have not been decoded. */
  discard(): void {
    this.#end = 'discarding';
    this.#undecoded = false;
    // The reader must not be released while its next() is running; #decode() releases it afterwards.
    if (this.#decoding !== 'here') this.#release();
    this.#resumeStream();
  }

  #decode(): void {
    // A receiver may call readOn() inside of receive(). The loop that called receive() is still running and goes on by
    // itself.
    if (this.#decoding !== 'no') return;
    if (this.#stopsHere()) return this.#pause();
    this.#decoding = 'here';
    this.#looks = 2;
    let completed = false;
    try {
      while (this.#undecoded && this.#decodeNext() && !this.#stopsHere());
      completed = true;
    } finally {
      if (this.#decoding === 'here') this.#decoding = 'no';
      // A listener of the program has thrown. The exception is not caught; if the process goes on, the next messages
      // are still delivered.
      if (!completed && this.#undecoded) setImmediate(() => this.#receiver.inContext(() => this.readOn()));
      if (!completed && this.#end === 'discarding') this.#release();
    }
    this.#afterDecoding();
  }

  /** Decodes and delivers one item. Returns whether another one may follow. */
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
      this.#end = error as Error;
      return undefined;
    }
  }

  #afterDecoding(): void {
    if (this.#end === 'discarding') return this.#release();
    if (this.#undecoded) return this.#pause();
    if (this.#end !== 'open') return this.#finish();
    this.#reader = this.#receiver.pool.returnReader(this.#reader);
    this.#resumeStream();
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
        this.#end = error;
        this.#undecoded = false;
        this.#finish();
      });
    };
    // nextTick(), because an exception of a listener inside the callbacks of the promise would become an unhandled
    // rejection.
    message.then(
      (decompressed) => process.nextTick(deliver, decompressed),
      (error) => process.nextTick(fail, error),
    );
  }

  #finish(): void {
    let error = typeof this.#end === 'object' ? this.#end : undefined;
    this.#end = 'over';
    try {
      if (error === undefined) this.#reader?.finish();
    } catch (cause) {
      error = cause as Error;
    }
    this.#release();
    this.#pauses?.stop();
    this.#receiver.inputEnded(asWebSocketError(error));
  }

  #release(): void {
    if (this.#decoding !== 'elsewhere') this.#reader?.release();
  }

  #pause(): void {
    if (this.#stream.isPaused()) return;
    this.#stream.pause();
    this.#pauses ??= new Pauses();
    this.#pauses.start();
  }

  #resumeStream(): void {
    if (!this.#stream.isPaused()) return;
    this.#stream.resume();
    this.#pauses?.stop();
  }
}

/** The pauses of a byte stream: adds up the milliseconds between `start()` and `stop()`. */
class Pauses {
  /** How many limits have suspended reading, whatever the receiver accepts. */
  suspensions = 0;
  /** Whether the receiver accepts more items and waits for the end of the suspensions. */
  isAwaited = false;
  #before = 0;
  #since: number | undefined;

  get elapsed(): number {
    return this.#before + (this.#since === undefined ? 0 : performance.now() - this.#since);
  }

  start(): void {
    this.#since ??= performance.now();
  }

  stop(): void {
    this.#before = this.elapsed;
    this.#since = undefined;
  }
}

function asWebSocketError(error: Error | undefined): WebSocketError | undefined {
  if (error === undefined || error instanceof WebSocketError) return error;
  return new WebSocketError('WS_ERR_INVALID_COMPRESSION', error.message, { cause: error });
}
