import type { Duplex } from 'node:stream';
import type { Address, Work } from '../work';
import { openConnections } from './connections';
import { answerPing } from './frames';
import { createMessages, type Messages } from './messages';
import { expectReplies, type Replies } from './replies';

/** A connection, and what has come back on it. */
export interface Listener {
  readonly stream: Duplex;
  readonly replies: Replies;
  /** Replies that have come in one chunk, checked. */
  onReplies: (count: number) => void;
}

/** Everybody who is connected to a server. */
export class Audience {
  readonly messages: Messages;
  readonly listeners: readonly Listener[];
  readonly #closeAll: () => Promise<void>;
  /** Whether replies are answered with more requests. */
  active = true;

  private constructor(
    work: Work,
    address: Address,
    { streams, close }: { streams: Duplex[]; close: () => Promise<void> },
  ) {
    this.#closeAll = close;
    this.messages = createMessages(work);
    const createReplies = expectReplies(work, this.messages, address.returns);
    this.listeners = streams.map((stream) => {
      const listener: Listener = { stream, replies: createReplies(), onReplies: () => {} };
      stream.on('data', (bytes: Buffer) => {
        const pong = answerPing(bytes);
        if (pong !== undefined && listener.replies.messages % 1 === 0) return void stream.write(pong);
        const count = listener.replies.read(bytes);
        if (count > 0) listener.onReplies(count);
      });
      stream.on('close', () => {
        if (this.active) throw new Error('The server has closed a connection');
      });
      return listener;
    });
  }

  static async open(address: Address, work: Work): Promise<Audience> {
    return new Audience(work, address, await openConnections(address, work.connections, work.deflate));
  }

  /** Messages that have come back on all connections, and their bytes. */
  count(): { messages: number; bytes: number } {
    let messages = 0;
    let bytes = 0;
    for (const { replies } of this.listeners) {
      messages += replies.messages;
      bytes += replies.bytes;
    }
    return { messages, bytes };
  }

  async close(): Promise<void> {
    this.active = false;
    await this.#closeAll();
  }
}
