import type { Message, MessagePart } from '../contracts';
import { MessageStream } from './messageStream';

/** What a reader gets: messages as they are, or, with the option `messages: 'stream'`, each message as a stream. */
export type Delivered = Message | MessageStream;

/** Makes a stream of each message that comes, with the option `messages: 'stream'`. */
export class StreamedMessages {
  readonly #deliver: (message: MessageStream) => boolean;
  readonly #readOn: () => void;
  /** The message that has begun and not ended. */
  #current: MessageStream | undefined;

  /**
   * @param deliver hands a stream to the reader; returns false if the reader has enough
   * @param readOn asks the connection for more
   */
  constructor(deliver: (message: MessageStream) => boolean, readOn: () => void) {
    this.#deliver = deliver;
    this.#readOn = readOn;
  }

  /** Takes a message, or a part of one. Returns false if the reader has enough. */
  receive(received: Message | MessagePart): boolean {
    if (typeof received === 'string' || !('opcode' in received)) return this.#deliver(MessageStream.of(received));
    if (!received.first) return this.#continue(received);
    const stream = new MessageStream(!received.text, this.#readOn);
    // Before it is delivered, for a listener may throw, and the parts behind this one still belong to it.
    this.#current = stream;
    const room = this.#continue(received);
    return this.#deliver(stream) && room;
  }

  /** The message that is coming will not come to its end. */
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
