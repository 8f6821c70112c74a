import { WebSocketError } from '../../errors';
import { refused, unavailable } from '../drivers/calls';

/** The names of errors after which the same call may succeed later. */
const passing =
  /^(?:TimeoutError|NoResponders|RequestError|JetStreamNotEnabled|ConnectionError|ClosedConnectionError|DrainingConnectionError|StreamNotFoundError|ConsumerNotFoundError)$/;

/** The public error for one of the client of NATS. Its classes are told apart by name, because a process may have several copies of them. */
export function toBrokerError(error: unknown): WebSocketError {
  if (error instanceof WebSocketError) return error;
  const { name = '', message = '', status } = (error ?? {}) as { name?: string; message?: string; status?: number };
  if (name === 'JetStreamNotEnabled')
    return unavailable('no stream takes this, or JetStream is not enabled (nats-server --jetstream)', error);
  // 503: the server has no leader for the stream at the moment, or is not ready yet.
  return passing.test(name) || status === 503 ? unavailable(message, error) : refused(message, error);
}

/** Whether the error says that the stream does not exist any more. */
export function isWithoutStream(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: string; code?: number };
  return name === 'StreamNotFoundError' || name === 'JetStreamNotEnabled' || code === 10059;
}
