import { closeCodes, isSendableCloseCode } from '../closeCodes';
import type { CloseFrame } from '../contracts';
import { WebSocketError } from '../errors';
import type { ConnectionSettings } from '../options';
import { CloseHandshake, type CloseOutcome } from './closeHandshake';
import type { ConnectionOwner } from './connectionOwner';
import { Deadline } from './deadline';

/** The end of the byte stream, where the version has no Close frame. */
const endOfStream: CloseFrame = { opcode: 'close', code: closeCodes.noStatus, reason: '' };

/** The byte stream in both directions, as far as its end needs it. A ByteChannel is one. */
export interface CloseChannel {
  readonly input: { readonly inMessage: boolean };
  readonly output: {
    readonly isWritable: boolean;
    readonly bufferedAmount: number;
    send(frame: CloseFrame, callback?: (error?: Error | null) => void): void;
  };
  readonly isDisconnected: boolean;
  readonly isDestroyed: boolean;
  readonly isClosed: boolean;
  /** Looks at nothing more that comes. */
  discard(): void;
  /** Drops the byte stream now. */
  reset(): void;
  /** Lets what was sent leave, then ends our side of the byte stream; if `afterPeer`, not before the peer has ended its own. */
  finish(afterPeer: boolean): void;
}

/** What the end of a connection reports to the WebSocket. */
export type CloseSequenceOwner = Pick<ConnectionOwner, 'peerClosed' | 'answeredForProgram' | 'failed'>;

/** How a connection ends: the close handshake and its deadlines, failures of the peer, and the destruction of the WebSocket. */
export class CloseSequence {
  readonly #channel: CloseChannel;
  readonly #settings: ConnectionSettings;
  readonly #owner: CloseSequenceOwner;
  readonly #handshake = new CloseHandshake();
  /** The program has ended its side. */
  #programEnded = false;
  /** The WebSocket was destroyed. */
  #left = false;
  #fault: WebSocketError | undefined;
  /** Our Close has left to the operating system. */
  #closeLeft = false;
  /** Every message had left to the operating system before our Close was sent. */
  #messagesLeft = false;
  /** The last frame was sent, and the byte stream ends. */
  #ending = false;
  #deadline: Deadline | undefined;

  constructor(channel: CloseChannel, settings: ConnectionSettings, owner: CloseSequenceOwner) {
    this.#channel = channel;
    this.#settings = settings;
    this.#owner = owner;
  }

  get closeSent(): boolean {
    return this.#handshake.closeSent;
  }

  /** Whether the peer has sent its Close, and waits for ours. */
  get isAwaited(): boolean {
    return this.#handshake.closeReceived && !this.#handshake.closeSent;
  }

  /** Whether both sides have closed, but the connection was gone before all messages had left. Our Close alone is no loss. */
  get wasCutOff(): boolean {
    return this.#channel.isClosed && this.#handshake.complete && !this.#closeLeft && !this.#messagesLeft;
  }

  /** How the connection ended, or is ending; undefined while nothing is known. */
  get outcome(): CloseOutcome | undefined {
    const isKnown = this.#channel.isClosed || this.#handshake.closeReceived || this.#left || this.#fault !== undefined;
    if (!isKnown) return undefined;
    const { code, reason, wasClean } = this.#handshake.outcome();
    return { code, reason, wasClean: wasClean && this.#closeLeft };
  }

  /** Sends our Close, or our answer to the peer's, once. */
  close(code: number, reason: string): void {
    // The byte stream takes no bytes, so no Close can be sent: do not record one.
    if (!this.#channel.output.isWritable) return;
    const close = this.#handshake.close(code, reason);
    if (close === undefined) return;
    this.#deadline?.stop();
    this.#deadline = undefined;
    this.#sendClose(close);
    // A version without Close frames can only end the byte stream, and nothing more is read from it.
    if (!this.#settings.capabilities.close && !this.#handshake.complete) this.receiveClose(endOfStream);
    else this.#afterClose();
  }

  /** The program has ended its side: what it wrote has closeTimeout to leave, counted from the last bytes that left. */
  programEnded(): void {
    this.#programEnded = true;
    if (this.#handshake.closeSent || this.#channel.isDisconnected) return;
    this.#deadline ??= this.#newDeadline(this.#settings.closeTimeout);
  }

  /**
   * The WebSocket is destroyed: the peer is told why, if it can still be told, and the byte stream ends.
   * @param code what to tell the peer, unless it has closed first or broken the protocol
   */
  leave(code: number): void {
    this.#left = true;
    if (this.#fault !== undefined) this.#endStream(this.#fault.closeCode);
    else if (!this.#handshake.complete) this.#endStream(code);
    this.#channel.discard();
  }

  /** The byte stream is dropped without a word. */
  abort(): void {
    this.#left = true;
    this.#channel.reset();
  }

  /** Nothing more will come. Without an error, the peer has just ended its side of the byte stream. */
  inputEnded(error: WebSocketError | undefined): void {
    // The peer may end its byte stream together with its Close; our answer can still leave.
    if (this.#handshake.complete || (error === undefined && this.#handshake.closeReceived)) return;
    if (error === undefined && !this.#settings.capabilities.close) this.receiveClose(endOfStream);
    else this.fail(error ?? new WebSocketError('WS_ERR_CONNECTION_LOST'));
  }

  /** Bytes have left: what is to leave behind them has its whole time again, but not the program's answer to the peer's Close. */
  progressed(): void {
    if (!this.#closeLeft && (this.#programEnded || this.closeSent)) this.#deadline?.progressed();
  }

  /** The byte stream is gone. */
  disconnected(): void {
    this.#deadline?.stop();
  }

  /** A clean Close ends the readable side; our answer leaves when the writable side ends (RFC 6455 §5.5.1). */
  receiveClose(close: CloseFrame): void {
    const answer = this.#handshake.receive(close);
    if (answer !== undefined) this.#channel.output.send(answer);
    this.#afterClose();
    const fault = this.#handshake.verdict() ?? this.#truncation();
    if (fault === undefined) this.#owner.peerClosed();
    else this.fail(fault);
  }

  /** A Close in the middle of a message: the rest of it will never come, whatever the close code says. */
  #truncation(): WebSocketError | undefined {
    if (!this.#channel.input.inMessage) return undefined;
    return new WebSocketError('WS_ERR_TRUNCATED', 'the peer has closed in the middle of a message');
  }

  #sendClose(close: CloseFrame): void {
    this.#messagesLeft = this.#channel.output.bufferedAmount === 0;
    this.#channel.output.send(close, (error) => {
      if (error) return;
      this.#closeLeft = true;
      // The peer has its whole time from now on.
      this.#deadline?.progressed();
    });
  }

  /**
   * After both Close frames the server ends the byte stream, and the client waits for that (RFC 6455 §7.1.1). After the first the other
   * side has its time for its own.
   */
  #afterClose(): void {
    const { closeTimeout, role, capabilities } = this.#settings;
    if (this.#handshake.complete) {
      this.#deadline?.stop();
      this.#channel.finish(role === 'client' && capabilities.close);
    } else if (this.#deadline === undefined && !this.#channel.isDisconnected) {
      // The peer began to wait before we knew, and may wait no longer than we would: our program has half of that.
      this.#deadline = this.#newDeadline(this.isAwaited ? closeTimeout / 2 : closeTimeout);
    }
  }

  #newDeadline(milliseconds: number): Deadline {
    return new Deadline(milliseconds, () => this.#closeOverdue());
  }

  #closeOverdue(): void {
    if (this.#fault !== undefined) return this.#endStream(this.#fault.closeCode);
    if (this.isAwaited) {
      // The program takes its time, perhaps over messages that it has not read yet: no fault of the peer.
      this.close(closeCodes.normal, '');
      return this.#owner.answeredForProgram();
    }
    // Nothing waits for the peer, so the program's own source has not come to its end.
    if (!this.#handshake.closeSent && this.#channel.output.bufferedAmount === 0) return this.#deadline?.progressed();
    this.#channel.reset();
    this.fail(new WebSocketError('WS_ERR_CLOSE_TIMEOUT'));
  }

  /** The one place where a failure of the peer, or of the transport, becomes a close. */
  fail(fault: WebSocketError): void {
    if (this.#fault !== undefined || this.#left) return;
    this.#fault = fault;
    this.#channel.discard();
    if (!this.#owner.failed(fault)) this.#endStream(fault.closeCode);
    else if (!this.#channel.isDisconnected) this.#deadline ??= this.#newDeadline(this.#settings.closeTimeout);
  }

  #endStream(code: number = closeCodes.internalError): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#deadline?.stop();
    if (this.#channel.isDestroyed) return;
    // After our own Close there is nothing left to say to a peer that breaks the protocol, or off.
    if (this.#fault !== undefined && this.#handshake.closeSent && !this.#handshake.complete)
      return this.#channel.reset();
    if (this.isAwaited || isSendableCloseCode(code)) {
      const close = this.#channel.output.isWritable ? this.#handshake.close(code, '') : undefined;
      if (close !== undefined) this.#sendClose(close);
    }
    this.#channel.finish(false);
  }
}
