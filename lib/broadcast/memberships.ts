import { ownListener } from '../websocket/duplexOverrides';
import type { AnyWebSocket } from '../websocket/webSocket';

/** A group that a WebSocket can be a member of: a BroadcastStream. */
interface Group {
  delete(webSocket: AnyWebSocket): boolean;
}

const memberships = new WeakMap<AnyWebSocket, Set<Group>>();

/**
 * Deletes the WebSocket from the group when it closes. All groups of a WebSocket share one 'close' listener, because
 * Node warns of a leak at the eleventh listener.
 */
export function join(webSocket: AnyWebSocket, group: Group): void {
  const groups = memberships.get(webSocket);
  if (groups !== undefined) groups.add(group);
  else {
    memberships.set(webSocket, new Set([group]));
    webSocket.on('close', ownListener(leaveAll));
  }
}

/** Removes the group from the groups of the WebSocket. */
export function leave(webSocket: AnyWebSocket, group: Group): void {
  const groups = memberships.get(webSocket);
  groups?.delete(group);
  if (groups?.size !== 0) return;
  memberships.delete(webSocket);
  webSocket.removeListener('close', leaveAll);
}

function leaveAll(this: AnyWebSocket): void {
  for (const group of memberships.get(this) ?? []) group.delete(this);
}
