import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { ByteOutput, type OutputOwner, type OutputWriter, type WriterPool } from '../../lib/connection/byteOutput';
import type { Outgoing } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';

/**
 * Encodes a string as its bytes. One that begins with `~` is compressed on another thread, one with `!` cannot be encoded, and one with `-`
 * has no bytes, like a Close in a version without Close frames.
 */
class FakeWriter implements OutputWriter {
  readonly compression = undefined;
  onReady: (() => void) | undefined;
  onFailure: ((error: WebSocketError) => void) | undefined;
  busy = false;
  releases = 0;
  #encoded: Buffer[] = [];
  #waiting: string[] = [];

  get length(): number {
    return this.#encoded.reduce((sum, { length }) => sum + length, 0);
  }

  get waitingBytes(): number {
    return this.#waiting.join('').length;
  }

  write(item: Outgoing): void {
    const text = item as string;
    if (text.startsWith('!')) throw new WebSocketError('WS_ERR_UNSUPPORTED');
    if (this.busy || text.startsWith('~')) {
      this.busy = true;
      this.#waiting.push(text);
    } else if (!text.startsWith('-')) this.#encoded.push(Buffer.from(text));
  }

  /** The other thread is done. */
  compressed(): void {
    this.busy = false;
    this.#encoded.push(...this.#waiting.splice(0).map((text) => Buffer.from(text)));
    this.onReady?.();
  }

  takeOnly(): Uint8Array | undefined {
    return this.#encoded.length === 1 ? this.#encoded.pop() : undefined;
  }

  take(): readonly Uint8Array[] {
    return this.#encoded.splice(0);
  }

  release(): void {
    this.releases++;
  }
}

/** Lends one writer, and takes it back if it is `idle`. */
class FakePool implements WriterPool {
  readonly writer = new FakeWriter();
  idle = true;
  lent = 0;
  returned = 0;

  takeWriter(): FakeWriter {
    this.lent++;
    return this.writer;
  }

  returnWriter(writer: OutputWriter): OutputWriter | undefined {
    if (!this.idle || writer.busy) return writer;
    this.returned++;
    return undefined;
  }
}

/** A byte stream that is full with 8 bytes. What is written stays in it until `letLeave()` is called. */
class FakeStream extends Duplex {
  /** Each write, as it came. */
  readonly writes: string[] = [];
  onWrite: () => void = () => {};
  #left: ((error?: Error) => void) | undefined;

  constructor() {
    super({ highWaterMark: 8, read() {} });
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.writes.push(bytes.toString());
    this.#left = done;
    this.onWrite();
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'utf8', done);
  }

  /** The write that was begun has left, or failed. */
  async letLeave(error?: Error): Promise<void> {
    const left = this.#left;
    this.#left = undefined;
    left?.(error);
    await turn();
  }
}

class FakeOwner implements OutputOwner {
  readonly events: string[] = [];
  readonly stream: FakeStream;
  readonly pool: FakePool;

  /** How often `isReading()` returns true. */
  steps = 0;

  constructor(stream: FakeStream, pool: FakePool) {
    this.stream = stream;
    this.pool = pool;
  }

  isReading(): boolean {
    return this.steps-- > 0;
  }
  outputDrained(): void {
    this.events.push('drained');
  }
  outputStalled(): void {
    this.events.push('stalled');
  }
  outputFailed({ code }: WebSocketError): void {
    this.events.push(`failed with ${code}`);
  }
}

describe('ByteOutput', () => {
  let stream: FakeStream;
  let pool: FakePool;
  let owner: FakeOwner;
  let output: ByteOutput;
  /** The calls of callbacks that `note()` has made. */
  let called: string[];

  const largestWrite = 16;

  beforeEach(() => {
    stream = new FakeStream();
    stream.on('drain', () => output.drained());
    stream.on('error', () => {});
    pool = new FakePool();
    owner = new FakeOwner(stream, pool);
    output = new ByteOutput(largestWrite, owner);
    called = [];
  });

  const note = (name: string) => (error?: Error | null) =>
    void called.push(error ? `${name}: ${(error as WebSocketError).code}` : name);

  /** What an 'uncaughtException' listener gets while this runs. */
  async function uncaughtDuring(action: () => Promise<void>): Promise<string[]> {
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const uncaught: string[] = [];
    process.on('uncaughtException', (error) => uncaught.push(error.message));
    try {
      await action();
      await turn();
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
    return uncaught;
  }

  const throwing = () => {
    called.push('throwing');
    throw new Error('a callback has thrown');
  };

  it('send(): writes all items of a tick at its end, in order and in one write', async () => {
    output.send('a');
    output.send('b');
    expect([stream.writes, output.bufferedAmount, output.sent]).to.deep.equal([[], 2, 0]);
    await turn();
    expect([stream.writes, output.sent]).to.deep.equal([['ab'], 2]);
  });

  it('send(): writes 64 KiB without waiting for the end of the tick', () => {
    output = new ByteOutput(Number.POSITIVE_INFINITY, owner);
    output.send('x'.repeat(64 * 1024));
    expect(stream.writes).to.have.lengthOf(1);
  });

  it('hold(): keeps the bytes until release()', async () => {
    output.hold();
    output.send('a');
    await turn();
    expect(stream.writes).to.deep.equal([]);
    output.release();
    expect(stream.writes).to.deep.equal(['a']);
  });

  it('writes in one piece what is sent between the steps in which the messages of one chunk are read', async () => {
    owner.steps = 2;
    output.send('a');
    await Promise.resolve();
    process.nextTick(() => output.send('b'));
    await turn();
    expect(stream.writes).to.deep.equal(['ab']);
  });

  it('writes although messages of the chunk wait, if nobody reads them', async () => {
    owner.steps = 1;
    output.send('a');
    await turn();
    expect([stream.writes, owner.steps]).to.deep.equal([['a'], -1]);
  });

  it('returns an idle writer to the pool, without callbacks, and takes one for the next item', async () => {
    for (const item of ['a', 'b']) {
      output.send(item);
      await turn();
    }
    expect([pool.lent, pool.writer.onReady, pool.writer.onFailure]).to.deep.equal([2, undefined, undefined]);
    pool.idle = false;
    for (const item of ['c', 'd']) {
      output.send(item);
      await turn();
    }
    expect(pool.lent).to.equal(3);
  });

  it('returns a writer once, also if a byte stream passes the bytes on inside of write(), and more is sent', () => {
    output = new ByteOutput(Number.POSITIVE_INFINITY, owner);
    stream.onWrite = () => {
      stream.onWrite = () => {};
      output.send('y'.repeat(64 * 1024));
    };
    output.send('x'.repeat(64 * 1024));
    expect([pool.lent, pool.returned]).to.deep.equal([1, 1]);
  });

  describe('offer()', () => {
    it('returns false while the stream is full, and outputDrained() follows', async () => {
      expect(output.offer('12345678')).to.equal(true);
      await turn();
      expect([output.isFull, owner.events]).to.deep.equal([true, ['stalled']]);
      expect(output.offer('next', note('next'))).to.equal(false);
      await stream.letLeave();
      expect([output.isFull, owner.events]).to.deep.equal([false, ['stalled', 'drained']]);
      expect(called).to.deep.equal([]);
      expect(output.offer('next')).to.equal(true);
    });

    it('returns false while a message is compressed, and outputDrained() follows', async () => {
      output.offer('~large');
      expect([output.isFull, output.offer('next')]).to.deep.equal([true, false]);
      expect(output.bufferedAmount).to.equal(6);
      pool.writer.compressed();
      expect(owner.events).to.deep.equal(['drained']);
      await turn();
      expect(stream.writes).to.deep.equal(['~large']);
    });

    it('calls outputDrained() once if the stream was full and a message was being compressed', async () => {
      output.send('~large');
      output.send('12345678');
      pool.writer.compressed();
      owner.events.length = 0;
      await turn();
      expect(owner.events).to.deep.equal(['stalled']);
      output.send('~another');
      await stream.letLeave();
      await stream.letLeave();
      expect(owner.events).to.deep.equal(['stalled']);
      pool.writer.compressed();
      expect(owner.events).to.deep.equal(['stalled', 'drained']);
    });

    it('calls outputDrained() only when the stream has drained, if it is full when a message has been compressed', async () => {
      output.send('12345678');
      await turn();
      output.send('~large');
      pool.writer.compressed();
      expect(owner.events).to.deep.equal(['stalled']);
      await stream.letLeave();
      await stream.letLeave();
      expect(owner.events).to.deep.equal(['stalled', 'drained']);
    });

    it('does not call the callback of an item for which it returned false', async () => {
      output.offer('12345678', note('first'));
      await turn();
      output.offer('second', note('second'));
      await stream.letLeave();
      stream.destroy();
      output.closed();
      expect(called).to.deep.equal(['first']);
    });
  });

  it('send(): keeps the order of items that are sent while a message is compressed', async () => {
    output.send('a');
    output.send('~b');
    output.send('c');
    await turn();
    expect(stream.writes).to.deep.equal(['a']);
    pool.writer.compressed();
    await stream.letLeave();
    expect(stream.writes).to.deep.equal(['a', '~bc']);
  });

  it('writes a large message in pieces of `largestWrite`, and later items after it', async () => {
    output.send('x'.repeat(40));
    output.send('y');
    await turn();
    expect([stream.writes, output.bufferedAmount]).to.deep.equal([['x'.repeat(16)], 41]);
    for (let i = 0; i < 5; i++) await stream.letLeave();
    expect(stream.writes.map(({ length }) => length)).to.deep.equal([16, 16, 8, 1]);
    expect([stream.writes.join(''), output.bufferedAmount]).to.deep.equal([`${'x'.repeat(40)}y`, 0]);
    expect(owner.events).to.deep.equal(['stalled', 'drained']);
  });

  describe('the callback of an item', () => {
    it('is called when its bytes have been written, and not before', async () => {
      output.send('a', note('a'));
      output.send('b', note('b'));
      await turn();
      expect(called).to.deep.equal([]);
      await stream.letLeave();
      expect(called).to.deep.equal(['a', 'b']);
    });

    it('is called when the last piece of a large item has been written', async () => {
      output.send('a');
      output.send('x'.repeat(40), note('large'));
      await turn();
      await stream.letLeave();
      await stream.letLeave();
      expect(called).to.deep.equal([]);
      await stream.letLeave();
      expect(called).to.deep.equal(['large']);
    });

    it('waits for the other thread that compresses the item', async () => {
      output.send('~alone', note('alone'));
      await turn();
      expect(called).to.deep.equal([]);
      pool.writer.compressed();
      await turn();
      await stream.letLeave();
      expect(called).to.deep.equal(['alone']);
    });

    it('waits for the other thread if an item before it is compressed', async () => {
      output.send('a', note('a'));
      output.send('~b', note('b'));
      await turn();
      await stream.letLeave();
      expect(called).to.deep.equal([]);
      pool.writer.compressed();
      await turn();
      await stream.letLeave();
      expect(called).to.deep.equal(['a', 'b']);
    });

    it('is called for an item that has no bytes', async () => {
      output.send('-close', note('close'));
      await turn();
      expect([called, stream.writes]).to.deep.equal([['close'], []]);
    });

    it('is called with WS_ERR_NOT_OPEN, and its cause, if the write fails', async () => {
      const errors: unknown[] = [];
      output.send('a', (error) => errors.push(error));
      await turn();
      const cause = new Error('EPIPE');
      await stream.letLeave(cause);
      output.closed();
      expect(errors).to.have.lengthOf(1);
      expect(errors[0]).to.include({ code: 'WS_ERR_NOT_OPEN', cause });
    });

    it('is called with WS_ERR_NOT_OPEN if the byte stream was destroyed during the write, whatever Node says of the write', async () => {
      output.send('a', note('a'));
      await turn();
      stream.destroy();
      await stream.letLeave();
      output.closed();
      expect(called).to.deep.equal(['a: WS_ERR_NOT_OPEN']);
    });

    it('has no error if the byte stream was destroyed when the bytes had reached the operating system', async () => {
      stream.onWrite = () => void stream.letLeave();
      output.send('a', note('a'));
      output.release();
      expect(called).to.deep.equal([]);
      stream.destroy();
      await turn();
      expect(called).to.deep.equal(['a']);
    });

    it('waits, for an item that has no bytes, for the bytes in front of it', async () => {
      output.send('a');
      await turn();
      output.send('-close', note('close'));
      await turn();
      expect(called).to.deep.equal([]);
      stream.destroy();
      output.closed();
      expect(called).to.deep.equal(['close: WS_ERR_NOT_OPEN']);
    });

    it('is called with WS_ERR_NOT_OPEN, once, for all unsent items when the stream closes', async () => {
      output.send('x'.repeat(40), note('written'));
      await turn();
      output.send('~b', note('compressing'));
      output.closed();
      output.closed();
      pool.writer.compressed();
      await stream.letLeave();
      await stream.letLeave();
      expect(called).to.deep.equal(['written: WS_ERR_NOT_OPEN', 'compressing: WS_ERR_NOT_OPEN']);
    });

    it('is called later, with WS_ERR_NOT_OPEN, for an item that is sent after the end', async () => {
      output.end();
      output.send('late');
      output.send('late', note('late'));
      expect(called).to.deep.equal([]);
      await turn();
      expect([called, stream.writes, stream.errored]).to.deep.equal([['late: WS_ERR_NOT_OPEN'], [], null]);
    });

    it('is called later, with WS_ERR_NOT_OPEN, for an item that is sent after the stream has closed', async () => {
      output.closed();
      output.send('late', note('late'));
      await turn();
      expect([called, stream.writes, output.isWritable]).to.deep.equal([['late: WS_ERR_NOT_OPEN'], [], false]);
    });

    it('is not called for an item for which send() has thrown', async () => {
      expect(() => output.send('!', note('!'))).to.throw(WebSocketError);
      output.send('a', note('a'));
      await turn();
      await stream.letLeave();
      output.closed();
      expect(called).to.deep.equal(['a']);
    });

    it('may throw: the others are called, and the stream finishes', async () => {
      const uncaught = await uncaughtDuring(async () => {
        output.send('a', throwing);
        output.send('b', note('b'));
        await turn();
        output.end();
        await stream.letLeave();
      });
      expect([called, uncaught]).to.deep.equal([['throwing', 'b'], ['a callback has thrown']]);
      expect(stream.writableFinished).to.equal(true);
    });

    it('may throw when the stream closes: the others are called', async () => {
      const uncaught = await uncaughtDuring(async () => {
        output.send('12345678', throwing);
        await turn();
        output.send('b', throwing);
        output.send('c', note('c'));
        output.closed();
      });
      expect(called).to.deep.equal(['throwing', 'throwing', 'c: WS_ERR_NOT_OPEN']);
      expect(uncaught).to.deep.equal(['a callback has thrown', 'a callback has thrown']);
    });
  });

  describe('end()', () => {
    it('writes what was sent, then ends the stream', async () => {
      output.send('a');
      output.end();
      expect([stream.writes, stream.writableEnded, output.isWritable]).to.deep.equal([['a'], true, false]);
      await stream.letLeave();
      expect(stream.writableFinished).to.equal(true);
    });

    it('waits for the pieces of a large message', async () => {
      output.send('x'.repeat(40));
      output.end();
      expect(stream.writableEnded).to.equal(false);
      for (let i = 0; i < 5; i++) await stream.letLeave();
      expect([stream.writes.join(''), stream.writableFinished]).to.deep.equal(['x'.repeat(40), true]);
      expect(owner.events).to.not.include('drained');
    });

    it('waits for a message that is being compressed, and for later items', async () => {
      output.send('~a');
      output.send('b');
      output.end();
      await turn();
      expect(stream.writableEnded).to.equal(false);
      pool.writer.compressed();
      await stream.letLeave();
      expect([stream.writes, stream.writableFinished]).to.deep.equal([['~ab'], true]);
    });
  });

  it('stop(): writes no more bytes, not even an end, and calls the callbacks when the stream closes', async () => {
    output.send('~a', note('a'));
    output.stop();
    pool.writer.compressed();
    await turn();
    output.end();
    expect([stream.writes, called, output.isWritable]).to.deep.equal([[], [], false]);
    expect(stream.writableEnded).to.equal(false);
    output.closed();
    expect([called, owner.events]).to.deep.equal([['a: WS_ERR_NOT_OPEN'], []]);
  });

  describe('hasUnsent', () => {
    it('is false before watch(), and while nothing was sent', async () => {
      output.send('a');
      await turn();
      expect(output.hasUnsent).to.equal(false);
      await stream.letLeave();
      output.watch();
      output.closed();
      expect([output.hasUnsent, stream.writes]).to.deep.equal([false, ['a']]);
    });

    it('is true while bytes wait that were written before watch(), which adds one empty write behind them', async () => {
      output.send('a');
      await turn();
      output.watch();
      output.watch();
      expect(output.hasUnsent).to.equal(true);
      await stream.letLeave();
      await stream.letLeave();
      expect([output.hasUnsent, stream.writes]).to.deep.equal([false, ['a', '']]);
    });

    it('is true while pieces of a large message wait', async () => {
      output.send('x'.repeat(40));
      await turn();
      output.watch();
      for (let i = 0; i < 3; i++) {
        expect(output.hasUnsent).to.equal(true);
        await stream.letLeave();
      }
      await stream.letLeave();
      expect([output.hasUnsent, stream.writes.join('')]).to.deep.equal([false, 'x'.repeat(40)]);
    });

    it('is true while bytes wait that were written after watch(), with a callback or without one', async () => {
      output.watch();
      for (const callback of [undefined, note('b')]) {
        output.send('b', callback);
        await turn();
        expect(output.hasUnsent).to.equal(true);
        await stream.letLeave();
        expect(output.hasUnsent).to.equal(false);
      }
      expect([called, stream.writes]).to.deep.equal([['b'], ['b', 'b']]);
    });

    it('stays true if the byte stream closes before the bytes were sent', async () => {
      output.watch();
      output.send('a');
      await turn();
      stream.destroy();
      await stream.letLeave();
      output.closed();
      expect(output.hasUnsent).to.equal(true);
    });

    for (const item of ['a', '~a'])
      it(`is true if the byte stream closes before an item was written: ${item}`, () => {
        output.watch();
        output.send(item);
        output.closed();
        expect(output.hasUnsent).to.equal(true);
      });

    it('is true if a message was refused, and false if only control frames were', () => {
      output.watch();
      output.stop();
      output.send({ opcode: 'pong', payload: Buffer.alloc(0) });
      output.send({ opcode: 'close', code: 1000, reason: '' });
      expect(output.hasUnsent).to.equal(false);
      output.send({ opcode: 'text', payload: 'a' });
      expect(output.hasUnsent).to.equal(true);
    });

    it('is known without a write if Node ends the byte stream itself, because allowHalfOpen is false', async () => {
      for (const isSent of [true, false]) {
        const written = stream.writes.length;
        stream.allowHalfOpen = false;
        output.send('a');
        await turn();
        output.watch();
        stream.end();
        expect(output.hasUnsent).to.equal(true);
        if (isSent) await stream.letLeave();
        else stream.destroy();
        await turn();
        output.closed();
        expect([output.hasUnsent, stream.writes.length - written]).to.deep.equal([!isSent, 1]);
        stream = new FakeStream();
        owner = new FakeOwner(stream, pool);
        output = new ByteOutput(largestWrite, owner);
      }
    });
  });

  it('reports an item that cannot be encoded later', async () => {
    output.send('~a');
    pool.writer.onFailure?.(new WebSocketError('WS_ERR_UNSUPPORTED'));
    expect(owner.events).to.deep.equal(['failed with WS_ERR_UNSUPPORTED']);
    pool.writer.compressed();
    await turn();
  });

  it('closed(): frees the memory of the writer', () => {
    pool.idle = false;
    output.send('a');
    output.closed();
    expect(pool.writer.releases).to.equal(1);
  });
});
