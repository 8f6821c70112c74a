import { AsyncResource } from 'node:async_hooks';
import { closeCodes } from '../closeCodes';
import { checkClose, controlPayload } from '../codec/controlFrames';
import type { Agreement, CloseFrame, Message, Opening, Role, Transport } from '../contracts';
import { WebSocketError } from '../errors';
import { answerExtensions } from '../extensions';
import {
  type ConnectOptions,
  checkOptions,
  connectionOptionNames,
  connectionSettings,
  defaults,
  type Streamed,
} from '../options';
import type { CloseOutcome } from '../session';
import { Connection } from './connection';
import { type ConnectionCounters, noCounters } from './counters';
import { diagnostics } from './diagnostics';
import type { Delivered } from './incomingMessages';
import type { MessageStream } from './messageStream';
import { OutgoingDuplex } from './outgoingDuplex';
import { rejectPing } from './pendingPings';
import { resetTransport } from './transportEnds';
import type { WebSocketSetup } from './webSocketSetup';
import type { Callback } from './writingDuplex';

/** A WebSocket, whichever way its messages are delivered. */
export type AnyWebSocket = WebSocket<Delivered>;

/**
 * One WebSocket as an object-mode Duplex: each chunk is a message, a string for text, a Buffer for binary.
 *
 *     socket ─bytes─▶ Deframer ─▶ Connection ──messages──▶ readable side ─▶ 'data', pipe, for await, 'message'
 *        ▲                         │  ▲ pings, Close
 *        │                         ▼  │
 *        └────bytes──── Framer ◀─ Connection ◀──messages── writable side ◀─ write, pipe, sendTextMessage
 *
 * The readable side ends with the peer's Close, after the last message; the writable side ends with ours, after the last
 * write. Any other end is an error on the stream.
 * @typeParam M what is read: messages, or, with the option `messages: 'stream'`, each as a stream
 */
export class WebSocket<M extends Delivered = Message> extends OutgoingDuplex<M> {
  readonly #role: Role;
  #opening: Opening | undefined;
  /** Ends a handshake that has not come to its end. */
  #giveUp: (() => void) | undefined;
  #connection: Connection | undefined;
  /** `connect()` was called; the rest of the handshake may still be on its way. */
  #connecting = false;
  /** The writable side has ended before the connection was open. */
  #finishOnOpen: (() => void) | undefined;
  /** The Close that the program asked for; without it the writable side ends with 1000. */
  #goodbye: Omit<CloseFrame, 'opcode'> = { code: closeCodes.normal, reason: '' };
  #aborted = false;
  #whenTransportClosed: (() => void) | undefined;

  constructor(setup: WebSocketSetup) {
    super(setup);
    const { role, opening, giveUp } = setup;
    this.#role = role;
    this.#opening = opening;
    this.#giveUp = opening?.abandon ?? giveUp;
  }

  /** What has happened on this connection so far. */
  get counters(): ConnectionCounters {
    const counters = this.#connection?.counters ?? noCounters;
    return { ...counters, messagesReceived: this.received, messagesSent: this.sent };
  }

  /**
   * Accepts the opening request: the positive answer leaves through the response, with the headers set on it so far.
   * @throws WebSocketError WS_ERR_ALREADY_CONNECTED, WS_ERR_NOT_OPEN, WS_ERR_RESPONSE_STARTED, WS_ERR_INVALID_ARGUMENT
   */
  connect(options?: ConnectOptions): WebSocket;
  connect(options: Streamed<ConnectOptions>): WebSocket<MessageStream>;
  connect(options: ConnectOptions | Streamed<ConnectOptions>): AnyWebSocket;
  connect(options: ConnectOptions | Streamed<ConnectOptions> = {}): AnyWebSocket {
    checkOptions(options, 'protocol', 'headers', ...connectionOptionNames);
    const opening = this.#opening;
    if (this.#connecting || this.#role === 'client') throw new WebSocketError('WS_ERR_ALREADY_CONNECTED');
    if (this.destroyed || opening === undefined)
      throw new WebSocketError('WS_ERR_NOT_OPEN', 'it was refused or destroyed');
    // A subprotocol that was not offered must not be answered (RFC 6455 §4.2.2); without one the connection is still good.
    const { protocol: wanted = opening.draft.can.declineProtocol ? '' : this.protocols[0] } = options;
    const protocol = wanted !== undefined && this.protocols.includes(wanted) ? wanted : '';
    this.emit('start');
    const settings = { ...this.settings, ...options };
    const extensions = answerExtensions(opening.extensions, settings);
    const headers = { ...this.responseHeaders, ...options.headers };
    const { transport: carrier, version } = opening;
    const agreement = { transport: carrier, version, protocol, extensions };
    // Where the rest of the handshake comes later, it comes outside of what the request was handled in.
    const opened = AsyncResource.bind((transport: Transport) => this.#open(transport, agreement, settings));
    opening.accept({ protocol, extensions, headers }, opened);
    this.#connecting = true;
    this.agreeOn(agreement, settings);
    return this;
  }

  /**
   * Sends a ping and resolves with the round trip in milliseconds. It goes between messages, not behind those that wait.
   * Rejects with WS_ERR_NOT_OPEN if the connection is not open, or closes before the pong, and with WS_ERR_UNSUPPORTED in drafts
   * without pings.
   * @param data at most 125 bytes; default: a number that tells this ping from others
   */
  ping(data?: string | Uint8Array): Promise<number> {
    const payload = data === undefined ? undefined : controlPayload(data);
    if (!this.can.ping) return rejectPing(new WebSocketError('WS_ERR_UNSUPPORTED', `${this.version} has no pings`));
    return this.#connection?.ping(payload) ?? rejectPing();
  }

  /**
   * Sends a pong that answers no ping (RFC 6455 §5.5.3); pings are answered without the program's help. Returns false if the
   * connection is not open.
   * @param data at most 125 bytes
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  pong(data: string | Uint8Array = ''): boolean {
    const payload = controlPayload(data);
    return (this.can.ping && this.#connection?.pong(payload)) || false;
  }

  /**
   * Starts the close handshake once all writes have left: `end()` with a code and a reason.
   * @param code 1000 to 1014 but 1004 to 1006, or 3000 to 4999; default 1000
   * @param reason at most 123 bytes of UTF-8
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  close(code: number = closeCodes.normal, reason = ''): void {
    checkClose(code, reason);
    if (this.writableEnded) return;
    this.#goodbye = { code, reason };
    this.end();
  }

  /** Drops the connection now, without a Close frame. The error, if given, is emitted. */
  abort(error?: Error): void {
    this.#aborted = true;
    if (this.destroyed) this.#connection?.abort();
    this.destroy(error);
  }

  protected override ending(): void {
    this.#connection?.expectProgress();
  }

  protected override readOn(): void {
    this.#connection?.resumeReading();
  }

  override _final(done: Callback): void {
    const { code, reason } = this.#goodbye;
    const finish = () => {
      this.#connection?.close(code, reason);
      done();
    };
    if (this.#connection === undefined) this.#finishOnOpen = finish;
    else finish();
  }

  override _destroy(error: Error | null, done: Callback): void {
    const connection = this.#connection;
    this.giveUpSending(error);
    if (this.#aborted) connection?.abort();
    else connection?.leave(error);
    if (connection === undefined) {
      this.#giveUp?.();
      this.settle();
    }
    const finish = () => {
      // A program that destroys it half-way has no use for more errors.
      const failure = error ?? (this.readableEnded ? this.unsaid : null);
      if (failure !== null && diagnostics.error.hasSubscribers)
        diagnostics.error.publish({ webSocket: this, error: failure });
      done(failure);
    };
    // A clean end is complete when the transport is gone; an error is told at once.
    if (error === null && connection?.transportClosed === false) this.#whenTransportClosed = finish;
    else finish();
  }

  /** Gives a WebSocket its transport; for those that make one, not for programs. */
  static open(webSocket: AnyWebSocket, transport: Transport, agreement: Agreement): void {
    webSocket.#open(transport, agreement);
  }

  /**
   * Closes a WebSocket that its program has not asked to close; for those who close many. What the program writes after that only
   * fails, and what becomes of it need not concern the program: it must not end the process.
   */
  static closeUnasked(webSocket: AnyWebSocket, code: number, reason: string): void {
    webSocket.on('error', ignore);
    if (webSocket.writableEnded) return;
    webSocket.#goodbye = { code, reason };
    webSocket.endUnasked();
  }

  /** Tells a WebSocket that its request is over without `connect()`: it was refused, or the client has left. */
  static unanswered(webSocket: AnyWebSocket, { refused }: { refused: boolean }): void {
    if (webSocket.#connection !== undefined) return;
    webSocket.settle();
    // Of a client that has left the program learns when it connects, as of one that leaves right after that.
    if (!refused) return;
    webSocket.#opening = webSocket.#giveUp = undefined;
    webSocket.destroy();
  }

  #open(transport: Transport, agreement: Agreement, settings = this.settings): void {
    // An open connection must not keep its handshake.
    this.#opening = this.#giveUp = undefined;
    if (this.destroyed) {
      resetTransport(transport);
      return;
    }
    this.agreeOn(agreement, settings);
    process.nextTick(() => {
      if (this.destroyed) return;
      if (diagnostics.open.hasSubscribers) diagnostics.open.publish({ webSocket: this });
      this.emit('open');
    });
    const { version, extensions } = agreement;
    const options = { role: this.#role, version, extensions, ...connectionSettings(settings, this.can) };
    this.#connection = new Connection(transport, options, {
      message: (message) => this.deliver(message),
      ping: (payload) => this.emit('ping', payload),
      pong: (payload) => this.emit('pong', payload),
      ended: () => this.#peerEnded(),
      overdue: () => this.#answerOverdue(),
      failed: (fault) => this.#fail(fault),
      drained: () => this.sendWaiting(),
      closed: () => this.#closed(),
    });
    this.sendThrough(this.#connection);
    this.#finishOnOpen?.();
  }

  protected override get outcomeSoFar(): CloseOutcome | undefined {
    return this.#connection?.outcome;
  }

  #peerEnded(): void {
    // This side ends when the peer does: a write that comes too late for that is no mistake of the program.
    this.tolerateError();
    this.endReading();
  }

  #answerOverdue(): void {
    const hadEnded = this.endForPeer();
    if (this.hasUnsent)
      this.#fail(new WebSocketError('WS_ERR_CLOSE_TIMEOUT', 'the peer was answered before all was sent'));
    // A pipeline would wait for its end forever. All that it has written has left, and all that came can be read.
    else if (!hadEnded)
      this.tellAtTheEnd(
        new WebSocketError('WS_ERR_CLOSE_TIMEOUT', 'the peer was answered before the program had ended'),
      );
  }

  #fail(fault: WebSocketError): boolean {
    this.tolerateError();
    return this.failAfterReading(fault);
  }

  #closed(): void {
    const { outcome } = this.#connection as Connection;
    this.settle(outcome as CloseOutcome);
    if (diagnostics.close.hasSubscribers) diagnostics.close.publish({ webSocket: this, ...outcome });
    if (this.#whenTransportClosed !== undefined) return this.#whenTransportClosed();
    if (this.destroyed) return;
    this.checkUnsent();
    this.giveUpReadingAfter(this.settings.closeTimeout ?? defaults.closeTimeout);
  }

  /** A peer that said goodbye and was gone before it had all that we had to say: the program must know. */
  protected override checkUnsent(): void {
    if (!this.hasUnsent || !this.#connection?.transportClosed || !this.#connection.isAwaited) return;
    this.#fail(new WebSocketError('WS_ERR_CONNECTION_LOST', 'before all was sent'));
  }
}

function ignore(): void {}
