import type { EventEmitter } from 'node:events';
import { getEventListeners } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';
import {
  type AnyWebSocket,
  type Message,
  type MessageSource,
  MessageStream,
  WebSocketError,
} from '../../lib/webSocketHandler';
import type { Connection } from './rigs';

/** How many messages each peer sends; all of them, and a Close behind them, fit into what is read ahead of a reader. */
export const messageCount = 10;

/** What a message begins with: who sent it, and its number. */
export const labelOf = (text: string) => text.split('|', 1)[0] as string;

export const peerTexts = Array.from(
  { length: messageCount },
  (_, i) => `peer ${i}|${'x'.repeat(i === 4 ? 6000 : 100)}`,
);

/** Long enough that a socket has enough of some of them. */
export const ownText = (number: number) => `own ${number}|${'y'.repeat(number % 5 === 0 ? 20_000 : 500)}`;

/** What became of one `write()`. */
export interface WriteRecord {
  readonly label: string;
  readonly calls: (Error | null | undefined)[];
}

/** How a promise, a pipeline or a stream ended: 'done', or the code of its error. */
export type Settled = 'done' | (string & {});

export const nameOf = (error: unknown): string => {
  const { code, message } = Object(error) as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message ?? error);
};

interface Foreign {
  readonly name: string;
  readonly emitter: EventEmitter;
  readonly before: ReadonlyMap<string | symbol, number>;
}

/** One WebSocket under test, and everything that is seen of its end. */
export class Scene {
  readonly ws: AnyWebSocket;
  /** What was read, in the order in which it was handed over; undefined for a message that is not whole yet, or never will be. */
  readonly #received: (string | undefined)[] = [];
  /** How messages ended that did not come whole. */
  readonly broken: string[] = [];
  readonly writes: WriteRecord[] = [];
  /** 'end', 'close' and the codes of errors, in their order. */
  readonly events: string[] = [];
  /** What must not be, whatever the end. */
  readonly faults: string[] = [];
  /** `closeCode` as it was inside 'close'. */
  codeInClose: number | undefined;
  reader: Settled | undefined;
  writer: Settled | undefined;
  /** Whether the writer has to note the messages that it reads, for nobody else does. */
  writerNotes = false;
  /** Whether the loop that is left early was left before the WebSocket ended. */
  leftEarly = false;
  /** What was still to leave when the program ended the WebSocket. */
  unsentAtEnd: 'nothing' | 'something' | 'unknown' = 'unknown';
  /** How many messages the program had written when it closed the WebSocket. */
  writtenBeforeEnd = 0;
  readonly closed: Promise<void>;
  readonly error = new Error('the program has failed');
  readonly #foreign: Foreign[] = [];
  readonly #closeListeners: (() => void)[] = [];

  readonly connection: Connection;
  readonly abort: AbortController;

  constructor(connection: Connection, abort: AbortController) {
    this.connection = connection;
    this.abort = abort;
    const { ws } = connection;
    this.ws = ws;
    ws.on('end', () => this.events.push('end'));
    ws.on('error', (error: Error) => {
      if (!(error instanceof WebSocketError) && error !== this.error) this.faults.push(`'error' had ${error}`);
      this.events.push(nameOf(error));
    });
    this.closed = new Promise((resolve) => {
      ws.on('close', () => {
        this.codeInClose = ws.closeCode;
        this.events.push('close');
        for (const listener of this.#closeListeners) listener();
        resolve();
      });
    });
  }

  get over(): boolean {
    return this.events.includes('close');
  }

  whenClosed(listener: () => void): void {
    if (this.over) listener();
    else this.#closeListeners.push(listener);
  }

  /** The messages that were read whole. */
  get received(): string[] {
    return this.#received.filter((label) => label !== undefined);
  }

  /** @param late whether it may come after 'close': between the WebSocket and who notes it is a stream that holds messages */
  note(text: string, { late = this.writerNotes } = {}): void {
    if (this.over && !late) this.faults.push(`${labelOf(text)} came after 'close'`);
    this.#received.push(labelOf(text));
  }

  /** Reads one message to its end, whole or streamed, and notes it. */
  async take(message: Message | MessageStream): Promise<string> {
    if (!(message instanceof MessageStream)) {
      this.note(String(message));
      return String(message);
    }
    const place = this.#received.push(undefined) - 1;
    let text = '';
    try {
      for await (const part of message) text += String(part);
      this.#received[place] = labelOf(text);
    } catch (error) {
      this.broken.push(nameOf(error));
    }
    return text;
  }

  /** Writes a message with a callback whose calls are counted. */
  write(message: Message | MessageSource, label: string): boolean {
    const record: WriteRecord = { label, calls: [] };
    this.writes.push(record);
    return this.ws.write(message as never, (error) => {
      record.calls.push(error);
    });
  }

  /** A turn of the event loop. */
  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Virtual milliseconds. */
  after(milliseconds: number): Promise<unknown> {
    return after(milliseconds);
  }

  /** Remembers the listeners on a stream that is not ours: all others must be gone when it is over. */
  foreign<T extends EventEmitter>(name: string, emitter: T): T {
    const before = new Map(emitter.eventNames().map((event) => [event, emitter.listenerCount(event)]));
    this.#foreign.push({ name, emitter, before });
    return emitter;
  }

  /** The listeners that are left on streams that are not ours. */
  leftListeners(): string[] {
    const left = this.#foreign.flatMap(({ name, emitter, before }) =>
      emitter.eventNames().flatMap((event) => {
        const count = emitter.listenerCount(event) - (before.get(event) ?? 0);
        return count > 0 ? [`${count} for '${String(event)}' on ${name}`] : [];
      }),
    );
    const onSignal = getEventListeners(this.abort.signal, 'abort').length;
    return onSignal > 0 ? [...left, `${onSignal} on the signal`] : left;
  }
}
