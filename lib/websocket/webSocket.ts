import { AsyncResource } from 'node:async_hooks';
import { closeCodes } from '../closeCodes';
import { checkClose } from '../codec/controlFrames';
import { resetByteStream } from '../connection/byteStreamEnds';
import type { Agreement, CloseFrame, Message, Opening, Transport } from '../contracts';
import { diagnostics } from '../diagnostics';
import { WebSocketError } from '../errors';
import { answerExtensions } from '../extensions';
import { type ConnectOptions, checkOptions, connectionOptionNames, type Streamed } from '../options';
import { ConnectedDuplex } from './connectedDuplex';
import type { Delivered } from './incomingMessages';
import type { MessageStream } from './messageStream';
import type { WebSocketSetup } from './webSocketSetup';
import type { Callback } from './writingDuplex';

const noOptions: ConnectOptions = {};
const allDone: Omit<CloseFrame, 'opcode'> = { code: closeCodes.normal, reason: '' };

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
export class WebSocket<M extends Delivered = Message> extends ConnectedDuplex<M> {
  #opening: Opening | undefined;
  /** Ends a handshake that has not come to its end. */
  #giveUp: (() => void) | undefined;
  /** `connect()` was called; the rest of the handshake may still be on its way. */
  #connecting = false;
  /** The writable side has ended before the connection was open. */
  #finishOnOpen: (() => void) | undefined;
  /** The Close that the program asked for; without it the writable side ends with 1000. */
  #goodbye = allDone;
  #aborted = false;

  constructor(setup: WebSocketSetup) {
    super(setup);
    const { opening, giveUp } = setup;
    this.#opening = opening;
    this.#giveUp = opening?.abandon ?? giveUp;
  }

  /**
   * Accepts the opening request: the positive answer leaves through the response, with the headers set on it so far.
   * @throws WebSocketError WS_ERR_ALREADY_CONNECTED, WS_ERR_NOT_OPEN, WS_ERR_RESPONSE_STARTED, WS_ERR_INVALID_ARGUMENT
   */
  connect(options?: ConnectOptions): WebSocket;
  connect(options: Streamed<ConnectOptions>): WebSocket<MessageStream>;
  connect(options: ConnectOptions | Streamed<ConnectOptions>): AnyWebSocket;
  connect(options: ConnectOptions | Streamed<ConnectOptions> = noOptions): AnyWebSocket {
    if (options !== noOptions) checkOptions(options, 'protocol', 'headers', ...connectionOptionNames);
    const opening = this.#opening;
    if (this.#connecting || this.role === 'client') throw new WebSocketError('WS_ERR_ALREADY_CONNECTED');
    if (this.destroyed || opening === undefined)
      throw new WebSocketError('WS_ERR_NOT_OPEN', 'it was refused or destroyed');
    // A subprotocol that was not offered must not be answered (RFC 6455 §4.2.2); without one the connection is still good.
    const { protocol: wanted = opening.wire.capabilities.declineProtocol ? '' : this.protocols[0] } = options;
    const protocol = wanted !== undefined && this.protocols.includes(wanted) ? wanted : '';
    this.emit('start');
    // Connections that have nothing of their own have their settings in common.
    const settings = options === noOptions ? this.settings : { ...this.settings, ...options };
    const extensions = answerExtensions(opening.extensions, settings);
    const headers = this.answerHeaders(options.headers);
    const { transport: carrier, version } = opening;
    const agreement = { transport: carrier, version, protocol, extensions };
    // Where the rest of the handshake comes later, it comes outside of what the request was handled in.
    const context = new AsyncResource('WebSocket');
    const opened = (transport: Transport) => context.runInAsyncScope(this.#open, this, transport, agreement, settings);
    opening.accept({ protocol, extensions, headers }, opened);
    this.#connecting = true;
    this.agreeOn(agreement, settings);
    return this;
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
    if (this.destroyed) this.connection?.abort();
    this.destroy(error);
  }

  override _final(done: Callback): void {
    const { code, reason } = this.#goodbye;
    const finish = () => {
      this.connection?.close(code, reason);
      done();
    };
    if (this.connection === undefined) this.#finishOnOpen = finish;
    else finish();
  }

  override _destroy(error: Error | null, done: Callback): void {
    const connection = this.connection;
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
    if (error === null && connection?.transportClosed === false) this.afterTransport(finish);
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
    if (webSocket.connection !== undefined) return;
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
      resetByteStream(transport);
      return;
    }
    this.openOn(transport, agreement, settings);
    this.#finishOnOpen?.();
  }
}

function ignore(): void {}
