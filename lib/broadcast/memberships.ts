import type { AnyWebSocket } from '../websocket/webSocket';

/** A group that a WebSocket can be a member of: a BroadcastStream. */
interface Group {
  delete(webSocket: AnyWebSocket): boolean;
}

const memberships = new WeakMap<AnyWebSocket, Set<Group>>();

/**
 * Deletes the WebSocket from the group when it closes. All groups of a WebSocket share one 'close' listener: with one each, Node would warn
 * of a leak from the eleventh on.
 */
export function join(webSocket: AnyWebSocket, group: Group): void {
  const groups = memberships.get(webSocket);
  if (groups !== undefined) groups.add(group);
  else {
    memberships.set(webSocket, new Set([group]));
    webSocket.on('close', leaveAll);
  }
}

/** Forgets that the WebSocket is a member of the group. */
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
