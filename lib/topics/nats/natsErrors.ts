import { WebSocketError } from '../../errors';
import { refused, unavailable } from '../calls';

/** The names of errors after which the same call may succeed later. */
const passing =
  /^(?:TimeoutError|NoResponders|RequestError|JetStreamNotEnabled|ConnectionError|ClosedConnectionError|DrainingConnectionError|StreamNotFoundError|ConsumerNotFoundError)$/;

/** Error codes of JetStream with status 503: no memory, storage, or place for a replica is left, or the stream takes no more. */
const full = [10005, 10023, 10028, 10047, 10077];

interface ApiError {
  readonly name: string;
  readonly message: string;
  readonly status: number;
  readonly code: number;
}

/** The public error for one of the client of NATS. Its classes are told apart by name, because a process may have several copies of them. */
export function toBrokerError(error: unknown): WebSocketError {
  if (error instanceof WebSocketError) return error;
  const { name = '', message = '', status, code = 0 } = (error ?? {}) as Partial<ApiError>;
  if (name === 'JetStreamNotEnabled')
    return unavailable('no stream takes this, or JetStream is not enabled (nats-server --jetstream)', error);
  // 503 is also the status while the stream has no leader, or the server is not ready yet.
  return passing.test(name) || (status === 503 && !full.includes(code))
    ? unavailable(message, error)
    : refused(message, error);
}

/** Whether the error says that the stream does not exist any more. */
export function isWithoutStream(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: string; code?: number };
  return name === 'StreamNotFoundError' || name === 'JetStreamNotEnabled' || code === 10059;
}
