import type { AnyWebSocket, CloseOutcome, Message, MessageStream } from '../../lib/webSocketHandler';

/** What became of one message that was written. */
export interface Written {
  readonly label: string;
  readonly calls: (Error | null | undefined)[];
}

/** The first bytes of a message say who has written it, and its number. */
export const labelOf = (message: Message) => String(message).split('|', 1)[0] as string;

/** Wraps a function of the program under test, to make it fail for example. */
export type Wrap = <A extends unknown[], R>(what: string, work: (...parameters: A) => R) => (...parameters: A) => R;

const unchanged: Wrap = (_what, work) => work;

/** One end of a connection, and all that its program sees of it. */
export class ObservedEnd {
  readonly name: string;
  readonly ws: AnyWebSocket;
  readonly received: string[] = [];
  readonly written: Written[] = [];
  /** 'end', 'close' and the codes of errors, in their order. */
  readonly events: string[] = [];
  outcome: CloseOutcome | undefined;
  /** `closeCode` as it was inside 'close'. */
  codeInClose: number | undefined;
  /** How often the promises of pings have settled, one number for each. */
  readonly pings: { settled: number }[] = [];
  /** Settled when 'close' was emitted and `whenClosed()` has resolved. */
  readonly over: Promise<void>;
  /** Whether the program has begun to read. What it never reads, it is not told of. */
  reads = false;
  readonly #wrap: Wrap;

  constructor(name: string, ws: AnyWebSocket, wrap = unchanged) {
    this.name = name;
    this.ws = ws;
    this.#wrap = wrap;
    ws.on('end', () => this.events.push('end'));
    ws.on('error', (error: Error & { readonly code?: string }) =>
      this.events.push(String(error.code ?? error.message)),
    );
    const closed = new Promise<void>((resolve) => {
      ws.on('close', () => {
        this.codeInClose = ws.closeCode;
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
    const work = this.#wrap(`'message' listener of the ${this.name}`, use);
    this.ws.on('message', ((message: Message) => {
      this.received.push(labelOf(message));
      work(message);
    }) as never);
  }

  /** Reads messages that come as streams. */
  readStreams(): void {
    this.reads = true;
    const work = this.#wrap(`'message' listener of the ${this.name}`, () => {});
    this.ws.on('message', ((message: MessageStream) => {
      const parts: Buffer[] = [];
      message.on('data', (part: Buffer | string) => parts.push(Buffer.from(part as string)));
      // What a message that did not come whole is told of, beside the WebSocket itself.
      message.on('error', () => {});
      message.on('end', () => this.received.push(labelOf(Buffer.concat(parts))));
      work();
    }) as never);
  }

  /** Reads by a loop, which is left after so many messages, at least one. */
  async loop(most: number): Promise<void> {
    this.reads = true;
    try {
      for await (const message of this.ws) {
        this.received.push(labelOf(message as Message));
        if (this.received.length === most) break;
      }
    } catch {
      // The error of the stream, which 'error' has told as well.
    }
  }

  write(label: string, message: unknown = label): void {
    const record: Written = { label, calls: [] };
    this.written.push(record);
    const work = this.#wrap(`write callback of the ${this.name}`, () => {});
    this.ws.write(message as never, (error) => {
      record.calls.push(error);
      work();
    });
  }

  ping(): void {
    const record = { settled: 0 };
    this.pings.push(record);
    const settle = () => {
      record.settled++;
    };
    this.ws.ping('x').then(settle, settle);
  }

  /** What the stream has told its program, beside 'close'. */
  get told(): string {
    return this.events.filter((event) => event !== 'close').join(', ') || 'nothing';
  }

  get endedCleanly(): boolean {
    return this.told === 'end';
  }

  /** The labels of the messages whose callbacks say that they have left. */
  get left(): string[] {
    return this.written.filter(({ calls }) => calls.length > 0 && !calls[0]).map(({ label }) => label);
  }
}
