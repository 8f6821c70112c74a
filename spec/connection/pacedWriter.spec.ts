import { Writable } from 'node:stream';
import { expect } from 'chai';
import { PacedWriter } from '../../lib/connection/pacedWriter';

/** A stream that keeps what it was given, and takes more when it is told to. */
class SlowStream extends Writable {
  readonly given: string[] = [];
  #done: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 4 });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.given.push(chunk.toString());
    this.#done = done;
  }

  take(): void {
    const done = this.#done;
    this.#done = undefined;
    done?.();
  }
}

describe('PacedWriter', () => {
  it('writes small pieces unchanged', () => {
    const stream = new SlowStream();
    const writer = new PacedWriter(stream, 4);
    expect(writer.write(Buffer.from('abc'))).to.equal(true);
    expect(writer.write(Buffer.from('d'))).to.equal(false);
    expect([stream.given, writer.length]).to.deep.equal([['abc'], 0]);
  });

  it('writes a large piece in parts, one after each drain, and keeps the order', async () => {
    const stream = new SlowStream();
    const writer = new PacedWriter(stream, 4);
    const rounds: boolean[] = [];
    stream.on('drain', () => rounds.push(writer.resume()));
    expect(writer.write(Buffer.from('abcdefghij'))).to.equal(false);
    expect(writer.write(Buffer.from('k'))).to.equal(false);
    expect([stream.given, writer.length]).to.deep.equal([['abcd'], 7]);
    while (writer.length > 0 || stream.writableLength > 0) {
      stream.take();
      await new Promise(setImmediate);
    }
    expect(stream.given.join('')).to.equal('abcdefghijk');
    expect(Math.max(...stream.given.map(({ length }) => length))).to.equal(4);
    expect(rounds.at(-1)).to.equal(true);
    expect(rounds.slice(0, -1)).to.not.include(true);
  });

  it('writes no empty piece after a piece of which all parts have the largest size', async () => {
    const stream = new SlowStream();
    const writer = new PacedWriter(stream, 4);
    stream.on('drain', () => writer.resume());
    writer.write(Buffer.from('abcdefgh'));
    for (let i = 0; i < 3; i++) {
      stream.take();
      await new Promise(setImmediate);
    }
    expect(stream.given).to.deep.equal(['abcd', 'efgh']);
  });

  it('waits for a stream that is full already', () => {
    const stream = new SlowStream();
    const writer = new PacedWriter(stream, 8);
    stream.write('full');
    expect(writer.write(Buffer.from('123456789'))).to.equal(false);
    expect([stream.given, writer.length]).to.deep.equal([['full'], 9]);
  });

  it('calls the callback once, when the last piece was written', async () => {
    const stream = new SlowStream();
    const writer = new PacedWriter(stream, 4);
    const called: string[] = [];
    stream.on('drain', () => writer.resume());
    writer.write(Buffer.from('abcdefghij'), () => called.push('large'));
    writer.write(Buffer.from('k'), () => called.push('small'));
    for (const given of ['abcd', 'abcdefgh']) {
      expect([stream.given.join(''), called]).to.deep.equal([given, []]);
      stream.take();
      await new Promise(setImmediate);
    }
    while (stream.writableLength > 0) {
      stream.take();
      await new Promise(setImmediate);
    }
    expect(called).to.deep.equal(['large', 'small']);
  });

  it('calls the callback with the error if the last piece cannot be written', async () => {
    const stream = new SlowStream();
    const writer = new PacedWriter(stream, 4);
    const errors: unknown[] = [];
    stream.on('error', () => {});
    stream.destroy();
    writer.write(Buffer.from('abcdef'), (error) => errors.push((error as NodeJS.ErrnoException).code));
    while (writer.length > 0) writer.resume();
    await new Promise(setImmediate);
    expect(errors).to.deep.equal(['ERR_STREAM_DESTROYED']);
  });
});
