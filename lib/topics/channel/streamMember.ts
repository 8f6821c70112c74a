import type { Duplex } from 'node:stream';
import { messageSize } from '../../framing/outgoingMessage';
import type { BinaryData } from '../../webSocketHandler';
import type { TopicMessage } from '../broker';
import type { JoinOptions } from '../options';
import { CatchUp, type Reader } from './catchUp';
import type { Channel, Follower } from './channel';

/** The messages that wait for the reader. At the next one, it reads history instead of live messages. */
export const mostMessages = 16;
/** The bytes of the messages that wait for the reader. */
const mostBytes = 1024 * 1024;

/** The readable side of a member that is a Duplex: live, or reading history. */
export class StreamMember implements Follower, Reader {
  readonly onResume: JoinOptions['onResume'];
  readonly #format: ((message: TopicMessage) => string | BinaryData) | undefined;
  readonly #channel: Channel;
  readonly #stream: Duplex;
  #catchUp: CatchUp | undefined;
  /** The cursor of the last message that it was given, while it reads neither live messages nor history. */
  #behind: string | undefined;
  #whenTaken: (() => void) | undefined;
  /** The sizes of the messages in the read queue, and their sum. */
  #sizes: number[] = [];
  #bytes = 0;

  constructor(channel: Channel, { after, format, onResume }: JoinOptions, stream: Duplex) {
    this.onResume = onResume;
    this.#format = format;
    this.#channel = channel;
    this.#stream = stream;
    channel.enter(this);
    if (after == null) channel.followers.add(this);
    else this.#catchUp = new CatchUp(channel, this, after, true);
  }

  /** Takes a live message. */
  offer(message: TopicMessage): void {
    this.#push(message);
    if (!this.#isFull) return;
    this.#channel.followers.delete(this);
    this.#behind = message.id;
  }

  /** Takes a message of the history. */
  give(message: TopicMessage): void | Promise<void> {
    this.#push(message);
    if (!this.#isFull) return undefined;
    return new Promise((resolve) => {
      this.#whenTaken = resolve;
    });
  }

  caughtUp(): void {
    this.#catchUp = undefined;
    this.#channel.followers.add(this);
  }

  /** Called when a message was taken out of the read queue. */
  taken(): void {
    if (this.#sizes.length === 0 || this.#isFull) return;
    const after = this.#behind;
    this.#behind = undefined;
    if (after !== undefined) this.#catchUp = new CatchUp(this.#channel, this, after, false);
    const whenTaken = this.#whenTaken;
    this.#whenTaken = undefined;
    whenTaken?.();
  }

  leave(): void {
    this.#catchUp?.stop();
    this.#behind = undefined;
    this.#whenTaken?.();
    this.#channel.followers.delete(this);
    this.#channel.exit(this);
  }

  #push(message: TopicMessage): void {
    let chunk: string | BinaryData = message.data;
    try {
      if (this.#format !== undefined) chunk = this.#format(message);
    } catch (error) {
      this.#stream.destroy(error as Error);
      return;
    }
    const size = messageSize(chunk);
    this.#sizes.push(size);
    this.#bytes += size;
    // Only a hint for the stream: how much waits is limited here, also in bytes.
    this.#stream.push(chunk);
  }

  get #isFull(): boolean {
    const { readableLength } = this.#stream;
    const taken = this.#sizes.length - readableLength;
    if (taken > 0) for (const size of this.#sizes.splice(0, taken)) this.#bytes -= size;
    return readableLength >= mostMessages || this.#bytes >= mostBytes;
  }
}
