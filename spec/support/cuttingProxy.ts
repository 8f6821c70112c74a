import { once } from 'node:events';
import { type AddressInfo, createServer, connect as openSocket, type Socket } from 'node:net';
import type { CuttingLink } from './cuttingLink';

/** A TCP proxy with a link between its two sides. */
export interface CuttingProxy extends AsyncDisposable {
  readonly port: number;
  /** The link of the next connection. Its first end is the server's. */
  link: CuttingLink | undefined;
}

/** @param port that of the server behind it */
export async function startCuttingProxy(port: number): Promise<CuttingProxy> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const [serverEnd, clientEnd] = (proxy.link as CuttingLink).ends;
    join(openSocket({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }), serverEnd);
    join(client, clientEnd);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const proxy: CuttingProxy = {
    port: (server.address() as AddressInfo).port,
    link: undefined,
    [Symbol.asyncDispose]: async () => void (await once(server.close(), 'close')),
  };
  return proxy;
}

function join(socket: Socket, end: CuttingLink['ends'][0]): void {
  socket.pipe(end).pipe(socket);
  socket.on('error', () => end.destroy());
  end.on('close', () => {
    if (!end.readableEnded) socket.resetAndDestroy();
  });
}
