import { describeValue } from '../codec/describeValue';
import { WebSocketError } from '../errors';

/** The parts of a URL. `auth` and `socketPath` are options of Node's `http.request()`. */
export interface Destination {
  /** The URL with the scheme ws or wss, without a fragment, without name and password. */
  readonly location: URL;
  /** `name:password`, for HTTP authentication. */
  readonly auth?: string;
  /** The Unix domain socket to connect to, instead of host and port. */
  readonly socketPath?: string;
}

const schemes: Readonly<Record<string, 'ws:' | 'wss:'>> = {
  'ws:': 'ws:',
  'wss:': 'wss:',
  'http:': 'ws:',
  'https:': 'wss:',
};

/** @throws WebSocketError WS_ERR_INVALID_ARGUMENT */
export function parseClientUrl(url: string | URL): Destination {
  let cause: unknown;
  try {
    const parsed = new URL(url);
    const destination = parsed.protocol === 'ws+unix:' ? unixDestination(parsed) : netDestination(parsed);
    if (destination !== undefined) return destination;
  } catch (error) {
    if (error instanceof URIError)
      throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'the URL has a malformed escape', { cause: error });
    cause = error;
  }
  const takes = 'ws, wss, http, https, or ws+unix as in ws+unix:/path/of/socket:/path?query';
  const detail = `the URL must be one with the scheme ${takes}, not ${describeUrl(url)}`;
  throw new WebSocketError('WS_ERR_INVALID_ARGUMENT', detail, { cause });
}

/** Describes a value without the parts of a URL that may be secret, because error messages are logged. */
function describeUrl(url: unknown): string {
  if (typeof url !== 'string' && !(url instanceof URL)) return describeValue(url);
  const shown = String(url)
    .replace(/[?#].*$/s, '')
    .replace(/^.*@/s, '');
  const isHost = !shown.includes('://') && URL.canParse(`ws://${shown}`);
  return isHost && shown !== '' ? `${describeValue(shown)}; did you mean ws://${shown}?` : describeValue(shown);
}

/** Changes a URL to the scheme ws or wss; returns undefined if its scheme is not one of WebSocket or HTTP. */
export function locationOf(url: URL): URL | undefined {
  const scheme = schemes[url.protocol];
  if (scheme === undefined) return undefined;
  if (url.protocol !== scheme) url.protocol = scheme;
  // Fragments have no meaning in WebSocket URLs (RFC 6455 §3). Name and password are sent in a header, not in the
  // request line.
  if (url.hash !== '') url.hash = '';
  if (url.username !== '') url.username = '';
  if (url.password !== '') url.password = '';
  return url;
}

function netDestination(url: URL): Destination | undefined {
  const { username, password } = url;
  const location = locationOf(url);
  if (location === undefined || (username === '' && password === '')) return location && { location };
  return { location, auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` };
}

/** Splits `ws+unix:/path/of/socket:/path` at the colon into the path of the socket and the path of the request. */
function unixDestination({ host, pathname, search }: URL): Destination | undefined {
  const colon = pathname.indexOf(':');
  const socketPath = decodeURIComponent(colon === -1 ? pathname : pathname.slice(0, colon));
  if (host !== '' || socketPath === '') return undefined;
  const location = new URL('ws://localhost');
  if (colon !== -1) location.pathname = pathname.slice(colon + 1);
  location.search = search;
  return { location, socketPath };
}
