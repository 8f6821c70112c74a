import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy that can reset connections within a frame. */
export class Cutter {
  cuts = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: number;
  /** How many pieces each connection still passes on before it is cut. */
  #pieces = Number.POSITIVE_INFINITY;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#join(client));
  }

  static async start(target: number): Promise<Cutter> {
    const cutter = new Cutter(target);
    await once(cutter.#server.listen(0, '127.0.0.1'), 'listening');
    return cutter;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on, cuts each connection when it has passed on some pieces; with Infinity, none. */
  cutAfter(pieces: number): void {
    this.#pieces = pieces;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server.close(), 'close');
  }

  #join(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1');
    let pieces = 0;
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
    client.pipe(server);
    server.on('data', (bytes: Buffer) => {
      if (++pieces <= this.#pieces) return void client.write(bytes);
      // What a server sends ends with a whole frame, so without its last byte it ends within one.
      this.cuts++;
      client.write(bytes.subarray(0, -1), () => client.resetAndDestroy());
      server.destroy();
    });
  }
}
