import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Calls `callback` when the responses to earlier requests on this connection have been sent. A client may send an
 * upgrade request right after other requests, and its response must not overtake the earlier responses.
 */
export function afterEarlierResponses(socket: Duplex, callback: () => void): void {
  // Node has removed its own 'error' listener, and a connection reset would end the process.
  socket.on('error', ignoreError);
  const next = () => {
    if (socket.destroyed) return;
    // Node has no public name for the response that is being sent on a socket. A listener for 'request', or for the
    // diagnostics channels of `node:http`, could keep a record of it, but would run for every ordinary request, would
    // miss those that were being answered when the server was configured, and the former would change
    // `server.listenerCount('request')`.
    const earlier = (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage;
    if (!earlier) return callback();
    // Node has removed the 'drain' listener that lets this response go on. Without it, sending a large body would stop.
    const passDrainOn = () => earlier.emit('drain');
    socket.on('drain', passDrainOn);
    earlier.once('close', () => {
      socket.removeListener('drain', passDrainOn);
      next();
    });
  };
  next();
}

/**
 * The 'error' listener of a socket until the HTTP server or the WebSocket has added its own. It can ignore errors,
 * because 'close' follows each of them.
 */
export function ignoreError(): void {}
