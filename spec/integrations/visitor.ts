import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect, type WebSocket, type WebSocketError } from '../../lib/webSocketHandler';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a server is spoken to. With a certificate: over TLS, with WebSockets over HTTP/2 and everything else over HTTP/1.1. */
export interface Address {
  readonly port: number;
  /** The certificate of the server, as PEM. */
  readonly ca?: string | undefined;
}

/** A client of an example, which keeps the cookies that it is given. */
export class Visitor {
  readonly #cookies = new Map<string, string>();
  readonly #address: Address;

  constructor(address: Address) {
    this.#address = address;
  }

  /** Whether its WebSockets are over HTTP/2. */
  get http2(): boolean {
    return this.#address.ca !== undefined;
  }

  get #authority(): string {
    return `localhost:${this.#address.port}`;
  }

  get #headers(): Record<string, string> {
    const cookies = [...this.#cookies].map(([name, value]) => `${name}=${value}`);
    return cookies.length === 0 ? {} : { Cookie: cookies.join('; ') };
  }

  /** Sends an ordinary request, over a connection of its own. */
  async ask(method: string, path: string): Promise<Answer> {
    const { ca } = this.#address;
    const url = `${ca === undefined ? 'http' : 'https'}://${this.#authority}${path}`;
    const options = { method, headers: this.#headers, agent: false, ca };
    const asked = (ca === undefined ? request : requestHttps)(url, options as object).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    this.#keep(response.headers['set-cookie']);
    return { status: Number(response.statusCode), headers: response.headers, body: await text(response) };
  }

  /** Opens a WebSocket. */
  open(path: string): WebSocket {
    const { ca } = this.#address;
    if (ca === undefined) return connect(`ws://${this.#authority}${path}`, { headers: this.#headers });
    return connect(`wss://${this.#authority}${path}`, { headers: this.#headers, http2: true, ca });
  }

  /** Asks for a WebSocket that must be refused, and returns the error. */
  async refusal(path: string): Promise<WebSocketError> {
    const ws = this.open(path);
    ws.once('open', () => ws.abort(new Error(`${path} was not refused`)));
    const [error] = (await once(ws, 'error')) as [WebSocketError];
    return error;
  }

  /** The header fields with which a WebSocket is accepted. */
  async acceptance(path: string): Promise<Answer> {
    return this.#address.ca === undefined ? await this.#upgrade(path) : await this.#extendedConnect(path);
  }

  async #upgrade(path: string): Promise<Answer> {
    const handshake = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
    };
    const asked = request(`http://${this.#authority}${path}`, { headers: { ...this.#headers, ...handshake } }).end();
    const [{ statusCode, headers }, socket] = (await once(asked, 'upgrade')) as [IncomingMessage, Socket];
    await leave(socket);
    return { status: Number(statusCode), headers, body: '' };
  }

  async #extendedConnect(path: string): Promise<Answer> {
    const session = connectHttp2(`https://${this.#authority}`, { ca: this.#address.ca } as object);
    await once(session, 'remoteSettings');
    const handshake = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': path, 'sec-websocket-version': '13' };
    const stream = session.request({ ...handshake, ...this.#headers }, { endStream: false });
    const [headers] = (await once(stream, 'response')) as [Record<string, string>];
    const closed = once(session, 'close');
    session.destroy();
    await closed;
    return { status: Number(headers[':status']), headers, body: '' };
  }

  #keep(cookies: readonly string[] = []): void {
    for (const cookie of cookies) {
      const [pair = ''] = cookie.split(';');
      const equals = pair.indexOf('=');
      this.#cookies.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
  }
}

async function leave(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
}
