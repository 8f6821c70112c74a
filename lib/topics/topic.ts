import { type Readable, Writable } from 'node:stream';
import { checkMember } from '../broadcast/broadcast';
import { checkOptions } from '../options';
import type { AnyWebSocket, BroadcastMessage } from '../webSocketHandler';
import type { WriteCallback } from '../websocket/writeQueue';
import type { Channel, TopicTotals } from './channel/channel';
import type { MemberCounts } from './channel/socketMember';
import { type AddOptions, checkAddOptions, toData } from './options';
import { Since } from './since';
import { mostWrites, publishChunks, writeChunk } from './topicWrites';

/** What a Topic needs of its `Topics`. */
export interface TopicOwner {
  /** The topic in this process. It may be another object after a time without members. */
  channel(name: string): Channel;
  /** Makes somebody present in a topic. Returns the function that ends it; undefined if there is nothing to show. */
  present(name: string, info: unknown): (() => void) | undefined;
}

/**
 * A topic, as a Writable that publishes what is written. `topics.topic()` returns a new one each time, and all of them have the same
 * members: if one is ended, or destroyed by an error, the others are not.
 *
 * The callback of `write()` means that the broker has the message; with an error, it may not have it, and the stream goes on. A message
 * that was written without a callback, as a pipe does, destroys the stream if it cannot be published.
 */
export class Topic extends Writable {
  /** The name of the topic. */
  readonly name: string;
  readonly #owner: TopicOwner;

  /** @internal `topics.topic()` makes it. */
  constructor(owner: TopicOwner, name: string) {
    super({ objectMode: true, highWaterMark: mostWrites });
    // Any number of WebSockets may be piped into it.
    this.setMaxListeners(0);
    this.name = name;
    this.#owner = owner;
  }

  /** The WebSockets of this process that are members. The set changes when members are added or removed. */
  get members(): ReadonlySet<AnyWebSocket> {
    return this.#channel.webSockets;
  }

  /** The numbers of messages of this process for all members so far, including former members. */
  get totals(): TopicTotals {
    return this.#channel.totals;
  }

  /** Returns the numbers of messages for one member; undefined if the WebSocket is no member. */
  stats(webSocket: AnyWebSocket): MemberCounts | undefined {
    return this.#channel.counts(webSocket);
  }

  /**
   * Makes a WebSocket a member until it closes: each message is encoded once and sent to all members. Does nothing if it is a member
   * already, or is closing. With `after`, it first gets the messages that are kept after this cursor, then the live ones, each once and in
   * order.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   * @example
   * topics.topic('prices').add(res.webSocket.connect().resume(), { after: query.get('after') });
   */
  add(webSocket: AnyWebSocket, options: AddOptions = {}): this {
    checkMember(webSocket);
    checkAddOptions(options);
    this.#channel.add(webSocket, options, () => this.#owner.present(this.name, options.presence));
    return this;
  }

  /** Removes a member. Its WebSocket stays open. Returns whether it was a member. */
  delete(webSocket: AnyWebSocket): boolean {
    return this.#channel.delete(webSocket);
  }

  /**
   * Publishes a message, and resolves with its cursor when the broker has it.
   * @throws WebSocketError WS_ERR_BROKER_UNAVAILABLE (the broker may have it nevertheless), WS_ERR_BROKER_REFUSED, WS_ERR_MESSAGE_TOO_BIG,
   * WS_ERR_INVALID_ARGUMENT, WS_ERR_NOT_OPEN after `topics.close()`
   */
  async publish(message: BroadcastMessage): Promise<string> {
    return this.#channel.publisher.publish(toData(message));
  }

  /**
   * Returns the messages after a cursor, and then those to come, as an object-mode Readable of `{ id, data, binary }`, which never ends by
   * itself. While the broker is away, it waits.
   * @param after a cursor; `'start'` for all messages that are kept. Default, and with null: those that are published from now on
   * @param options.signal destroys the stream with WS_ERR_ABORTED
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT; as 'error' of the stream WS_ERR_TOPIC_LOST if there is a gap
   * @example
   * for await (const { id, data } of topics.topic('orders').since(cursor)) cursor = await store(data, id);
   */
  since(after?: string | null, options: { signal?: AbortSignal } = {}): Readable {
    checkOptions({ after }, 'after');
    checkOptions(options, 'signal');
    return new Since(this.#channel.link, this.name, after, options.signal);
  }

  /**
   * Publishes a message: a string, bytes, or a PreparedMessage. Returns false if the writer should wait for 'drain'.
   * @param callback called when the broker has the message, or with the error because of which it may not have it; then the stream goes on.
   * Without a callback, the error destroys the stream
   */
  override write(chunk: unknown, callback?: WriteCallback): boolean;
  override write(chunk: unknown, encoding?: BufferEncoding, callback?: WriteCallback): boolean;
  override write(chunk: unknown, encoding?: BufferEncoding | WriteCallback, callback?: WriteCallback): boolean {
    return writeChunk((message, told) => super.write(message, told), chunk, encoding, callback);
  }

  /** @internal */
  override _write(chunk: unknown, _encoding: BufferEncoding, done: WriteCallback): void {
    this._writev([{ chunk }], done);
  }

  /** @internal */
  override _writev(chunks: { chunk: unknown }[], done: WriteCallback): void {
    publishChunks(this, (data) => this.#channel.publisher.publish(data), chunks, done);
  }

  get #channel(): Channel {
    return this.#owner.channel(this.name);
  }
}
