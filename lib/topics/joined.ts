import { Duplex, type Readable } from 'node:stream';
import { join, leave } from '../broadcast/memberships';
import { type AnyWebSocket, WebSocket } from '../webSocketHandler';
import type { WriteCallback } from '../websocket/writeQueue';
import type { Channel } from './channel/channel';
import { mostMessages, StreamMember } from './channel/streamMember';
import type { JoinOptions } from './options';
import { mostWrites, publishChunks, writeChunk } from './topicWrites';

/**
 * One member of a topic as a Duplex: what is written is published, and what is read are the messages of the topic. If it is read slowly,
 * it reads history instead of live messages, as a WebSocket with the policy `'catch-up'`. Ending it leaves the topic, and ends the
 * readable side.
 *
 * It also leaves when a WebSocket that is piped into it or out of it closes. If it fails, such WebSockets are destroyed with its error,
 * because their messages would go nowhere.
 */
export class Joined extends Duplex {
  readonly #channel: Channel;
  readonly #member: StreamMember;
  readonly #leavePresence: (() => void) | undefined;
  /** The WebSockets that are piped into this stream or out of it, and how often. */
  readonly #piped = new Map<AnyWebSocket, number>();
  /** All groups of a WebSocket share one 'close' listener. */
  readonly #group = { delete: (webSocket: AnyWebSocket) => this.#webSocketClosed(webSocket) };
  #left = false;

  /** `topics.join()` makes it. */
  constructor(channel: Channel, options: JoinOptions, present: () => (() => void) | undefined) {
    super({ objectMode: true, readableHighWaterMark: mostMessages, writableHighWaterMark: mostWrites });
    this.#channel = channel;
    this.#member = new StreamMember(channel, options, this);
    this.#leavePresence = present();
    this.on('pipe', (source: Readable) => {
      if (source instanceof WebSocket) this.#leaveWith(source);
    });
    this.on('unpipe', (source: Readable) => {
      if (source instanceof WebSocket) this.#leaveWithout(source);
    });
  }

  override write(chunk: unknown, callback?: WriteCallback): boolean;
  override write(chunk: unknown, encoding?: BufferEncoding, callback?: WriteCallback): boolean;
  override write(chunk: unknown, encoding?: BufferEncoding | WriteCallback, callback?: WriteCallback): boolean {
    return writeChunk((message, told) => super.write(message, told), chunk, encoding, callback);
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    const webSocket: unknown = destination;
    if (webSocket instanceof WebSocket) this.#leaveWith(webSocket);
    return super.pipe(destination, options);
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    super.unpipe(destination);
    for (const webSocket of this.#piped.keys())
      if (destination === undefined || (webSocket as unknown) === destination) this.#leaveWithout(webSocket);
    return this;
  }

  /** @internal */
  override _read(): void {
    this.#member.wanted();
  }

  /** @internal */
  override _write(chunk: unknown, _encoding: BufferEncoding, done: WriteCallback): void {
    this._writev([{ chunk }], done);
  }

  /** @internal */
  override _writev(chunks: { chunk: unknown }[], done: WriteCallback): void {
    publishChunks(this, (data) => this.#channel.publisher.publish(data), chunks, done);
  }

  /** @internal */
  override _final(done: WriteCallback): void {
    this.#leave();
    done();
  }

  /** @internal */
  override _destroy(error: Error | null, done: WriteCallback): void {
    this.#leave();
    const webSockets = [...this.#piped.keys()];
    this.#piped.clear();
    for (const webSocket of webSockets) {
      leave(webSocket, this.#group);
      if (error !== null) webSocket.destroy(error);
    }
    done(error);
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#member.leave();
    this.#leavePresence?.();
    this.push(null);
  }

  #leaveWith(webSocket: AnyWebSocket): void {
    const pipes = this.#piped.get(webSocket) ?? 0;
    this.#piped.set(webSocket, pipes + 1);
    if (pipes === 0) join(webSocket, this.#group);
  }

  #leaveWithout(webSocket: AnyWebSocket): void {
    const pipes = this.#piped.get(webSocket);
    if (pipes === undefined) return;
    if (pipes > 1) this.#piped.set(webSocket, pipes - 1);
    else {
      this.#piped.delete(webSocket);
      leave(webSocket, this.#group);
    }
  }

  /** Publishes what was received, gives nothing more to read, and ends. */
  #webSocketClosed(webSocket: AnyWebSocket): boolean {
    this.#piped.delete(webSocket);
    leave(webSocket, this.#group);
    this.#leave();
    this.end();
    // A WebSocket that is gone reads nothing; without this, the stream would not end.
    this.resume();
    return true;
  }
}
