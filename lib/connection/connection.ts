import type { Incoming, Outgoing, PingFrame, SessionKeepalive, Transport, WatchedConnection } from '../contracts';
import { WebSocketError } from '../errors';
import type { ConnectionCounters } from '../framing/counters';
import type { ConnectionSettings } from '../options';
import { ByteChannel, type ChannelOwner } from './byteChannel';
import type { CloseOutcome } from './closeHandshake';
import { CloseSequence } from './closeSequence';
import type { ConnectionOwner } from './connectionOwner';
import { type Keepalive, type KeepaliveSubject, startKeepalive } from './keepalive';
import type { WriteCallback } from './pacedWriter';
import { PendingPings, rejectPing } from './pendingPings';

/**
 * An open connection below the WebSocket: everything that RFC 6455 wants done without the program: pongs, the close handshake, the
 * keepalive, and their deadlines.
 */
export class Connection implements ChannelOwner, KeepaliveSubject, WatchedConnection {
  readonly #settings: ConnectionSettings;
  readonly #owner: ConnectionOwner;
  readonly #channel: ByteChannel;
  #closeSequence: CloseSequence | undefined;
  readonly #keepalive: Keepalive | undefined;
  readonly #sessionKeepalive: SessionKeepalive | undefined;
  #pings: PendingPings | undefined;
  /** The answer to the latest ping, while the byte stream is full: earlier pings need none (RFC 6455 §5.5.3). */
  #waitingPong: PingFrame | undefined;
  /** The WebSocket was destroyed: nothing that comes is delivered. */
  #left = false;

  constructor(transport: Transport, settings: ConnectionSettings, owner: ConnectionOwner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#channel = new ByteChannel(transport, settings, this);
    this.#channel.start(transport.head);
    if (settings.heartbeat === undefined || !settings.capabilities.ping) return;
    this.#keepalive = startKeepalive(this, settings.heartbeat);
    this.#sessionKeepalive = transport.sessionKeepalive;
    this.#sessionKeepalive?.watch(this, settings.heartbeat);
  }

  /** Made when the end begins: most connections are idle for most of their time, and need no memory for it. */
  get #end(): CloseSequence {
    this.#closeSequence ??= new CloseSequence(this.#channel, this.#settings, this.#owner);
    return this.#closeSequence;
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return !this.#left && !this.isDisconnected && this.#closeSequence?.closeSent !== true;
  }

  /** Whether the byte stream is gone, and everything that came has been received or discarded. */
  get isClosed(): boolean {
    return this.#channel.isClosed;
  }

  get isDisconnected(): boolean {
    return this.#channel.isDisconnected;
  }

  /** Whether the peer has sent its Close, and waits for ours. */
  get isAwaited(): boolean {
    return this.#closeSequence?.isAwaited === true;
  }

  /** Whether both sides have closed, but the connection was gone before all messages had left. */
  get wasCutOff(): boolean {
    return this.#closeSequence?.wasCutOff === true;
  }

  /** How the connection ended, or is ending; undefined while nothing is known. */
  get outcome(): CloseOutcome | undefined {
    return this.#closeSequence === undefined && !this.isClosed ? undefined : this.#end.outcome;
  }

  /** Whether `offer()` takes nothing for now. */
  get isFull(): boolean {
    return this.#channel.output.isFull;
  }

  /** Bytes that were sent and have not reached the operating system. */
  get bufferedAmount(): number {
    return this.#channel.output.bufferedAmount;
  }

  /** The counters of bytes; those of messages belong to the WebSocket. */
  get counters(): ConnectionCounters {
    return this.#channel.counters;
  }

  /** Sends a message, unless the byte stream is full or gone: then it returns false. `owner.drained()` says when to offer it again. */
  offer(item: Outgoing, callback?: WriteCallback): boolean {
    return this.#channel.offer(item, callback);
  }

  /** The reader takes more messages. */
  readOn(): void {
    this.#channel.input.readOn();
  }

  /** @param data default: a number that tells this ping from others */
  ping(data: Buffer | undefined): Promise<number> {
    if (!this.isOpen) return rejectPing();
    this.#pings ??= new PendingPings();
    const payload = data ?? this.#pings.nextPayload();
    this.#channel.output.send({ opcode: 'ping', payload });
    return this.#pings.add(payload);
  }

  /** Returns whether it was sent. */
  pong(payload: Buffer): boolean {
    if (!this.isOpen) return false;
    this.#channel.output.send({ opcode: 'pong', payload });
    return true;
  }

  /** Sends our Close, or our answer to the peer's, once. */
  close(code: number, reason: string): void {
    this.#end.close(code, reason);
  }

  /** The program has ended its side: what it wrote has closeTimeout to leave, counted from the last bytes that left. */
  programEnded(): void {
    this.#end.programEnded();
  }

  /**
   * The WebSocket is destroyed: the peer is told why, if it can still be told, and the byte stream ends.
   * @param code what to tell the peer, unless it has closed first or broken the protocol
   */
  leave(code: number, error: Error | null): void {
    this.#left = true;
    this.#pings?.rejectAll(error);
    this.#end.leave(code);
  }

  /** Drops the byte stream now. */
  abort(): void {
    this.#left = true;
    this.#pings?.rejectAll(null);
    this.#end.abort();
  }

  // What the channel reports.

  receive(item: Incoming): boolean {
    if (this.#left) return false;
    // Not by `instanceof`: under Jest a Buffer is of another realm than our own Uint8Array.
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
      new WebSocketError('WS_ERR_SEND_TIMEOUT', `no byte has left for sendTimeout, ${this.#settings.sendTimeout} ms`),
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
    // The pong first: a listener may throw.
    const pong: PingFrame = { opcode: 'pong', payload };
    if (this.isOpen && !this.#channel.output.offer(pong)) this.#waitingPong = pong;
    this.#owner.receivedPing(payload);
  }

  #receivePong(payload: Buffer): void {
    this.#pings?.receivePong(payload);
    this.#owner.receivedPong(payload);
  }

  // The keepalive.

  hasHeard(): boolean {
    return this.#channel.input.hasHeard();
  }

  get isReadingPaused(): boolean {
    return this.#channel.input.isPaused && this.isOpen;
  }

  /** Also once a Close has been sent or has come: the close handshake has a deadline of its own, and needs no pongs. */
  get isSilenceExcused(): boolean {
    return !this.isOpen || this.isAwaited || this.bufferedAmount > 0;
  }

  sendPing(): void {
    this.#channel.output.send({ opcode: 'ping', payload: Buffer.alloc(0) });
  }

  sendSignOfLife(): void {
    this.#channel.output.offer({ opcode: 'pong', payload: Buffer.alloc(0) });
  }

  peerLost(): void {
    this.#channel.inContext(() => {
      this.#channel.reset();
      this.#end.fail(new WebSocketError('WS_ERR_HEARTBEAT_TIMEOUT'));
    });
  }
}
