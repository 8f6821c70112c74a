import type { Incoming, PingFrame, SessionKeepalive, Transport, WatchedConnection } from '../contracts';
import { WebSocketError } from '../errors';
import type { ConnectionCounters } from '../framing/counters';
import type { ConnectionSettings } from '../options';
import { ByteChannel, type ChannelOwner } from './byteChannel';
import type { ByteOutput } from './byteOutput';
import type { CloseOutcome } from './closeHandshake';
import { CloseSequence } from './closeSequence';
import type { ConnectionOwner } from './connectionOwner';
import { type Keepalive, type KeepaliveSubject, startKeepalive } from './keepalive';
import { PendingPings, rejectPing } from './pendingPings';

/**
 * An open connection below the WebSocket. It does what needs no help of the program: pongs, the close handshake, the
 * keepalive, and their deadlines.
 */
export class Connection implements ChannelOwner, KeepaliveSubject, WatchedConnection {
  readonly #owner: ConnectionOwner;
  readonly #channel: ByteChannel;
  #closeSequence: CloseSequence | undefined;
  readonly #keepalive: Keepalive | undefined;
  readonly #sessionKeepalive: SessionKeepalive | undefined;
  #pings: PendingPings | undefined;
  /**
   * The pong for the latest ping, while the byte stream is full. Earlier pings need no pong of their own
   * (RFC 6455 §5.5.3).
   */
  #waitingPong: PingFrame | undefined;

  constructor(transport: Transport, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#channel = new ByteChannel(transport, this);
    this.#channel.start(transport.head);
    const { settings } = owner;
    if (settings.heartbeat === undefined || !settings.capabilities.ping) return;
    this.#keepalive = startKeepalive(this, settings.heartbeat);
    this.#sessionKeepalive = transport.sessionKeepalive;
    this.#sessionKeepalive?.watch(this, settings.heartbeat);
  }

  get settings(): ConnectionSettings {
    return this.#owner.settings;
  }

  /** Made when it is needed, to save the memory on connections that are open and idle. */
  get #end(): CloseSequence {
    this.#closeSequence ??= new CloseSequence(this.#channel, this.settings, this.#owner);
    return this.#closeSequence;
  }

  /** Whether the WebSocket was destroyed: received items are not delivered. */
  get #left(): boolean {
    return this.#closeSequence?.isLeft === true;
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return !this.#left && !this.isDisconnected && this.#closeSequence?.closeSent !== true;
  }

  /** Whether the byte stream has closed, and all received bytes have been delivered or discarded. */
  get isClosed(): boolean {
    return this.#channel.isClosed;
  }

  get isDisconnected(): boolean {
    return this.#channel.isDisconnected;
  }

  /** Whether the peer has sent its Close frame and waits for ours. */
  get isAwaited(): boolean {
    return this.#closeSequence?.isAwaited === true;
  }

  /**
   * Whether the peer has sent its Close frame, but the byte stream closed before all messages had reached the operating
   * system.
   */
  get wasCutOff(): boolean {
    return this.#closeSequence?.wasCutOff === true;
  }

  /**
   * How the connection ended, or is ending. Undefined before the peer's Close frame, a failure, the destruction of the
   * WebSocket or the end of the byte stream.
   */
  get outcome(): CloseOutcome | undefined {
    return this.#closeSequence === undefined && !this.isClosed ? undefined : this.#end.outcome;
  }

  /** Where messages are sent. `owner.drained()` is called when a message can be offered again. */
  get outlet(): Pick<ByteOutput, 'offer' | 'isFull' | 'bufferedAmount'> {
    return this.#channel.output;
  }

  /** The counters of bytes. The counters of messages are 0 here: the WebSocket counts messages. */
  get counters(): ConnectionCounters {
    return this.#channel.counters;
  }

  /** Goes on with reading after `owner.received()` has returned false. */
  readOn(): void {
    this.#channel.input.readOn();
  }

  /** Bytes that are kept of a message that has been received in part. */
  get partialSize(): number {
    return this.#channel.input.partialSize;
  }

  /** Reads nothing more, for a limit, until `resumeReading()` is called as often. */
  suspendReading(): void {
    this.#channel.input.suspend();
  }

  resumeReading(): void {
    this.#channel.inContext(() => this.#channel.input.resume());
  }

  /**
   * Sends a ping and resolves with the round-trip time in milliseconds.
   * @param data default: a number that no other pending ping has
   */
  ping(data: Buffer | undefined): Promise<number> {
    if (!this.isOpen) return rejectPing();
    this.#pings ??= new PendingPings();
    const payload = data ?? this.#pings.nextPayload();
    this.#channel.output.send({ opcode: 'ping', payload });
    return this.#pings.add(payload);
  }

  /** Sends a pong. If the connection is not open, does nothing and returns false. */
  pong(payload: Buffer): boolean {
    if (!this.isOpen) return false;
    this.#channel.output.send({ opcode: 'pong', payload });
    return true;
  }

  /** Sends our Close frame, or our answer to the peer's. Later calls do nothing. */
  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  /**
   * Called when the program has ended the writable side: the connection fails if no written byte is sent for
   * closeTimeout.
   */
  programEnded(): void {
    this.#end.programEnded();
  }

  /**
   * Called when the WebSocket is destroyed: sends a Close frame, if one can still be sent, and ends the byte stream.
   * @param code the close code. If the peer has sent its Close frame first, the answer repeats the peer's code; if the
   * peer has broken the protocol, the code of that error is sent
   * @param error the cause of the errors that pending pings are rejected with
   */
  leave(code: number, error: Error | null): void {
    this.#end.leave(code);
    this.#pings?.rejectAll(error);
  }

  /** Destroys the byte stream without a Close frame. */
  abort(): void {
    this.#end.abort();
    this.#pings?.rejectAll(null);
  }

  // Calls of the byte channel (ChannelOwner).

  receive(item: Incoming): boolean {
    if (this.#left) return false;
    // Buffers are not recognized by `instanceof`: under Jest they belong to another realm than this file's Uint8Array.
    if (typeof item === 'string' || !('opcode' in item) || item.opcode === 'part') return this.#owner.received(item);
    if (item.opcode === 'close') this.#end.receiveClose(item);
    else if (item.opcode === 'ping') this.#receivePing(item.payload as Buffer);
    else this.#receivePong(item.payload as Buffer);
    return true;
  }

  inputEnded(error: WebSocketError | undefined): void {
    this.#end.inputEnded(error);
  }

  drained(): void {
    const pong = this.#waitingPong;
    this.#waitingPong = undefined;
    if (pong !== undefined && this.isOpen) this.#channel.output.send(pong);
    this.#owner.drained();
  }

  progressed(): void {
    this.#closeSequence?.progressed();
  }

  sendTimedOut(): void {
    this.#channel.reset();
    this.#end.fail(
      new WebSocketError('WS_ERR_SEND_TIMEOUT', `no byte was sent for sendTimeout, ${this.settings.sendTimeout} ms`),
    );
  }

  sendingFailed(error: WebSocketError): void {
    this.#owner.writeFailed(error);
  }

  disconnected(): void {
    this.#closeSequence?.disconnected();
    this.#keepalive?.stop();
    this.#sessionKeepalive?.unwatch(this);
    this.#owner.disconnected();
  }

  closed(): void {
    this.#owner.closed();
  }

  #receivePing(payload: Buffer): void {
    // The pong is sent before the 'ping' listeners are called, because a listener may throw.
    const pong: PingFrame = { opcode: 'pong', payload };
    if (this.isOpen && !this.#channel.output.offer(pong)) this.#waitingPong = pong;
    this.#owner.receivedPing(payload);
  }

  #receivePong(payload: Buffer): void {
    this.#pings?.receivePong(payload);
    this.#owner.receivedPong(payload);
  }

  // Calls of the keepalive (KeepaliveSubject, WatchedConnection).

  hasReceived(): boolean {
    return this.#channel.input.hasReceived();
  }

  get isReadingPaused(): boolean {
    return this.#channel.input.isPaused && this.isOpen;
  }

  /**
   * True also once a Close frame was sent or received: the close handshake has its own deadline and needs no keepalive.
   */
  get mayBeSilent(): boolean {
    return !this.isOpen || this.isAwaited || this.outlet.bufferedAmount > 0;
  }

  sendPing(): void {
    this.#channel.output.send({ opcode: 'ping', payload: Buffer.alloc(0) });
  }

  sendUnsolicitedPong(): void {
    this.#channel.output.offer({ opcode: 'pong', payload: Buffer.alloc(0) });
  }

  peerLost(): void {
    this.#channel.inContext(() => {
      this.#channel.reset();
      this.#end.fail(new WebSocketError('WS_ERR_HEARTBEAT_TIMEOUT'));
    });
  }
}
