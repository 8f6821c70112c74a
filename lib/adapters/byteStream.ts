import { Duplex, type Readable, type Writable } from 'node:stream';
import { toBytes } from '../codec/bytes';
import { describeValue } from '../codec/describeValue';
import { WebSocketError } from '../errors';
import {
  noteDerivedStreams,
  noteOperators,
  overrideGetters,
  overrideListenerMethods,
  ownListener,
  removeProgramListeners,
} from '../nodeStreams/duplexOverrides';
import { ReadableIterator } from '../nodeStreams/readableIterator';
import { webStreamCloser } from '../nodeStreams/webStreamReader';
import { tolerateErrors, tolerateSameErrors } from '../websocket/closing';
import { HalfClose } from '../websocket/halfClose';
import { LateWrites } from '../websocket/lateWrites';
import { MessageStream } from '../websocket/messageStream';
import { ReadQueue } from '../websocket/readQueue';
import type { Delivered } from '../websocket/streamedMessages';
import { type AnyWebSocket, WebSocket } from '../websocket/webSocket';
import type { WriteCallback } from '../websocket/writeQueue';

/** The read queue delivers and ends, but has no high water marks: `read()` decides when to stop. */
const noMarks = { messages: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

const known = new WeakMap<AnyWebSocket, ByteStream>();

/**
 * Returns a byte-mode Duplex over a WebSocket, for programs that take a socket: MQTT, SSH, TLS, HTTP, RPC. Each write is sent as one binary
 * message; text and binary messages are read as bytes, text as UTF-8. It has no queue of its own: backpressure, limits and the callbacks of
 * `write()` are those of the WebSocket. It ends as the WebSocket does, and the WebSocket with it. Do not read or write the WebSocket itself
 * any more. A second call for the same WebSocket returns the same stream.
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
 * @example
 * const bytes = byteStream(res.webSocket.connect());
 * bytes.pipe(net.connect(22)).pipe(bytes);
 */
export function byteStream(webSocket: AnyWebSocket): Duplex {
  if (!(webSocket instanceof WebSocket))
    throw new WebSocketError(
      'WS_ERR_INVALID_ARGUMENT',
      `byteStream() takes a WebSocket of this library, not ${describeValue(webSocket)}`,
    );
  let stream = known.get(webSocket);
  if (stream === undefined) {
    stream = new ByteStream(webSocket);
    known.set(webSocket, stream);
  }
  return stream;
}

class ByteStream extends Duplex {
  readonly #webSocket: AnyWebSocket;
  readonly #readQueue: ReadQueue;
  readonly #halfClose: HalfClose;
  /** The stream that is being read: the WebSocket, or, with `messages: 'stream'`, one of its messages. */
  #source: Readable;
  #isReading = false;
  #encoding: BufferEncoding = 'utf8';
  #lateWrites: LateWrites | undefined;

  constructor(webSocket: AnyWebSocket) {
    super({ readableHighWaterMark: 0 });
    this.#webSocket = webSocket;
    this.#source = webSocket;
    this.#readQueue = new ReadQueue(this, noMarks);
    const owner = {
      get settings() {
        return webSocket._core.settings;
      },
      readQueue: this.#readQueue,
    };
    this.#halfClose = new HalfClose(this, owner);
    webSocket._core.halfClose.handOver(this.#halfClose);
    this.#followWebSocket();
    this.on(
      'end',
      ownListener(() => this.#halfClose.readingEnded()),
    );
    this.on(
      'pipe',
      ownListener((source: Readable) => this.#halfClose.sourceAdded(source)),
    );
    this.on(
      'unpipe',
      ownListener((source: Readable) => this.#halfClose.sourceRemoved(source)),
    );
  }

  #followWebSocket(): void {
    const webSocket = this.#webSocket;
    const listeners = {
      end: () => {
        // The last message may still be read piece by piece.
        if (this.#source === webSocket) this.#readQueue.end();
      },
      drain: () => this.emit('drain'),
      // The program has ended the WebSocket itself, or the library has answered the peer for it.
      finish: () => {
        if (!this.writableEnded) this.end();
      },
      error: (error: WebSocketError) => {
        // If the WebSocket itself does not throw, this stream must not either: a peer must not be able to end the
        // process of a server.
        if (webSocket.listenerCount('error') > 1) tolerateErrors(this);
        if (this.destroyed) return;
        this.#readQueue.failAfterReading(error);
        this.#readQueue.keepUnreadFor(webSocket._core.settings.closeTimeout, (failure) => this.destroy(failure));
      },
      close: () => {
        if (!webSocket.errored && !(webSocket.readableEnded && webSocket.writableFinished)) this.destroy();
      },
    };
    for (const [event, listener] of Object.entries(listeners))
      webSocket.on(event as 'end', ownListener(listener) as () => void);
    if (webSocket.closed) this.destroy(webSocket.errored ?? undefined);
  }

  // Reading.

  /** Does nothing: `read()` asks for more, because Node does not call this method while the queue is bypassed. */
  override _read(): void {}

  #readOn(): void {
    if (this.readableEnded || this.destroyed) return;
    if (this.#isReading) {
      if (this.#source.isPaused()) this.#source.resume();
      return;
    }
    // The listener is not added before somebody reads: whether the WebSocket has a reader decides who ends it after the
    // peer has closed.
    this.#isReading = true;
    this.#webSocket.on(
      'data',
      ownListener((message: Delivered) => this.#receive(message)),
    );
  }

  #receive(message: Delivered): void {
    if (message instanceof MessageStream) this.#receivePieces(message);
    else this.#deliver(message);
  }

  #receivePieces(message: MessageStream): void {
    this.#webSocket.pause();
    this.#source = message;
    message.on('data', (piece: string | Buffer) => this.#deliver(piece));
    message.on('close', () => {
      this.#source = this.#webSocket;
      if (message.errored !== null) return;
      if (this.#webSocket.readableEnded) this.#readQueue.end();
      else this.#webSocket.resume();
    });
  }

  #deliver(piece: string | Buffer): void {
    if (piece.length === 0) return;
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    this.#readQueue.deliver(bytes);
    if (this.readableLength > 0) this.#source.pause();
  }

  override pause(): this {
    if (this.#isReading) this.#source.pause();
    return super.pause();
  }

  // biome-ignore lint/suspicious/noExplicitAny: as Node declares it
  override read(size?: number): any {
    let chunk: unknown;
    try {
      chunk = super.read(size);
    } finally {
      if (chunk === undefined) this.#readQueue.readingThrew();
      else this.#readQueue.taken(chunk);
    }
    if (chunk === null || this.#isWanted) this.#readOn();
    return chunk;
  }

  /** Whether the queue is empty and the reader has not paused. Some readers call `read()` once for each 'readable'. */
  get #isWanted(): boolean {
    if (this.readableLength > 0) return false;
    return this.readableFlowing === true || this.listenerCount('readable') > 0;
  }

  /** Reaching the end does not destroy the stream, so that bytes written in the loop are still sent. */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    return new ReadableIterator<Buffer>(this, { readQueue: this.#readQueue, halfClose: this.#halfClose });
  }

  override removeAllListeners(event?: string | symbol): this {
    removeProgramListeners(this, event);
    return this;
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean }): T {
    this.#halfClose.destinationAdded(destination as unknown as Writable);
    return super.pipe(destination, options);
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    this.#halfClose.destinationRemoved(destination as unknown as Writable | undefined);
    return super.unpipe(destination);
  }

  // Writing.

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    // Node itself passes null for a missing callback.
    const done = [encoding, callback].find((parameter) => typeof parameter === 'function') as WriteCallback | undefined;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, this.#encodingOf(encoding)) : toBytes(chunk);
    if (bytes === undefined)
      throw new WebSocketError(
        'WS_ERR_INVALID_ARGUMENT',
        `a byte stream takes a string, a Buffer, a typed array, a DataView or an ArrayBuffer, not ${describeValue(chunk)}`,
      );
    if (this.writableEnded || this.destroyed) {
      this.#lateWrites ??= new LateWrites(this, this.#halfClose);
      return this.#lateWrites.refuse(bytes, done, () => this.#readQueue.loops > 0);
    }
    if (done === undefined) return this.#webSocket.write(bytes);
    return this.#webSocket.write(bytes, (error) => {
      done(error);
      // Without the bytes of this write, later bytes would be wrong.
      if (error && !this.#webSocket.writableEnded) this.destroy(error);
    });
  }

  #encodingOf(encoding: unknown): BufferEncoding {
    return typeof encoding === 'string' ? (encoding as BufferEncoding) : this.#encoding;
  }

  override setDefaultEncoding(encoding: BufferEncoding): this {
    this.#encoding = encoding;
    return super.setDefaultEncoding(encoding);
  }

  override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
    const done = [chunk, encoding, callback].find((parameter) => typeof parameter === 'function');
    if (chunk != null && typeof chunk !== 'function') this.write(chunk, encoding as BufferEncoding);
    super.end(done as () => void);
    this.#halfClose.unpipeFeeds(this);
    return this;
  }

  override cork(): void {
    super.cork();
    this.#webSocket.cork();
  }

  override uncork(): void {
    super.uncork();
    this.#webSocket.uncork();
  }

  override _final(done: WriteCallback): void {
    const webSocket = this.#webSocket;
    const finish = () => this.#halfClose.finish(done);
    if (webSocket.writableFinished) finish();
    else if (webSocket.writableEnded) webSocket.once('finish', finish);
    else webSocket.end((error) => (error ? done(error) : finish()));
  }

  override _destroy(error: Error | null, done: WriteCallback): void {
    const webSocket = this.#webSocket;
    this.#readQueue.stop();
    // After a clean end the WebSocket still waits for the close handshake, and may fail in it.
    if (error !== null || !this.readableEnded || !this.writableFinished) webSocket.destroy(error ?? undefined);
    const finish = () => done(error ?? webSocket.errored);
    if (webSocket.closed) finish();
    else webSocket.once('close', finish);
  }

  static {
    overrideListenerMethods(ByteStream.prototype, (stream) => {
      const close = webStreamCloser(stream);
      if (close !== undefined) stream.#halfClose.webStreamAdded(close);
    });
    overrideGetters(ByteStream.prototype, {
      writableHighWaterMark: (stream) => stream.#webSocket._core.settings.writableMarks.bytes,
      writableLength: (stream) => stream.#webSocket.bufferedAmount,
      writableNeedDrain: (stream) => stream.#webSocket.writableNeedDrain && !stream.destroyed && !stream.writableEnded,
    });
    noteOperators(ByteStream.prototype, (stream) => stream.#halfClose.operatorAdded());
    noteDerivedStreams(ByteStream.prototype, tolerateSameErrors);
  }
}
