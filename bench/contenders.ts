import { spawnSync } from 'node:child_process';
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
  /** What it does differently, it does only with texts. */
  readonly textOnly?: true;
  /** The native code without which it would not be the server that its name says. */
  readonly addon?: string;
  /** What runs it, if that is not Node. */
  readonly runtime?: 'bun';
  /** Whether it is the build that `--against` names, instead of the build of this folder. */
  readonly otherBuild?: true;
}

const overHttp1 = { returns: 'messages', transport: 'http1' } as const;
const ours = { library: 'ours', ...overHttp1 };
const ws = { library: 'ws', ...overHttp1, addon: 'bufferutil' };
const uWebSockets = { library: 'uWebSockets', ...overHttp1, addon: 'uws' };
const net = { library: 'net', returns: 'bytes', transport: 'http1' } as const;

/** This library through a pipe is just 'ours'. */
const ofThisLibrary = {
  ours: { ...ours, style: 'pipe' },
  'ours, events': { ...ours, style: 'events' },
  'ours, for await': { ...ours, style: 'loop' },
  'ours, split2': { ...ours, style: 'split2' },
  'ours, broadcast': { ...ours, style: 'broadcast' },
  'ours, HTTP/2': { ...ours, style: 'pipe', transport: 'http2' },
} as const satisfies Record<string, Contender>;

/** The package ws through its events is just 'ws'. */
const others = {
  // These two are not among those above, to each of which an older build is added by `--against`: it may not have them.
  'ours, byteStream': { ...ours, style: 'byteStream', binaryOnly: true },
  'ours, API of ws': { library: 'oursByApiOfWs', ...overHttp1, style: 'events' },
  'ours, topic': { ...ours, library: 'oursByTopics', style: 'topic' },
  'ours, cluster': { ...ours, library: 'cluster', style: 'pipe' },
  'ours, without request': { ...ours, style: 'pipeWithoutRequest' },
  'ours, events, without request': { ...ours, style: 'eventsWithoutRequest' },
  'ours, join()': { ...ours, library: 'oursByTopics', style: 'join' },
  ws: { ...ws, style: 'events' },
  'ws, toString()': { ...ws, style: 'readsText', textOnly: true },
  'ws, createWebSocketStream': { ...ws, style: 'stream', binaryOnly: true },
  'ws, split2': { ...ws, style: 'split2' },
  'ws, broadcast': { ...ws, style: 'broadcast' },
  'websocket-stream': { library: 'websocketStream', ...overHttp1, style: 'pipe', binaryOnly: true },
  'faye-websocket': { library: 'fayeWebsocket', ...overHttp1, style: 'events' },
  websocket: { library: 'websocket', ...overHttp1, style: 'events' },
  'uWebSockets.js': { ...uWebSockets, style: 'echo' },
  'uWebSockets.js, broadcast': { ...uWebSockets, style: 'broadcast' },
  Bun: { library: 'bun', ...overHttp1, style: 'echo', runtime: 'bun' },
  net: { ...net, style: 'echo' },
  'net, broadcast': { ...net, style: 'broadcast' },
  'net, HTTP/2': { library: 'http2', returns: 'bytes', transport: 'http2', style: 'echo' },
  http: { library: 'http', ...overHttp1, style: 'upgrade' },
  faulty: { library: 'faulty', ...overHttp1, style: 'pipe' },
  'faulty, broadcast': { library: 'faulty', ...overHttp1, style: 'broadcast' },
} as const satisfies Record<string, Contender>;

export type OurName = keyof typeof ofThisLibrary;

/**
 * What `--against` adds to each contender of ours: the other build, and a second process of the build of this folder. How far the second
 * process is from the first is the noise that a comparison of the two builds has to exceed.
 */
const additions = { before: { otherBuild: true }, again: {} } as const;

type AddedName = `${OurName}, ${keyof typeof additions}`;
export type ContenderName = OurName | AddedName | keyof typeof others;

/** @returns the name of the contender that `--against` adds to one of ours */
export function nameOfAdded(name: OurName, addition: keyof typeof additions): AddedName {
  return `${name}, ${addition}`;
}

/** Whether a contender is a second process of another one, to know the noise. */
export function isSecondProcess(name: ContenderName): boolean {
  return name.endsWith(', again');
}

export function isOurs(name: ContenderName): name is OurName {
  return name in ofThisLibrary;
}

function add(addition: keyof typeof additions): Record<AddedName, Contender> {
  const added = Object.entries(ofThisLibrary).map(([name, contender]) => [
    nameOfAdded(name as OurName, addition),
    { ...contender, ...additions[addition] },
  ]);
  return Object.fromEntries(added);
}

/** By the name that they have in the results. */
export const contenders: Readonly<Record<ContenderName, Contender>> = {
  ...ofThisLibrary,
  ...add('before'),
  ...add('again'),
  ...others,
};

let loadsUWebSockets: boolean | undefined;

/** uWebSockets.js is a binary, and not for every version of Node and every system there is one. */
export function runsHere(name: ContenderName): boolean {
  if (contenders[name].library !== 'uWebSockets') return true;
  loadsUWebSockets ??=
    spawnSync(process.execPath, ['--eval', "require('uwebsockets')"], { cwd: __dirname, stdio: 'ignore' }).status === 0;
  return loadsUWebSockets;
}
