import type { Message } from '../contracts';
import { type HighWaterMarkOptions, type Marks, writableMarks } from '../options';
import type { Delivered } from './incomingMessages';
import { ReadAheadDuplex } from './readAheadDuplex';

/**
 * A Duplex whose writer may go on as long as the transport takes what is written, and then up to two marks: so many messages, or
 * so many bytes of memory, those that the transport holds included. Then `write()` returns false, and 'drain' comes when nothing
 * waits any more and the transport takes bytes again.
 */
export abstract class WriteAheadDuplex<M extends Delivered = Message> extends ReadAheadDuplex<M> {
  #marks: Marks;
  #needsDrain = false;
  #drainScheduled = false;

  constructor(options: HighWaterMarkOptions) {
    super(options);
    this.#marks = writableMarks(options);
  }

  static {
    // Pipes, pipelines and web streams ask for these.
    Object.defineProperties(WriteAheadDuplex.prototype, {
      writableHighWaterMark: {
        get(this: WriteAheadDuplex): number {
          return this.#marks.messages;
        },
      },
      writableNeedDrain: {
        get(this: WriteAheadDuplex): boolean {
          return this.#needsDrain && this.#takesWrites;
        },
      },
    });
  }

  protected override setMarks(options: HighWaterMarkOptions): void {
    super.setMarks(options);
    this.#marks = writableMarks(options);
  }

  /** Whether the transport takes no more for now. `roomMade()` must be called when that changes. */
  protected abstract get isFull(): boolean;

  /** Bytes of memory that what was written keeps alive, here and in the transport. */
  protected abstract get unsentCost(): number;

  /** What `write()` returns: whether the writer may go on. If not, 'drain' will tell. */
  protected mayWriteOn(): boolean {
    if (this.#needsDrain) return false;
    const waiting = this.writableLength;
    if (waiting === 0 && !this.isFull) return true;
    const { messages, bytes } = this.#marks;
    if (waiting < messages && this.unsentCost < bytes) return true;
    this.#needsDrain = true;
    return false;
  }

  /** Something that was written has left, or the transport takes bytes again. */
  protected roomMade(): void {
    if (!this.#needsDrain || this.#drainScheduled || !this.#isDrained) return;
    this.#drainScheduled = true;
    // Not inside a call of the program, `uncork()` say.
    process.nextTick(() => {
      this.#drainScheduled = false;
      // Unless somebody was quicker.
      if (!this.#isDrained) return;
      this.#needsDrain = false;
      if (this.#takesWrites) this.emit('drain');
    });
  }

  get #isDrained(): boolean {
    return this.writableLength === 0 && !this.isFull;
  }

  get #takesWrites(): boolean {
    return !this.destroyed && !this.writableEnded;
  }
}
