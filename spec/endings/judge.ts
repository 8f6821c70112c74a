import { type CloseOutcome, WebSocketError } from '../../lib/webSocketHandler';
import { type Case, type Expected, expected } from './rules';
import { labelOf, nameOf, peerTexts, type Scene, type Settled } from './scene';

/** What the other end has seen. */
export interface PeerSeen {
  readonly received: readonly string[];
  /** The code of the Close frame that it got; 1006 without one. */
  readonly code: number;
  /** What its stream said, if it is a WebSocket of the library; and whether the Close that it got answers its own. */
  readonly told?: string;
  readonly answered?: boolean;
}

const peerLabels = peerTexts.map(labelOf);

const isPrefix = (part: readonly unknown[], whole: readonly unknown[]) => part.every((value, i) => value === whole[i]);

/** What differs from the rules, in words; nothing if all is as it must be. */
export function differences(one: Case, scene: Scene, outcome: CloseOutcome, peer: PeerSeen): string[] {
  const facts = { leftEarly: scene.leftEarly, unsent: scene.unsentAtEnd };
  const rule = expected(one, facts);
  const told = toldBy(scene);
  return [
    ...scene.faults,
    ...events(scene, told, rule),
    ...codes(one, scene, outcome, peer, rule),
    ...messages(one, scene, told, rule),
    ...readerEnd(one, scene, told),
    ...writerEnd(one, scene, told),
    ...callbacks(one, scene, told, outcome, peer),
    ...tail(one, scene, told, peer),
    ...leftListeners(scene),
  ];
}

function leftListeners(scene: Scene): string[] {
  const left = scene.leftListeners();
  return left.length > 0 ? [`listeners are left: ${left.join(', ')}`] : [];
}

function toldBy({ events: all }: Scene): string {
  return all.find((event) => event !== 'end' && event !== 'close') ?? (all.includes('end') ? 'end' : 'nothing');
}

const oneOf = (what: string, value: unknown, allowed: readonly unknown[] | undefined): string[] =>
  allowed === undefined || allowed.includes(value) ? [] : [`${what} is ${value}, not ${allowed.join(' or ')}`];

function events({ events: all }: Scene, told: string, rule: Expected): string[] {
  const wrong = oneOf('what the stream says', told, rule.told);
  if (all.at(-1) !== 'close' || new Set(all).size !== all.length) wrong.push(`the events are ${all.join(', ')}`);
  // Only a tail that came too late can fail a stream that has been read to its end.
  if (all.includes('end') && told !== 'end' && told !== 'WS_ERR_CLOSE_TIMEOUT') wrong.push(`'end' came before ${told}`);
  return wrong;
}

function codes(
  { writer }: Case,
  { codeInClose }: Scene,
  outcome: CloseOutcome,
  peer: PeerSeen,
  rule: Expected,
): string[] {
  const wrong = [
    ...oneOf('the code of whenClosed()', outcome.code, rule.code),
    ...oneOf("closeCode inside 'close'", codeInClose, [outcome.code]),
    ...oneOf('wasClean', outcome.wasClean, rule.wasClean === undefined ? undefined : [rule.wasClean]),
    ...oneOf('the code that the peer sees', peer.code, rule.peerSees),
  ];
  if (peer.told === undefined) return wrong;
  const clean = peer.answered || [1000, 1001, 1005].includes(peer.code);
  const peerTold = clean ? 'end' : peer.code === 1006 ? 'WS_ERR_CONNECTION_LOST' : 'WS_ERR_CLOSED_BY_PEER';
  // A streamed message that did not come to its end is told of before the code that came behind it.
  const cutOff = writer.name === 'a streamed message' ? ['WS_ERR_TRUNCATED'] : [];
  return [...wrong, ...oneOf(`what the peer's stream says of ${peer.code}`, peer.told, [peerTold, ...cutOff])];
}

function messages({ writer }: Case, { received, broken }: Scene, told: string, { delivered }: Expected): string[] {
  const missing = `of the messages came ${received.join(', ') || 'none'}`;
  if (!isPrefix(received, peerLabels)) return [missing];
  const whole = received.length === peerLabels.length;
  const wrong = delivered === 'all' && !whole ? [missing] : [];
  // pipeTo() has told its program of the others: it has rejected.
  const isToldElsewhere = writer.name === 'a chain back of web streams';
  if (told === 'end' && delivered === 'some' && !whole && !isToldElsewhere) wrong.push(`${missing}, and then 'end'`);
  const allowed = told === 'WS_ERR_TRUNCATED' ? ['WS_ERR_TRUNCATED'] : [told, 'ERR_STREAM_PREMATURE_CLOSE'];
  for (const error of broken) wrong.push(...oneOf('the error of a streamed message', error, allowed));
  return wrong;
}

function readerEnd({ reader }: Case, scene: Scene, told: string): string[] {
  const ended = scene.events.includes('end');
  const is = (...allowed: Settled[]) => oneOf('how the reader ends', scene.reader, allowed);
  if (reader.name === 'pipe into a sink') return is(ended ? 'done' : 'not ended');
  if (!reader.learnsErrors || scene.leftEarly || told === 'end') return is('done');
  // WS_ERR_ABORTED is what a write that still waited has failed with, and Node's finished() may tell that.
  if (told === 'nothing') return is('ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR', 'WS_ERR_ABORTED');
  return ended ? is('done', told) : is(told);
}

function writerEnd({ writer, end }: Case, scene: Scene, told: string): string[] {
  const { writer: settled } = scene;
  if (!writer.learnsEnd) return oneOf('how the writer ends', settled, ['done']);
  // Whether one that was interrupted by its own program calls that an error is a matter of Node's.
  if (end.by !== 'the peer') return [];
  if (writer.chain !== undefined && (told === 'end' || scene.events.includes('end')))
    return oneOf('how the writer ends', settled, told === 'end' ? ['done'] : ['done', told]);
  if (settled === 'done') return [`the writer was not told that the WebSocket has ended: ${told}`];
  if (writer.name !== 'a feed by pipeline') return [];
  const allowed = told === 'end' || told === 'nothing' ? [] : [told];
  return oneOf('how the writer ends', settled, ['ERR_STREAM_PREMATURE_CLOSE', ...allowed]);
}

function callbacks(one: Case, scene: Scene, told: string, outcome: CloseOutcome, peer: PeerSeen): string[] {
  const wrong: string[] = [];
  for (const { label, calls } of scene.writes) {
    if (calls.length !== 1) wrong.push(`the callback of ${label} was called ${calls.length} times`);
    const [error] = calls;
    if (!error) continue;
    if (!(error instanceof WebSocketError))
      wrong.push(`the callback of ${label} had ${nameOf(error)}, no WebSocketError`);
    else if (told === 'end' && error.code !== 'WS_ERR_NOT_OPEN')
      wrong.push(`the callback of ${label} had ${error.code} although the end was clean`);
  }
  const left = scene.writes.filter(({ calls }) => calls.length === 1 && !calls[0]).map(({ label }) => label);
  // The callback says that the message has left; a Close behind it says that it has arrived.
  const exact = outcome.wasClean && one.writer.chain === undefined && scene.writes.length > 0;
  if (exact && left.join() !== peer.received.join())
    wrong.push(`the callbacks of ${left.length} messages say ok, and the peer has ${peer.received.length}`);
  const lost = scene.writes.slice(0, scene.writtenBeforeEnd).filter(({ calls }) => calls[0]);
  if (told === 'end' && lost.length > 0 && !scene.leftEarly)
    wrong.push(`${lost.length} messages that were written before the program closed did not leave`);
  return summary(wrong);
}

/** The first of many, and how many there are. */
const summary = (wrong: string[]) =>
  wrong.length > 3 ? [...wrong.slice(0, 2), `and ${wrong.length - 2} more`] : wrong;

/** The messages of a writer come in order; those of a chain come all if the peer was the one to close. */
function tail({ writer, end }: Case, scene: Scene, told: string, { received }: PeerSeen): string[] {
  if (writer.chain === undefined) {
    const inOrder = received.every((label, i) => !label.startsWith('own ') || label === `own ${i}`);
    return inOrder ? [] : [`the peer received ${received.join(', ')}`];
  }
  const echoes = peerLabels.map((label) => `echo of ${label}`);
  if (!isPrefix(received, echoes)) return [`the peer received ${received.join(', ')}`];
  if (end.by !== 'the peer' || told !== 'end' || scene.leftEarly || received.length === echoes.length) return [];
  return [`the tail of the chain was lost behind a clean end: the peer has ${received.length} of ${echoes.length}`];
}
