import { Duplex, type Readable } from 'node:stream';
import { type AnyWebSocket, WebSocket } from '../webSocketHandler';
import { tolerateErrors } from '../websocket/closing';
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

  /** @internal `topics.join()` makes it. */
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

  /** Writes each message of the topic to the destination. If that is a WebSocket, the member leaves when it closes. */
  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    const webSocket: unknown = destination;
    if (webSocket instanceof WebSocket) this.#leaveWith(webSocket);
    return super.pipe(destination, options);
  }

  /** Stops writing to a destination of `pipe()`; without an argument, to all of them. */
  override unpipe(destination?: NodeJS.WritableStream): this {
    super.unpipe(destination);
    for (const webSocket of this.#piped.keys())
      if (destination === undefined || (webSocket as unknown) === destination) this.#leaveWithout(webSocket);
    return this;
  }

  /** Returns the next message, or null if none is in the read queue. */
  // biome-ignore lint/suspicious/noExplicitAny: as Node declares it
  override read(size?: number): any {
    const message = super.read(size);
    this.#member.taken();
    return message;
  }

  /** @internal Messages come by themselves, until too many wait. */
  override _read(): void {}

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
      webSocket._core.closing.groups.delete(this.#group);
      if (error === null) continue;
      // The error is one of this stream, where it is loud if it must be.
      tolerateErrors(webSocket);
      webSocket.destroy(error);
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
    if (pipes === 0) webSocket._core.closing.groups.add(this.#group);
  }

  #leaveWithout(webSocket: AnyWebSocket): void {
    const pipes = this.#piped.get(webSocket);
    if (pipes === undefined) return;
    // A WebSocket that is destroyed is unpiped before its 'close'.
    if (webSocket.destroyed) this.#webSocketClosed(webSocket);
    else if (pipes > 1) this.#piped.set(webSocket, pipes - 1);
    else {
      this.#piped.delete(webSocket);
      webSocket._core.closing.groups.delete(this.#group);
    }
  }

  /** Publishes what was received, gives nothing more to read, and ends. */
  #webSocketClosed(webSocket: AnyWebSocket): boolean {
    if (!this.#piped.delete(webSocket)) return false;
    webSocket._core.closing.groups.delete(this.#group);
    this.#leave();
    this.end();
    // A WebSocket that is gone reads nothing; without this, the stream would not end.
    this.resume();
    return true;
  }
}
