import type { RequestOptions } from 'node:https';
import { connect as connectTcp, isIP, type NetConnectOpts, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { clearTimeout, setTimeout } from 'node:timers';
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls';
import { lingerTime } from '../../connection/byteStreamEnds';
import type { ClientTarget } from './clientAttempt';

/** The owner of a SessionSocket. One of the two methods is called, once, and never inside the constructor. */
export interface SessionSocketOwner {
  connected(socket: Duplex): void;
  failed(cause: Error): void;
}

/** The connection of a new HTTP/2 session. */
export class SessionSocket {
  readonly #owner: SessionSocketOwner;
  readonly #secure: boolean;
  /** Undefined until the callback of `createConnection` was called. */
  #socket: Duplex | undefined;
  #destroyed = false;

  constructor({ location, requestOptions }: ClientTarget, owner: SessionSocketOwner) {
    this.#owner = owner;
    this.#secure = location.protocol === 'wss:';
    const options = (this.#secure ? tlsOptions : tcpOptions)(addressOf(location), requestOptions);
    const { createConnection } = requestOptions;
    if (createConnection !== undefined) this.#create(createConnection, options);
    else this.#waitFor(this.#secure ? connectTls(options) : connectTcp(options as NetConnectOpts));
  }

  /** Destroys the connection, also one that `createConnection` makes later. */
  destroy(): void {
    this.#destroyed = true;
    this.#socket?.destroy();
  }

  /**
   * Destroys the connection if the server has not ended its side in time, so that it does not keep the process alive.
   */
  destroyLater(): void {
    const timer = setTimeout(() => this.destroy(), lingerTime).unref();
    this.#socket?.once('close', () => clearTimeout(timer));
  }

  /**
   * Makes the connection with `createConnection` of the program. As with `http.request()`, the function may return it
   * or pass it to the callback.
   */
  #create(createConnection: NonNullable<RequestOptions['createConnection']>, options: ConnectionOptions): void {
    let isMade = false;
    const made = (error: Error | null | undefined, socket?: Duplex | null) => {
      if (isMade || (!error && !socket)) return;
      isMade = true;
      if (error) process.nextTick(this.#failed, error);
      else this.#waitFor(socket as Duplex);
    };
    made(null, createConnection(options as RequestOptions, made));
  }

  #waitFor(socket: Duplex): void {
    this.#socket = socket;
    if (this.#destroyed) {
      socket.on('error', ignore);
      socket.destroy();
      return;
    }
    socket.once('error', this.#failed);
    const connected = () => this.#connected(socket);
    if (socket instanceof TLSSocket ? socket.alpnProtocol === null : (socket as Partial<Socket>).connecting === true)
      socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', connected);
    else process.nextTick(connected);
  }

  #connected(socket: Duplex): void {
    if (this.#destroyed) return;
    // From now on errors are reported by the session, or by the HTTP/1.1 request that is sent on the connection
    // instead.
    socket.removeListener('error', this.#failed);
    socket.on('error', ignore);
    this.#owner.connected(socket);
  }

  readonly #failed = (cause: Error) => this.#owner.failed(cause);
}

/** Returns the host and the port of a URL with the scheme ws or wss. */
function addressOf(location: URL): { host: string; port: number } {
  // Brackets of an IPv6 address are for URLs only.
  const host = location.hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(location.port) || (location.protocol === 'wss:' ? 443 : 80) };
}

function tcpOptions(address: { host: string; port: number }, options: RequestOptions): ConnectionOptions {
  return { ...options, ...address, path: options.socketPath } as ConnectionOptions;
}

function tlsOptions(address: { host: string; port: number }, options: RequestOptions): ConnectionOptions {
  const servername = isIP(address.host) === 0 ? address.host : '';
  return { servername, ...tcpOptions(address, options), ALPNProtocols: ['h2', 'http/1.1'] };
}

function ignore(): void {}
