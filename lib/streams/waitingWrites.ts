import type { Outgoing } from '../contracts';
import { messageSize } from './outgoingMessage';

type Done = (error?: Error | null) => void;

/**
 * The one write that waits for the connection to open, or for the transport to have room, and the bytes of those that the
 * stream keeps in its queue behind it.
 */
export class WaitingWrites {
  #first: { readonly item: Outgoing; readonly done: Done } | undefined;
  #bytesBehind = 0;

  get any(): boolean {
    return this.#first !== undefined;
  }

  get bytes(): number {
    return this.#bytesBehind + (this.#first === undefined ? 0 : messageSize(this.#first.item));
  }

  hold(item: Outgoing, done: Done): void {
    this.#first = { item, done };
  }

  /** A chunk goes into the stream's queue, if a write is waiting. */
  enqueued(chunk: unknown): void {
    if (this.#first !== undefined) this.#bytesBehind += messageSize(chunk);
  }

  /** A chunk has come out of the queue, if it was ever in there: writes keep their order. */
  dequeued(chunk: unknown): void {
    if (this.#bytesBehind > 0) this.#bytesBehind = Math.max(0, this.#bytesBehind - messageSize(chunk));
  }

  retry(offer: (item: Outgoing) => boolean): void {
    const first = this.#first;
    if (first === undefined || !offer(first.item)) return;
    this.#first = undefined;
    first.done();
  }

  fail(error: Error): void {
    const first = this.#first;
    this.#first = undefined;
    first?.done(error);
  }
}
