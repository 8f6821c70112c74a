import type { Role, WebSocket } from '../../lib/webSocketHandler';
import type { RawEnd } from '../endings/rawEnd';
import { type Connection, type Opening, open, type TransportKind, transportKinds } from '../endings/rigs';
import { VirtualTime } from './virtualTime';

/** Where a WebSocket can be: each transport, each role. */
export interface Place {
  readonly transport: TransportKind;
  readonly role: Role;
}

export const places: readonly Place[] = transportKinds.flatMap((transport) => [
  { transport, role: 'server' as const },
  { transport, role: 'client' as const },
]);

/** Places that a raw byte stream can be the peer of. */
export const networkPlaces = places.filter(({ transport }) => transport !== 'pair');

export const nameOf = ({ transport, role }: Place): string => `${role} over ${transport}`;

type Options = Partial<Pick<Opening, 'options' | 'peerOptions'>>;

/** The deadlines of a connection of a spec. */
const quick = { closeTimeout: 1000, heartbeat: false as const };

/** A connection between two WebSockets of the library. */
export type OpenPair = Omit<Connection, 'ws' | 'peer'> & {
  readonly ws: WebSocket;
  readonly peer: WebSocket;
} & AsyncDisposable;

/** Opens a connection whose peer is a WebSocket of the library too. */
export async function openBoth(place: Place, { options, peerOptions }: Options = {}): Promise<OpenPair> {
  const connection = await open({
    ...place,
    rawPeer: false,
    options: { ...quick, ...options },
    peerOptions: { ...quick, ...peerOptions },
    signal: undefined,
  });
  return connection as unknown as OpenPair;
}

export type OpenRaw = Omit<Connection, 'ws' | 'peer'> & {
  readonly ws: WebSocket;
  readonly peer: RawEnd;
} & AsyncDisposable;

/** Opens a connection whose peer is a raw byte stream. */
export async function openRaw(place: Place, { options }: Pick<Options, 'options'> = {}): Promise<OpenRaw> {
  const connection = await open({
    ...place,
    rawPeer: true,
    options: { ...quick, ...options },
    peerOptions: {},
    signal: undefined,
  });
  return connection as unknown as OpenRaw;
}

/** Does the work while virtual time goes by. */
export async function inVirtualTime(work: (time: VirtualTime) => Promise<void>, step = 50): Promise<void> {
  using time = new VirtualTime();
  time.start();
  const done = work(time);
  await time.passUntil(done, step);
  await done;
}

/** Waits for this many milliseconds of virtual time. */
export function pass(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds));
}

/** What has become of a WebSocket. */
export interface Ending {
  /** The events of its end, in their order. */
  readonly events: readonly string[];
  readonly error: (Error & { readonly code?: string }) | undefined;
}

/** Waits for the 'close' of a stream. */
export function endingOf(ws: WebSocket): Promise<Ending> {
  const events: string[] = [];
  let error: Ending['error'];
  return new Promise((resolve) => {
    ws.on('end', () => events.push('end'));
    ws.on('error', (reason: Error) => {
      error = reason;
      events.push('error');
    });
    ws.on('close', () => {
      events.push('close');
      resolve({ events, error });
    });
  });
}

/** What has become of a promise: 'resolved', or the code of its error. */
export const fateOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'resolved',
    (error) => String(error.code ?? error.name),
  );
