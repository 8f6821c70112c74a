import type { AnyWebSocket, CloseOutcome, Message, MessageStream } from '../../lib/webSocketHandler';
import type { Faults } from './faults';

/** What became of one message that was written. */
interface Written {
  readonly label: string;
  readonly calls: (Error | null | undefined)[];
}

/** The first bytes of a message say who has written it, and its number. */
export const labelOf = (message: Message) => String(message).split('|', 1)[0] as string;

/** One end of a connection, and all that is seen there. */
export class Side {
  readonly name: string;
  readonly received: string[] = [];
  readonly written: Written[] = [];
  /** 'end', 'close' and the codes of errors, in their order. */
  readonly events: string[] = [];
  outcome: CloseOutcome | undefined;
  readonly over: Promise<void>;
  readonly ws: AnyWebSocket;
  readonly #faults: Faults;
  /** Whether the program has begun to read. What it never reads, it is not told of. */
  reads = false;

  constructor(name: string, ws: AnyWebSocket, faults: Faults) {
    this.name = name;
    this.ws = ws;
    this.#faults = faults;
    ws.on('end', () => this.events.push('end'));
    ws.on('error', (error: Error & { readonly code?: string }) => this.events.push(String(error.code ?? error)));
    const closed = new Promise<void>((resolve) => {
      ws.on('close', () => {
        this.events.push('close');
        resolve();
      });
    });
    const settled = (ws.whenClosed() as Promise<CloseOutcome>).then((outcome) => {
      this.outcome = outcome;
    });
    this.over = Promise.all([closed, settled]).then(() => undefined);
  }

  /** Reads by the 'message' event, and hands each message to the program. */
  read(use: (message: Message) => void = () => {}): void {
    this.reads = true;
    const work = this.#faults.program(`'message' listener of the ${this.name}`, use);
    this.ws.on('message', ((message: Message) => {
      this.received.push(labelOf(message));
      work(message);
    }) as never);
  }

  /** Reads messages that come as streams. */
  readStreams(): void {
    this.reads = true;
    const work = this.#faults.program(`'message' listener of the ${this.name}`, () => {});
    this.ws.on('message', ((message: MessageStream) => {
      const parts: Buffer[] = [];
      message.on('data', (part: Buffer | string) => parts.push(Buffer.from(part as string)));
      // What a message that did not come whole is told of, beside the WebSocket itself.
      message.on('error', () => {});
      message.on('end', () => this.received.push(labelOf(Buffer.concat(parts))));
      work();
    }) as never);
  }

  write(label: string, message: unknown = label): void {
    const record: Written = { label, calls: [] };
    this.written.push(record);
    const work = this.#faults.program(`write callback of the ${this.name}`, () => {});
    this.ws.write(message as never, (error) => {
      record.calls.push(error);
      work();
    });
  }

  get told(): string {
    return this.events.filter((event) => event !== 'close').join(', ') || 'nothing';
  }

  get endedCleanly(): boolean {
    return this.events.includes('end') && !this.events.some((event) => event !== 'end' && event !== 'close');
  }

  /** The labels whose callbacks say that they have left. */
  get left(): string[] {
    return this.written.filter(({ calls }) => calls.length > 0 && !calls[0]).map(({ label }) => label);
  }
}
