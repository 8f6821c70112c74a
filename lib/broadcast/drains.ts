import { ownListener } from '../nodeStreams/duplexOverrides';
import type { AnyWebSocket } from '../websocket/webSocket';

const waiting = new WeakMap<AnyWebSocket, Set<() => void>>();

/**
 * Calls back at the next 'drain' of a WebSocket. All groups of a WebSocket share one listener, because Node warns of the
 * eleventh one. A callback of `write()` would cost each message a tenth of what it costs to send it.
 */
export function onceDrained(webSocket: AnyWebSocket, callback: () => void): void {
  const callbacks = waiting.get(webSocket);
  if (callbacks !== undefined) callbacks.add(callback);
  else {
    waiting.set(webSocket, new Set([callback]));
    webSocket.once('drain', ownListener(drained));
  }
}

function drained(this: AnyWebSocket): void {
  const callbacks = waiting.get(this) as Set<() => void>;
  waiting.delete(this);
  for (const callback of callbacks) callback();
}
