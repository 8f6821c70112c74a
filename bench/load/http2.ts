import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';

/** As much as may be on the way: the load generator is not to be what a server waits for. */
const streamWindow = 2 ** 20;
const sessionWindow = 2 ** 26;

/** A bare session on which WebSockets can be opened (RFC 8441). */
export async function openSession(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`, {
    settings: { initialWindowSize: streamWindow, enablePush: false },
  });
  const [settings] = (await once(session, 'remoteSettings')) as [{ enableConnectProtocol?: boolean }];
  if (!settings.enableConnectProtocol) throw new Error('The server takes no WebSockets over HTTP/2');
  session.setLocalWindowSize(sessionWindow);
  return session;
}

/** A bare stream on which a WebSocket has been opened. */
export async function openStream(session: ClientHttp2Session, deflate: boolean): Promise<ClientHttp2Stream> {
  const offer = deflate ? { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' } : {};
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':path': '/',
      'sec-websocket-version': '13',
      ...offer,
    },
    { endStream: false },
  );
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  const accepted = headers[':status'] === 200;
  if (!accepted || 'sec-websocket-extensions' in headers !== deflate)
    throw new Error(`A handshake failed: ${JSON.stringify(headers)}`);
  stream.on('error', () => {});
  return stream;
}
