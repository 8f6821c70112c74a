import { clearTimeout, setTimeout } from 'node:timers';
import { closeCodes } from '../closeCodes';
import type { Message, MessagePart } from '../contracts';
import type { ConnectionSettings } from '../options';
import { MessageRate, type SuspendableReading } from './messageRate';

/**
 * The part of a lifetime in which a connection ends at a random time: connections that began together must not all
 * connect again together.
 */
const jitter = 1 / 10;

/** The settings of a connection that limit it. */
type LimitSettings = Pick<ConnectionSettings, 'role' | 'maxMessageRate' | 'maxLifetime'>;

/** A WebSocket. */
export interface Closable {
  /** Starts the close handshake, unless the program has done it. */
  close(code: number, reason: string): void;
}

/** The limits of one connection that the program has set: the rate of messages, and the lifetime. */
export class ConnectionLimits {
  readonly #rate: MessageRate | undefined;
  readonly #lifetime: NodeJS.Timeout | undefined;

  constructor({ role, maxMessageRate, maxLifetime }: LimitSettings, reading: SuspendableReading, webSocket: Closable) {
    if (maxMessageRate !== undefined) this.#rate = new MessageRate(maxMessageRate, reading);
    if (maxLifetime === undefined) return;
    const code = role === 'server' ? closeCodes.serviceRestart : closeCodes.goingAway;
    const over = () => webSocket.close(code, 'maxLifetime');
    this.#lifetime = setTimeout(over, maxLifetime * (1 - Math.random() * jitter)).unref();
  }

  /** Called for each received message or part of one. */
  received(message: Message | MessagePart): void {
    // A message in parts counts at its end, so that reading is not suspended in the middle of it.
    const isPart = typeof message !== 'string' && 'opcode' in message && !message.last;
    if (!isPart) this.#rate?.count();
  }

  stop(): void {
    this.#rate?.stop();
    clearTimeout(this.#lifetime);
  }
}

/** Returns undefined if there are no limits, to save the memory. */
export function connectionLimits(
  settings: LimitSettings,
  reading: SuspendableReading,
  webSocket: Closable,
): ConnectionLimits | undefined {
  const isLimited = settings.maxMessageRate !== undefined || settings.maxLifetime !== undefined;
  return isLimited ? new ConnectionLimits(settings, reading, webSocket) : undefined;
}
