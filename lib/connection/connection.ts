import { AsyncResource } from 'node:async_hooks';
import { closeCodes, isSendableCloseCode } from '../closeCodes';
import type { CloseFrame, Incoming, Outgoing, PingFrame, Transport, WatchedConnection } from '../contracts';
import { WebSocketError } from '../errors';
import { type ConnectionCounters, noCounters } from '../framing/counters';
import { framingPoolFor } from '../framing/framingPool';
import type { ConnectionSettings } from '../options';
import { ByteInput, type InputReceiver } from './byteInput';
import { ByteOutput, type OutputOwner } from './byteOutput';
import { discardUntilClosed, resetByteStream } from './byteStreamEnds';
import { type ByteStreamWatcher, watchByteStream } from './byteStreamEvents';
import { CloseHandshake, type CloseOutcome } from './closeHandshake';
import type { ConnectionOwner } from './connectionOwner';
import { Deadline } from './deadline';
import { type Keepalive, type KeepaliveSubject, startKeepalive } from './keepalive';
import type { WriteCallback } from './pacedWriter';
import { PendingPings, rejectPing } from './pendingPings';

/** Bytes that a TCP connection is given at a time: a write that lasts shows no progress before its end. */
const largestWrite = 256 * 1024;

/** The end of the byte stream, where the version has no Close frame. */
const endOfStream: CloseFrame = { opcode: 'close', code: closeCodes.noStatus, reason: '' };

/**
 * An open connection below the WebSocket: its input and its output, and everything that RFC 6455 wants done without the program: pongs,
 * the close handshake, and the deadlines of both sides.
 */
export class Connection implements ByteStreamWatcher, InputReceiver, OutputOwner, KeepaliveSubject, WatchedConnection {
  /** The asynchronous context of the program's handler, for everything that happens on the connection. */
  readonly context = new AsyncResource('WebSocket');
  readonly #transport: Pick<Transport, 'stream' | 'reset' | 'sessionKeepalive'>;
  readonly #settings: ConnectionSettings;
  readonly #owner: ConnectionOwner;
  readonly #input: ByteInput;
  readonly #output: ByteOutput;
  readonly #handshake = new CloseHandshake();
  readonly #keepalive: Keepalive | undefined;
  #pings: PendingPings | undefined;
  /** The answer to the latest ping, while the byte stream is full: earlier pings need none (RFC 6455 §5.5.3). */
  #waitingPong: PingFrame | undefined;
  /** The WebSocket was destroyed: nothing that comes is delivered. */
  #left = false;
  #fault: WebSocketError | undefined;
  #streamError: Error | undefined;
  /** Our Close has left to the operating system. */
  #closeLeft = false;
  /** The last frame was sent, and the byte stream ends. */
  #ending = false;
  #finishing = false;
  #disconnected = false;
  #closed = false;
  /** Of the close handshake. */
  #closeDeadline: Deadline | undefined;
  /** Of bytes that wait for the byte stream (`sendTimeout`). */
  #sendDeadline: Deadline | undefined;

  constructor(transport: Transport, settings: ConnectionSettings, owner: ConnectionOwner) {
    const { stream, head } = transport;
    this.#transport = transport;
    this.#settings = settings;
    this.#owner = owner;
    const pool = framingPoolFor(settings);
    this.#input = new ByteInput(stream, pool, this);
    this.#output = new ByteOutput(stream, pool, transport.largestWrite ?? largestWrite, this);
    this.#start(head);
    if (settings.heartbeat === undefined || !settings.capabilities.ping) return;
    this.#keepalive = startKeepalive(this, settings.heartbeat);
    transport.sessionKeepalive?.watch(this, settings.heartbeat);
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return !this.#left && !this.#disconnected && !this.#handshake.closeSent;
  }

  /** Whether the byte stream is gone, and everything that came has been received or discarded. */
  get isClosed(): boolean {
    return this.#closed;
  }

  get isDisconnected(): boolean {
    return this.#disconnected;
  }

  /** Whether the peer has sent its Close, and waits for ours. */
  get isAwaited(): boolean {
    return this.#handshake.closeReceived && !this.#handshake.closeSent;
  }

  /** Whether both sides have closed, but the connection was gone before everything of ours had left. */
  get wasCutOff(): boolean {
    return this.#closed && this.#handshake.complete && !this.#closeLeft;
  }

  /** How the connection ended, or is ending; undefined while nothing is known. */
  get outcome(): CloseOutcome | undefined {
    const isKnown = this.#closed || this.#handshake.closeReceived || this.#left || this.#fault !== undefined;
    if (!isKnown) return undefined;
    const { code, reason, wasClean } = this.#handshake.outcome();
    return { code, reason, wasClean: wasClean && this.#closeLeft };
  }

  /** Whether `offer()` takes nothing for now. */
  get isFull(): boolean {
    return this.#output.isFull;
  }

  /** Bytes that were sent and have not reached the operating system. */
  get bufferedAmount(): number {
    return this.#output.bufferedAmount;
  }

  /** The counters of bytes; those of messages belong to the WebSocket. */
  get counters(): ConnectionCounters {
    const { compression, sent } = this.#output;
    const { decompression, received, pausedTime } = this.#input;
    return {
      ...noCounters,
      bytesReceived: received,
      bytesSent: sent,
      bytesBeforeCompression: compression?.before ?? 0,
      bytesAfterCompression: compression?.after ?? 0,
      bytesBeforeDecompression: decompression?.before ?? 0,
      bytesAfterDecompression: decompression?.after ?? 0,
      pausedTime,
    };
  }

  /** Sends a message, unless the byte stream is full or gone: then it returns false. `owner.drained()` says when to offer it again. */
  offer(item: Outgoing, callback?: WriteCallback): boolean {
    return !this.#disconnected && this.#output.offer(item, callback);
  }

  /** The reader takes more messages. */
  readOn(): void {
    this.#input.readOn();
  }

  /** @param data default: a number that tells this ping from others */
  ping(data: Buffer | undefined): Promise<number> {
    if (!this.isOpen) return rejectPing();
    this.#pings ??= new PendingPings();
    const payload = data ?? this.#pings.nextPayload();
    this.#output.send({ opcode: 'ping', payload });
    return this.#pings.add(payload);
  }

  /** Returns whether it was sent. */
  pong(payload: Buffer): boolean {
    if (!this.isOpen) return false;
    this.#output.send({ opcode: 'pong', payload });
    return true;
  }

  /** Sends our Close, or our answer to the peer's, once. */
  close(code: number, reason: string): void {
    // The byte stream takes no bytes, so no Close can be sent: do not record one.
    if (!this.#output.isWritable) return;
    const close = this.#handshake.close(code, reason);
    if (close === undefined) return;
    this.#closeDeadline?.stop();
    this.#closeDeadline = undefined;
    this.#sendClose(close);
    // A version without Close frames can only end the byte stream, and nothing more is read from it.
    if (!this.#settings.capabilities.close && !this.#handshake.complete) this.#receiveClose(endOfStream);
    else this.#afterClose();
  }

  /** The program has ended its side: what it wrote has closeTimeout to leave, counted from the last bytes that left. */
  programEnded(): void {
    if (this.#handshake.closeSent || this.#disconnected) return;
    this.#closeDeadline ??= this.#newDeadline(this.#settings.closeTimeout);
  }

  /**
   * The WebSocket is destroyed: the peer is told why, if it can still be told, and the byte stream ends.
   * @param code what to tell the peer, unless it has closed first or broken the protocol
   */
  leave(code: number, error: Error | null): void {
    this.#left = true;
    this.#pings?.rejectAll(error);
    if (this.#fault !== undefined) this.#endStream(this.#fault.closeCode);
    else if (!this.#handshake.complete) this.#endStream(code);
    this.#input.discard();
    this.#closeIfOver();
  }

  /** Drops the byte stream now. */
  abort(): void {
    this.#left = true;
    this.#pings?.rejectAll(null);
    this.#reset();
  }

  // The byte stream.

  #start(head: Buffer): void {
    const { stream } = this.#transport;
    // First of all the 'error' listener: a reset at any moment from here on is an event, not a crash.
    watchByteStream(stream, this, 'error', 'close');
    if (stream.destroyed) {
      process.nextTick(() => this.streamClosed());
      return;
    }
    watchByteStream(stream, this, 'drain', 'end');
    if ('aborted' in stream) watchByteStream(stream, this, 'aborted');
    if (stream.readableEnded) {
      // The peer had ended its side before this began.
      process.nextTick(() => {
        this.streamData(head);
        this.streamEnded();
      });
      return;
    }
    if (head.length > 0) stream.unshift(head);
    watchByteStream(stream, this, 'data');
    // The handshake may have read from it, and stopped.
    if (stream.isPaused()) stream.resume();
  }

  streamData(bytes: Buffer): void {
    this.#output.hold();
    try {
      this.#input.read(bytes);
    } finally {
      // Also when a listener of the program throws: what is written after that must leave as well.
      this.#output.release();
    }
  }

  streamDrained(): void {
    this.#output.drained();
    if (!this.#closeLeft) this.#closeDeadline?.progressed();
    if (this.#sendDeadline === undefined) return;
    if (this.#output.isFull) return this.#sendDeadline.progressed();
    this.#sendDeadline.stop();
    this.#sendDeadline = undefined;
  }

  streamEnded(): void {
    this.#input.end();
  }

  /** Writing to it now would be an error, which would keep it from ending when all has been read. */
  streamAborted(): void {
    this.#output.stop();
  }

  streamFailed(error: Error): void {
    this.#streamError = error;
  }

  streamClosed(): void {
    this.#disconnected = true;
    // Gone without an end: a reset.
    if (!this.#transport.stream.readableEnded && !this.#input.isOver)
      this.#streamError ??= new Error('the byte stream was cut off');
    this.#output.closed();
    this.#closeDeadline?.stop();
    this.#sendDeadline?.stop();
    this.#keepalive?.stop();
    this.#transport.sessionKeepalive?.unwatch(this);
    this.#input.end();
    this.#owner.disconnected();
    this.#closeIfOver();
  }

  inContext(work: () => void): void {
    this.context.runInAsyncScope(work);
  }

  #reset(): void {
    this.#output.stop();
    resetByteStream(this.#transport);
    this.#input.discard();
    this.#closeIfOver();
  }

  /** Lets what was sent leave, then ends our side of the byte stream; if `afterPeer`, not before the peer has ended its own. */
  #finish(afterPeer: boolean): void {
    const { stream } = this.#transport;
    if (!this.#finishing) discardUntilClosed(this.#transport, this.#settings.closeTimeout);
    this.#finishing = true;
    this.#input.discard();
    if (afterPeer && !stream.readableEnded) stream.once('end', () => this.#output.end());
    else this.#output.end();
  }

  /** Reports the end, once the byte stream is gone and everything that came has been received or discarded. */
  #closeIfOver(): void {
    if (!this.#disconnected || !this.#input.isOver || this.#closed) return;
    this.#closed = true;
    this.#owner.closed();
  }

  // What the input reports.

  receive(item: Incoming): boolean {
    if (this.#left) return false;
    if (typeof item === 'string' || item instanceof Uint8Array || item.opcode === 'part')
      return this.#owner.received(item);
    if (item.opcode === 'close') this.#receiveClose(item);
    else if (item.opcode === 'ping') this.#receivePing(item.payload as Buffer);
    else this.#receivePong(item.payload as Buffer);
    return true;
  }

  inputEnded(error: WebSocketError | undefined): void {
    this.#receiveEnd(error);
    this.#closeIfOver();
  }

  #receiveEnd(error: WebSocketError | undefined): void {
    const cause = this.#streamError ?? error;
    // The peer may end its byte stream together with its Close; our answer can still leave.
    if (this.#handshake.complete || (cause === undefined && this.#handshake.closeReceived)) return;
    if (cause === undefined && !this.#settings.capabilities.close) return this.#receiveClose(endOfStream);
    const isViolation = cause === error && error !== undefined && error.code !== 'WS_ERR_TRUNCATED';
    this.#fail(isViolation ? error : new WebSocketError('WS_ERR_CONNECTION_LOST', cause?.message, { cause }));
  }

  #receivePing(payload: Buffer): void {
    // The pong first: a listener may throw.
    const pong: PingFrame = { opcode: 'pong', payload };
    if (this.isOpen && !this.#output.offer(pong)) this.#waitingPong = pong;
    this.#owner.receivedPing(payload);
  }

  #receivePong(payload: Buffer): void {
    this.#pings?.receivePong(payload);
    this.#owner.receivedPong(payload);
  }

  /** A clean Close ends the readable side; our answer leaves when the writable side ends (RFC 6455 §5.5.1). */
  #receiveClose(close: CloseFrame): void {
    const answer = this.#handshake.receive(close);
    if (answer !== undefined) this.#output.send(answer);
    this.#afterClose();
    const fault = this.#handshake.verdict() ?? this.#truncation();
    if (fault === undefined) this.#owner.peerClosed();
    else this.#fail(fault);
  }

  /** A Close in the middle of a message: the rest of it will never come, whatever the close code says. */
  #truncation(): WebSocketError | undefined {
    if (!this.#input.inMessage) return undefined;
    return new WebSocketError('WS_ERR_TRUNCATED', 'the peer has closed in the middle of a message');
  }

  // What the output reports.

  outputDrained(): void {
    const pong = this.#waitingPong;
    this.#waitingPong = undefined;
    if (pong !== undefined && this.isOpen) this.#output.send(pong);
    this.#owner.drained();
  }

  outputStalled(): void {
    const { sendTimeout } = this.#settings;
    if (sendTimeout === undefined) return;
    this.#sendDeadline ??= new Deadline(sendTimeout, () => {
      this.#reset();
      this.#fail(new WebSocketError('WS_ERR_SEND_TIMEOUT', `no byte has left for ${sendTimeout} ms`));
    }).unref();
  }

  outputFailed(error: WebSocketError): void {
    this.#owner.sendingFailed(error);
  }

  // The keepalive.

  hasHeard(): boolean {
    return this.#input.hasHeard();
  }

  get isReadingPaused(): boolean {
    return this.#input.isPaused && this.isOpen;
  }

  /** Also once a Close has been sent or has come: the close handshake has a deadline of its own, and needs no pongs. */
  get isSilenceExcused(): boolean {
    return !this.isOpen || this.isAwaited || this.bufferedAmount > 0;
  }

  sendPing(): void {
    this.#output.send({ opcode: 'ping', payload: Buffer.alloc(0) });
  }

  sendSignOfLife(): void {
    this.#output.offer({ opcode: 'pong', payload: Buffer.alloc(0) });
  }

  peerLost(): void {
    this.inContext(() => {
      this.#reset();
      this.#fail(new WebSocketError('WS_ERR_HEARTBEAT_TIMEOUT'));
    });
  }

  // The close handshake.

  #sendClose(close: CloseFrame): void {
    this.#output.send(close, (error) => {
      if (error) return;
      this.#closeLeft = true;
      // The peer has its whole time from now on.
      this.#closeDeadline?.progressed();
    });
  }

  /**
   * After both Close frames the server ends the byte stream, and the client waits for that (RFC 6455 §7.1.1). After the first the other
   * side has its time for its own.
   */
  #afterClose(): void {
    const { closeTimeout, role, capabilities } = this.#settings;
    if (this.#handshake.complete) {
      this.#closeDeadline?.stop();
      this.#finish(role === 'client' && capabilities.close);
    } else if (this.#closeDeadline === undefined && !this.#disconnected) {
      // The peer began to wait before we knew, and may wait no longer than we would: our program has half of that.
      this.#closeDeadline = this.#newDeadline(this.isAwaited ? closeTimeout / 2 : closeTimeout);
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
    if (!this.#handshake.closeSent && this.bufferedAmount === 0) return this.#closeDeadline?.progressed();
    this.#reset();
    this.#fail(new WebSocketError('WS_ERR_CLOSE_TIMEOUT'));
  }

  /** The one place where a failure of the peer, or of the transport, becomes a close. */
  #fail(fault: WebSocketError): void {
    if (this.#fault !== undefined || this.#left) return;
    this.#fault = fault;
    this.#input.discard();
    if (!this.#owner.failed(fault)) this.#endStream(fault.closeCode);
    else if (!this.#disconnected) this.#closeDeadline ??= this.#newDeadline(this.#settings.closeTimeout);
  }

  #endStream(code: number = closeCodes.internalError): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#closeDeadline?.stop();
    if (this.#transport.stream.destroyed) return;
    // After our own Close there is nothing left to say to a peer that breaks the protocol, or off.
    if (this.#handshake.closeSent && !this.#handshake.complete) return this.#reset();
    if (this.isAwaited || isSendableCloseCode(code)) {
      const close = this.#output.isWritable ? this.#handshake.close(code, '') : undefined;
      if (close !== undefined) this.#sendClose(close);
    }
    this.#finish(false);
  }
}
