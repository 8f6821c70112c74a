import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { configureServer, type ServerOptions, type WebSocketServer } from '../../lib/webSocketHandler';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A configured HTTP server on a free port, and everything a spec wants to know of it. */
export interface TestServer extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  readonly handle: WebSocketServer;
}

export async function listen(handler: Handler, options: ServerOptions = {}): Promise<TestServer> {
  return serve(createServer(handler), options);
}

export async function serve(server: Server, options: ServerOptions = {}): Promise<TestServer> {
  const handle = configureServer(server, options);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    handle,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await handle.close({ timeout: 100 });
      await closed;
    },
  };
}

/** The lines of a good opening request, to be changed one at a time. */
export const goodRequest = {
  start: 'GET /chat HTTP/1.1',
  host: 'Host: example.org',
  upgrade: 'Upgrade: websocket',
  connection: 'Connection: Upgrade',
  key: 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  version: 'Sec-WebSocket-Version: 13',
};

/** An opening request as it stands on the wire. A line that is changed to undefined is left out. */
export function openingRequest(changes: Record<string, string | undefined> = {}): string {
  const lines = Object.values({ ...goodRequest, ...changes }).filter((line) => line !== undefined);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

export interface RawAnswer {
  readonly statusCode: number;
  readonly headers: Map<string, string>;
  /** What came behind the head, up to now or, if the server ended the connection, all of it. */
  readonly body: Buffer;
}

/** A client made of a bare socket: it keeps everything that comes, and tells when something new has. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
      socket.emit('news');
    });
    socket.on('close', () => {
      this.ended = true;
      socket.emit('news');
    });
    socket.on('end', () => {
      this.ended = true;
      socket.emit('news');
    });
    socket.on('error', () => {});
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Opens a WebSocket; whatever follows the head of the answer stays in `received`. */
  static async open(port: number, changes: Record<string, string | undefined> = {}): Promise<RawClient> {
    const client = await RawClient.connect(port);
    client.write(openingRequest(changes));
    const { statusCode } = await client.head();
    if (statusCode !== 101) throw new Error(`The server answered ${statusCode}`);
    return client;
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Waits until what was received satisfies the condition, or the server has ended the connection. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.ended) await once(this.socket, 'news');
  }

  /** Takes the head of a response off what was received. */
  async head(): Promise<Omit<RawAnswer, 'body'>> {
    await this.until(() => this.received.includes('\r\n\r\n'));
    const end = this.received.indexOf('\r\n\r\n');
    const [start = '', ...lines] = this.received.subarray(0, end).toString('latin1').split('\r\n');
    this.received = this.received.subarray(end + 4);
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const before = headers.get(name);
      const value = line.slice(colon + 1).trim();
      headers.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    return { statusCode: Number(start.split(' ')[1]), headers };
  }

  /** The whole of a response after which the server ends the connection. */
  async answer(): Promise<RawAnswer> {
    const head = await this.head();
    await this.until(() => false);
    return { ...head, body: this.received };
  }

  /** Takes this many bytes off what was received, as hex. */
  async take(length: number): Promise<string> {
    await this.until(() => this.received.length >= length);
    const taken = this.received.subarray(0, length).toString('hex');
    this.received = this.received.subarray(length);
    return taken;
  }

  async end(): Promise<void> {
    await this.until(() => false);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Sends one opening request and returns the whole answer. */
export async function ask(port: number, request: string): Promise<RawAnswer> {
  const client = await RawClient.connect(port);
  client.write(request);
  const answer = await client.answer();
  client.socket.destroy();
  return answer;
}

/** A client's frame, masked, with a payload shorter than 64 KiB. */
export function clientFrame(first: number, payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload as Uint8Array);
  const key = Buffer.from('37fa213d', 'hex');
  const masked = bytes.map((byte, i) => byte ^ (key[i & 3] as number));
  const { length } = bytes;
  const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([first, ...size]), key, masked]);
}
