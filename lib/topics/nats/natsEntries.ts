import { isUtf8 } from 'node:buffer';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { LogMessage } from '../drivers/liveMessages';

/** The header that tells what an entry of the log is. Text has none, so that text of other programs is read as text. */
const kindHeader = 'Topic-Entry';
const binary = 'binary';

/** The first entry of the log of a topic, which is no message. */
export const beginning = 'beginning';

/** The bytes that are left for headers, which count as part of a payload. */
export const headerRoom = 512;

export function entryHeaders(kind: string): MsgHdrs {
  const all = headers();
  all.set(kindHeader, kind);
  return all;
}

/** The headers of a binary message: new ones, because the client adds to them. */
export function binaryHeaders(): MsgHdrs {
  return entryHeaders(binary);
}

/** An entry of the stream, as the server has stored or published it. */
export interface NatsEntry {
  readonly data: Uint8Array;
  readonly headers?: MsgHdrs | undefined;
}

/** An entry as a message; `previous` is the number of the entry of this topic before it. */
export function toLogMessage(offset: number, previous: number, { data, headers: own }: NatsEntry): LogMessage {
  const kind = own?.get(kindHeader);
  if (kind === beginning) return { offset, previous, data: undefined };
  // Another program may have published bytes that are no text.
  const isText = kind !== binary && isUtf8(data);
  const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  // The client gives pieces of what it has received, which may be much larger.
  return { offset, previous, data: isText ? view.toString() : Buffer.from(view) };
}
