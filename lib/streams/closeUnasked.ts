import type { WebSocket } from './webSocket';

/**
 * Closes a WebSocket that its program has not asked to close. The program learns of it only when it is over: a write that comes
 * too late is no mistake of its own, and must not end the process.
 */
export function closeUnasked(webSocket: WebSocket, code: number, reason: string): void {
  webSocket.on('error', ignore);
  webSocket.close(code, reason);
}

function ignore(): void {}
