import type { Incoming, Message } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { MessageReader, type MessageReaderSettings } from '../../lib/framing/messageReader';

/** What a reader has made of some bytes, as text that can be compared. */
export interface Reading {
  readonly items: readonly string[];
  /** `WS_ERR_… 1002`; undefined if the bytes were accepted, and may end here. */
  readonly refusal: string | undefined;
}

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function nameOf(item: Exclude<Incoming, { opcode: 'part' }>): string {
  if (typeof item === 'string') return `text ${hexOf(Buffer.from(item))}`;
  if (Buffer.isBuffer(item)) return `binary ${hexOf(item)}`;
  if (item.opcode === 'close') return `close ${item.code} ${item.reason}`;
  return `${item.opcode} ${hexOf(item.payload)}`;
}

/** Joins the parts of messages: whether a message comes in parts must not matter. */
class Joiner {
  readonly items: string[] = [];
  #parts: Buffer[] | undefined;

  add(item: Incoming): void {
    if (typeof item === 'string' || Buffer.isBuffer(item) || item.opcode !== 'part') {
      this.items.push(nameOf(item));
      return;
    }
    if (item.first !== (this.#parts === undefined)) throw new Error(`a part has first: ${item.first}`);
    this.#parts ??= [];
    this.#parts.push(item.payload);
    if (!item.last) return;
    const payload = Buffer.concat(this.#parts);
    this.#parts = undefined;
    this.items.push(`${item.text ? 'text' : 'binary'} ${hexOf(payload)}`);
  }
}

/** Reads all chunks, and then the end of the byte stream. Anything else than a WebSocketError is a finding. */
export async function readAll(settings: MessageReaderSettings, chunks: readonly Buffer[]): Promise<Reading> {
  const reader = new MessageReader(settings);
  const joiner = new Joiner();
  try {
    for (const chunk of chunks) {
      reader.feed(chunk);
      for (let item = reader.next(); item !== undefined; item = reader.next())
        joiner.add(item instanceof Promise ? ((await item) as Message) : item);
    }
    reader.finish();
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    return { items: joiner.items, refusal: `${error.code} ${error.closeCode}` };
  } finally {
    reader.release();
  }
  return { items: joiner.items, refusal: undefined };
}

/** The faults of a message as a whole. If it has two of them, the cut decides which one is seen first. */
const ofMessages = /WS_ERR_(?:MESSAGE_TOO_BIG 1009|INVALID_UTF8 1007|INVALID_COMPRESSION 1007)/;

/** What must not depend on how the bytes are cut. */
export function independentOfCuts({ items, refusal }: Reading): Reading {
  return { items, refusal: refusal?.replace(ofMessages, 'too big, corrupt, or no text') };
}
