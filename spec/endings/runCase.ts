import { type AnyWebSocket, type CloseOutcome, type Message, MessageStream } from '../../lib/webSocketHandler';
import type { Dice } from '../support/vectors';
import type { VirtualTime } from '../support/virtualTime';
import { differences, type PeerSeen } from './judge';
import { RawEnd } from './rawEnd';
import { open } from './rigs';
import type { Case } from './rules';
import { labelOf, nameOf, peerTexts, Scene } from './scene';

const closeTimeout = 1000;

/** Virtual milliseconds after which a case has failed: the slowest chain and all deadlines together take half as long. */
const deadline = 8_000;

/** The Node of `closed` is a boolean; before that name was given to it, `closed` was the promise. */
export function outcomeOf(ws: AnyWebSocket): Promise<CloseOutcome> {
  const { whenClosed } = ws as { whenClosed?: () => Promise<CloseOutcome> };
  return whenClosed !== undefined ? whenClosed.call(ws) : (ws.closed as unknown as Promise<CloseOutcome>);
}

/** Milliseconds for which the library keeps compressors that all connections share: their timers belong to no connection. */
const sharedFor = 30_000;

let made = 0;

/** Settings that no other connection has, so that each has a timer of its own. */
const ownHeartbeat = (interval: number) => ({ interval: interval + ++made / 1000, timeout: 100 });

/** Runs one case; returns what differs from the rules. */
export async function runCase(one: Case, dice: Dice, time: VirtualTime): Promise<string[]> {
  const uncaught: string[] = [];
  const owner = { threw: (error: unknown) => void uncaught.push(`nobody caught ${(error as Error)?.stack ?? error}`) };
  return time.ownedBy(owner, async () => {
    try {
      const wrong = await runInTime(one, dice, () => time.countOf(owner, sharedFor));
      return [...uncaught, ...wrong];
    } finally {
      time.clearAllOf(owner);
    }
  });
}

/** @param timers counts the timers that this case has started and that still run */
async function runInTime(one: Case, dice: Dice, timers: () => number): Promise<string[]> {
  const { end, reader, role, transport } = one;
  const abort = new AbortController();
  const perMessageDeflate = dice.roll(3) === 0 && { idleRelease: 20_000 };
  await using connection = await open({
    transport,
    role,
    rawPeer: end.raw === true && transport !== 'pair',
    options: {
      closeTimeout,
      perMessageDeflate,
      heartbeat: ownHeartbeat(end.name === "the peer's silence" ? 200 : 60_000),
      ...(reader.messages && { messages: reader.messages }),
      ...(isQuick(one) && dice.roll(2) === 0 && { readableHighWaterMark: { messages: 2, bytes: 2048 } }),
    },
    peerOptions: { closeTimeout, perMessageDeflate, heartbeat: ownHeartbeat(60_000) },
    signal: end.role === 'client' ? abort.signal : undefined,
  });
  const scene = new Scene(connection, abort);
  const peer = watchPeer(connection.peer);
  const outcome = outcomeOf(scene.ws);
  const readAndWritten = start(one, scene);
  const ended = bringAbout(one, scene, connection.peer, dice);
  const settled = Promise.all([scene.closed, peer.seen, outcome, ended, ...readAndWritten]);
  if (!(await isInTime(settled))) return [`it does not settle: ${pending(scene, peer)}`, ...scene.faults];
  // Callbacks that come with 'close', and what is closed by it, get the turns that they need.
  for (let i = 0; i < 5; i++) await scene.turn();
  const wrong = differences(one, scene, await outcome, await peer.seen);
  if (connection.handle !== undefined && connection.handle.connections.size > 0)
    wrong.push('it is still in handle.connections');
  // Before the server is closed, which has timers of its own for sessions of HTTP/2, until the client has closed them.
  const left = transport === 'HTTP/2' && end.name === 'handle.close()' ? 0 : timers();
  return left > 0 && wrong.length === 0 ? [`${left} timers are left`] : wrong;
}

/** Whether the Close of the peer may wait behind messages that have not been read: the peer will not have to wait for long. */
const isQuick = ({ reader, writer }: Case) =>
  reader.takes === 'all' && reader.slow !== true && writer.chain !== 'too slow';

async function isInTime(settled: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, deadline, false);
  });
  const result = await Promise.race([settled.then(() => true), late]);
  clearTimeout(timer);
  return result;
}

/** Starts the reader and the writer. */
function start({ reader, writer }: Case, scene: Scene): Promise<unknown>[] {
  scene.writerNotes = writer.chain !== undefined && (reader.takes === 'nothing' || reader.messages === 'stream');
  const reading = reader.start(scene).then((result) => {
    scene.reader = result;
  });
  const writing = writer.start(scene).then((result) => {
    scene.writer = result;
  });
  return [reading, writing];
}

/** Lets both sides have data in flight, and ends the connection at some moment. */
async function bringAbout({ end, writer }: Case, scene: Scene, peer: AnyWebSocket | RawEnd, dice: Dice): Promise<void> {
  const turns = dice.roll(8);
  const peerEnds = async () => {
    if (peer instanceof RawEnd) return end.rawPeerEnds?.(peer, scene);
    for (const text of peerTexts) peer.write(text);
    if (end.by === 'the program') return;
    // Of both at once, the Close of the peer must not be there before ours.
    if (end.by === 'both') for (let i = 0; i < turns; i++) await scene.turn();
    end.peerEnds?.(peer);
  };
  const programEnds = async () => {
    for (let i = 0; i < turns; i++) await scene.turn();
    if (scene.ws.destroyed) return;
    scene.writtenBeforeEnd = scene.writes.length;
    scene.unsentAtEnd = unsent(writer.name, scene);
    await end.ends?.(scene);
  };
  await Promise.all([peerEnds(), end.by === 'the peer' ? undefined : programEnds()]);
}

function unsent(writer: string, { writes }: Scene): Scene['unsentAtEnd'] {
  if (writer === 'nobody') return 'nothing';
  if (writer === 'a streamed message') return writes.every(({ calls }) => calls.length > 0) ? 'nothing' : 'something';
  return 'unknown';
}

interface WatchedPeer {
  over: boolean;
  readonly seen: Promise<PeerSeen>;
}

function watchPeer(peer: AnyWebSocket | RawEnd): WatchedPeer {
  const watched = { over: false, seen: peer instanceof RawEnd ? rawPeerSeen(peer) : librarySeen(peer) };
  void watched.seen.then(() => {
    watched.over = true;
  });
  return watched;
}

async function rawPeerSeen(peer: RawEnd): Promise<PeerSeen> {
  const code = await peer.closeCode;
  return { received: peer.received.map(labelOf), code };
}

async function librarySeen(peer: AnyWebSocket): Promise<PeerSeen> {
  const received: string[] = [];
  let told = 'nothing';
  peer.on('message', async (message: Message | MessageStream) => {
    if (!(message instanceof MessageStream)) return void received.push(labelOf(String(message)));
    // One that breaks off breaks off the connection, which tells it.
    const parts = await message.toArray().catch(() => undefined);
    if (parts !== undefined) received.push(labelOf(parts.join('')));
  });
  peer.on('end', () => {
    told = 'end';
  });
  peer.on('error', (error) => {
    told = nameOf(error);
  });
  const closed = new Promise<void>((resolve) => peer.once('close', () => resolve()));
  const [{ code }] = await Promise.all([outcomeOf(peer), closed]);
  return { received, code, ...(told !== 'nothing' && { told, answered: told === 'end' }) };
}

/** What has not settled, in words. */
function pending(scene: Scene, peer: WatchedPeer): string {
  const states: readonly (readonly [boolean, string])[] = [
    [scene.over, "'close'"],
    [peer.over, 'the peer'],
    [scene.reader !== undefined, 'the reader'],
    [scene.writer !== undefined, 'the writer'],
  ];
  const missing = states.filter(([settled]) => !settled).map(([, name]) => name);
  return `${missing.join(', ') || 'whenClosed() or handle.close()'} (events: ${scene.events.join(', ') || 'none'})`;
}
