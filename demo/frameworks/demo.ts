import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import type { WebSocketServer } from '../../lib/webSocketHandler';

/** An application that listens. */
export interface Demo {
  readonly port: number;
  /** Closes the WebSockets and the server, and resolves when both are gone. */
  close(): Promise<void>;
}

export function portOf(server: { address(): ReturnType<Server['address']> }): number {
  return (server.address() as AddressInfo).port;
}

/** @param handle what `configureServer(server)` has returned */
export async function listen(server: Server, handle: WebSocketServer, port: number): Promise<Demo> {
  await once(server.listen(port), 'listening');
  return {
    port: portOf(server),
    async close() {
      const closed = once(server, 'close');
      server.close();
      await handle.close();
      await closed;
    },
  };
}

/** What an example does as a program: Ctrl-C, or SIGTERM of a process manager, closes it. Then nothing keeps the process alive. */
export async function runUntilSignal(start: () => Promise<Demo>): Promise<void> {
  const { port, close } = await start();
  console.log(`http://localhost:${port}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close());
}
