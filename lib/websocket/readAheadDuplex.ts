import type { Message } from '../contracts';
import { diagnostics } from '../diagnostics';
import { costOf } from '../framing/cost';
import { type HighWaterMarkOptions, type Marks, readableMarks } from '../options';
import type { Delivered } from './incomingMessages';
import { MessageEvents } from './messageEvents';

/** Node's own marks, which count messages only, and are fixed when a stream is made. Ours come before these. */
const outOfTheWay = Number.MAX_SAFE_INTEGER;

/**
 * A Duplex that reads ahead of its reader up to two marks: so many messages, or so many bytes of memory, whichever comes first.
 * What is behind that stays with the peer.
 */
export abstract class ReadAheadDuplex<M extends Delivered = Message> extends MessageEvents<M> {
  #marks: Marks;
  /** Bytes of memory that the messages in the queue keep alive. */
  #cost = 0;
  #received = 0;
  /** The stream would take more messages. */
  #held = false;

  constructor(options: HighWaterMarkOptions) {
    super({
      objectMode: true,
      highWaterMark: outOfTheWay,
      // A peer that is done does not end our side: it may still owe the answers.
      allowHalfOpen: true,
    });
    this.#marks = readableMarks(options);
  }

  static {
    Object.defineProperty(ReadAheadDuplex.prototype, 'readableHighWaterMark', {
      get(this: ReadAheadDuplex): number {
        return this.#marks.messages;
      },
    });
  }

  /** The marks from now on. */
  protected setMarks(options: HighWaterMarkOptions): void {
    this.#marks = readableMarks(options);
  }

  /** Messages that have come. */
  protected get received(): number {
    return this.#received;
  }

  /** Asks for more messages. */
  protected abstract readOn(): void;

  /**
   * Hands a message to whoever reads, and returns false if that is enough for now. What flows with nothing queued goes past the
   * queue, which would schedule a tick of the event loop for each; the first does not, for a stream must know that it was read.
   */
  protected deliver(message: Delivered): boolean {
    this.#received++;
    if (diagnostics.messageReceived.hasSubscribers) diagnostics.messageReceived.publish({ webSocket: this, message });
    if (this.readableFlowing === true && this.readableLength === 0 && this.readableDidRead) {
      this.tell(message);
      return true;
    }
    this.#cost += costOf(message);
    this.push(message);
    // It may have gone past the queue all the same.
    if (this.readableLength === 0) this.#cost = 0;
    return this.#wantsMore;
  }

  get #wantsMore(): boolean {
    return this.readableLength < this.#marks.messages && this.#cost < this.#marks.bytes;
  }

  override _read(): void {
    if (this.#wantsMore) this.readOn();
    else this.#held = true;
  }

  override read(size?: number): M | null {
    const message: M | null = super.read(size);
    if (message !== null && (this.#held || this.#cost > 0)) this.#taken(message);
    return message;
  }

  #taken(message: Delivered): void {
    // What the program has put back, or taken apart, was not counted.
    this.#cost = this.readableLength === 0 ? 0 : Math.max(0, this.#cost - costOf(message));
    if (!this.#held || !this.#wantsMore) return;
    this.#held = false;
    // Not now: the message in hand must reach whoever reads before the end does, of which a stream may tell at once.
    process.nextTick(() => this.readOn());
  }
}
