import { closeCodes, isSendableCloseCode } from '../closeCodes';
import type {
  Capabilities,
  CloseFrame,
  Incoming,
  Message,
  Outgoing,
  PingFrame,
  SessionKeepalive,
  Transport,
} from '../contracts';
import { WebSocketError } from '../errors';
import type { ConnectionCounters } from '../framing/counters';
import { protocolVersion } from '../versions';
import { IncomingMessages } from '../websocket/incomingMessages';
import { type CloseOutcome, Session } from './closeHandshake';
import type { ConnectionOwner, ConnectionSettings } from './connectionOwner';
import { type Heart, type Watched, watch } from './keepalive';
import { PendingPings, rejectPing } from './pendingPings';
import { Pipeline } from './pipeline';
import type { PipelineOptions, PipelineOwner } from './pipelineOwner';

/** What the end of the byte stream means where there is no frame for it. */
const endOfStream: CloseFrame = { opcode: 'close', code: closeCodes.noStatus, reason: '' };

/**
 * An open connection below the stream: the pipeline, and everything that RFC 6455 wants done without the program, pongs, the
 * close handshake and its deadline.
 */
export class Connection implements PipelineOwner, Watched {
  readonly #pipeline: Pipeline;
  readonly #session = new Session();
  readonly #options: PipelineOptions;
  readonly #owner: ConnectionOwner;
  readonly #capabilities: Capabilities;
  /** There if the program wants messages as streams. */
  readonly #incoming: IncomingMessages | undefined;
  #pings: PendingPings | undefined;
  /** The answer to the latest ping, while the transport takes nothing: earlier ones need none (RFC 6455 §5.5.3). */
  #owedPong: PingFrame | undefined;
  /** The program has no more use for what comes. */
  #left = false;
  #fault: WebSocketError | undefined;
  /** The last word has been said, and the byte stream ends. */
  #ending = false;
  #timer: NodeJS.Timeout | undefined;
  /** How often the transport has taken all that we had. */
  #drains = 0;
  #transportClosed = false;
  readonly #heart: Heart | undefined;
  readonly #sessionKeepalive: SessionKeepalive | undefined;

  constructor(transport: Transport, options: ConnectionSettings, owner: ConnectionOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#capabilities = protocolVersion(options.version).capabilities;
    if (options.parts) {
      this.#incoming = new IncomingMessages(
        (message) => owner.message(message),
        () => this.resumeReading(),
      );
    }
    this.#pipeline = new Pipeline(transport, options, this);
    if (options.heartbeat !== undefined && this.#capabilities.ping) {
      this.#heart = watch(this, options.heartbeat);
      this.#sessionKeepalive = transport.sessionKeepalive;
      this.#sessionKeepalive?.watch(this, options.heartbeat);
    }
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return !this.#left && !this.#transportClosed && !this.#session.closeSent;
  }

  get transportClosed(): boolean {
    return this.#transportClosed;
  }

  /** The peer has sent its Close, and waits for ours. */
  get isAwaited(): boolean {
    return this.#session.closeReceived && !this.#session.closeSent;
  }

  /** How the connection ended, or is ending; undefined while nothing is known. */
  get outcome(): CloseOutcome | undefined {
    return this.#transportClosed || this.#session.closeReceived ? this.#session.outcome() : undefined;
  }

  /** Whether `offer()` takes nothing for now. */
  get isFull(): boolean {
    return this.#pipeline.isFull;
  }

  get bufferedAmount(): number {
    return this.#pipeline.bufferedAmount;
  }

  /** What has happened to bytes; of messages the owner knows. */
  get counters(): ConnectionCounters {
    return this.#pipeline.counters;
  }

  /** Sends a message, unless the transport is full: then it returns false, and `owner.drained()` says when to offer it again. */
  offer(item: Outgoing): boolean {
    return this.#pipeline.offer(item);
  }

  resumeReading(): void {
    this.#pipeline.resumeReading();
  }

  /** @param data default: a number that tells this ping from others */
  ping(data: Buffer | undefined): Promise<number> {
    if (!this.isOpen) return rejectPing();
    this.#pings ??= new PendingPings();
    const payload = data ?? this.#pings.nextPayload();
    this.#pipeline.send({ opcode: 'ping', payload });
    return this.#pings.add(payload);
  }

  /** Returns whether it was sent. */
  pong(payload: Buffer): boolean {
    if (!this.isOpen) return false;
    this.#pipeline.send({ opcode: 'pong', payload });
    return true;
  }

  /** Sends our Close, or our answer to the peer's, once. */
  close(code: number, reason: string): void {
    // What cannot leave has not been said.
    if (!this.#pipeline.isWritable) return;
    const close = this.#session.close(code, reason);
    if (close === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pipeline.send(close);
    // Without a frame for it, all that can be done is to end the byte stream, and nothing more is read from it.
    if (!this.#capabilities.close && !this.#session.complete) this.#receiveClose(endOfStream);
    else this.#afterClose();
  }

  /** The program leaves: the peer is told why, if it can still be told, and the byte stream ends. */
  leave(error: Error | null): void {
    this.#left = true;
    this.#incoming?.breakOff(error ?? new WebSocketError('WS_ERR_ABORTED'));
    this.#pings?.rejectAll(error);
    if (this.#fault !== undefined) this.#endTransport(this.#fault.closeCode);
    else if (!this.#session.complete)
      this.#endTransport(error === null ? closeCodes.goingAway : closeCodes.internalError);
  }

  /** Drops the transport now. */
  abort(): void {
    this.#left = true;
    this.#incoming?.breakOff(new WebSocketError('WS_ERR_ABORTED'));
    this.#pings?.rejectAll(null);
    this.#pipeline.destroy();
  }

  hasHeard(): boolean {
    return this.#pipeline.hasHeard();
  }

  /** Also once a Close has been sent or has come: the close handshake has a deadline of its own, and needs no pongs. */
  get excusesSilence(): boolean {
    return !this.isOpen || this.isAwaited || this.#pipeline.isPaused || this.bufferedAmount > 0;
  }

  sendPing(): void {
    this.#pipeline.send({ opcode: 'ping', payload: Buffer.alloc(0) });
  }

  peerLost(): void {
    this.#pipeline.inContext(() => {
      this.#pipeline.destroy();
      this.#fail(new WebSocketError('WS_ERR_HEARTBEAT_TIMEOUT'));
    });
  }

  /** Of the pipeline: returns false when the reader has enough. */
  receive(item: Incoming): boolean {
    if (this.#left) return false;
    if (typeof item === 'string' || item instanceof Uint8Array) return this.#receiveMessage(item);
    if (item.opcode === 'part') return (this.#incoming as IncomingMessages).part(item);
    if (item.opcode === 'close') this.#receiveClose(item);
    else if (item.opcode === 'ping') this.#receivePing(item.payload as Buffer);
    else this.#receivePong(item.payload as Buffer);
    return true;
  }

  #receiveMessage(message: Message): boolean {
    return this.#incoming === undefined ? this.#owner.message(message) : this.#incoming.whole(message);
  }

  #receivePing(payload: Buffer): void {
    this.#owner.ping(payload);
    if (!this.isOpen) return;
    const pong: PingFrame = { opcode: 'pong', payload };
    if (!this.#pipeline.offer(pong)) this.#owedPong = pong;
  }

  #receivePong(payload: Buffer): void {
    this.#pings?.receivePong(payload);
    this.#owner.pong(payload);
  }

  /** A clean Close ends the readable side; our answer leaves when the writable side ends (RFC 6455 §5.5.1). */
  #receiveClose(close: CloseFrame): void {
    const answer = this.#session.receive(close);
    if (answer !== undefined) this.#pipeline.send(answer);
    this.#afterClose();
    const fault = this.#session.verdict();
    if (fault === undefined) this.#owner.ended();
    else this.#fail(fault);
  }

  /**
   * After both Close frames the server ends the byte stream, and the client waits for that (RFC 6455 §7.1.1). After the
   * first the other side has its time for its own.
   */
  #afterClose(): void {
    if (this.#session.complete) {
      clearTimeout(this.#timer);
      this.#pipeline.finish({ afterPeer: this.#options.role === 'client' && this.#capabilities.close });
    } else if (this.#timer === undefined && !this.#transportClosed) {
      const { closeTimeout } = this.#options;
      // The peer began to wait before we knew, and may wait no longer than we would: our program has half of that.
      this.#timer = setTimeout(() => this.#closeOverdue(), this.isAwaited ? closeTimeout / 2 : closeTimeout);
    }
  }

  #closeOverdue(): void {
    if (this.#fault !== undefined) return this.#endTransport(this.#fault.closeCode);
    if (this.isAwaited) {
      // It is our program that takes its time, perhaps over messages it has not read yet: no fault of the peer.
      this.close(closeCodes.normal, '');
      return this.#owner.overdue();
    }
    this.#pipeline.destroy();
    this.#fail(new WebSocketError('WS_ERR_CLOSE_TIMEOUT'));
  }

  /** The program has ended, and what it wrote must get away: a peer that takes nothing for closeTimeout is given up. */
  expectProgress(): void {
    if (this.#timer !== undefined || this.#session.closeSent || this.#transportClosed) return;
    let before = { drains: this.#drains, buffered: this.bufferedAmount };
    this.#timer = setTimeout(() => {
      const now = { drains: this.#drains, buffered: this.bufferedAmount };
      if (now.drains === before.drains && now.buffered >= before.buffered) return this.#closeOverdue();
      before = now;
      this.#timer?.refresh();
    }, this.#options.closeTimeout);
  }

  /** Of the pipeline. */
  ended(error: Error | undefined): void {
    // The peer may end its byte stream together with its Close; our answer can still leave.
    if (this.#session.complete || (error === undefined && this.#session.closeReceived)) return;
    if (error === undefined && !this.#capabilities.close) return this.#receiveClose(endOfStream);
    this.#fail(error instanceof WebSocketError ? error : new WebSocketError('WS_ERR_CONNECTION_LOST'));
  }

  /** The one place where a failure of the peer, or of the way to it, becomes a close. */
  #fail(fault: WebSocketError): void {
    if (this.#fault !== undefined || this.#left) return;
    this.#fault = fault;
    this.#incoming?.breakOff(fault);
    this.#pipeline.discard();
    if (!this.#owner.failed(fault)) this.#endTransport(fault.closeCode);
    else this.#timer ??= setTimeout(() => this.#closeOverdue(), this.#options.closeTimeout);
  }

  #endTransport(code: number = closeCodes.internalError): void {
    if (this.#ending) return;
    this.#ending = true;
    clearTimeout(this.#timer);
    if (this.#pipeline.destroyed) return;
    // After our own Close there is nothing left to say to a peer that breaks the protocol, or off.
    if (this.#session.closeSent && !this.#session.complete) return this.#pipeline.destroy();
    if (this.isAwaited || isSendableCloseCode(code)) {
      const close = this.#session.close(code, '');
      if (close !== undefined) this.#pipeline.send(close);
    }
    this.#pipeline.finish();
  }

  /** Of the pipeline: the transport takes bytes again. */
  drained(): void {
    this.#drains++;
    const pong = this.#owedPong;
    this.#owedPong = undefined;
    if (pong !== undefined && this.isOpen) this.#pipeline.send(pong);
    this.#owner.drained();
  }

  /** Of the pipeline. */
  closed(): void {
    this.#transportClosed = true;
    clearTimeout(this.#timer);
    this.#heart?.stop();
    this.#sessionKeepalive?.unwatch(this);
    this.#owner.closed();
  }
}
