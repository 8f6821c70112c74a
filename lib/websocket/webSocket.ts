import type { OutgoingHttpHeaders } from 'node:http';
import type { Readable, Writable } from 'node:stream';
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
  type ConnectionSettings,
  type ConnectOptions,
  checkOptions,
  connectionOptionNames,
  type Streamed,
} from '../options';
import { Core, type CoreSetup } from './core';
import { noteOperators, overrideGetters, overrideListenerMethods } from './duplexOverrides';
import { type AnyListener, DuplexOfMessages } from './events';
import type { HalfClose } from './halfClose';
import type { MessageSource } from './messageSources';
import type { MessageStream } from './messageStream';
import type { Delivered } from './streamedMessages';
import type { WriteCallback } from './writeQueue';

/** A WebSocket, whichever way its messages are delivered. */
export type AnyWebSocket = WebSocket<Delivered>;

/** What a message can be written as. */
export type WritableMessage = string | BinaryData | PreparedMessage | MessageSource;

/** Node's own marks count messages only, and are fixed when a stream is made; those of the queues come before them. */
const noMark = Number.MAX_SAFE_INTEGER;

/**
 * One WebSocket as an object-mode Duplex: each chunk is a message, a string for text, a Buffer for binary.
 *
 * The readable side ends with the peer's Close, after the last message; the writable side ends with ours, after the last write. Any
 * other end destroys the stream with a `WebSocketError`. WebSockets come from `res.webSocket`, `connect()`, `reconnecting()` and
 * `createPair()`.
 * @typeParam M what is read: messages, or, with the option `messages: 'stream'`, each message as a stream
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
    WebSocket.#addOwnListeners(this);
  }

  /** The opening request; undefined for a WebSocket that did not come from one. */
  get request(): HttpRequest | undefined {
    return this.#core.handshake.request;
  }

  /** The subprotocols that the client offered, best first. */
  get protocols(): readonly string[] {
    return this.#core.handshake.protocols;
  }

  /** The subprotocol in use; '' for none. */
  get protocol(): string {
    return this.#core.handshake.protocol;
  }

  /** What carries the connection: 'http1', 'http2', or 'pair'; undefined for a client until it is open. */
  get transport(): TransportName | undefined {
    return this.#core.handshake.transport;
  }

  /** The protocol version, as `Sec-WebSocket-Version` names it. */
  get version(): Version {
    return this.#core.handshake.version;
  }

  /** The extensions in use with their parameters, as the server's answer has them; '' for none. */
  get extensions(): string {
    return this.#core.handshake.extensions;
  }

  /** Headers for the answer to the opening request; set them before `connect()`. */
  get responseHeaders(): OutgoingHttpHeaders {
    return this.#core.handshake.responseHeaders;
  }

  /** The code of the peer's Close frame: 1005 if it had none, 1006 if the connection ended without one, undefined before. */
  get closeCode(): number | undefined {
    return this.#core.outcome?.code;
  }

  /** The reason in the peer's Close frame; '' if there is none. */
  get closeReason(): string {
    return this.#core.outcome?.reason ?? '';
  }

  /** Whether both sides have sent a Close frame, and ours has left. */
  get wasClean(): boolean {
    return this.#core.outcome?.wasClean ?? false;
  }

  /** Bytes that were written and have not reached the operating system. */
  get bufferedAmount(): number {
    return this.#core.writeQueue.bufferedAmount;
  }

  /** What has happened on this connection so far. */
  get counters(): ConnectionCounters {
    return this.#core.counters;
  }

  /**
   * Resolves with the close code, the reason, and whether both sides have closed, when the connection has ended and everything that came has
   * been read or discarded. It never rejects: 'error' tells of failures.
   */
  whenClosed(): Promise<CloseOutcome> {
    return this.#core.closing.whenClosed();
  }

  /**
   * Accepts the opening request: the positive answer leaves through the response, with the headers set on it so far.
   * @throws WebSocketError WS_ERR_ALREADY_CONNECTED, WS_ERR_NOT_OPEN, WS_ERR_RESPONSE_STARTED, WS_ERR_INVALID_ARGUMENT
   * @example
   * const ws = res.webSocket.connect({ protocol: 'chat' });
   * ws.pipe(ws);
   */
  connect(options?: ConnectOptions): WebSocket;
  connect(options: Streamed<ConnectOptions>): WebSocket<MessageStream>;
  connect(options: ConnectOptions | Streamed<ConnectOptions>): AnyWebSocket;
  connect(options?: ConnectOptions | Streamed<ConnectOptions>): AnyWebSocket {
    if (options !== undefined) checkOptions(options, 'protocol', 'headers', ...connectionOptionNames);
    this.#core.connect(options);
    return this;
  }

  /**
   * Writes a message. Returns false if the program should wait for 'drain'. After the end of the writable side it fails the callback with
   * WS_ERR_NOT_OPEN and returns false.
   * @param callback called once: without an error when the message has left to the operating system
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for null and undefined; for other things that are no message the stream is destroyed
   */
  override write(message: WritableMessage, callback?: WriteCallback): boolean;
  override write(message: WritableMessage, encoding?: BufferEncoding, callback?: WriteCallback): boolean;
  override write(message: unknown, encoding?: unknown, callback?: unknown): boolean {
    return this.#core.write(message, (typeof encoding === 'function' ? encoding : callback) as WriteCallback);
  }

  /**
   * Sends text, whatever the argument's type. Returns false if the program should wait for 'drain'. Bytes that are not UTF-8 destroy the
   * stream with WS_ERR_INVALID_UTF8.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for data that is neither a string nor bytes, and for bad options
   */
  sendTextMessage(data: string | BinaryData, callback?: WriteCallback): boolean;
  sendTextMessage(data: string | BinaryData, options?: SendOptions, callback?: WriteCallback): boolean;
  sendTextMessage(data: string | BinaryData, options?: SendOptions | WriteCallback, callback?: WriteCallback): boolean {
    if (typeof options === 'function') return this.#core.write(textMessage(data), options);
    return this.#core.write(textMessage(data, options), callback);
  }

  /**
   * Sends bytes, whatever the argument's type; of a string its UTF-8. Returns false if the program should wait for 'drain'.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for data that is neither a string nor bytes, and for bad options
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

  /** Ends the writable side: our Close (1000, unless `close()` says otherwise) leaves behind everything that was written. */
  override end(callback?: WriteCallback): this;
  override end(message: WritableMessage, callback?: WriteCallback): this;
  override end(message: WritableMessage, encoding?: BufferEncoding, callback?: WriteCallback): this;
  override end(message?: unknown, encoding?: unknown, callback?: unknown): this {
    const done = [message, encoding, callback].find((parameter) => typeof parameter === 'function') as
      | WriteCallback
      | undefined;
    const hasMessage = typeof message !== 'function' && message != null;
    if (hasMessage && this.writableEnded) this.#core.write(message, done);
    else {
      if (hasMessage) this.#core.write(message, undefined);
      if (done === undefined) super.end();
      else super.end((error?: Error | null) => done(asWebSocketError(error)));
      this.#core.ended();
    }
    return this;
  }

  /**
   * Starts the close handshake when everything that was written has left: `end()` with a code and a reason.
   * @param code 1000 to 1014 but 1004 to 1006, or 3000 to 4999; default 1000
   * @param reason at most 123 bytes of UTF-8; default none
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  close(code: number = closeCodes.normal, reason = ''): void {
    checkClose(code, reason);
    if (this.writableEnded) return;
    this.#core.closing.close = { code, reason };
    this.end();
    // A program that closes and has never read wants nothing of what was sent to it.
    setImmediate(() => this.#core.readQueue.discardUnread());
  }

  /** Drops the connection at once, without a Close frame. The error, if there is one, is emitted. */
  abort(error?: Error): void {
    this.#core.closing.aborted = true;
    if (this.destroyed) this.#core.connection?.abort();
    this.destroy(error);
  }

  /**
   * Sends a ping and resolves with the round-trip time in milliseconds. It goes between messages, not behind those that wait.
   * Rejects with WS_ERR_NOT_OPEN if the connection is not open, or closes before the pong, and with WS_ERR_UNSUPPORTED in versions without
   * pings (RFC 6455 §5.5.2).
   * @param data at most 125 bytes; default: a number that tells this ping from others
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  ping(data?: string | Uint8Array): Promise<number> {
    const payload = data === undefined ? undefined : controlPayload(data);
    if (!this.#core.settings.capabilities.ping)
      return rejectPing(new WebSocketError('WS_ERR_UNSUPPORTED', `${this.version} has no pings`));
    return this.#core.connection?.ping(payload) ?? rejectPing();
  }

  /**
   * Sends a pong that answers no ping (RFC 6455 §5.5.3); pings are answered without the program's help. Returns false if the connection is
   * not open.
   * @param data at most 125 bytes; default none
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  pong(data: string | Uint8Array = ''): boolean {
    const payload = controlPayload(data);
    return (this.#core.settings.capabilities.ping && this.#core.connection?.pong(payload)) || false;
  }

  /** Holds back what is written from now on, until `uncork()`. */
  override cork(): void {
    super.cork();
    this.#core.writeQueue.cork();
  }

  /** Sends what was held back since `cork()`, once it was called as often as `cork()`. */
  override uncork(): void {
    super.uncork();
    if (this.writableCorked === 0) this.#core.writeQueue.uncork();
  }

  /** Writes each message that is received to the destination, which ends when this stream ends, as with every Readable. */
  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    this.#core.halfClose.destinationAdded(destination as unknown as Writable);
    return super.pipe(destination, options);
  }

  /** Stops writing to a destination of `pipe()`; without an argument, to all of them. */
  override unpipe(destination?: NodeJS.WritableStream): this {
    this.#core.halfClose.destinationRemoved(destination as unknown as Writable | undefined);
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
   * Reads until the end. Leaving the loop early destroys the stream, as with every stream. Reaching the end does not: what was written in
   * the loop still has to leave.
   */
  override async *[Symbol.asyncIterator](): NodeJS.AsyncIterator<M> {
    let finished = false;
    this.#core.readQueue.loopStarted();
    try {
      yield* this.iterator({ destroyOnReturn: false }) as AsyncIterable<M>;
      finished = true;
    } finally {
      this.#core.readQueue.loopEnded();
      if (finished) this.#core.halfClose.loopEnded();
      else this.destroy();
    }
  }

  /** Removes the listeners of an event, or all listeners, of the program. */
  override removeAllListeners(event?: string | symbol): this {
    super.removeAllListeners(event);
    WebSocket.#addOwnListeners(this);
    this.#core.listenersChanged();
    return this;
  }

  /** @internal What a stream around this one goes by. */
  get _settings(): ConnectionSettings {
    return this.#core.settings;
  }

  /** @internal From now on the half-close of a stream around this one decides for both. */
  _handOver(halfClose: HalfClose): void {
    this.#core.halfClose.handOver(halfClose);
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
  }

  /** Listeners that every WebSocket has: one function each for all of them. */
  static readonly #ownListeners: readonly (readonly [event: 'pipe' | 'unpipe', listener: AnyListener])[] = [
    [
      'pipe',
      function (this: AnyWebSocket, source: Readable) {
        this.#core.halfClose.sourceAdded(source);
      },
    ],
    [
      'unpipe',
      function (this: AnyWebSocket, source: Readable) {
        this.#core.halfClose.sourceRemoved(source);
      },
    ],
  ];

  /** Also again after `removeAllListeners()`, by which a program does not mean these. */
  static #addOwnListeners(webSocket: AnyWebSocket): void {
    for (const [event, listener] of WebSocket.#ownListeners)
      if (!webSocket.listeners(event).includes(listener)) webSocket.on(event, listener);
  }
}

function asWebSocketError(error: Error | null | undefined): Error | null | undefined {
  if (error == null || error instanceof WebSocketError) return error;
  return new WebSocketError('WS_ERR_NOT_OPEN', error.message, { cause: error });
}
