import { backoff, pause } from '../../client/backoff';
import { WebSocketError } from '../../errors';
import type { Broker, TopicBounds } from '../broker';
import { Calls } from '../calls';
import { Coalesced } from '../coalesced';

/** How the state of the broker is told: `Topics` emits it. */
export interface LinkOwner {
  offline(error: Error): void;
  online(): void;
  /** Called for each failure that time alone will not mend. */
  failed(error: Error): void;
}

/** The least time that a broker has to answer, in milliseconds: twice that of our drivers, whose errors say more. */
const leastAnswerTime = 10_000;

/** The delays between attempts to reach the broker. */
export interface Delays {
  readonly initialDelay: number;
  readonly maxDelay: number;
}

/** The broker, and whether it can be reached: all readers and publishers of one `Topics` say how they fare. */
export class Link {
  readonly broker: Broker;
  /** Aborts when the topics are closed. */
  readonly signal: AbortSignal;
  readonly #owner: LinkOwner;
  readonly #delays: Delays;
  /** What the broker is asked. A driver limits the time of its calls by itself; one that does not must not hold a publisher for ever. */
  readonly #calls: Calls;
  /** When many connections are lost at once, their clients come back to the same topics at the same time. */
  readonly #bounds = new Coalesced<TopicBounds>();
  /** The readers and publishers that have failed and not succeeded since. */
  readonly #inTrouble = new Set<object>();
  #online = true;
  /** Whether anything has succeeded since the last failure. */
  #works = true;

  /** @param publishTimeout milliseconds that the broker has to answer, but at least ten seconds */
  constructor(broker: Broker, signal: AbortSignal, owner: LinkOwner, delays: Delays, publishTimeout: number) {
    this.broker = broker;
    this.signal = signal;
    this.#owner = owner;
    this.#delays = delays;
    this.#calls = new Calls(Math.max(leastAnswerTime, publishTimeout), (error) => error as Error);
  }

  /** False from the first failure until everything that had failed has succeeded. */
  get online(): boolean {
    return this.#online;
  }

  /**
   * Publishes a message, and resolves with its cursor.
   * @throws WebSocketError WS_ERR_BROKER_UNAVAILABLE if the broker does not answer, and what the broker rejects with
   */
  publish(topic: string, data: string | Buffer, key: string | undefined): Promise<string> {
    return this.#calls.run(() => this.broker.publish(topic, data, { key }));
  }

  /** @throws WebSocketError WS_ERR_BROKER_UNAVAILABLE if the broker does not answer, and what the broker rejects with */
  bounds(topic: string): Promise<TopicBounds> {
    return this.#bounds.run(topic, () => this.#calls.run(() => this.broker.bounds(topic)));
  }

  /** Closes the broker, and fails what it has left unanswered. */
  async close(): Promise<void> {
    try {
      await this.broker.close();
    } finally {
      this.#calls.close();
    }
  }

  /** Notes that a reader or a publisher has failed. */
  failed(who: object, error: Error): void {
    if (this.signal.aborted) return;
    this.#inTrouble.add(who);
    this.#works = false;
    if (this.#online) {
      this.#online = false;
      this.#owner.offline(error);
    }
    if (!isUnavailable(error)) this.#owner.failed(error);
  }

  /** Notes that it has succeeded. */
  worked(who: object): void {
    if (this.#online) return;
    this.#works = true;
    this.#inTrouble.delete(who);
    this.#backIfAllWorks();
  }

  /** Notes that it has ended, so that nobody waits for its success. */
  left(who: object): void {
    if (this.#inTrouble.delete(who)) this.#backIfAllWorks();
  }

  #backIfAllWorks(): void {
    if (this.#inTrouble.size > 0 || !this.#works || this.signal.aborted) return;
    this.#online = true;
    this.#owner.online();
  }

  /** Resolves after the time to wait after a number of failures, or at once when the signal aborts. */
  async pause(failures: number, signal: AbortSignal): Promise<void> {
    const { initialDelay, maxDelay } = this.#delays;
    await pause(backoff(failures, initialDelay, maxDelay), signal).catch((error) => {
      if (!signal.aborted) throw error;
    });
  }
}

export function isUnavailable(error: unknown): boolean {
  return error instanceof WebSocketError && error.code === 'WS_ERR_BROKER_UNAVAILABLE';
}

export function isLost(error: unknown): error is WebSocketError {
  return error instanceof WebSocketError && error.code === 'WS_ERR_TOPIC_LOST';
}

/** The error of what is under way when `topics.close()` is called. */
export function topicsClosed(): WebSocketError {
  return new WebSocketError('WS_ERR_NOT_OPEN', 'the topics were closed');
}
