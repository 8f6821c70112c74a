import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pipeline, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { WebSocket, WebSocketServer } from '../lib/webSocketHandler';

/** Every second, as JSON: what the handle counts, the memory, the delay of the event loop, and a round trip of a ping. */
async function* reports(ws: WebSocket, handle: WebSocketServer): AsyncGenerator<string> {
  const loop = monitorEventLoopDelay({ resolution: 10 });
  loop.enable();
  try {
    for (;;) {
      const roundTrip = await ws.ping();
      let waiting = 0;
      for (const { bufferedAmount } of handle.connections) waiting += bufferedAmount;
      yield JSON.stringify({
        connections: handle.connections.size,
        counters: handle.counters,
        memory: process.memoryUsage.rss(),
        waiting,
        // Nanoseconds, the resolution of the histogram included.
        loopDelay: Math.max(0, loop.percentile(99) / 1e6 - 10),
        roundTrip,
      });
      loop.reset();
      await delay(1000);
    }
  } finally {
    loop.disable();
  }
}

/** Sends the state of a server until the page is left. */
export function status(ws: WebSocket, handle: WebSocketServer): void {
  ws.connect();
  pipeline(Readable.from(reports(ws, handle)), ws, () => {
    // The page was left.
  });
}
