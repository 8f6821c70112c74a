import { Duplex } from 'node:stream';
import { fork } from './seeds';
import type { Dice } from './vectors';

/** How a link breaks: both ends are destroyed, as by a reset, or both read an end of the bytes. */
export type Break = 'reset' | 'end';

/** After this many small pieces the rest goes in larger ones: the cuts that matter are in the headers. */
const smallPieces = 300;

/**
 * Two joined byte streams, as the ends of a socket. What is written to one comes out of the other in pieces of random sizes and at
 * random turns of the event loop, each piece in memory of its own. The link can break after any number of bytes.
 */
export class CuttingLink {
  readonly ends: readonly [Duplex, Duplex];
  readonly #ends: readonly [End, End];
  /** Bytes that still get through, in both directions together. */
  #left = Number.POSITIVE_INFINITY;
  #how: Break = 'reset';
  #broken = false;

  constructor(dice: Dice) {
    const one = new End(this, fork(dice));
    const other = new End(this, fork(dice));
    one.peer = other;
    other.peer = one;
    this.ends = this.#ends = [one, other];
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** The bytes that each end was given to read. */
  get delivered(): readonly [Buffer, Buffer] {
    const [one, other] = this.#ends;
    return [Buffer.concat(one.delivered), Buffer.concat(other.delivered)];
  }

  breakAfter(bytes: number, how: Break): void {
    this.#left = bytes;
    this.#how = how;
  }

  break(how: Break = this.#how): void {
    if (this.#broken) return;
    this.#broken = true;
    for (const end of this.#ends) end.break(how);
  }

  /** How many of some bytes get through. */
  admit(bytes: number): number {
    const admitted = Math.min(bytes, this.#left);
    this.#left -= admitted;
    return admitted;
  }
}

class End extends Duplex {
  peer!: End;
  readonly delivered: Buffer[] = [];
  readonly #link: CuttingLink;
  readonly #dice: Dice;
  /** In bytes; Infinity for no cuts. */
  readonly #largestPiece: number;
  #pieces = 0;
  /** Says that the peer has room again. */
  #taken: (() => void) | undefined;

  constructor(link: CuttingLink, dice: Dice) {
    super();
    this.#link = link;
    this.#dice = dice;
    this.#largestPiece = dice.pick([5, 100, 4000, 65_536, Number.POSITIVE_INFINITY]);
    // A reset is an error of the byte stream on some systems, and on others just its end.
    this.on('error', () => {});
  }

  override _read(): void {
    this.peer.goOn();
  }

  goOn(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (bytes.length === 0 || this.#link.broken) return done();
    const size = this.#sizeOfPiece(bytes.length);
    const pass = () => {
      if (this.#link.broken || this.destroyed) return done();
      const admitted = this.#link.admit(size);
      const next = () => this._write(bytes.subarray(size), 'buffer' as BufferEncoding, done);
      const more = admitted === 0 || this.peer.deliver(bytes.subarray(0, admitted));
      if (admitted < size) this.#link.break();
      if (more || this.#link.broken) next();
      else this.#taken = next;
    };
    // Some pieces come in one turn, as when the system has gathered them.
    if (this.#dice.roll(3) === 0) process.nextTick(pass);
    else setImmediate(pass);
  }

  #sizeOfPiece(available: number): number {
    if (this.#largestPiece === Number.POSITIVE_INFINITY) return available;
    const largest = this.#pieces++ < smallPieces ? this.#largestPiece : 65_536;
    return 1 + this.#dice.roll(Math.min(largest, available));
  }

  /** Returns false if that is enough for now. */
  deliver(bytes: Buffer): boolean {
    if (this.destroyed) return true;
    const piece = Buffer.from(Uint8Array.from(bytes).buffer);
    this.delivered.push(piece);
    return this.push(piece);
  }

  break(how: Break): void {
    this.goOn();
    if (how === 'end') this.push(null);
    else this.destroy(this.#dice.roll(2) === 0 ? new Error('reset') : undefined);
  }

  override _final(done: () => void): void {
    if (!this.#link.broken) this.peer.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // One that is closed early takes the other along.
    if (!this.writableFinished || !this.readableEnded) setImmediate(() => this.peer.destroy());
    this.goOn();
    done(error);
  }
}
