import type { OutgoingHttpHeaders } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import { setImmediate } from 'node:timers';
import { closeCodes } from '../closeCodes';
import { checkClose, controlPayload } from '../codec/controlFrames';
import type { CloseOutcome } from '../connection/closeHandshake';
import { rejectPing } from '../connection/pendingPings';
import type { HttpRequest, Message, TransportName, Version } from '../contracts';
import { WebSocketError } from '../errors';
import type { ConnectionCounters } from '../framing/counters';
import {
  type BinaryData,
  binaryMessage,
  type PreparedMessage,
  type SendOptions,
  textMessage,
} from '../framing/outgoingMessage';
import {
  type AnyListener,
  noteDerivedStreams,
  noteOperators,
  overrideGetters,
  overrideListenerMethods,
  ownListener,
  removeProgramListeners,
} from '../nodeStreams/duplexOverrides';
import { ReadableIterator } from '../nodeStreams/readableIterator';
import { isPipedToSelf, pipeToSelf, unpipeFromSelf } from '../nodeStreams/selfPipe';
import { type ConnectOptions, checkConnectOptions, type Streamed } from '../options';
import { endingError, tolerateSameErrors } from './closing';
import { Core, type CoreSetup } from './core';
import { DuplexOfMessages } from './events';
import type { MessageSource } from './messageSources';
import type { MessageStream } from './messageStream';
import type { Delivered } from './streamedMessages';
import type { WriteCallback } from './writeQueue';

/** A WebSocket with or without the option `messages: 'stream'`. */
export type AnyWebSocket = WebSocket<Delivered>;

/** The types that `write()` accepts as a message. */
export type WritableMessage = string | BinaryData | PreparedMessage | MessageSource;

/**
 * Turns Node's own high water marks off: they count messages only, and are fixed when a stream is made. The read queue
 * and the write queue have marks of their own. A larger integer would be an object of its own in the memory of each
 * stream, also of those of others.
 */
const noMark = 2 ** 30 - 1;

/**
 * One WebSocket as an object-mode Duplex: each chunk is a message, a string for text, a Buffer for binary.
 *
 * The readable side ends after the last message, with the peer's Close frame. `end()` and `close()` end the writable
 * side, and our Close frame is sent after the last write. Any other end of the connection destroys the stream with a
 * `WebSocketError`. WebSockets come from `res.webSocket`, `connect()`, `reconnecting()` and `createPair()`.
 * @typeParam M the type of a delivered message; with the option `messages: 'stream'`, a MessageStream
 */
export class WebSocket<M extends Delivered = Message> extends DuplexOfMessages<M> {
  readonly #core: Core;

  /** @internal */
  constructor(setup: CoreSetup) {
    if (typeof setup !== 'object' || !('role' in setup))
      throw new WebSocketError(
        'WS_ERR_INVALID_ARGUMENT',
        'new WebSocket() takes no URL: call connect(url), which returns a WebSocket',
      );
    super({ objectMode: true, highWaterMark: noMark, allowHalfOpen: true });
    this.#core = new Core(this, setup);
    for (const [event, listener] of WebSocket.#ownListeners) this.on(event, listener);
  }

  /**
   * The opening request of a server's WebSocket; undefined on a client, for a pair, and after 'open' with the option
   * `keepRequest: false`.
   */
  get request(): HttpRequest | undefined {
    return this.#core.handshake.request;
  }

  /** The subprotocols that the client offered, in the client's order of preference. */
  get protocols(): readonly string[] {
    return this.#core.handshake.protocols;
  }

  /** The subprotocol in use; '' for none. */
  get protocol(): string {
    return this.#core.handshake.protocol;
  }

  /**
   * The transport of the connection: 'http1', 'http2', or 'pair'. Undefined for a client until the connection is open.
   */
  get transport(): TransportName | undefined {
    return this.#core.handshake.transport;
  }

  /** The protocol version, as `Sec-WebSocket-Version` names it. */
  get version(): Version {
    return this.#core.handshake.version;
  }

  /** The extensions in use with their parameters, as in the server's `Sec-WebSocket-Extensions`; '' for none. */
  get extensions(): string {
    return this.#core.handshake.extensions;
  }

  /** Headers for the response to the opening request. Set them before `connect()`. */
  get responseHeaders(): OutgoingHttpHeaders {
    return this.#core.handshake.responseHeaders;
  }

  /**
   * The close code in the peer's Close frame: 1005 if the frame has none, 1006 if the connection has ended without a
   * Close frame, undefined before.
   */
  get closeCode(): number | undefined {
    return this.#core.outcome?.code;
  }

  /** The close reason in the peer's Close frame; '' if there is none. */
  get closeReason(): string {
    return this.#core.outcome?.reason ?? '';
  }

  /** Whether both sides have sent a Close frame, and ours has reached the operating system. */
  get wasClean(): boolean {
    return this.#core.outcome?.wasClean ?? false;
  }

  /** The number of written bytes that have not reached the operating system. */
  get bufferedAmount(): number {
    return this.#core.writeQueue.bufferedAmount;
  }

  /** The numbers of messages and bytes of this connection so far. */
  get counters(): ConnectionCounters {
    return this.#core.counters;
  }

  /**
   * Resolves with the close code, the close reason, and whether both sides have sent a Close frame. It resolves when
   * the connection has ended and all received messages have been delivered or discarded. It never rejects: failures are
   * reported by 'error'.
   */
  whenClosed(): Promise<CloseOutcome> {
    return this.#core.closing.whenClosed();
  }

  /**
   * Accepts the opening request: sends the 101 (over HTTP/2, the 200) through the response, with the headers set on it
   * so far.
   * @throws WebSocketError WS_ERR_ALREADY_CONNECTED, WS_ERR_NOT_OPEN, WS_ERR_RESPONSE_STARTED, WS_ERR_INVALID_ARGUMENT
   * @example
   * const ws = res.webSocket.connect({ protocol: 'chat' });
   * ws.pipe(ws);
   */
  connect(options?: ConnectOptions): WebSocket;
  connect(options: Streamed<ConnectOptions>): WebSocket<MessageStream>;
  connect(options: ConnectOptions | Streamed<ConnectOptions>): AnyWebSocket;
  connect(options?: ConnectOptions | Streamed<ConnectOptions>): AnyWebSocket {
    if (options !== undefined) checkConnectOptions(options);
    this.#core.connect(options);
    return this;
  }

  /**
   * Writes a message. Returns false if the program should wait for 'drain'. After the end of the writable side, it
   * calls the callback with WS_ERR_NOT_OPEN and returns false. A value that is no message destroys the stream with
   * WS_ERR_INVALID_ARGUMENT.
   * @param callback called once: without an error when the message has reached the operating system, otherwise with the
   * error
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for null and undefined
   */
  override write(message: WritableMessage, callback?: WriteCallback): boolean;
  override write(message: WritableMessage, encoding?: BufferEncoding, callback?: WriteCallback): boolean;
  override write(message: unknown, encoding?: unknown, callback?: unknown): boolean {
    return this.#core.write(message, (typeof encoding === 'function' ? encoding : callback) as WriteCallback);
  }

  /**
   * Sends a text message, also if the data is bytes. Returns false if the program should wait for 'drain'. Bytes that
   * are not UTF-8 destroy the stream with WS_ERR_INVALID_UTF8.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for data that is neither a string nor bytes, and for invalid options
   */
  sendTextMessage(data: string | BinaryData, callback?: WriteCallback): boolean;
  sendTextMessage(data: string | BinaryData, options?: SendOptions, callback?: WriteCallback): boolean;
  sendTextMessage(data: string | BinaryData, options?: SendOptions | WriteCallback, callback?: WriteCallback): boolean {
    if (typeof options === 'function') return this.#core.write(textMessage(data), options);
    return this.#core.write(textMessage(data, options), callback);
  }

  /**
   * Sends a binary message. A string is sent as its UTF-8 bytes. Returns false if the program should wait for 'drain'.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for data that is neither a string nor bytes, and for invalid options
   */
  sendBinaryMessage(data: string | BinaryData, callback?: WriteCallback): boolean;
  sendBinaryMessage(data: string | BinaryData, options?: SendOptions, callback?: WriteCallback): boolean;
  sendBinaryMessage(
    data: string | BinaryData,
    options?: SendOptions | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    if (typeof options === 'function') return this.#core.write(binaryMessage(data), options);
    return this.#core.write(binaryMessage(data, options), callback);
  }

  /**
   * Ends the writable side: sends a Close frame after everything that was written. Its code is 1000, or the code given
   * to `close()`.
   */
  override end(callback?: WriteCallback): this;
  override end(message: WritableMessage, callback?: WriteCallback): this;
  override end(message: WritableMessage, encoding?: BufferEncoding, callback?: WriteCallback): this;
  override end(message?: unknown, encoding?: unknown, callback?: unknown): this {
    const done = [message, encoding, callback].find((value): value is WriteCallback => typeof value === 'function');
    const hasMessage = typeof message !== 'function' && message != null;
    if (hasMessage && this.writableEnded) this.#core.write(message, done);
    else {
      if (hasMessage) this.#core.write(message, undefined);
      if (done === undefined) super.end();
      else super.end((error?: Error | null) => done(endingError(error)));
      this.#core.ended();
    }
    return this;
  }

  /**
   * Starts the close handshake: ends the writable side as `end()` does, with a close code and a reason. The Close frame
   * is sent after everything that was written. If the writable side has ended already, does nothing.
   * @param code 1000 to 1003, 1007 to 1014, or 3000 to 4999; default 1000
   * @param reason at most 123 bytes of UTF-8; default none
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  close(code: number = closeCodes.normal, reason = ''): void {
    checkClose(code, reason);
    if (this.writableEnded) return;
    this.#core.closing.close = { code, reason };
    this.end();
    // A program that closes and has never read does not want the messages that were received.
    setImmediate(() => this.#core.readQueue.discardUnread());
  }

  /**
   * Closes the connection at once, without a Close frame, and destroys the stream.
   * @param error emitted as 'error'; default none
   */
  abort(error?: Error): void {
    this.#core.closing.aborted = true;
    if (this.destroyed) this.#core.connection?.abort();
    this.destroy(error);
  }

  /**
   * Sends a ping (RFC 6455 §5.5.2) and resolves with the round-trip time in milliseconds. The ping does not wait for
   * messages in the write queue. Rejects with WS_ERR_NOT_OPEN if the connection is not open, or closes before the pong
   * is received, and with WS_ERR_UNSUPPORTED in versions without pings.
   * @param data at most 125 bytes; default: a number that no other pending ping has
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  ping(data?: string | Uint8Array): Promise<number> {
    const payload = data === undefined ? undefined : controlPayload(data);
    if (!this.#core.settings.capabilities.ping)
      return rejectPing(new WebSocketError('WS_ERR_UNSUPPORTED', `${this.version} has no pings`));
    return this.#core.connection?.ping(payload) ?? rejectPing();
  }

  /**
   * Sends an unsolicited pong (RFC 6455 §5.5.3). Pings are answered by the library. Returns false if the connection is
   * not open, or if the version has no pongs.
   * @param data at most 125 bytes; default none
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  pong(data: string | Uint8Array = ''): boolean {
    const payload = controlPayload(data);
    return (this.#core.settings.capabilities.ping && this.#core.connection?.pong(payload)) || false;
  }

  /** Keeps messages that are written from now on in the write queue, until `uncork()` is called. */
  override cork(): void {
    super.cork();
    this.#core.writeQueue.cork();
  }

  /**
   * Sends the messages that were kept since `cork()`. If `cork()` was called several times, `uncork()` must be called
   * as often.
   */
  override uncork(): void {
    super.uncork();
    if (this.writableCorked === 0) this.#core.writeQueue.uncork();
  }

  /**
   * Writes each received message to the destination, and ends the destination when this stream ends, as with every
   * Readable.
   */
  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    const stream = this as unknown as Duplex;
    const { halfClose } = this.#core;
    const isOnly = !halfClose.hasDestinations;
    halfClose.destinationAdded(destination as unknown as Writable);
    if (isOnly && (destination as unknown) === this && options?.end !== false) {
      pipeToSelf(stream);
      return destination;
    }
    // With a second destination, Node pipes to both, because it waits for the slowest.
    if (isPipedToSelf(stream)) {
      super.pipe(stream);
      unpipeFromSelf(stream);
    }
    return super.pipe(destination, options);
  }

  /** Stops writing to a destination of `pipe()`; without an argument, to all of them. */
  override unpipe(destination?: NodeJS.WritableStream): this {
    const stream = this as unknown as Duplex;
    this.#core.halfClose.destinationRemoved(destination as unknown as Writable | undefined);
    if ((destination === undefined || (destination as unknown) === this) && isPipedToSelf(stream))
      unpipeFromSelf(stream);
    return super.unpipe(destination);
  }

  /** Returns the next message, or null if none is in the read queue. */
  override read(size?: number): M | null;
  // biome-ignore lint/suspicious/noExplicitAny: streams of @types/node 26 read strings and Buffers, never null; this makes a WebSocket one of them
  override read(size?: number): any;
  override read(size?: number): M | null {
    let message: M | null | undefined;
    try {
      message = super.read(size) as M | null;
    } finally {
      if (message === undefined) this.#core.readQueue.readingThrew();
      else this.#core.readQueue.taken(message);
    }
    return message;
  }

  /**
   * Reads messages until the end. Leaving the loop early destroys the stream, as with every stream. Reaching the end
   * does not, so that messages written in the loop are still sent.
   */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<M> {
    return new ReadableIterator<M>(this as unknown as Readable, this.#core) as NodeJS.AsyncIterator<M>;
  }

  /** Removes the program's listeners of an event; without an argument, of all events. */
  override removeAllListeners(event?: string | symbol): this {
    removeProgramListeners(this as unknown as Duplex, event);
    return this;
  }

  /** @internal The parts, for streams and servers around this WebSocket. */
  get _core(): Core {
    return this.#core;
  }

  /** @internal */
  override _read(): void {
    this.#core.readQueue.requested();
  }

  /** @internal */
  override _final(done: WriteCallback): void {
    this.#core.sendClose(done);
  }

  /** @internal */
  override _destroy(error: Error | null, done: WriteCallback): void {
    this.#core.destroy(error, done);
  }

  static {
    overrideListenerMethods(WebSocket.prototype, (webSocket) => webSocket.#core.listenersChanged());
    overrideGetters(WebSocket.prototype, {
      readableHighWaterMark: (webSocket) => webSocket.#core.settings.readableMarks.messages,
      writableHighWaterMark: (webSocket) => webSocket.#core.settings.writableMarks.messages,
      writableLength: (webSocket) => webSocket.#core.writeQueue.length,
      writableNeedDrain: (webSocket) =>
        webSocket.#core.writeQueue.needsDrain && !webSocket.destroyed && !webSocket.writableEnded,
    });
    noteOperators(WebSocket.prototype, (webSocket) => webSocket.#core.halfClose.operatorAdded());
    noteDerivedStreams(WebSocket.prototype, tolerateSameErrors);
  }

  /** The listeners that every WebSocket has. All WebSockets share the functions. */
  static readonly #ownListeners: readonly (readonly [event: 'pipe' | 'unpipe', listener: AnyListener])[] = [
    [
      'pipe',
      ownListener(function (this: AnyWebSocket, source: Readable) {
        this.#core.halfClose.sourceAdded(source);
      }),
    ],
    [
      'unpipe',
      ownListener(function (this: AnyWebSocket, source: Readable) {
        this.#core.halfClose.sourceRemoved(source);
      }),
    ],
  ];
}
