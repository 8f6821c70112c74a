/** What is measured, and with which messages. */
export interface Scenario {
  /**
   * `cpu`: what an echo costs a server. `memory`: what connections that have become silent cost it. `client`: what an echo costs a
   * client. `handshakes`: what it costs a client to open a connection and drop it. `broadcast`: what each receiver of a message
   * costs a server.
   */
  readonly measures: 'cpu' | 'memory' | 'client' | 'handshakes' | 'broadcast';
  readonly name: string;
  readonly kind: 'text' | 'binary';
  /** Bytes of one message. */
  readonly size: number;
  readonly connections: number;
  /** Messages that each connection has on the way at any time. */
  readonly inFlight: number;
  /** Whether the messages travel compressed, by permessage-deflate with the parameters that both libraries have by default. */
  readonly deflate: boolean;
  /** The mark: our figure as a part of the peer's. */
  readonly mark: number;
}

const plain = { measures: 'cpu', deflate: false } as const;

const shapes = [
  { ...plain, name: '20 B, 64 in flight', size: 20, connections: 50, inFlight: 64, mark: 0.15 },
  { ...plain, name: '20 B, 1 in flight', size: 20, connections: 50, inFlight: 1, mark: 0.95 },
  { ...plain, name: '1 KiB, 16 in flight', size: 1024, connections: 50, inFlight: 16, mark: 0.35 },
  { ...plain, name: '64 KiB, 4 in flight', size: 64 * 1024, connections: 10, inFlight: 4, mark: 0.5 },
] as const;

const compressed = { name: 'compressed JSON, 900 B', kind: 'text', size: 900, deflate: true } as const;

const broadcast = { measures: 'broadcast', kind: 'text', size: 1024, connections: 1000, inFlight: 1 } as const;

const client = { ...plain, measures: 'client', connections: 50 } as const;

export const scenarios: readonly Scenario[] = [
  ...shapes.flatMap((shape) => [
    { ...shape, kind: 'text' as const },
    { ...shape, kind: 'binary' as const },
  ]),
  { ...compressed, measures: 'cpu', connections: 20, inFlight: 8, mark: 0.4 },
  { ...compressed, measures: 'memory', connections: 1000, inFlight: 1, mark: 0.15 },
  { ...client, name: 'client, 20 B, 64 in flight', kind: 'text', size: 20, inFlight: 64, mark: 0.5 },
  { ...client, name: 'client, 20 B, 64 in flight', kind: 'binary', size: 20, inFlight: 64, mark: 0.5 },
  { ...client, measures: 'handshakes', name: 'client, handshakes', kind: 'text', size: 0, inFlight: 16, mark: 1 },
  { ...broadcast, name: 'broadcast, 1 KiB', deflate: false, mark: 0.5 },
  { ...broadcast, name: 'broadcast, 16 × 1 KiB', inFlight: 16, deflate: false, mark: 0.5 },
  { ...broadcast, name: 'compressed broadcast', deflate: true, mark: 0.1 },
];
