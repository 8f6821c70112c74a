import { WebSocketError } from '../../lib/errors';

/** The error with which a promise rejects, which must be one of the library's own. */
export async function rejectionOf(promise: Promise<unknown>): Promise<WebSocketError> {
  const error = await promise.then(
    (value) => new Error(`It should have been rejected, and has resolved with ${value}`),
    (reason: unknown) => reason,
  );
  if (error instanceof WebSocketError) return error;
  throw error;
}
