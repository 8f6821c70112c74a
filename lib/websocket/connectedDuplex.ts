import { controlPayload } from '../codec/controlFrames';
import type { CloseOutcome } from '../connection/closeHandshake';
import { Connection } from '../connection/connection';
import type { ConnectionOwner } from '../connection/connectionOwner';
import { rejectPing } from '../connection/pendingPings';
import { sharedSettings } from '../connection/sharedSettings';
import type { Agreement, Message, Role, Transport } from '../contracts';
import { diagnostics } from '../diagnostics';
import { WebSocketError } from '../errors';
import { type ConnectionCounters, noCounters } from '../framing/counters';
import { type ConnectionOptions, defaults } from '../options';
import type { Delivered } from './incomingMessages';
import { OutgoingDuplex } from './outgoingDuplex';
import type { WebSocketSetup } from './webSocketSetup';

/** A Duplex of messages on a connection, once there is one: it does what the connection tells, and what the program asks of it. */
export abstract class ConnectedDuplex<M extends Delivered = Message> extends OutgoingDuplex<M> {
  protected readonly role: Role;
  #connection: Connection | undefined;
  /** Waits for the transport to be gone. */
  #atTheEnd: (() => void) | undefined;

  constructor(setup: WebSocketSetup) {
    super(setup);
    this.role = setup.role;
  }

  protected get connection(): Connection | undefined {
    return this.#connection;
  }

  /** What has happened on this connection so far. */
  get counters(): ConnectionCounters {
    const counters = this.#connection?.counters ?? noCounters;
    return { ...counters, messagesReceived: this.received, messagesSent: this.sent };
  }

  /**
   * Sends a ping and resolves with the round trip in milliseconds. It goes between messages, not behind those that wait.
   * Rejects with WS_ERR_NOT_OPEN if the connection is not open, or closes before the pong, and with WS_ERR_UNSUPPORTED in drafts
   * without pings.
   * @param data at most 125 bytes; default: a number that tells this ping from others
   */
  ping(data?: string | Uint8Array): Promise<number> {
    const payload = data === undefined ? undefined : controlPayload(data);
    if (!this.capabilities.ping)
      return rejectPing(new WebSocketError('WS_ERR_UNSUPPORTED', `${this.version} has no pings`));
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
    return (this.capabilities.ping && this.#connection?.pong(payload)) || false;
  }

  protected override ending(): void {
    this.#connection?.expectProgress();
  }

  protected override readOn(): void {
    this.#connection?.resumeReading();
  }

  /** Starts on a transport, and tells the program in the next tick. */
  protected openOn(transport: Transport, agreement: Agreement, settings: ConnectionOptions): void {
    this.agreeOn(agreement, settings);
    process.nextTick(() => {
      if (this.destroyed) return;
      if (diagnostics.open.hasSubscribers) diagnostics.open.publish({ webSocket: this });
      this.emit('open');
    });
    const options = sharedSettings(settings, this.role, agreement, this.capabilities);
    this.#connection = new Connection(transport, options, new ConnectedDuplex.#Owner(this));
    this.sendThrough(this.#connection);
  }

  /** Calls back when the transport is gone. */
  protected afterTransport(finish: () => void): void {
    this.#atTheEnd = finish;
  }

  /** What the connection tells is no business of programs, which see the methods of this class. */
  static readonly #Owner = class implements ConnectionOwner {
    readonly #duplex: ConnectedDuplex<Delivered>;

    constructor(duplex: ConnectedDuplex<Delivered>) {
      this.#duplex = duplex;
    }

    message(message: Delivered): boolean {
      return this.#duplex.deliver(message);
    }

    ping(payload: Buffer): void {
      this.#duplex.emit('ping', payload);
    }

    pong(payload: Buffer): void {
      this.#duplex.emit('pong', payload);
    }

    ended(): void {
      this.#duplex.#peerEnded();
    }

    overdue(): void {
      this.#duplex.#answerOverdue();
    }

    failed(fault: WebSocketError): boolean {
      return this.#duplex.#fail(fault);
    }

    drained(): void {
      this.#duplex.sendWaiting();
    }

    closed(): void {
      this.#duplex.#closed();
    }
  };

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
    if (this.#atTheEnd !== undefined) return this.#atTheEnd();
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
