import type { OutgoingHttpHeaders } from 'node:http';
import type { RequestOptions } from 'node:https';
import { WebSocketError } from '../errors';
import type { Answer } from '../transports/clientAttempt';
import { locationOf } from './clientUrl';

/** One opening request: to whom, and everything that it says beside the handshake. */
export interface ClientTarget {
  /** With the scheme ws or wss, without a fragment, without name and password. */
  readonly location: URL;
  readonly headers: OutgoingHttpHeaders;
  /** What else Node's `http.request()` and `tls.connect()` take. */
  readonly requestOptions: RequestOptions;
}

const redirects = new Set([301, 302, 303, 307, 308]);

/** What a program says to one server and not to any other. */
const secretHeaders = new Set(['authorization', 'cookie', 'proxy-authorization', 'host']);
const ownOptions = ['auth', 'cert', 'key', 'passphrase', 'pfx', 'servername', 'socketPath'] as const;

/**
 * Where an answer sends us, or undefined if it does not. Another origin gets no credentials and no cookies, whoever has set
 * them; that the program trusts this server says nothing about the next.
 * @throws WebSocketError WS_ERR_HANDSHAKE_REFUSED for a redirect that must not be followed
 */
export function redirected(
  { statusCode, headers }: Pick<Answer, 'statusCode' | 'headers'>,
  target: ClientTarget,
): ClientTarget | undefined {
  const { location: answered } = headers;
  if (!redirects.has(statusCode) || answered === undefined) return undefined;
  const url = URL.canParse(answered, target.location.href) ? new URL(answered, target.location) : undefined;
  // Name and password in a redirect are the server's words, not the program's.
  const location = url && locationOf(url);
  const refuse = (why: string) => new WebSocketError('WS_ERR_HANDSHAKE_REFUSED', why, { statusCode, headers });
  if (location === undefined) throw refuse('it redirects to what is no URL for WebSockets');
  if (target.location.protocol === 'wss:' && location.protocol === 'ws:')
    throw refuse(`it redirects to ${location.href}, which is not encrypted`);
  if (location.origin === target.location.origin) return { ...target, location };
  return { location, headers: withoutSecrets(target.headers), requestOptions: withoutOwn(target.requestOptions) };
}

function withoutSecrets(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !secretHeaders.has(name.toLowerCase())));
}

function withoutOwn(options: RequestOptions): RequestOptions {
  const rest = { ...options };
  for (const name of ownOptions) delete rest[name];
  return rest;
}
