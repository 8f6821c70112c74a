import { WebSocketError } from '../../lib/errors';

/** The error that an action throws, which must be one of the library's own. */
export function thrownBy(action: () => void): WebSocketError {
  try {
    action();
  } catch (error) {
    if (error instanceof WebSocketError) return error;
    throw error;
  }
  throw new Error('It should have thrown a WebSocketError, and has not thrown at all');
}
