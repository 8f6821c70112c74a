import type { AnyWebSocket } from '../websocket/webSocket';

/** What a WebSocket can be a member of. */
interface Group {
  delete(webSocket: AnyWebSocket): boolean;
}

const memberships = new WeakMap<AnyWebSocket, Set<Group>>();

/** From now on a group hears of the end of a WebSocket. One listener does for all of its groups: a chat may have many rooms. */
export function join(webSocket: AnyWebSocket, group: Group): void {
  const groups = memberships.get(webSocket);
  if (groups !== undefined) groups.add(group);
  else {
    memberships.set(webSocket, new Set([group]));
    webSocket.on('close', leaveAll);
  }
}

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
