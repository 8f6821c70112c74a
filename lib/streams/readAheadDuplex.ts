import { defaults, type HighWaterMark } from '../options';
import { diagnostics } from './diagnostics';
import type { Delivered } from './incomingMessages';
import { MessageEvents } from './messageEvents';

/** What an object in a queue costs beside its bytes. */
const overhead = 128;

/**
 * A Duplex that reads ahead of its reader up to two marks: so many messages, or so many bytes of memory, whichever comes first.
 * What is behind that stays with the peer.
 */
export abstract class ReadAheadDuplex extends MessageEvents {
  readonly #mark: number;
  /** Bytes of memory that the messages in the queue keep alive. */
  #cost = 0;
  #received = 0;
  /** The stream would take more messages, but not more bytes. */
  #held = false;

  constructor({
    messages = defaults.highWaterMark.messages,
    bytes = defaults.highWaterMark.bytes,
  }: HighWaterMark = {}) {
    super({
      objectMode: true,
      readableHighWaterMark: messages,
      // One message that the transport has not taken yet; the second one is told to wait.
      writableHighWaterMark: 2,
      // A peer that is done does not end our side: it may still owe the answers.
      allowHalfOpen: true,
    });
    this.#mark = bytes;
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
      this.emit('data', message);
      return true;
    }
    this.#cost += costOf(message);
    const more = this.push(message);
    // It may have gone past the queue all the same.
    if (this.readableLength === 0) this.#cost = 0;
    return more && this.#cost < this.#mark;
  }

  override _read(): void {
    if (this.#cost < this.#mark) this.readOn();
    else this.#held = true;
  }

  override read(size?: number): Delivered | null {
    const message = super.read(size);
    if (message !== null && this.#cost > 0) this.#taken(message);
    return message;
  }

  #taken(message: Delivered): void {
    // What the program has put back, or taken apart, was not counted.
    this.#cost = this.readableLength === 0 ? 0 : Math.max(0, this.#cost - costOf(message));
    if (!this.#held || this.#cost >= this.#mark) return;
    this.#held = false;
    // Not now: the message in hand must reach whoever reads before the end does, of which a stream may tell at once.
    process.nextTick(() => this.readOn());
  }
}

/** Bytes of memory that a queued message keeps alive, at the most. A message that is a stream has a mark of its own. */
function costOf(message: Delivered): number {
  if (typeof message === 'string') return overhead + 2 * message.length;
  return overhead + (message instanceof Uint8Array ? message.byteLength : 0);
}
