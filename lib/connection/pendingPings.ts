import { WebSocketError } from '../errors';

interface PendingPing {
  readonly payload: Buffer;
  readonly sentAt: number;
  resolve(roundTrip: number): void;
  reject(error: Error): void;
}

/** The pings that wait for their pongs. */
export class PendingPings {
  readonly #pending: PendingPing[] = [];
  #count = 0;

  /** A payload that tells this ping from the others, for pings of which the program does not choose the payload. */
  nextPayload(): Buffer {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(this.#count++ >>> 0);
    return payload;
  }

  /** The round trip in milliseconds, once the pong has come. */
  add(payload: Buffer): Promise<number> {
    const roundTrip = new Promise<number>((resolve, reject) => {
      this.#pending.push({ payload, sentAt: performance.now(), resolve, reject });
    });
    return harmless(roundTrip);
  }

  /** A pong answers its ping and the earlier ones: a peer may answer only the latest (RFC 6455 §5.5.3). */
  receivePong(payload: Buffer): void {
    const index = this.#pending.findIndex((ping) => ping.payload.equals(payload));
    if (index === -1) return; // unsolicited
    const now = performance.now();
    for (const { sentAt, resolve } of this.#pending.splice(0, index + 1)) resolve(now - sentAt);
  }

  rejectAll(cause: Error | null): void {
    if (this.#pending.length === 0) return;
    const error = new WebSocketError('WS_ERR_NOT_OPEN', 'it closed before the pong came', { cause });
    for (const { reject } of this.#pending.splice(0)) reject(error);
  }
}

/** A rejection for a ping that could not be sent. */
export function rejectPing(error = new WebSocketError('WS_ERR_NOT_OPEN')): Promise<number> {
  return harmless(Promise.reject(error));
}

/** A ping that nobody waits for must not bring the process down when the peer goes away. */
function harmless(roundTrip: Promise<number>): Promise<number> {
  roundTrip.catch(() => {});
  return roundTrip;
}
