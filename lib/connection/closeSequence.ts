import { closeCodes, isSendableCloseCode } from '../closeCodes';
import type { CloseFrame } from '../contracts';
import { WebSocketError } from '../errors';
import type { ConnectionSettings } from '../options';
import { CloseHandshake, type CloseOutcome } from './closeHandshake';
import type { ConnectionOwner } from './connectionOwner';
import { Deadline } from './deadline';

/** Stands for the end of the byte stream in versions that have no Close frame. */
const endOfStream: CloseFrame = { opcode: 'close', code: closeCodes.noStatus, reason: '' };

/** The methods of a ByteChannel that the CloseSequence uses. */
export interface CloseChannel {
  readonly input: { readonly inMessage: boolean };
  readonly output: {
    readonly isWritable: boolean;
    readonly bufferedAmount: number;
    readonly hasUnsent: boolean;
    send(frame: CloseFrame, callback?: (error?: Error | null) => void): void;
  };
  readonly isDisconnected: boolean;
  readonly isDestroyed: boolean;
  readonly isClosed: boolean;
  /** Discards all bytes that are received from now on, and those that have not been decoded. */
  discard(): void;
  /** Destroys the byte stream at once, so that the peer sees a reset. */
  reset(): void;
  /**
   * Ends our side of the byte stream when everything that was sent has been written, and discards what is received.
   * @param afterPeer whether to wait until the peer has ended its side
   */
  finish(afterPeer: boolean): void;
}

/** The methods of the WebSocket that the CloseSequence calls. */
export type CloseSequenceOwner = Pick<ConnectionOwner, 'peerClosed' | 'answerOverdue' | 'failed'>;

/**
 * Ends a connection: the close handshake and its deadlines, failures of the peer, and the destruction of the WebSocket.
 */
export class CloseSequence {
  readonly #channel: CloseChannel;
  readonly #settings: ConnectionSettings;
  readonly #owner: CloseSequenceOwner;
  readonly #handshake = new CloseHandshake();
  /** Whether the program has ended the writable side. */
  #programEnded = false;
  /** Whether the WebSocket was destroyed. */
  #left = false;
  #aborted = false;
  #fault: WebSocketError | undefined;
  /** Whether our Close frame has reached the operating system. */
  #closeLeft = false;
  /** Whether every message had reached the operating system when our Close frame was sent. */
  #messagesLeft = false;
  /** Whether `#endStream()` was called. */
  #ending = false;
  #deadline: Deadline | undefined;

  constructor(channel: CloseChannel, settings: ConnectionSettings, owner: CloseSequenceOwner) {
    this.#channel = channel;
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Whether the WebSocket was destroyed. */
  get isLeft(): boolean {
    return this.#left;
  }

  get closeSent(): boolean {
    return this.#handshake.closeSent;
  }

  /** Whether the peer has sent its Close frame and waits for ours. */
  get isAwaited(): boolean {
    return this.#handshake.closeReceived && !this.#handshake.closeSent;
  }

  /**
   * Whether the peer has sent its Close frame, but the byte stream closed before all messages had reached the operating
   * system. False if only our Close frame had not, or the program itself has called `abort()`.
   */
  get wasCutOff(): boolean {
    if (!this.#channel.isDisconnected || this.#aborted || !this.#handshake.closeReceived) return false;
    return this.closeSent ? !this.#closeLeft && !this.#messagesLeft : this.#channel.output.hasUnsent;
  }

  /**
   * How the connection ended, or is ending. Undefined before the peer's Close frame, a failure, the destruction of the
   * WebSocket or the end of the byte stream.
   */
  get outcome(): CloseOutcome | undefined {
    const isKnown = this.#channel.isClosed || this.#handshake.closeReceived || this.#left || this.#fault !== undefined;
    if (!isKnown) return undefined;
    const { code, reason, wasClean } = this.#handshake.outcome();
    return { code, reason, wasClean: wasClean && this.#closeLeft };
  }

  /** Sends our Close frame, or our answer to the peer's. Later calls do nothing. */
  close(code: number, reason: string): void {
    // The byte stream is not writable, so no Close frame can be sent; do not record one.
    if (!this.#channel.output.isWritable) return;
    const close = this.#handshake.close(code, reason);
    if (close === undefined) return;
    this.#deadline?.stop();
    this.#deadline = undefined;
    this.#sendClose(close);
    // A version without Close frames can only end the byte stream. Nothing that the peer sends after that is read.
    if (!this.#settings.capabilities.close && !this.#handshake.complete) this.receiveClose(endOfStream);
    else this.#afterClose();
  }

  /**
   * Called when the program has ended the writable side: the connection fails if written bytes wait and none is sent
   * for closeTimeout.
   */
  programEnded(): void {
    this.#programEnded = true;
    if (this.#channel.isDisconnected) return this.#deadline?.stop();
    if (this.#handshake.closeSent) return;
    this.#deadline ??= this.#newDeadline(this.#settings.closeTimeout);
  }

  /**
   * Called when the WebSocket is destroyed: sends a Close frame, if one can still be sent, and ends the byte stream.
   * @param code the close code. If the peer has sent its Close frame first, the answer repeats the peer's code; if the
   * peer has broken the protocol, the code of that error is sent
   */
  leave(code: number): void {
    this.#left = true;
    if (this.#fault !== undefined) this.#endStream(this.#fault.closeCode);
    else if (!this.#handshake.complete) this.#endStream(code);
    this.#channel.discard();
  }

  /** Destroys the byte stream without a Close frame. */
  abort(): void {
    this.#left = this.#aborted = true;
    this.#deadline?.stop();
    this.#channel.reset();
  }

  /** Called when no more bytes will be received. Without an error, the peer has ended its side of the byte stream. */
  inputEnded(error: WebSocketError | undefined): void {
    // The peer may end its side of the byte stream right after its Close frame; our answer can still be sent.
    if (this.#handshake.complete || (error === undefined && this.#handshake.closeReceived)) return;
    if (error === undefined && !this.#settings.capabilities.close) this.receiveClose(endOfStream);
    else this.fail(error ?? new WebSocketError('WS_ERR_CONNECTION_LOST'));
  }

  /**
   * Called when bytes have reached the operating system: the deadline for sending the rest starts again. The deadline
   * for the program's answer to the peer's Close frame does not.
   */
  progressed(): void {
    if (!this.#closeLeft && (this.#programEnded || this.closeSent)) this.#deadline?.progressed();
  }

  /** Called when the byte stream has closed. */
  disconnected(): void {
    if (!this.#awaitsProgram) this.#deadline?.stop();
  }

  /**
   * Whether the peer has closed, and the program has not ended the writable side. Its time to do so is limited also if
   * the byte stream has closed: the WebSocket ends only then.
   */
  get #awaitsProgram(): boolean {
    return this.isAwaited && !this.#programEnded && this.#fault === undefined;
  }

  /**
   * Called when a Close frame is received. If it is clean, the readable side ends, and our answer is sent when the
   * writable side ends (RFC 6455 §5.5.1).
   */
  receiveClose(close: CloseFrame): void {
    const answer = this.#handshake.receive(close);
    if (answer !== undefined) this.#channel.output.send(answer);
    this.#afterClose();
    const fault = this.#handshake.verdict() ?? this.#truncation();
    if (fault === undefined) this.#owner.peerClosed();
    else this.fail(fault);
  }

  /**
   * Returns the error for a Close frame in the middle of a message, with any close code: the rest of the message
   * will not be received.
   */
  #truncation(): WebSocketError | undefined {
    if (!this.#channel.input.inMessage) return undefined;
    return new WebSocketError('WS_ERR_TRUNCATED', 'the peer has closed in the middle of a message');
  }

  #sendClose(close: CloseFrame): void {
    this.#messagesLeft = this.#channel.output.bufferedAmount === 0;
    this.#channel.output.send(close, (error) => {
      if (error) return;
      this.#closeLeft = true;
      // The peer's time to answer starts now.
      this.#deadline?.progressed();
    });
  }

  /**
   * Called after a Close frame was sent or received. If both were, the server ends the byte stream, and the client
   * waits for that (RFC 6455 §7.1.1). If only one was, starts the deadline for the other.
   */
  #afterClose(): void {
    const { closeTimeout, role, capabilities } = this.#settings;
    if (this.#handshake.complete) {
      this.#deadline?.stop();
      this.#channel.finish(role === 'client' && capabilities.close);
    } else if (this.#deadline === undefined && (!this.#channel.isDisconnected || this.#awaitsProgram)) {
      // The peer started to wait when it sent its Close frame, and may wait only as long as we would, so the program
      // has half of closeTimeout to answer.
      this.#deadline = this.#newDeadline(this.isAwaited ? closeTimeout / 2 : closeTimeout);
    }
  }

  #newDeadline(milliseconds: number): Deadline {
    return new Deadline(milliseconds, () => this.#closeOverdue());
  }

  #closeOverdue(): void {
    if (this.#fault !== undefined) return this.#endStream(this.#fault.closeCode);
    if (this.isAwaited) {
      // The program has not answered yet, perhaps because it has not read all messages. That is no fault of the peer.
      this.close(closeCodes.normal, '');
      return this.#owner.answerOverdue(this.closeSent);
    }
    // No byte waits for the peer, so the delay is on our side: a message source of the program has not ended.
    if (!this.#handshake.closeSent && this.#channel.output.bufferedAmount === 0) return this.#deadline?.progressed();
    this.#channel.reset();
    this.fail(new WebSocketError('WS_ERR_CLOSE_TIMEOUT'));
  }

  /**
   * Ends the connection after a failure of the peer or of the transport. No other code turns an error into a Close
   * frame.
   */
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
    // Our Close frame was sent, so no other can follow. If the peer then breaks the protocol or cuts the connection
    // off, reset the byte stream.
    if (this.#fault !== undefined && this.#handshake.closeSent && !this.#handshake.complete)
      return this.#channel.reset();
    if (this.isAwaited || isSendableCloseCode(code)) {
      const close = this.#channel.output.isWritable ? this.#handshake.close(code, '') : undefined;
      if (close !== undefined) this.#sendClose(close);
    }
    this.#channel.finish(false);
  }
}
