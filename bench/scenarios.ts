export interface Scenario {
  readonly name: string;
  readonly kind: 'text' | 'binary';
  /** Bytes of one message. */
  readonly size: number;
  readonly connections: number;
  /** Messages that each connection has on the way at any time. */
  readonly inFlight: number;
  /** The mark: our CPU time per message as a part of the peer's. */
  readonly mark: number;
}

const shapes = [
  { name: '20 B, 64 in flight', size: 20, connections: 50, inFlight: 64, mark: 0.15 },
  { name: '20 B, 1 in flight', size: 20, connections: 50, inFlight: 1, mark: 0.95 },
  { name: '1 KiB, 16 in flight', size: 1024, connections: 50, inFlight: 16, mark: 0.35 },
  { name: '64 KiB, 4 in flight', size: 64 * 1024, connections: 10, inFlight: 4, mark: 0.5 },
] as const;

export const scenarios: readonly Scenario[] = shapes.flatMap((shape) => [
  { ...shape, kind: 'text' as const },
  { ...shape, kind: 'binary' as const },
]);
