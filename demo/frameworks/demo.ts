import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import type { WebSocketServer } from '../../lib/webSocketHandler';

/** An application that listens. */
export interface Demo {
  readonly port: number;
  /** Closes the WebSockets and the server, and resolves when both are gone. */
  close(): Promise<void>;
}

/** @param handle what `configureServer(server)` has returned */
export async function listen(server: Server, handle: WebSocketServer, port: number): Promise<Demo> {
  await once(server.listen(port), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await handle.close();
      await closed;
    },
  };
}
