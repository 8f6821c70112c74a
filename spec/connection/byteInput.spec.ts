import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import {
  ByteInput,
  type InputReader,
  type InputReceiver,
  type InputStream,
  type ReaderPool,
} from '../../lib/connection/byteInput';
import type { Incoming, Message } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';

/**
 * Reads each letter as a message. `!` breaks the protocol, `~` is decompressed on another thread, and a message that begins with `(` ends
 * with `)`.
 */
class LetterReader implements InputReader {
  readonly decompression = undefined;
  inMessage = false;
  partialSize = 0;
  releases = 0;
  /** Completes the decompression of the `~` that was read last. */
  decompressed!: (message: Message) => void;
  decompressionFailed!: (error: Error) => void;
  readonly #letters: string[] = [];

  feed(bytes: Buffer): void {
    this.#letters.push(...bytes.toString());
  }

  next(): Incoming | Promise<Message> | undefined {
    const letter = this.#letters.shift();
    if (letter === '!') throw new WebSocketError('WS_ERR_RESERVED_BITS');
    if (letter === '(') this.inMessage = true;
    if (letter === ')') this.inMessage = false;
    if (letter !== '~') return letter;
    return new Promise((resolve, reject) => {
      this.decompressed = resolve;
      this.decompressionFailed = reject;
    });
  }

  finish(): void {
    if (this.inMessage) throw new WebSocketError('WS_ERR_TRUNCATED');
  }

  release(): void {
    this.releases++;
  }
}

/** Lends one reader, and takes it back if it is `idle`. */
class FakePool implements ReaderPool {
  readonly reader = new LetterReader();
  idle = true;
  lent = 0;

  takeReader(): LetterReader {
    this.lent++;
    return this.reader;
  }

  returnReader(reader: InputReader | undefined): InputReader | undefined {
    return this.idle ? undefined : reader;
  }
}

/** A byte stream that notes whether it is paused, and the bytes that are put back. */
class FakeStream {
  paused = false;
  readonly putBack: string[] = [];

  isPaused(): boolean {
    return this.paused;
  }
  pause(): this {
    this.paused = true;
    return this;
  }
  resume(): this {
    this.paused = false;
    return this;
  }
  unshift(bytes: Buffer): void {
    this.putBack.push(bytes.toString());
  }
}

/** Notes what it receives. It has enough after each of the letters in `enoughAfter`, and throws at each of those in `throwsAt`. */
class FakeReceiver implements InputReceiver {
  readonly stream: InputStream;
  readonly pool: FakePool;
  received = '';
  enoughAfter = '';
  throwsAt = '';
  readonly ends: (WebSocketError | undefined)[] = [];
  readonly thrown: unknown[] = [];
  onReceive: (item: Incoming) => void = () => {};

  constructor(stream: FakeStream, pool: FakePool) {
    this.stream = stream as unknown as InputStream;
    this.pool = pool;
  }

  receive(item: Incoming): boolean {
    this.received += item;
    this.onReceive(item);
    if (this.throwsAt.includes(item as string)) throw new Error(`a listener has thrown at ${item}`);
    return !this.enoughAfter.includes(item as string);
  }

  inputEnded(error: WebSocketError | undefined): void {
    this.ends.push(error);
  }

  /** As a process does that has an 'uncaughtException' listener. */
  inContext(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.thrown.push(error);
    }
  }
}

describe('ByteInput', () => {
  let stream: FakeStream;
  let pool: FakePool;
  let receiver: FakeReceiver;
  let input: ByteInput;

  beforeEach(() => {
    stream = new FakeStream();
    pool = new FakePool();
    receiver = new FakeReceiver(stream, pool);
    input = new ByteInput(receiver);
  });
  afterEach(() => mock.restoreAll());

  const read = (letters: string) => input.read(Buffer.from(letters));
  const endCodes = () => receiver.ends.map((error) => error?.code);

  it('suspend(): pauses the byte stream, and delivers nothing that comes all the same', () => {
    input.suspend();
    expect([stream.paused, input.isPaused]).to.deep.equal([true, true]);
    read('ab');
    expect(receiver.received).to.equal('');
    input.resume();
    expect(receiver.received).to.equal('ab');
    expect(stream.paused).to.equal(false);
  });

  it('suspend(): stops after the message that is being delivered', () => {
    receiver.onReceive = (item) => {
      if (item === 'b') input.suspend();
    };
    read('abcd');
    expect(receiver.received).to.equal('ab');
    input.resume();
    expect(receiver.received).to.equal('abcd');
  });

  it('suspend(): can be called again after each message', () => {
    receiver.onReceive = () => input.suspend();
    read('abc');
    for (const received of ['a', 'ab', 'abc']) {
      expect(receiver.received).to.equal(received);
      input.resume();
    }
  });

  it('resume(): goes on after as many calls as of suspend()', () => {
    input.suspend();
    input.suspend();
    input.resume();
    expect(stream.paused).to.equal(true);
    input.resume();
    expect(stream.paused).to.equal(false);

    input.suspend();
    input.suspend();
    read('a');
    input.resume();
    expect(receiver.received).to.equal('');
    input.resume();
    expect(receiver.received).to.equal('a');
  });

  it('resume(): delivers nothing to a receiver that has enough', () => {
    receiver.enoughAfter = 'a';
    read('ab');
    input.suspend();
    input.resume();
    expect(receiver.received).to.equal('a');
    expect(stream.paused).to.equal(true);
    input.readOn();
    expect(receiver.received).to.equal('ab');
  });

  it('readOn(): is remembered while reading is suspended, and not for longer', () => {
    receiver.enoughAfter = 'ab';
    read('abc');
    input.suspend();
    input.readOn();
    expect(receiver.received).to.equal('a');
    input.resume();
    expect(receiver.received).to.equal('ab');
    input.suspend();
    input.resume();
    expect(receiver.received).to.equal('ab');
  });

  it('suspend(): delivers what was received before the end first, and then the end', () => {
    input.suspend();
    read('ab');
    input.end();
    expect(receiver.ends).to.have.lengthOf(0);
    input.resume();
    expect(receiver.received).to.equal('ab');
    expect(endCodes()).to.deep.equal([undefined]);
  });

  it('discard(): reads on although reading is suspended, before or later', () => {
    input.suspend();
    input.discard();
    input.suspend();
    expect(stream.paused).to.equal(false);
    input.resume();
    input.resume();
    read('a');
    expect(receiver.received).to.equal('');
  });

  it('delivers each message of the bytes, and counts the bytes', () => {
    read('ab');
    read('c');
    expect([receiver.received, input.received]).to.deep.equal(['abc', 3]);
    expect([input.isPaused, stream.paused]).to.deep.equal([false, false]);
  });

  it('inMessage, partialSize: tell whether a message was received in part, and how many bytes of it are kept', () => {
    expect([input.inMessage, input.partialSize]).to.deep.equal([false, 0]);
    pool.idle = false;
    read('(');
    pool.reader.partialSize = 1;
    expect([input.inMessage, input.partialSize]).to.deep.equal([true, 1]);
  });

  it('hasReceived(): returns whether bytes were received since the last call', () => {
    expect(input.hasReceived()).to.equal(false);
    read('a');
    expect([input.hasReceived(), input.hasReceived()]).to.deep.equal([true, false]);
  });

  describe('whose receiver returns false', () => {
    it('pauses the stream after that message, and goes on at readOn()', () => {
      receiver.enoughAfter = 'b';
      read('abcd');
      expect([receiver.received, input.isPaused, stream.paused]).to.deep.equal(['ab', true, true]);
      input.readOn();
      expect([receiver.received, input.isPaused, stream.paused]).to.deep.equal(['abcd', false, false]);
    });

    it('puts bytes back into a stream that other code has resumed, and does not count them', () => {
      receiver.enoughAfter = 'a';
      read('ab');
      stream.resume();
      read('cd');
      expect([receiver.received, input.received]).to.deep.equal(['a', 2]);
      expect([stream.paused, stream.putBack]).to.deep.equal([true, ['cd']]);
    });

    it('delivers each message once if the receiver calls readOn() inside of receive()', () => {
      receiver.enoughAfter = 'abc';
      receiver.onReceive = () => input.readOn();
      read('abc');
      expect(receiver.received).to.equal('a');
      input.readOn();
      input.readOn();
      input.readOn();
      expect([receiver.received, stream.paused]).to.deep.equal(['abc', false]);
    });

    it('readOn(): does nothing if there are no undecoded bytes', () => {
      input.readOn();
      input.end();
      input.readOn();
      expect([receiver.received, endCodes()]).to.deep.equal(['', [undefined]]);
    });

    it('pausedTime: counts the milliseconds of all pauses, also of one that lasts', () => {
      let now = 0;
      mock.method(performance, 'now', () => now);
      receiver.enoughAfter = 'ac';
      read('ab');
      now = 30;
      input.readOn();
      now = 100;
      read('cd');
      now = 105;
      expect(input.pausedTime).to.equal(35);
    });

    it('pausedTime: stops when everything was delivered after the end', () => {
      let now = 0;
      mock.method(performance, 'now', () => now);
      receiver.enoughAfter = 'a';
      read('ab');
      input.end();
      now = 30;
      input.readOn();
      now = 100;
      expect([endCodes(), input.pausedTime]).to.deep.equal([[undefined], 30]);
    });
  });

  describe('whose receiver throws', () => {
    it('delivers the later messages in a later turn of the event loop, each once', async () => {
      receiver.throwsAt = 'b';
      expect(() => read('abcd')).to.throw('thrown at b');
      expect([receiver.received, pool.reader.releases]).to.deep.equal(['ab', 0]);
      await turn();
      expect(receiver.received).to.equal('abcd');
      read('e');
      expect(receiver.received).to.equal('abcde');
    });

    it('goes on as well if the receiver throws at each message', async () => {
      receiver.throwsAt = 'abc';
      expect(() => read('abc')).to.throw('thrown at a');
      for (let i = 0; i < 5; i++) await turn();
      expect([receiver.received, receiver.thrown.length]).to.deep.equal(['abc', 2]);
    });

    it('puts bytes back that are received before it goes on', async () => {
      receiver.throwsAt = 'a';
      expect(() => read('ab')).to.throw('thrown at a');
      read('cd');
      expect(stream.putBack).to.deep.equal(['cd']);
      await turn();
      expect([receiver.received, stream.paused]).to.deep.equal(['ab', false]);
    });

    it('reports the end after the later messages', async () => {
      receiver.throwsAt = 'a';
      expect(() => read('ab')).to.throw('thrown at a');
      input.end();
      expect(receiver.ends).to.deep.equal([]);
      await turn();
      expect([receiver.received, endCodes()]).to.deep.equal(['ab', [undefined]]);
    });

    it('delivers no more items, and releases the reader, if the receiver calls discard() before it throws', async () => {
      receiver.throwsAt = 'a';
      receiver.onReceive = () => input.discard();
      expect(() => read('ab')).to.throw('thrown at a');
      await turn();
      expect([receiver.received, pool.reader.releases]).to.deep.equal(['a', 1]);
    });
  });

  describe('with a message that is decompressed on another thread', () => {
    it('makes the later messages wait, and keeps the order', async () => {
      read('a~b');
      input.readOn();
      expect([receiver.received, stream.paused]).to.deep.equal(['a', true]);
      pool.reader.decompressed('X');
      await turn();
      expect([receiver.received, stream.paused]).to.deep.equal(['aXb', false]);
    });

    it('stays paused after it if the receiver returns false', async () => {
      receiver.enoughAfter = 'X';
      read('~b');
      pool.reader.decompressed('X');
      await turn();
      await turn();
      expect([receiver.received, stream.paused]).to.deep.equal(['X', true]);
      input.readOn();
      expect([receiver.received, stream.paused]).to.deep.equal(['Xb', false]);
    });

    it('goes on after it if the receiver throws', async () => {
      receiver.throwsAt = 'X';
      read('~b');
      pool.reader.decompressed('X');
      await turn();
      await turn();
      expect([receiver.received, receiver.thrown.length]).to.deep.equal(['Xb', 1]);
    });

    it('ends with WS_ERR_INVALID_COMPRESSION if it cannot be decompressed, and drops later bytes', async () => {
      read('a~b');
      const invalid = new Error('invalid distance');
      pool.reader.decompressionFailed(invalid);
      await turn();
      expect([receiver.received, endCodes(), input.isOver]).to.deep.equal(['a', ['WS_ERR_INVALID_COMPRESSION'], true]);
      expect(receiver.ends[0]?.cause).to.equal(invalid);
      read('c');
      expect([receiver.received, input.received, stream.putBack]).to.deep.equal(['a', 4, []]);
    });

    it('reports the end after it', async () => {
      read('~b');
      input.end();
      expect(receiver.ends).to.deep.equal([]);
      pool.reader.decompressed('X');
      await turn();
      expect([receiver.received, endCodes()]).to.deep.equal(['Xb', [undefined]]);
    });

    it('discard(): drops it, and releases the reader when the other thread has finished', async () => {
      read('~b');
      input.discard();
      expect([input.isOver, pool.reader.releases]).to.deep.equal([true, 0]);
      pool.reader.decompressed('X');
      await turn();
      expect([receiver.received, pool.reader.releases, receiver.ends]).to.deep.equal(['', 1, []]);
    });
  });

  describe('at the end of the bytes', () => {
    it('reports the end once, when everything before it was delivered', () => {
      receiver.enoughAfter = 'a';
      read('ab');
      input.end();
      expect([receiver.ends, input.isOver]).to.deep.equal([[], false]);
      input.readOn();
      input.end();
      expect([receiver.received, endCodes(), input.isOver]).to.deep.equal(['ab', [undefined], true]);
    });

    it('reports WS_ERR_TRUNCATED inside a message', () => {
      pool.idle = false;
      read('(a');
      expect(input.inMessage).to.equal(true);
      input.end();
      expect(endCodes()).to.deep.equal(['WS_ERR_TRUNCATED']);
    });

    it('reports bytes that break the protocol after the messages before them, and decodes no later bytes', () => {
      receiver.enoughAfter = 'b';
      read('ab!c');
      expect(receiver.ends).to.deep.equal([]);
      input.readOn();
      read('d');
      input.end();
      expect([receiver.received, endCodes()]).to.deep.equal(['ab', ['WS_ERR_RESERVED_BITS']]);
    });

    it('releases the reader, once', () => {
      pool.idle = false;
      read('a');
      input.end();
      input.end();
      expect(pool.reader.releases).to.equal(1);
    });
  });

  describe('discard()', () => {
    it('drops undecoded and later bytes, and counts them', () => {
      receiver.enoughAfter = 'a';
      read('ab');
      input.discard();
      read('cd');
      input.readOn();
      input.end();
      expect([receiver.received, input.received, receiver.ends]).to.deep.equal(['a', 4, []]);
      expect([input.isOver, input.isPaused, stream.paused]).to.deep.equal([true, false, false]);
      expect(pool.reader.releases).to.equal(1);
    });

    it('reads on also if other code has paused the stream', () => {
      stream.pause();
      input.discard();
      expect(stream.paused).to.equal(false);
    });

    it('delivers no more items if the receiver calls it inside of receive(), and then releases the reader', () => {
      receiver.onReceive = () => {
        input.discard();
        expect(pool.reader.releases).to.equal(0);
      };
      read('ab');
      expect([receiver.received, pool.reader.releases, receiver.ends]).to.deep.equal(['a', 1, []]);
    });
  });

  it('isAdvancing(): is true twice after items were decoded, as long as bytes of the same chunk wait', () => {
    receiver.enoughAfter = 'ab';
    read('abc');
    expect([input.isAdvancing(), input.isAdvancing(), input.isAdvancing()]).to.deep.equal([true, true, false]);
    input.readOn();
    expect(input.isAdvancing()).to.equal(true);
    input.readOn();
    expect(input.isAdvancing()).to.equal(false);
  });

  it('returns an idle reader to the pool, and takes one for the next bytes', () => {
    read('a');
    read('b');
    expect(pool.lent).to.equal(2);
    pool.idle = false;
    read('(');
    read(')');
    expect(pool.lent).to.equal(3);
  });
});
