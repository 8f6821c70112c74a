import { resetByteStream } from '../connection/byteStreamEnds';
import type { CloseOutcome } from '../connection/closeHandshake';
import { Connection } from '../connection/connection';
import type { ConnectionOwner } from '../connection/connectionOwner';
import type { Agreement, Dial, Message, MessagePart, Outgoing, Transport } from '../contracts';
import { diagnostics } from '../diagnostics';
import { WebSocketError } from '../errors';
import { type ConnectionCounters, noCounters } from '../framing/counters';
import { invalidMessage, isBinary, noBinaryMessages } from '../framing/outgoingMessage';
import { type Closable, type ConnectionLimits, connectionLimits } from '../limits/connectionLimits';
import { ownListener } from '../nodeStreams/duplexOverrides';
import { webStreamCloser } from '../nodeStreams/webStreamReader';
import type { ConnectionOptions, ConnectionSettings, ConnectOptions, Streamed } from '../options';
import { Closing, destructionCode, tolerateErrors } from './closing';
import type { DuplexOfMessages } from './events';
import { HalfClose, type HalfCloseOwner } from './halfClose';
import { Handshake, type HandshakeSetup } from './handshake';
import { LateWrites } from './lateWrites';
import { ReadQueue } from './readQueue';
import { type Delivered, StreamedMessages } from './streamedMessages';
import { type WriteCallback, WriteQueue, type WriteQueueOwner } from './writeQueue';

/** The values that a WebSocket is made from. */
export interface CoreSetup extends HandshakeSetup {
  /** For a client: starts the handshake. */
  readonly dial?: Dial;
  /** Called when the connection has ended. All WebSockets of a server share one function. */
  readonly closed?: (webSocket: never, outcome: CloseOutcome) => void;
}

/** The stream that the program sees: a WebSocket. */
type CoreStream = DuplexOfMessages<Delivered> & Closable;

/**
 * Connects the parts of one WebSocket: the stream that the program sees, its two queues, its handshake, its end, and
 * the connection. It decides nothing that a part can decide.
 */
export class Core implements ConnectionOwner, WriteQueueOwner, HalfCloseOwner {
  readonly handshake: Handshake;
  readonly readQueue: ReadQueue;
  readonly writeQueue: WriteQueue;
  #halfClose: HalfClose | undefined;
  #closing: Closing | undefined;
  readonly #stream: CoreStream;
  readonly #closedHook: CoreSetup['closed'];
  #connection: Connection | undefined;
  /** Undefined without the option `messages: 'stream'`. */
  #streamedMessages: StreamedMessages | undefined;
  /** Undefined without the options `maxMessageRate` and `maxLifetime`. */
  #limits: ConnectionLimits | undefined;
  /** Made at the first write after the end of the writable side. */
  #lateWrites: LateWrites | undefined;

  constructor(stream: CoreStream, setup: CoreSetup) {
    this.#stream = stream;
    this.#closedHook = setup.closed;
    this.handshake = new Handshake(setup);
    this.readQueue = new ReadQueue(stream, this.settings.readableMarks);
    this.writeQueue = new WriteQueue(this);
    setup.opening?.onUnaccepted((how) => this.#unaccepted(how.refused));
    if (setup.dial !== undefined)
      this.handshake.dial(setup.dial, {
        opened: (transport, agreement) => this.#open(transport, agreement),
        failed: (error) => this.#stream.destroy(error),
      });
  }

  /** Made when it is needed, to save the memory on idle connections without pipes. */
  get halfClose(): HalfClose {
    this.#halfClose ??= new HalfClose(this.#stream, this);
    return this.#halfClose;
  }

  /** Made when it is needed, to save the memory on open connections. */
  get closing(): Closing {
    this.#closing ??= new Closing();
    return this.#closing;
  }

  get connection(): Connection | undefined {
    return this.#connection;
  }

  get settings(): ConnectionSettings {
    return this.handshake.settings;
  }

  /** How the connection ended, or is ending; undefined before. */
  get outcome(): CloseOutcome | undefined {
    return this.#closing?.outcome ?? this.#connection?.outcome;
  }

  get counters(): ConnectionCounters {
    const { received } = this.readQueue;
    const { sent } = this.writeQueue;
    return { ...(this.#connection?.counters ?? noCounters), messagesReceived: received, messagesSent: sent };
  }

  // Opening.

  /** @throws WebSocketError WS_ERR_ALREADY_CONNECTED, WS_ERR_NOT_OPEN, and what `Opening.accept()` throws */
  connect(options: ConnectOptions | Streamed<ConnectOptions> | undefined): void {
    if (this.#stream.destroyed) this.handshake.forget();
    this.handshake.accept(
      options,
      () => this.#stream.emit('start'),
      (transport, agreement, settings) => this.#open(transport, agreement, settings),
    );
    this.readQueue.marks = this.settings.readableMarks;
  }

  #open(transport: Transport, agreement: Agreement, options?: ConnectionOptions): void {
    this.handshake.forget();
    if (this.#stream.destroyed) {
      resetByteStream(transport);
      // A server counts the connection from its acceptance on.
      this.#closedHook?.(this.#stream as never, this.outcome as CloseOutcome);
      return;
    }
    this.handshake.agreeOn(agreement, options);
    this.readQueue.marks = this.settings.readableMarks;
    process.nextTick(() => {
      if (this.#stream.destroyed) return;
      if (diagnostics.open.hasSubscribers) diagnostics.open.publish({ webSocket: this.#stream });
      this.#stream.emit('open');
      this.handshake.opened();
    });
    this.#closing?.reopen();
    const connection = new Connection(transport, this);
    this.#connection = connection;
    if (this.settings.parts)
      this.#streamedMessages = new StreamedMessages((message) => this.#deliver(message), connection);
    this.#limits = connectionLimits(this.settings, connection, this.#stream);
    this.readQueue.open(connection);
    this.writeQueue.open(connection.outlet);
  }

  /** Called when the request has been answered, or the client has left, without `connect()`. */
  #unaccepted(refused: boolean): void {
    if (this.#connection !== undefined) return;
    this.closing.settle();
    // If the client has left, the WebSocket stays: `connect()` works, and the connection then ends as if the client had
    // left right after it.
    if (!refused) return;
    this.handshake.forget();
    this.#stream.destroy();
  }

  // Writing.

  write(message: unknown, callback: WriteCallback | undefined): boolean {
    if (message === null || message === undefined) throw invalidMessage(message);
    const isOver = this.#stream.writableEnded || this.#stream.destroyed || this.#connection?.isDisconnected === true;
    if (isOver) {
      this.#lateWrites ??= new LateWrites(this.#stream, this.halfClose, this.closing);
      return this.#lateWrites.refuse(message, callback, () => this.readQueue.loops > 0);
    }
    if (typeof message !== 'string' && !this.settings.capabilities.binary && isBinary(message))
      return this.#failWrite(callback);
    return this.writeQueue.write(message, callback);
  }

  /** Called when the writable side has ended. Messages may still be in the write queue. */
  ended(): void {
    this.#connection?.programEnded();
    this.halfClose.unpipeFeeds(this.#stream);
  }

  /** Sends our Close frame after everything that was written, and then calls `done`. */
  sendClose(done: () => void): void {
    this.writeQueue.end(() => {
      const { code, reason } = this.closing.close;
      this.#connection?.close(code, reason);
      this.halfClose.finish(done);
    });
  }

  writersMayGoOn(): void {
    if (!this.#stream.destroyed) this.#stream.emit('drain');
  }

  messageSent(message: Outgoing): void {
    if (diagnostics.messageSent.hasSubscribers) diagnostics.messageSent.publish({ webSocket: this.#stream, message });
  }

  /**
   * Destroys the stream. The message may be one that a peer has sent, in an echo for example, and a peer must not be
   * able to end the process.
   */
  writeFailed(error: WebSocketError, fromSource = false): void {
    if (fromSource || error.code !== 'WS_ERR_INVALID_ARGUMENT') this.#tolerateErrors();
    this.#stream.destroy(error);
  }

  /** Destroys the stream with an error that is no mistake of the program. */
  fail(error: WebSocketError): void {
    this.#tolerateErrors();
    this.#stream.destroy(error);
  }

  /**
   * Fails one write and does not destroy the stream. The peer has chosen the version, so on a server the error must not
   * end the process.
   */
  #failWrite(callback: WriteCallback | undefined): boolean {
    const error = noBinaryMessages(this.handshake.version);
    this.#tolerateErrors();
    process.nextTick(callback ?? (() => this.#stream.emit('error', error)), error);
    return true;
  }

  // Calls of the connection (ConnectionOwner).

  received(message: Message | MessagePart): boolean {
    this.#limits?.received(message);
    if (this.#streamedMessages !== undefined) return this.#streamedMessages.receive(message);
    return this.#deliver(message as Message);
  }

  receivedPing(payload: Buffer): void {
    this.#stream.emit('ping', payload);
  }

  receivedPong(payload: Buffer): void {
    this.#stream.emit('pong', payload);
  }

  peerClosed(): void {
    // The library ends the writable side after the peer's Close frame, so a write after that is no mistake of the
    // program, which may destroy the stream with the error of the write.
    this.#tolerateErrors();
    // The listener is added now and not in the constructor, to save its memory on idle connections.
    this.#stream.prependListener('end', readingEnded);
    this.readQueue.end();
    if (this.readQueue.hasReader || this.#stream.readableLength === 0) return;
    // Nobody reads, so 'end' will not be emitted. If the program has written messages, it only writes, and the writable
    // side is ended now. If it has not, it may still begin to read and answer.
    if (this.writeQueue.sent > 0 || this.writeQueue.length > 0) this.halfClose.nobodyReads();
  }

  answerOverdue(isAnswered: boolean): void {
    const hadEnded = this.#stream.writableEnded || this.#stream.destroyed;
    const reportEnd = (what: string) => this.closing.endedBefore(what, isAnswered, this.#stream);
    if (this.writeQueue.length > 0) this.writeQueue.drop(reportEnd('everything was sent'));
    else if (!hadEnded && this.halfClose.isChain) reportEnd('the program had ended');
    this.halfClose.endForProgram();
  }

  failed(fault: WebSocketError): boolean {
    this.#tolerateErrors();
    this.#streamedMessages?.fail(fault);
    return this.readQueue.failAfterReading(fault);
  }

  drained(): void {
    this.writeQueue.sendWaiting();
  }

  disconnected(): void {
    const { isAwaited, wasCutOff } = this.#connection as Connection;
    const failure = this.writeQueue.length > 0 || wasCutOff ? this.closing.messagesLost() : undefined;
    if (isAwaited && failure !== undefined) this.failed(failure);
    this.writeQueue.drop();
    this.keepUnread();
  }

  closed(): void {
    this.#limits?.stop();
    const outcome = (this.#connection as Connection).outcome as CloseOutcome;
    this.closing.settle(outcome);
    this.#closedHook?.(this.#stream as never, outcome);
    if (diagnostics.close.hasSubscribers) diagnostics.close.publish({ webSocket: this.#stream, ...outcome });
    this.closing.whenEnded?.();
  }

  /** Called when the listeners of 'message' or 'data' have changed. */
  listenersChanged(): void {
    this.readQueue.listenersChanged();
    const closeWebStream = webStreamCloser(this.#stream);
    if (closeWebStream !== undefined) this.halfClose.webStreamAdded(closeWebStream);
    this.keepUnread();
  }

  // Ending.

  /** Keeps messages that nobody reads for closeTimeout after the connection is lost, and then destroys the stream. */
  keepUnread(): void {
    if (this.#connection?.isDisconnected !== true) return;
    this.readQueue.keepUnreadFor(this.settings.closeTimeout, (failure) => {
      this.#stream.destroy(failure ?? this.closing.errorToReport);
    });
  }

  destroy(error: Error | null, done: WriteCallback): void {
    const connection = this.#connection;
    const complete = this.writeQueue.length === 0;
    this.writeQueue.fail(error);
    this.readQueue.stop();
    this.#streamedMessages?.fail(error ?? new WebSocketError('WS_ERR_ABORTED'));
    this.#stream.unpipe();
    this.closing.leaveGroups(this.#stream);
    if (this.closing.aborted) connection?.abort();
    else connection?.leave(destructionCode(this.handshake.role, error, complete), error);
    if (connection === undefined) {
      this.handshake.abandon();
      this.closing.settle();
    }
    const finish = () => {
      const failure = error ?? this.closing.failureAtTheEnd(this.#stream, connection);
      if (failure !== null && diagnostics.error.hasSubscribers)
        diagnostics.error.publish({ webSocket: this.#stream, error: failure });
      done(failure);
    };
    // Without an error, 'close' waits until the connection has ended. An error is reported at once.
    if (error === null && connection?.isClosed === false) this.closing.whenEnded = finish;
    else finish();
  }

  #deliver(message: Delivered): boolean {
    if (diagnostics.messageReceived.hasSubscribers)
      diagnostics.messageReceived.publish({ webSocket: this.#stream, message });
    return this.readQueue.deliver(message);
  }

  /**
   * On a server, lets errors without an 'error' listener be ignored: from now on they are caused by the peer, which
   * must not be able to end the process.
   */
  #tolerateErrors(): void {
    if (this.handshake.role === 'server') tolerateErrors(this.#stream);
  }
}

/** The 'end' listener of all WebSockets. */
const readingEnded = ownListener(function (this: { readonly _core: Core }) {
  this._core.halfClose.readingEnded();
});
