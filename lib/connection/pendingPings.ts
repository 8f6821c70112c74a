import { WebSocketError } from '../errors';

interface PendingPing {
  readonly payload: Buffer;
  readonly sentAt: number;
  resolve(roundTrip: number): void;
  reject(error: Error): void;
}

/** The pings that have not been answered by a pong. */
export class PendingPings {
  readonly #pending: PendingPing[] = [];
  #count = 0;

  /** Returns a payload that no other pending ping has, for a ping whose payload the program does not choose. */
  nextPayload(): Buffer {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(this.#count++ >>> 0);
    return payload;
  }

  /** Adds a ping, and resolves with the round-trip time in milliseconds when its pong is received. */
  add(payload: Buffer): Promise<number> {
    const roundTrip = new Promise<number>((resolve, reject) => {
      this.#pending.push({ payload, sentAt: performance.now(), resolve, reject });
    });
    return harmless(roundTrip);
  }

  /**
   * Resolves the ping with this payload and all earlier ones: a peer may answer only the latest ping (RFC 6455 §5.5.3).
   */
  receivePong(payload: Buffer): void {
    const index = this.#pending.findIndex((ping) => ping.payload.equals(payload));
    if (index === -1) return; // unsolicited
    const now = performance.now();
    for (const { sentAt, resolve } of this.#pending.splice(0, index + 1)) resolve(now - sentAt);
  }

  rejectAll(cause: Error | null): void {
    if (this.#pending.length === 0) return;
    const error = new WebSocketError('WS_ERR_NOT_OPEN', 'the connection closed before the pong was received', {
      cause,
    });
    for (const { reject } of this.#pending.splice(0)) reject(error);
  }
}

/** Returns a rejected promise for a ping that could not be sent. */
export function rejectPing(error = new WebSocketError('WS_ERR_NOT_OPEN')): Promise<number> {
  return harmless(Promise.reject(error));
}

/** Handles the rejection: if no caller does, it must not end the process when the connection is lost. */
function harmless(roundTrip: Promise<number>): Promise<number> {
  roundTrip.catch(() => {});
  return roundTrip;
}
