import type { Message, MessagePart } from '../contracts';
import { MessageStream } from './messageStream';

/** What a reader gets: messages as they are, or, if the program wants streams, each as a stream. */
export type Delivered = Message | MessageStream;

/** Makes streams of the messages that come from the Deframer. Everything returns false when the reader has enough. */
export class IncomingMessages {
  readonly #deliver: (message: MessageStream) => boolean;
  readonly #readOn: () => void;
  /** The message that is coming at the moment. */
  #current: MessageStream | undefined;

  /** @param readOn asks for more of what was held back */
  constructor(deliver: (message: MessageStream) => boolean, readOn: () => void) {
    this.#deliver = deliver;
    this.#readOn = readOn;
  }

  whole(message: Message): boolean {
    return this.#deliver(MessageStream.of(message));
  }

  part(part: MessagePart): boolean {
    if (part.first) {
      this.#current = new MessageStream(!part.text, this.#readOn);
      this.#deliver(this.#current);
    }
    const stream = this.#current as MessageStream;
    if (part.last) this.#current = undefined;
    return stream.receive(part);
  }

  /** The message that is coming will not come to its end. */
  breakOff(error: Error): void {
    this.#current?.fail(error);
    this.#current = undefined;
  }
}
