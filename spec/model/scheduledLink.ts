import { Duplex } from 'node:stream';
import type { Scheduler } from 'fast-check';

/**
 * Two byte streams that are connected with each other. Each chunk, each end and each reset arrives when the scheduler of fast-check decides, in any
 * order to what else is scheduled; those of one direction stay in order.
 */
export class ScheduledLink {
  readonly server: LinkEnd;
  readonly client: LinkEnd;

  constructor(scheduler: Scheduler) {
    this.server = new LinkEnd('server', scheduler);
    this.client = new LinkEnd('client', scheduler);
    this.server.peer = this.client;
    this.client.peer = this.server;
  }
}

class LinkEnd extends Duplex {
  peer!: LinkEnd;
  readonly #name: string;
  readonly #scheduler: Scheduler;
  readonly #sent: Buffer[] = [];
  /** Settled when everything that was sent before has arrived. */
  #before: Promise<unknown> = Promise.resolve();
  #taken: (() => void) | undefined;

  constructor(name: string, scheduler: Scheduler) {
    super();
    this.#name = name;
    this.#scheduler = scheduler;
    this.on('error', () => {});
  }

  get sent(): Buffer {
    return Buffer.concat(this.#sent);
  }

  override _read(): void {
    this.peer.#haveRoom();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#sent.push(Buffer.from(chunk));
    this.#arrive(`${chunk.length} bytes of the ${this.#name}`, () => {
      if (this.peer.destroyed) this.destroy();
      if (this.peer.destroyed || this.peer.push(chunk)) done();
      else this.#taken = done;
    });
  }

  override _final(done: () => void): void {
    this.#arrive(`the end of the ${this.#name}`, () => {
      if (!this.peer.destroyed) this.peer.push(null);
      done();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#haveRoom();
    const { peer } = this;
    this.#arrive(`the reset of the ${this.#name}`, () => {
      if (!peer.readableEnded) peer.destroy();
    });
    done(error);
  }

  #haveRoom(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  #arrive(what: string, deliver: () => void): void {
    this.#before = this.#before.then(() => this.#scheduler.schedule(Promise.resolve(), what)).then(deliver);
  }
}

/** The opcodes of the frames in these bytes (RFC 6455 §5.2). */
export function opcodesOf(bytes: Buffer): number[] {
  const opcodes: number[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const [first, second] = [bytes.readUInt8(at), bytes.readUInt8(at + 1)];
    const form = second & 0x7f;
    const head = (form === 126 ? 4 : form === 127 ? 10 : 2) + (second & 0x80 ? 4 : 0);
    const length =
      form === 126 ? bytes.readUInt16BE(at + 2) : form === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : form;
    opcodes.push(first & 0x0f);
    at += head + length;
  }
  return opcodes;
}
