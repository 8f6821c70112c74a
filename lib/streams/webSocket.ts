import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { closeCodes, isSendableCloseCode } from '../closeCodes';
import { checkControlPayload, encodeCloseBody } from '../codec/controlFrames';
import type { CloseFrame, Incoming, Opening, Outgoing, PingFrame, Role, Transport, Version } from '../contracts';
import { WebSocketError } from '../errors';
import { type ConnectionOptions, type ConnectOptions, checkOptions, defaults } from '../options';
import { type CloseOutcome, Session } from '../session';
import { MessageDuplex } from './messageDuplex';
import {
  type BinaryData,
  binaryMessage,
  invalidMessage,
  messageSize,
  textMessage,
  toOutgoing,
} from './outgoingMessage';
import { PendingPings } from './pendingPings';
import { Pipeline } from './pipeline';

/** What a WebSocket is made from: by the server from a request that waits for `connect()`, by others without one. */
export interface WebSocketSetup {
  readonly role: Role;
  readonly opening?: Opening;
  readonly options?: ConnectionOptions;
}

/** A write that waits for the connection to open, or for the transport to have room. */
interface HeldWrite {
  readonly item: Outgoing;
  readonly done: (error?: Error | null) => void;
}

const openOptions = ['maxMessageSize', 'closeTimeout'] as const;

/** What the handshake has agreed on. */
interface Agreement {
  readonly version: Version;
  readonly protocol: string;
}

/**
 * One WebSocket as an object-mode Duplex: each chunk is a message, a string for text, a Buffer for binary.
 *
 *     bytes ─▶ Deframer ─▶ #receive ─┬─ messages ─▶ readable side ─▶ 'data', pipe, for await, 'message'
 *                                    └─ Close, Ping, Pong ─▶ Session, pongs
 *     bytes ◀─ Framer ◀─ Pipeline ◀──── messages ◀── writable side ◀─ write, pipe, sendTextMessage
 *
 * The readable side ends with the peer's Close, after the last message; the writable side ends with ours, after the last
 * write. Any other end is an error on the stream.
 */
export class WebSocket extends MessageDuplex {
  /** The opening request; undefined for a WebSocket that did not come from one. */
  readonly request: IncomingMessage | undefined;
  /** The subprotocols that the client offered. */
  readonly protocols: readonly string[];
  /** Headers for the answer to the opening request; set them before `connect()`. */
  readonly responseHeaders: OutgoingHttpHeaders = {};
  readonly #role: Role;
  readonly #session = new Session();
  #opening: Opening | undefined;
  #options: ConnectionOptions;
  #agreement: Agreement;
  #pipeline: Pipeline | undefined;
  #held: HeldWrite | undefined;
  /** Bytes of the messages that stand in the queue behind the held one. */
  #queuedBytes = 0;
  /** The writable side has ended before the connection was open. */
  #finishOnOpen: (() => void) | undefined;
  /** The Close that the program asked for; without it the writable side ends with 1000. */
  #goodbye: Omit<CloseFrame, 'opcode'> = { code: closeCodes.normal, reason: '' };
  #pings: PendingPings | undefined;
  /** The answer to the latest ping, while the transport takes nothing: earlier ones need none (RFC 6455 §5.5.3). */
  #owedPong: PingFrame | undefined;
  /** How many streams are piped into this one. */
  #sources = 0;
  /** What the peer, or the way to it, did wrong. */
  #fault: WebSocketError | undefined;
  #aborted = false;
  #timer: NodeJS.Timeout | undefined;
  #outcome: CloseOutcome | undefined;
  #transportClosed = false;
  readonly #whenClosed: ((outcome: CloseOutcome) => void)[] = [];
  #whenTransportClosed: (() => void) | undefined;

  constructor({ role, opening, options = {} }: WebSocketSetup) {
    super();
    this.#role = role;
    this.#opening = opening;
    this.#options = options;
    this.request = opening?.request;
    this.protocols = opening?.protocols ?? [];
    this.#agreement = { version: opening?.version ?? defaults.version, protocol: '' };
    this.on('end', WebSocket.#readingEnded);
    this.on('pipe', WebSocket.#sourceAdded);
    this.on('unpipe', WebSocket.#sourceRemoved);
  }

  /** The chosen subprotocol; '' for none. */
  get protocol(): string {
    return this.#agreement.protocol;
  }

  /** The protocol version, as `Sec-WebSocket-Version` names it. */
  get version(): Version {
    return this.#agreement.version;
  }

  /** The extensions in use; '' for none. */
  get extensions(): string {
    return '';
  }

  /** Bytes that were written and have not reached the operating system. */
  get bufferedAmount(): number {
    const held = this.#held === undefined ? 0 : messageSize(this.#held.item);
    return held + this.#queuedBytes + (this.#pipeline?.bufferedAmount ?? 0);
  }

  /**
   * How the connection ended, once the transport is gone. It never rejects: the stream's 'error' tells of failures. (Every
   * Duplex has a boolean of this name; the type keeps a WebSocket usable where a Duplex is asked for.)
   */
  declare readonly closed: Promise<CloseOutcome> & boolean;

  static {
    // A getter, made only when it is asked for: most connections end without anybody waiting.
    Object.defineProperty(WebSocket.prototype, 'closed', {
      get(this: WebSocket): Promise<CloseOutcome> {
        if (this.#outcome !== undefined) return Promise.resolve(this.#outcome);
        return new Promise((resolve) => this.#whenClosed.push(resolve));
      },
    });
  }

  /** The code of the peer's Close frame: 1005 if it had none, 1006 if the connection ended without one, undefined before. */
  get closeCode(): number | undefined {
    return this.#currentOutcome?.code;
  }

  get closeReason(): string {
    return this.#currentOutcome?.reason ?? '';
  }

  /** Whether both sides sent a Close frame. */
  get wasClean(): boolean {
    return this.#currentOutcome?.wasClean ?? false;
  }

  /**
   * Accepts the opening request: the positive answer leaves through the response, with the headers set on it so far.
   * @throws WebSocketError WS_ERR_ALREADY_CONNECTED, WS_ERR_RESPONSE_STARTED, WS_ERR_INVALID_ARGUMENT
   */
  connect(options: ConnectOptions = {}): this {
    checkOptions(options, 'protocol', 'headers', ...openOptions);
    const opening = this.#opening;
    if (opening === undefined) throw new WebSocketError('WS_ERR_ALREADY_CONNECTED');
    // A subprotocol that was not offered must not be answered (RFC 6455 §4.2.2); without one the connection is still good.
    const protocol =
      options.protocol !== undefined && this.protocols.includes(options.protocol) ? options.protocol : '';
    this.emit('start');
    const transport = opening.accept({ protocol, headers: { ...this.responseHeaders, ...options.headers } });
    this.#opening = undefined;
    this.#options = { ...this.#options, ...options };
    this.#open(transport, { version: opening.version, protocol });
    return this;
  }

  /** Sends text, whatever the argument's type; bytes must be UTF-8. Returns false if the program should wait for 'drain'. */
  sendTextMessage(data: string | BinaryData, callback?: (error?: Error | null) => void): boolean {
    return this.write(textMessage(data), undefined, callback);
  }

  /** Sends bytes, whatever the argument's type; a string as its UTF-8. Returns false if the program should wait for 'drain'. */
  sendBinaryMessage(data: string | BinaryData, callback?: (error?: Error | null) => void): boolean {
    return this.write(binaryMessage(data), undefined, callback);
  }

  /**
   * Sends a ping and resolves with the round trip in milliseconds. It goes between messages, not behind those that wait.
   * Rejects with WS_ERR_NOT_OPEN if the connection is not open, or closes before the pong.
   * @param data at most 125 bytes; default: a number that tells this ping from others
   */
  ping(data?: string | Uint8Array): Promise<number> {
    this.#pings ??= new PendingPings();
    const payload = data === undefined ? this.#pings.nextPayload() : Buffer.from(data as Uint8Array);
    checkControlPayload(payload);
    if (!this.#isOpen) return Promise.reject(new WebSocketError('WS_ERR_NOT_OPEN'));
    this.#pipeline?.send({ opcode: 'ping', payload });
    return this.#pings.add(payload);
  }

  /**
   * Sends a pong that answers no ping (RFC 6455 §5.5.3); pings are answered without the program's help.
   * @throws WebSocketError WS_ERR_NOT_OPEN
   */
  pong(data: string | Uint8Array = ''): void {
    const payload = Buffer.from(data as Uint8Array);
    checkControlPayload(payload);
    if (!this.#isOpen) throw new WebSocketError('WS_ERR_NOT_OPEN');
    this.#pipeline?.send({ opcode: 'pong', payload });
  }

  /**
   * Starts the close handshake once all writes have left: `end()` with a code and a reason.
   * @param code 1000 to 1014 but 1004 to 1006, or 3000 to 4999; default 1000
   * @param reason at most 123 bytes of UTF-8
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  close(code: number = closeCodes.normal, reason = ''): void {
    encodeCloseBody({ code, reason });
    if (this.writableEnded) return;
    this.#goodbye = { code, reason };
    this.end();
  }

  /** Drops the connection now, without a Close frame. The error, if given, is emitted. */
  abort(error?: Error): void {
    this.#aborted = true;
    if (this.destroyed) this.#pipeline?.destroy();
    this.destroy(error);
  }

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    if (this.#held !== undefined) this.#queuedBytes += messageSize(chunk);
    return super.write(chunk, encoding as BufferEncoding, callback as (error?: Error | null) => void);
  }

  override _read(): void {
    this.#pipeline?.resumeReading();
  }

  override _write(chunk: unknown, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#queuedBytes > 0) this.#queuedBytes = Math.max(0, this.#queuedBytes - messageSize(chunk));
    const item = toOutgoing(chunk);
    if (item === undefined) return done(invalidMessage(chunk));
    if (this.#pipeline?.offer(item)) done();
    else this.#held = { item, done };
  }

  override _final(done: (error?: Error | null) => void): void {
    const finish = () => {
      this.#sendClose(this.#goodbye.code, this.#goodbye.reason);
      done();
    };
    if (this.#pipeline === undefined) this.#finishOnOpen = finish;
    else finish();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#held?.done(error ?? new WebSocketError('WS_ERR_ABORTED'));
    this.#held = undefined;
    this.#pings?.rejectAll(error);
    if (this.#pipeline === undefined) this.#settle();
    else if (!this.#transportClosed) this.#leave(error);
    // A reader waits for nothing but the error; a clean end is complete when the transport is gone.
    if (error === null && this.#pipeline !== undefined && !this.#transportClosed) this.#whenTransportClosed = done;
    else done(error);
  }

  /** Gives a WebSocket its transport; for those that make one, not for programs. */
  static open(webSocket: WebSocket, transport: Transport, agreement: Agreement): void {
    webSocket.#open(transport, agreement);
  }

  #open(transport: Transport, agreement: Agreement): void {
    this.#agreement = agreement;
    process.nextTick(() => {
      if (!this.destroyed) this.emit('open');
    });
    const { maxMessageSize = defaults.maxMessageSize, closeTimeout = defaults.closeTimeout } = this.#options;
    const options = { role: this.#role, version: agreement.version, maxMessageSize, closeTimeout };
    this.#pipeline = new Pipeline(transport, options, {
      receive: (item) => this.#receive(item),
      ended: (error) => this.#inputEnded(error),
      drained: () => this.#drained(),
      closed: () => this.#closed(),
    });
    this.#drained();
    this.#finishOnOpen?.();
  }

  get #isOpen(): boolean {
    return this.#pipeline !== undefined && !this.destroyed && !this.#transportClosed && !this.#session.closeSent;
  }

  get #currentOutcome(): CloseOutcome | undefined {
    return this.#outcome ?? (this.#session.closeReceived ? this.#session.outcome() : undefined);
  }

  /** Returns false when the reader has enough. */
  #receive(item: Incoming): boolean {
    if (this.destroyed) return false;
    if (typeof item === 'string' || item instanceof Uint8Array) return this.push(item);
    if (item.opcode === 'close') this.#receiveClose(item);
    else if (item.opcode === 'ping') this.#receivePing(item);
    else this.#receivePong(item);
    return true;
  }

  #receivePing(ping: PingFrame): void {
    this.emit('ping', ping.payload);
    const pong: PingFrame = { opcode: 'pong', payload: ping.payload };
    if (!this.#session.closeSent && this.#pipeline?.offer(pong) === false) this.#owedPong = pong;
  }

  #receivePong({ payload }: PingFrame): void {
    this.#pings?.receivePong(payload as Buffer);
    this.emit('pong', payload);
  }

  /** A clean Close is the end of the readable side; our answer leaves when the writable side ends (RFC 6455 §5.5.1). */
  #receiveClose(close: CloseFrame): void {
    this.#session.receive(close);
    if (this.#session.complete) this.#finishTransport();
    else this.#startTimer();
    const error = this.#session.verdict();
    if (error !== undefined) return this.#fail(error);
    this.push(null);
    // With nobody reading and nothing to read, 'end' would never come, and 'close' neither.
    if (!this.hasConsumer && this.readableLength === 0) this.read(0);
  }

  /**
   * The peer is done and everything it sent has been read. Streams that are fed from this one and piped back into it may
   * still have a tail to send, and end us after it; nobody else will, so we end ourselves when this turn is over.
   */
  static #readingEnded(this: WebSocket): void {
    if (this.#sources > 0 && this.hasStreamReader) return;
    this.#endSoon();
  }

  static #sourceAdded(this: WebSocket): void {
    this.#sources++;
  }

  static #sourceRemoved(this: WebSocket): void {
    this.#sources--;
    if (this.#sources === 0 && this.readableEnded) this.#endSoon();
  }

  #endSoon(): void {
    setImmediate(() => {
      if (!this.writableEnded && !this.destroyed) this.end();
    });
  }

  #sendClose(code: number, reason: string): void {
    const close = this.#session.close(code, reason);
    if (close === undefined) return;
    this.#pipeline?.send(close);
    if (this.#session.complete) this.#finishTransport();
    else this.#startTimer();
  }

  /** After both Close frames the server ends the byte stream, and the client waits for that (RFC 6455 §7.1.1). */
  #finishTransport(): void {
    this.#pipeline?.finish({ afterPeer: this.#role === 'client' });
  }

  /** The peer has closeTimeout from the first Close frame on. */
  #startTimer(): void {
    if (this.#timer !== undefined || this.#transportClosed) return;
    this.#timer = setTimeout(() => {
      if (this.#session.complete) return;
      this.#pipeline?.destroy();
      this.#fail(new WebSocketError('WS_ERR_CLOSE_TIMEOUT'));
    }, this.#options.closeTimeout ?? defaults.closeTimeout);
  }

  #inputEnded(error: Error | undefined): void {
    // The peer may end its byte stream together with its Close; our answer can still leave.
    if (this.#session.complete || (error === undefined && this.#session.closeReceived)) return;
    this.#fail(error instanceof WebSocketError ? error : new WebSocketError('WS_ERR_CONNECTION_LOST'));
  }

  /** The one place where a failure of the peer, or of the way to it, becomes the end of the stream. */
  #fail(fault: WebSocketError): void {
    if (this.#fault !== undefined || this.destroyed) return;
    this.#fault = fault;
    // A peer must not be able to crash a server that does not listen for 'error'.
    if (this.#role === 'server') this.on('error', ignore);
    this.#leave(fault);
    this.failAfterReading(fault);
  }

  /** Tells the peer, if it can still be told, and ends the byte stream. */
  #leave(error: Error | null): void {
    const code = this.#fault?.closeCode ?? (error === null ? closeCodes.goingAway : closeCodes.internalError);
    const answering = this.#session.closeReceived;
    if (this.#aborted || (this.#session.closeSent && !answering)) return this.#pipeline?.destroy();
    if (answering || isSendableCloseCode(code)) this.#sendClose(code, '');
    this.#pipeline?.finish();
  }

  /** The transport takes bytes again. */
  #drained(): void {
    const pong = this.#owedPong;
    this.#owedPong = undefined;
    if (pong !== undefined && this.#isOpen) this.#pipeline?.send(pong);
    const held = this.#held;
    if (held === undefined) return;
    if (!this.#pipeline?.offer(held.item)) return;
    this.#held = undefined;
    held.done();
  }

  #closed(): void {
    this.#transportClosed = true;
    clearTimeout(this.#timer);
    this.#settle();
    if (this.#whenTransportClosed !== undefined) return this.#whenTransportClosed();
    if (this.#session.closeReceived && !this.#session.complete) this.#peerLeftEarly();
    if (!this.hasConsumer && !this.destroyed) this.#giveUpLater();
  }

  /** The peer sent its Close and was gone before ours: what is not sent yet is lost, and the program must know. */
  #peerLeftEarly(): void {
    if (this.#held !== undefined) this.#fail(new WebSocketError('WS_ERR_CONNECTION_LOST', 'before all was sent'));
    else if (this.readableEnded) this.#endSoon();
  }

  /** Messages that nobody has begun to read are kept for a while after the end, not forever. */
  #giveUpLater(): void {
    const timer = setTimeout(() => {
      if (!this.hasConsumer) this.destroy(this.#fault);
    }, this.#options.closeTimeout ?? defaults.closeTimeout);
    timer.unref();
    this.once('close', () => clearTimeout(timer));
  }

  #settle(): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = this.#session.outcome();
    for (const resolve of this.#whenClosed.splice(0)) resolve(this.#outcome);
  }
}

function ignore(): void {}
