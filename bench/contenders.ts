import type { Address } from './work';

/** A server that is measured. */
export interface Contender {
  /** A file of `servers/`, without its ending. */
  readonly library: string;
  /** How the library is used, where it is used in more than one way. */
  readonly style: string;
  readonly returns: Address['returns'];
  readonly transport: Address['transport'];
  /** It makes binary messages of all that it gets. */
  readonly binaryOnly?: true;
  /** The native code without which it would not be the server that its name says. */
  readonly addon?: string;
}

const overHttp1 = { returns: 'messages', transport: 'http1' } as const;
const ours = { library: 'ours', ...overHttp1 };
const ws = { library: 'ws', ...overHttp1, addon: 'bufferutil' };
const uWebSockets = { library: 'uWebSockets', ...overHttp1, addon: 'uws' };
const net = { library: 'net', returns: 'bytes', transport: 'http1' } as const;

/** By the name that they have in the results. Ours through a pipe is just 'ours', that of ws through its events 'ws'. */
export const contenders = {
  ours: { ...ours, style: 'pipe' },
  'ours, events': { ...ours, style: 'events' },
  'ours, for await': { ...ours, style: 'loop' },
  'ours, split2': { ...ours, style: 'split2' },
  'ours, broadcast': { ...ours, style: 'broadcast' },
  'ours, HTTP/2': { ...ours, style: 'pipe', transport: 'http2' },
  ws: { ...ws, style: 'events' },
  'ws, createWebSocketStream': { ...ws, style: 'stream', binaryOnly: true },
  'ws, split2': { ...ws, style: 'split2' },
  'ws, broadcast': { ...ws, style: 'broadcast' },
  'websocket-stream': { library: 'websocketStream', ...overHttp1, style: 'pipe', binaryOnly: true },
  'faye-websocket': { library: 'fayeWebsocket', ...overHttp1, style: 'events' },
  websocket: { library: 'websocket', ...overHttp1, style: 'events' },
  'uWebSockets.js': { ...uWebSockets, style: 'echo' },
  'uWebSockets.js, broadcast': { ...uWebSockets, style: 'broadcast' },
  net: { ...net, style: 'echo' },
  'net, broadcast': { ...net, style: 'broadcast' },
  http: { library: 'http', ...overHttp1, style: 'upgrade' },
  faulty: { library: 'faulty', ...overHttp1, style: 'pipe' },
  'faulty, broadcast': { library: 'faulty', ...overHttp1, style: 'broadcast' },
} as const satisfies Record<string, Contender>;

export type ContenderName = keyof typeof contenders;
