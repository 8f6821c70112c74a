import type { Message, MessagePart } from '../contracts';
import { MessageStream } from './messageStream';

/** The type of a delivered message; with the option `messages: 'stream'`, a MessageStream. */
export type Delivered = Message | MessageStream;

/** The source of the messages: a Connection. */
export interface MessageSupply {
  readOn(): void;
}

/** Makes a MessageStream of each received message, with the option `messages: 'stream'`. */
export class StreamedMessages {
  readonly #deliver: (message: MessageStream) => boolean;
  readonly #supply: MessageSupply;
  /** The message that has been received in part. */
  #current: MessageStream | undefined;

  /**
   * @param deliver delivers a stream to the reader; returns false if the read queue is full
   * @param supply the connection, which is asked for more
   */
  constructor(deliver: (message: MessageStream) => boolean, supply: MessageSupply) {
    this.#deliver = deliver;
    this.#supply = supply;
  }

  /** Receives a message or a part of one. Returns false if the read queue, or the stream of the message, is full. */
  receive(received: Message | MessagePart): boolean {
    if (typeof received === 'string' || !('opcode' in received)) return this.#deliver(MessageStream.of(received));
    if (!received.first) return this.#continue(received);
    const stream = new MessageStream(!received.text, () => this.#supply.readOn());
    // Set before the stream is delivered: a listener may throw, and the next parts still belong to this stream.
    this.#current = stream;
    const hasRoom = this.#continue(received);
    // If the listener has destroyed the stream, the rest of the message is skipped. The stream has asked for it already
    // and will not ask again.
    return this.#deliver(stream) && (hasRoom || stream.destroyed);
  }

  /** Fails the stream of the message that has been received in part: the rest will not be received. */
  fail(error: Error): void {
    this.#current?.fail(error);
    this.#current = undefined;
  }

  #continue(part: MessagePart): boolean {
    const stream = this.#current as MessageStream;
    if (part.last) this.#current = undefined;
    return stream.receive(part);
  }
}
