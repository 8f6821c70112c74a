import type { Role } from '../../lib/webSocketHandler';
import type { End } from './ends';
import type { Reader } from './readers';
import type { TransportKind } from './rigs';
import type { Writer } from './writers';

/** One cell of the matrix. */
export interface Case {
  readonly end: End;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly role: Role;
  readonly transport: TransportKind;
}

export const titleOf = ({ end, reader, writer, role, transport }: Case): string => {
  const where = transport === 'pair' ? `${role} of a pair` : `${role} over ${transport}`;
  return `Ending by ${end.name}, read by ${reader.name}, written by ${writer.name}, ${where}`;
};

/** Why a case cannot be, or undefined. */
export function impossible({ end, reader, writer, role, transport }: Case): string | undefined {
  if (end.role !== undefined && end.role !== role) return `only a ${end.role} has ${end.name}`;
  if (reader.isLoop && writer.isLoop)
    return 'two loops on one stream would each get a part of its messages, as Node has it';
  if (reader.pauses && writer.isLoop) return 'pause() has no effect on a stream that a loop reads, as Node has it';
  if (reader.takes === 'some' && writer.chain !== undefined)
    return 'which of the two has read to the end first would decide what the stream says';
  return end.impossibleOver?.[transport];
}

/** What happened in a case that decides between several right answers. */
export interface Facts {
  /** A loop was left before it had reached the end. */
  readonly leftEarly: boolean;
  /** What was still to leave when the program ended the connection. */
  readonly unsent: 'nothing' | 'something' | 'unknown';
}

/** What must come out. Where there are several values, one of them. */
export interface Expected {
  /** What the stream says: 'end'; the code of its error; or 'nothing': it is destroyed without an error, by its own program. */
  readonly told: readonly string[];
  /** The code in `whenClosed()` and, inside 'close', in `closeCode`; undefined for any. */
  readonly code: readonly number[] | undefined;
  /** The code of the Close frame that the peer gets, 1006 if it gets none; undefined for any. */
  readonly peerSees: readonly number[] | undefined;
  readonly wasClean: boolean | undefined;
  /** All messages of the peer, or only the first ones. */
  readonly delivered: 'all' | 'some' | 'none';
}

/** Ends of which the peer learns nothing, or has not waited to learn it. */
const noClose = { peerSees: undefined, wasClean: false, code: [1006] } as const;
const all = { delivered: 'all' } as const;
const some = { delivered: 'some' } as const;

const sameCode = (code: number) => ({ code: [code], peerSees: [code], wasClean: true, delivered: 'all' }) as const;

/** What each side sees, by the way in which the connection ends. `docs/endings.md` has this table. */
export const table: Readonly<Record<string, Expected>> = {
  "the peer's Close 1000": { told: ['end'], ...sameCode(1000) },
  "the peer's Close 1001": { told: ['end'], ...sameCode(1001) },
  "the peer's Close without a code": { told: ['end'], ...sameCode(1005) },
  "the peer's Close 1011": { told: ['WS_ERR_CLOSED_BY_PEER'], ...sameCode(1011) },
  "the peer's Close 4000": { told: ['WS_ERR_CLOSED_BY_PEER'], ...sameCode(4000) },
  "the peer's Close in the middle of a message": { told: ['WS_ERR_TRUNCATED'], ...sameCode(1000) },
  'FIN without Close': { told: ['WS_ERR_CONNECTION_LOST'], ...noClose, ...all },
  // The system drops received bytes that nobody has taken when a reset comes.
  'a reset': { told: ['WS_ERR_CONNECTION_LOST'], ...noClose, ...some },
  'a protocol error': { told: ['WS_ERR_RESERVED_OPCODE'], ...noClose, peerSees: [1002], ...all },
  "the peer's silence": { told: ['WS_ERR_HEARTBEAT_TIMEOUT'], ...noClose, ...all },
  'close(4400)': { told: ['end'], ...sameCode(4400) },
  'end()': { told: ['end'], ...sameCode(1000) },
  'destroy()': { told: ['nothing'], code: undefined, peerSees: [1011], wasClean: undefined, ...some },
  'destroy(error)': {
    told: ['the program has failed'],
    code: undefined,
    peerSees: [1011],
    wasClean: undefined,
    ...some,
  },
  'abort()': { told: ['nothing'], ...noClose, peerSees: [1006], ...some },
  'an abort signal': { told: ['WS_ERR_ABORTED'], code: undefined, peerSees: [1011], wasClean: undefined, ...some },
  'handle.close()': { told: ['end'], ...sameCode(1001) },
  'close(1000) of both at once': { told: ['end'], ...sameCode(1000) },
};

const isClean = ({ told }: Expected) => told[0] === 'end';

/** Whether the program has said that it wants no more: what it has not begun to read may be discarded. */
const closedByProgram = (end: End, row: Expected) => end.by !== 'the peer' && isClean(row);

/** A rule that changes what the table says, for the cases for which it holds. */
interface Rule {
  /** As it stands in the documentation. */
  readonly says: string;
  readonly holds: (one: Case, row: Expected, facts: Facts) => boolean;
  readonly change: (row: Expected, one: Case, facts: Facts) => Partial<Expected>;
}

const either = (codes: readonly number[] | undefined, ...more: number[]) => codes && [...codes, ...more];

const isUnread = ({ reader, writer }: Case) => reader.takes === 'nothing' && writer.chain === undefined;

/** In order; each changes what the one before it has made. */
export const rules: readonly Rule[] = [
  {
    says: 'If a client has sent everything that it wrote, its destroy() sends 1001, as a browser does. Every other destroy() sends 1011.',
    holds: ({ end, role }, _row, { unsent }) => end.name === 'destroy()' && role === 'client' && unsent !== 'something',
    change: (_row, _case, { unsent }) => ({ peerSees: unsent === 'nothing' ? [1001] : [1001, 1011] }),
  },
  {
    says: "If nobody reads and the program closes, received messages are discarded up to the peer's Close frame.",
    holds: (one, row) => isUnread(one) && closedByProgram(one.end, row),
    change: () => ({ told: ['end', 'nothing'], delivered: 'none' }),
  },
  {
    says: "If nobody reads and the connection ends in another way, messages are kept for closeTimeout, and 'end' is not emitted.",
    holds: (one, row) => isUnread(one) && !closedByProgram(one.end, row),
    change: (row) => ({ told: isClean(row) ? ['nothing', 'WS_ERR_CLOSE_TIMEOUT'] : row.told, delivered: 'none' }),
  },
  {
    says: "If a loop is left early, it destroys the WebSocket, and 'end' is not emitted, also if the peer closes cleanly.",
    holds: (_case, _row, { leftEarly }) => leftEarly,
    change: (row, { end, role }) => ({
      told: end.by !== 'the peer' || !isClean(row) ? [...row.told, 'nothing'] : ['nothing'],
      code: undefined,
      peerSees: either(row.peerSees, 1011, ...(role === 'client' ? [1001] : [])),
      wasClean: undefined,
      delivered: 'some',
    }),
  },
  {
    says: 'If a chain takes longer than half of closeTimeout, its last messages are lost, and the stream fails. The peer may get 1011.',
    holds: ({ end, writer }, row, { leftEarly }) =>
      !leftEarly && end.by === 'the peer' && isClean(row) && writer.chain === 'too slow',
    change: (row) => ({ told: ['WS_ERR_CLOSE_TIMEOUT'], peerSees: either(row.peerSees, 1011), wasClean: undefined }),
  },
  {
    says: 'If another reader of the same WebSocket is slow, a chain can become too slow, because Node gives a message to all readers together.',
    holds: ({ end, reader, writer }, row) =>
      end.by === 'the peer' && isClean(row) && reader.slow === true && writer.chain === 'in time',
    change: (row) => ({
      told: [...row.told, 'WS_ERR_CLOSE_TIMEOUT'],
      peerSees: either(row.peerSees, 1011),
      wasClean: undefined,
    }),
  },
  {
    says: 'Web streams that read and write a WebSocket are treated as a chain, also if they are independent of each other.',
    holds: ({ end, reader, writer }, row) =>
      end.by === 'the peer' && isClean(row) && reader.name === 'a web stream' && writer.name === 'a web stream',
    change: (row) => ({ told: [...row.told, 'WS_ERR_CLOSE_TIMEOUT'] }),
  },
  {
    says: 'If a slow reader is still reading when our Close frame is sent, messages that wait to be sent are lost, and the stream may fail.',
    holds: ({ end, reader, writer }, row) =>
      end.by === 'the peer' && isClean(row) && reader.slow === true && writer.endless === true,
    change: (row) => ({ told: [...row.told, 'WS_ERR_CLOSE_TIMEOUT'] }),
  },
  {
    says: 'A web stream drops its queued messages when it fails, or when the program closes its WebSocket.',
    holds: ({ end, reader, writer }, row) =>
      (row.told[0] !== 'end' && reader.errorsOvertake === true) ||
      (writer.name === 'a chain back of web streams' && (row.told[0] !== 'end' || end.by !== 'the peer')),
    change: (row) => ({ delivered: row.delivered === 'all' ? 'some' : row.delivered }),
  },
];

export function expected(one: Case, facts: Facts): Expected {
  const row = table[one.end.name];
  if (row === undefined) throw new Error(`The table has no row for ${one.end.name}`);
  let result = row;
  for (const rule of rules) if (rule.holds(one, row, facts)) result = { ...result, ...rule.change(result, one, facts) };
  return result;
}
