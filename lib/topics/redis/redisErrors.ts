import { WebSocketError } from '../../errors';
import { refused, unavailable } from '../calls';

/** Replies after which the same command may succeed later: the server loads its data, is busy, or is being replaced by a replica. */
const passing = /^(?:LOADING|BUSY|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|UNKILLABLE|NOREPLICAS)\b/;

/** An error that the server has replied begins with a word in capitals. */
const reply = /^[A-Z][A-Z0-9]* /;

/** The public error for one of a client of Redis. */
export function toBrokerError(error: unknown): WebSocketError {
  if (error instanceof WebSocketError) return error;
  const message = messageOf(error);
  return reply.test(message) && !passing.test(message) ? refused(message, error) : unavailable(message, error);
}

export function isWithoutScript(error: unknown): boolean {
  return messageOf(error).startsWith('NOSCRIPT');
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return `${error}`;
  // Of several addresses, none could be reached.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  return error.message;
}
