import { describeValue } from '../codec/describeValue';
import type { HttpRequest } from '../contracts';
import { WebSocketError } from '../errors';
import type { ServerLimits } from '../options';

/** The place of one WebSocket, from its request to the end of its connection. */
export interface Place {
  /** Later calls do nothing. */
  release(): void;
}

/** Counts the WebSockets of a server, in all and by address, and refuses requests beyond the limits. */
export class Admission {
  readonly #limits: ServerLimits;
  #taken = 0;
  readonly #takenBy = new Map<string, number>();

  constructor(limits: ServerLimits) {
    this.#limits = limits;
  }

  /**
   * Takes a place for a request. A request that the application has not answered yet has one too: many slow logins at
   * once must not exceed the limits.
   * @throws WebSocketError with a 503 or a 429
   */
  admit(request: HttpRequest): Place {
    const { maxConnections = Number.POSITIVE_INFINITY } = this.#limits;
    if (this.#taken >= maxConnections) throw refusal(503, `maxConnections, ${maxConnections}`);
    const address = this.#addressOf(request);
    if (address !== undefined) this.#takeFor(address);
    this.#taken++;
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        this.#taken--;
        if (address !== undefined) this.#releaseFor(address);
      },
    };
  }

  /** Returns undefined if addresses are not counted, or the client has none. */
  #addressOf(request: HttpRequest): string | undefined {
    const { maxConnectionsPerAddress: limit } = this.#limits;
    if (limit === undefined || limit === Number.POSITIVE_INFINITY) return undefined;
    if (typeof limit === 'number') return subscriberOf(request.socket?.remoteAddress);
    const address: unknown = limit.addressOf(request);
    if (typeof address === 'string' || address === undefined) return address;
    const detail = `maxConnectionsPerAddress.addressOf must return a string or undefined, not ${describeValue(address)}`;
    throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail, { statusCode: 500 });
  }

  #takeFor(address: string): void {
    const { maxConnectionsPerAddress: limit = Number.POSITIVE_INFINITY } = this.#limits;
    const most = typeof limit === 'number' ? limit : limit.limit;
    const taken = this.#takenBy.get(address) ?? 0;
    if (taken >= most) throw refusal(429, `maxConnectionsPerAddress, ${most}`);
    this.#takenBy.set(address, taken + 1);
  }

  #releaseFor(address: string): void {
    const left = (this.#takenBy.get(address) ?? 1) - 1;
    if (left === 0) this.#takenBy.delete(address);
    else this.#takenBy.set(address, left);
  }
}

function refusal(statusCode: 429 | 503, limit: string): WebSocketError {
  return new WebSocketError('WS_ERR_TOO_MANY_CONNECTIONS', limit, { statusCode, headers: { 'Retry-After': '10' } });
}

/**
 * Returns what one subscriber of a network has: an IPv4 address, or the first 64 bits of an IPv6 address (RFC 6177 §2),
 * the rest of which a client can choose. An IPv4 address in an IPv6 one (RFC 4291 §2.5.5.2), which Node has for sockets
 * of both families, is the IPv4 address.
 */
export function subscriberOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  // At most one run of zeros is written as '::' (RFC 5952 §4.2).
  const [start = '', end] = address.split('::');
  const groups = start === '' ? [] : start.split(':');
  const missing = end === undefined ? 0 : 8 - groups.length - (end === '' ? 0 : end.split(':').length);
  const all = [...groups, ...Array<string>(missing).fill('0'), ...(end ?? '').split(':')];
  return `${all.slice(0, 4).join(':')}::/64`;
}
