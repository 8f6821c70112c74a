import { once } from 'node:events';

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type ServerOptions as Http2Options,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { configureServer, type ServerOptions, type WebSocketServer } from '../../lib/webSocketHandler';

export type Http2Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** A configured server for HTTP/2 without TLS, on a free port. */
export interface Http2TestServer extends AsyncDisposable {
  readonly server: Http2Server;
  readonly handle: WebSocketServer;
  /** Of the server, with the scheme http. */
  readonly url: string;
  /** The same with the scheme ws. */
  readonly webSocketUrl: string;
  /** The sessions that were opened so far. */
  readonly sessions: ServerHttp2Session[];
}

export async function listenHttp2(
  handler: Http2Handler | undefined,
  options: ServerOptions = {},
  http2Options: Http2Options = {},
): Promise<Http2TestServer> {
  const server = createServer(http2Options);
  if (handler !== undefined) server.on('request', handler);
  const handle = configureServer(server, options);
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session) => sessions.push(session));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const authority = `localhost:${(server.address() as AddressInfo).port}`;
  return {
    server,
    handle,
    sessions,
    url: `http://${authority}`,
    webSocketUrl: `ws://${authority}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      await handle.close({ timeout: 100 });
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

/** Opens a session, and waits until its server has said what it can. */
export async function openSession(url: string): Promise<ClientHttp2Session & AsyncDisposable> {
  const session = connect(url, { family: 4 } as object);
  await once(session, 'remoteSettings');
  return Object.assign(session, {
    async [Symbol.asyncDispose]() {
      if (session.closed && session.destroyed) return;
      const closed = once(session, 'close');
      session.destroy();
      await closed;
    },
  });
}

/** A good opening request over HTTP/2, to be changed. A header that is changed to undefined is left out. */
export function extendedConnect(path: string, changes: OutgoingHttpHeaders = {}): OutgoingHttpHeaders {
  const headers = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': path,
    'sec-websocket-version': '13',
    ...changes,
  };
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

/** Sends a request and returns the whole answer. */
export async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<Http2Answer> {
  const stream: ClientHttp2Stream = session.request(headers, { endStream: headers[':protocol'] === undefined });
  const [answered] = (await once(stream, 'response')) as [OutgoingHttpHeaders];
  return { status: Number(answered[':status']), headers: answered, body: await text(stream) };
}

/** Sends a request, and resets its stream when the status of the answer is known. */
export async function statusOf(session: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<number> {
  const stream = session.request(headers, { endStream: false });
  const [answered] = (await once(stream, 'response')) as [OutgoingHttpHeaders];
  const closed = once(stream, 'close');
  stream.close(constants.NGHTTP2_CANCEL);
  await closed;
  return Number(answered[':status']);
}
