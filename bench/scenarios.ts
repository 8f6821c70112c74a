import type { ContenderName } from './contenders';
import { contenders, isOurs, nameOfAdded } from './contenders';
import type { Mark, Scenario } from './scenario';
import type { Work } from './work';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

const plain = { kind: 'text', content: 'plain', inFlight: 1, deflate: false } as const;

/** The CPU time of ours against that of others: the figure that counts. */
function cpu(subject: ContenderName, marks: Partial<Record<ContenderName, number>>): Mark[] {
  return Object.entries(marks).map(([against, atMost]) => ({
    figure: 'cpu',
    subject,
    against: against as ContenderName,
    atMost,
  }));
}

/** "No worse", with a tolerance: what is meant to be equal is never exactly so. */
const noWorse = 1.03;

const jsPeers = ['ws', 'ws, createWebSocketStream', 'websocket-stream', 'faye-websocket', 'websocket'] as const;
const styles = ['ours, events', 'ours, for await'] as const;

interface Shape {
  readonly name: string;
  readonly work: Pick<Work, 'size' | 'connections' | 'inFlight'>;
  readonly contenders: readonly ContenderName[];
  readonly marks: readonly Mark[];
}

const shapes: readonly Shape[] = [
  {
    name: '20 B, 64 in flight, 50 connections',
    work: { size: 20, connections: 50, inFlight: 64 },
    contenders: ['ours', ...styles, 'ours, byteStream', 'ours, API of ws', ...jsPeers, 'uWebSockets.js', 'net'],
    marks: [
      ...cpu('ours', { ws: 0.08, 'uWebSockets.js': 0.9 }),
      ...cpu('ours, events', { ours: noWorse }),
      ...cpu('ours, for await', { ours: 1.5 }),
      ...cpu('ours, API of ws', { ws: 0.3 }),
      ...cpu('ours, byteStream', { 'ws, createWebSocketStream': 0.35 }),
    ],
  },
  {
    name: '20 B, 1 in flight, 50 connections',
    work: { size: 20, connections: 50, inFlight: 1 },
    contenders: ['ours', ...styles, ...jsPeers, 'uWebSockets.js', 'net'],
    marks: [...cpu('ours', { ws: 0.85, net: 1.15 }), ...cpu('ours, events', { ours: noWorse })],
  },
  {
    name: '1 KiB, 16 in flight, 50 connections',
    work: { size: kibibyte, connections: 50, inFlight: 16 },
    contenders: ['ours', ...styles, 'ours, API of ws', ...jsPeers, 'uWebSockets.js', 'net'],
    marks: [...cpu('ours', { ws: 0.28, 'uWebSockets.js': 1.3 }), ...cpu('ours, events', { ours: noWorse })],
  },
  {
    name: '64 KiB, 4 in flight, 10 connections',
    work: { size: 64 * kibibyte, connections: 10, inFlight: 4 },
    contenders: ['ours', 'ours, byteStream', ...jsPeers, 'uWebSockets.js', 'net'],
    marks: cpu('ours', { ws: 1, net: 1.5 }),
  },
  {
    name: '1 MiB, 1 in flight, 4 connections',
    work: { size: mebibyte, connections: 4, inFlight: 1 },
    contenders: ['ours', 'ws', 'ws, createWebSocketStream', 'uWebSockets.js', 'net'],
    marks: cpu('ours', { ws: 1, net: 1.2 }),
  },
  {
    name: '16 MiB, 1 in flight, 2 connections',
    work: { size: 16 * mebibyte, connections: 2, inFlight: 1 },
    contenders: ['ours', 'ws', 'ws, toString()', 'ws, createWebSocketStream', 'uWebSockets.js', 'net'],
    marks: cpu('ours', { ws: 1, 'ws, toString()': 0.8, net: 1.2 }),
  },
];

const echoes: Scenario[] = shapes.flatMap(({ name, work, contenders: names, marks }) =>
  (['text', 'binary'] as const).map((kind) => ({
    section: 'Echoes',
    name: `${kind}, ${name}`,
    measures: 'echo' as const,
    work: { ...plain, ...work, kind },
    contenders: names.filter((name) => !((kind === 'text' ? 'binaryOnly' : 'textOnly') in contenders[name])),
    marks,
  })),
);

const otherEchoes: Scenario[] = [
  {
    section: 'Echoes',
    name: 'text in other scripts, 1 KiB, 16 in flight, 50 connections',
    measures: 'echo',
    work: { ...plain, content: 'otherScripts', size: kibibyte, connections: 50, inFlight: 16 },
    contenders: ['ours', 'ws', 'uWebSockets.js'],
    marks: [],
  },
  {
    section: 'Echoes',
    name: 'text, through split2, 20 B, 64 in flight, 50 connections',
    measures: 'echo',
    work: { ...plain, content: 'line', size: 20, connections: 50, inFlight: 64 },
    contenders: ['ours, split2', 'ws, split2'],
    marks: [],
  },
];

const json = { ...plain, content: 'json', size: 900, deflate: true } as const;

const compressed: Scenario[] = [
  {
    section: 'Compressed',
    name: 'JSON of 900 B, 8 in flight, 20 connections, context takeover',
    measures: 'echo',
    work: { ...json, connections: 20, inFlight: 8 },
    contenders: ['ours', 'ours, events', 'ws', 'uWebSockets.js'],
    marks: [
      ...cpu('ours', { ws: 0.3, 'uWebSockets.js': 1.4 }),
      { figure: 'wire', subject: 'ours', against: 'uWebSockets.js', atMost: 1 },
    ],
  },
];

/** Members of a topic in this process: WebSockets of one group, and one Duplex each in a pipe. */
const topics = ['ours, topic', 'ours, join()'] as const;

const audience = { ...plain, size: kibibyte, connections: 1000 } as const;

const broadcasts: Scenario[] = [
  {
    section: 'Broadcasts to 1,000 connections',
    name: '1 KiB, one message at a time',
    measures: 'broadcast',
    work: audience,
    contenders: ['ours, broadcast', ...topics, 'ws, broadcast', 'uWebSockets.js, broadcast', 'net, broadcast'],
    marks: [...cpu('ours, broadcast', { 'ws, broadcast': 0.9 }), ...cpu('ours, topic', { 'ours, broadcast': 1.1 })],
  },
  {
    section: 'Broadcasts to 1,000 connections',
    name: '16 messages of 1 KiB at a time',
    measures: 'broadcast',
    work: { ...audience, inFlight: 16 },
    contenders: ['ours, broadcast', ...topics, 'ws, broadcast', 'uWebSockets.js, broadcast', 'net, broadcast'],
    marks: [...cpu('ours, broadcast', { 'ws, broadcast': 0.4 }), ...cpu('ours, topic', { 'ours, broadcast': 1.1 })],
  },
  {
    section: 'Broadcasts to 1,000 connections',
    name: 'compressed JSON of 1 KiB, one message at a time',
    measures: 'broadcast',
    work: { ...audience, content: 'json', deflate: true },
    contenders: ['ours, broadcast', 'ws, broadcast', 'uWebSockets.js, broadcast'],
    marks: cpu('ours, broadcast', { 'ws, broadcast': 0.08 }),
  },
];

const clients: Scenario[] = [
  ...shapes.slice(0, 3).flatMap(({ name, work }) =>
    (['text', 'binary'] as const).map((kind) => ({
      section: 'Clients',
      name: `${kind}, ${name}`,
      measures: 'client' as const,
      work: { ...plain, ...work, kind },
      contenders: ['ours', 'ws'] as const,
      // With one in flight, nearly all of the time is that of the system.
      marks: cpu('ours', { ws: work.inFlight === 1 ? 1 : 0.5 }),
    })),
  ),
  {
    section: 'Clients',
    name: 'a connection that is opened and dropped, 50 at a time',
    measures: 'opening',
    work: { ...plain, size: 0, connections: 50 },
    contenders: ['ours', 'ws'],
    marks: cpu('ours', { ws: 1 }),
  },
];

const handshakes: Scenario[] = [
  {
    section: 'Handshakes',
    name: 'a connection that is opened',
    measures: 'handshakes',
    work: { ...plain, size: 20, connections: 2000 },
    contenders: ['ours', 'ws', 'uWebSockets.js', 'http'],
    marks: cpu('ours', { ws: 1.1, http: 1.4 }),
  },
  {
    section: 'Handshakes',
    name: 'a connection that is opened and closed',
    measures: 'openAndClose',
    work: { ...plain, size: 20, connections: 2000 },
    contenders: ['ours', 'ws', 'uWebSockets.js', 'http'],
    marks: cpu('ours', { ws: 1 }),
  },
];

/** The shapes of the leaderboard HttpArena: "hello", on many connections. */
const hello = { ...plain, size: 5, connections: 512 } as const;

const arenaContenders = ['ours', 'ours, events', 'ours, cluster', 'ws', 'uWebSockets.js', 'Bun'] as const;

const arena: Scenario[] = [
  ...[
    { profile: 'echo-ws', inFlight: 1, mark: 1 },
    { profile: 'echo-ws-pipeline', inFlight: 16, mark: 0.3 },
  ].map(({ profile, inFlight, mark }) => ({
    section: 'HttpArena',
    name: `${profile}: 5 B, ${inFlight} in flight, 512 connections`,
    measures: 'echo' as const,
    work: { ...hello, inFlight },
    contenders: arenaContenders,
    marks: cpu('ours', { ws: mark }),
  })),
  {
    section: 'HttpArena',
    name: 'echo-ws-limited: a connection with ten messages of 5 B, opened and dropped',
    measures: 'shortLived',
    work: { ...hello, connections: 2000 },
    contenders: arenaContenders,
    marks: cpu('ours, events', { ws: 0.9 }),
  },
];

function memory(subject: ContenderName, against: ContenderName, atMost: { resident: number; heap: number }): Mark[] {
  return Object.entries(atMost).map(([figure, most]) => ({ figure, subject, against, atMost: most }));
}

const memories: Scenario[] = [
  {
    section: 'Memory of an idle connection',
    name: '10,000 connections after one echo',
    measures: 'memory',
    work: { ...plain, kind: 'binary', size: 20, connections: 10_000 },
    contenders: [
      'ours',
      'ours, events',
      'ours, without request',
      'ours, events, without request',
      'ws',
      'ws, createWebSocketStream',
      'uWebSockets.js',
      'net',
    ],
    marks: [
      ...memory('ours', 'ws', { resident: 1, heap: 1.2 }),
      ...memory('ours, without request', 'ws', { resident: 1, heap: 1.2 }),
      ...memory('ours, events', 'ws', { resident: 0.95, heap: 1 }),
      ...memory('ours, events, without request', 'ws', { resident: 0.95, heap: 1 }),
      ...memory('ours', 'ws, createWebSocketStream', { resident: 0.7, heap: 0.7 }),
    ],
    rounds: 3,
  },
  {
    section: 'Memory of an idle connection',
    name: '10,000 connections with permessage-deflate after one echo of JSON',
    measures: 'memory',
    work: { ...json, connections: 10_000 },
    contenders: ['ours', 'ws', 'uWebSockets.js'],
    marks: [{ figure: 'resident', subject: 'ours', against: 'ws', atMost: 0.1 }],
    rounds: 3,
  },
];

const latencies: Scenario[] = [
  {
    section: 'Latency at half of the load that ws can bear',
    name: 'text, 1 KiB, 50 connections',
    measures: 'latency',
    work: { ...plain, size: kibibyte, connections: 50, inFlight: 16 },
    contenders: ['ours', 'ws', 'uWebSockets.js', 'net'],
    marks: ['p99', 'p999', 'longestPause', 'pausesPerMessage'].map((figure) => ({
      figure,
      subject: 'ours' as const,
      against: 'ws' as const,
      atMost: 0.9,
    })),
  },
];

const overHttp2 = ['ours, HTTP/2', 'ours'] as const;
const overHttp2AndFloors = [...overHttp2, 'net, HTTP/2', 'net'] as const;

const http2: Scenario[] = [
  ...shapes.slice(0, 4).map(({ name, work }) => ({
    section: 'HTTP/2, all connections on one session',
    name: `binary, ${name}`,
    measures: 'echo' as const,
    work: { ...plain, ...work, kind: 'binary' as const },
    contenders: overHttp2AndFloors,
    marks: cpu('ours, HTTP/2', { ours: work.size === 64 * kibibyte ? 1.3 : 1 }),
  })),
  {
    section: 'HTTP/2, all connections on one session',
    name: 'binary, 20 B, 1 in flight, 1,000 connections',
    measures: 'echo',
    work: { ...plain, kind: 'binary', size: 20, connections: 1000 },
    contenders: overHttp2,
    marks: [],
  },
  {
    section: 'HTTP/2, all connections on one session',
    name: 'memory of 1,000 connections after one echo',
    measures: 'memory',
    work: { ...plain, kind: 'binary', size: 20, connections: 1000 },
    contenders: overHttp2AndFloors,
    marks: memory('ours, HTTP/2', 'ours', { resident: 1, heap: 1 }),
    rounds: 3,
  },
];

const growing = ['ours', 'ws', 'uWebSockets.js', 'net'] as const;
/** Bytes that one connection has on the way, at most, where messages grow. */
const mostInFlight = 256 * kibibyte;

const growth: Scenario[] = [
  ...[1, 10, 100, 1000, 10_000].map((connections) => ({
    section: 'Growth of the number of connections',
    name: `${connections.toLocaleString('en')} connection${connections === 1 ? '' : 's'}, 1 KiB, 1 in flight`,
    measures: 'echo' as const,
    work: { ...plain, kind: 'binary' as const, size: kibibyte, connections },
    contenders: growing,
    marks: [],
    rounds: 3,
  })),
  ...[16, 256, 4 * kibibyte, 64 * kibibyte, mebibyte, 16 * mebibyte].map((size) => ({
    section: 'Growth of messages',
    name: `${describeSize(size)}, 4 connections`,
    measures: 'echo' as const,
    work: {
      ...plain,
      kind: 'binary' as const,
      size,
      connections: 4,
      inFlight: Math.max(1, Math.min(16, mostInFlight / size)),
    },
    contenders: growing,
    marks: [],
    rounds: 3,
  })),
];

export function describeSize(bytes: number): string {
  if (bytes < kibibyte) return `${bytes} B`;
  return bytes < mebibyte ? `${bytes / kibibyte} KiB` : `${bytes / mebibyte} MiB`;
}

const large: Scenario[] = [
  {
    section: 'One message of any size',
    name: 'an echo of 4 GiB in one message; who takes more than 1,024 MiB is stopped',
    measures: 'large',
    work: { ...plain, kind: 'binary', size: 4096 * mebibyte, connections: 1 },
    contenders: ['ours', 'ws', 'websocket-stream'],
    marks: ['server', 'client'].map((figure) => ({ figure, subject: 'ours' as const, atMost: 48 })),
    rounds: 1,
  },
];

const all: readonly Scenario[] = [
  ...echoes,
  ...otherEchoes,
  ...compressed,
  ...broadcasts,
  ...clients,
  ...handshakes,
  ...arena,
  ...memories,
  ...latencies,
  ...large,
  ...http2,
  ...growth,
];

/** Adds a second process of our first contender: a mark that is missed by no more than the two are apart is not missed. */
function withNoise(scenario: Scenario): Scenario {
  const { contenders: names, marks } = scenario;
  const [first, ...rest] = names;
  if (first === undefined || !isOurs(first) || marks.every(({ against }) => against === undefined)) return scenario;
  const again = nameOfAdded(first, 'again');
  return {
    ...scenario,
    contenders: [first, again, ...rest],
    marks: marks.map((mark) => ({ ...mark, noise: [first, again] })),
  };
}

export const scenarios: readonly Scenario[] = all.map(withNoise);
