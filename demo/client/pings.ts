import { setInterval } from 'node:timers/promises';
import type { WebSocket } from '../../lib/webSocketHandler';

/**
 * Sends a ping after each interval, up to the end of the connection. The next one waits for the pong of the last one.
 * @param interval in milliseconds
 * @param answered called with the milliseconds that each pong has taken
 */
export async function sendPings(ws: WebSocket, interval: number, answered: (time: number) => void): Promise<void> {
  const ended = new AbortController();
  ws.once('close', () => ended.abort());
  try {
    for await (const _ of setInterval(interval, undefined, { signal: ended.signal })) answered(await ws.ping());
  } catch (error) {
    // That the connection is closing or has ended is said by its own events. A version that has no pings is a mistake of the user.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code !== 'ABORT_ERR' && code !== 'WS_ERR_NOT_OPEN') ws.destroy(error as Error);
  }
}
