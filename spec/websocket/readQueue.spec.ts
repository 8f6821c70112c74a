import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { overhead } from '../../lib/framing/cost';
import type { MessageInfo } from '../../lib/websocket/events';
import { ReadQueue } from '../../lib/websocket/readQueue';
import { VirtualTime } from '../support/virtualTime';

/** A stream of messages that asks its queue, as a WebSocket does. */
class FakeSide extends Readable {
  queue!: ReadQueue;

  constructor() {
    super({ objectMode: true, highWaterMark: Number.MAX_SAFE_INTEGER });
  }

  override _read(): void {
    this.queue.requested();
  }

  override read(size?: number): unknown {
    let message: unknown;
    let completed = false;
    try {
      message = super.read(size);
      completed = true;
    } finally {
      if (completed) this.queue.taken(message);
      else this.queue.readingThrew();
    }
    return message;
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.queue.stop();
    done(error);
  }

  /** Listens as a program does; the WebSocket tells its queue of it. */
  listen(event: 'message' | 'data', listener: (...parameters: never[]) => void): void {
    this.on(event, listener as () => void);
    this.queue.listenersChanged();
  }

  unlisten(event: 'message' | 'data', listener: (...parameters: never[]) => void): void {
    this.removeListener(event, listener as () => void);
    this.queue.listenersChanged();
  }
}

/** A connection that gives its messages while the queue has room, and the next ones when it is asked for more. */
class FakeSupply {
  asked = 0;
  #reading = false;

  readonly queue: ReadQueue;
  readonly messages: (string | Buffer)[];

  constructor(queue: ReadQueue, messages: (string | Buffer)[] = []) {
    this.queue = queue;
    this.messages = messages;
  }

  readOn(): void {
    this.asked++;
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.messages.length > 0 && this.queue.deliver(this.messages.shift() as string));
    } finally {
      this.#reading = false;
    }
  }
}

/** What an 'uncaughtException' listener gets while this runs. */
async function uncaughtDuring(action: () => Promise<void>): Promise<string[]> {
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const uncaught: string[] = [];
  process.on('uncaughtException', ({ message }) => uncaught.push(message));
  try {
    await action();
    await turns();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
  return uncaught;
}

async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

describe('ReadQueue', () => {
  let side: FakeSide;
  let queue: ReadQueue;

  const make = (marks = { messages: 3, bytes: 2000 }) => {
    side = new FakeSide();
    queue = new ReadQueue(side, marks);
    side.queue = queue;
  };
  const supplyOf = (...messages: (string | Buffer)[]) => {
    const supply = new FakeSupply(queue, messages);
    queue.open(supply);
    return supply;
  };
  beforeEach(() => make());

  describe('deliver()', () => {
    it('keeps messages for a reader up to the mark of messages, and counts them', () => {
      expect(['a', 'b', 'c'].map((message) => queue.deliver(message))).to.deep.equal([true, true, false]);
      expect([side.readableLength, queue.received]).to.deep.equal([3, 3]);
    });

    it('keeps messages up to the mark of bytes of memory', () => {
      expect(queue.deliver(Buffer.alloc(1000 - overhead))).to.equal(true);
      expect(queue.deliver(Buffer.alloc(1000 - overhead))).to.equal(false);
    });

    it('delivers no message before queued ones if the stream flows again, and has not read them yet', async () => {
      const read: string[] = [];
      side.listen('data', (message: string) => read.push(message));
      await turn();
      queue.deliver('a');
      side.pause();
      queue.deliver('b');
      side.resume();
      queue.deliver('c');
      await turns();
      expect(read).to.deep.equal(['a', 'b', 'c']);
    });

    it('returns true as long as a reader reads each message at once, and keeps the order', async () => {
      const read: string[] = [];
      side.listen('data', (message: string) => read.push(message));
      await turn();
      const sent = Array.from({ length: 100 }, (_, i) => `${i}`);
      for (const message of sent) expect(queue.deliver(message)).to.equal(true);
      expect(read).to.deep.equal(sent);
    });

    it('decodes bytes with the encoding that the program has set', async () => {
      const read: unknown[] = [];
      side.setEncoding('hex');
      side.listen('data', (message: unknown) => read.push(message));
      await turn();
      queue.deliver(Buffer.of(1));
      queue.deliver(Buffer.of(2));
      await turns();
      expect(read).to.deep.equal(['01', '02']);
    });
  });

  it('cost: is the memory of the queued messages, and falls with each that is read', () => {
    queue.deliver(Buffer.alloc(100));
    queue.deliver('ab');
    side.read(0);
    expect(queue.cost).to.equal(overhead + 100 + overhead + 4);
    side.read();
    expect(queue.cost).to.equal(overhead + 4);
    side.unshift('a message that was put back, which the queue does not know of');
    side.read();
    expect([queue.cost, side.readableLength]).to.deep.equal([0, 1]);
  });

  it('calls readOn() when the stream asks for messages and has room for them', () => {
    const supply = supplyOf('a', 'b');
    side.read(0);
    expect(supply.messages).to.deep.equal([]);
  });

  it('calls readOn() when messages that the program has put back are read again', async () => {
    const supply = supplyOf();
    for (const message of ['c', 'b', 'a']) side.unshift(message);
    side.read(0);
    expect(supply.asked).to.equal(0);
    side.read();
    await turns();
    expect(supply.asked).to.be.above(0);
  });

  it('calls readOn() when the reader has read enough messages', async () => {
    const supply = supplyOf('a', 'b', 'c', 'd', 'e');
    supply.readOn();
    side.read(0);
    expect([supply.messages, supply.asked]).to.deep.equal([['d', 'e'], 1]);
    expect(side.read()).to.equal('a');
    await turns();
    expect([supply.messages.length, side.readableLength]).to.deep.equal([1, 3]);
    const rest: unknown[] = [];
    for (let message = side.read(); message !== null; message = side.read()) {
      rest.push(message);
      await turns();
    }
    expect(rest).to.deep.equal(['b', 'c', 'd', 'e']);
  });

  describe("with 'message' listeners", () => {
    it("emits 'message' with the message and { binary }, from the first message on", async () => {
      const read: unknown[] = [];
      side.listen('message', (message: unknown, { binary }: MessageInfo) => read.push([message, binary]));
      queue.deliver('a');
      await turns();
      queue.deliver(Buffer.of(1));
      expect(read).to.deep.equal([
        ['a', false],
        [Buffer.of(1), true],
      ]);
    });

    it('keeps messages when the last listener is removed, and goes on with the next listener', async () => {
      const read: string[] = [];
      const first = (message: string) => {
        read.push(`first: ${message}`);
        side.unlisten('message', first);
      };
      side.listen('message', first);
      await turn();
      queue.deliver('a');
      queue.deliver('b');
      await turns();
      expect([read, queue.hasReader]).to.deep.equal([['first: a'], false]);
      side.listen('message', (message: string) => read.push(`second: ${message}`));
      await turns();
      expect([read, queue.hasReader]).to.deep.equal([['first: a', 'second: b'], true]);
    });

    it('does not resume a stream that the program itself has paused', async () => {
      side.listen('message', () => {});
      side.pause();
      const another = () => {};
      side.listen('message', another);
      side.unlisten('message', another);
      await turns();
      expect(side.isPaused()).to.equal(true);
    });

    it('does not resume a stream that the program has paused before it removed the last listener', async () => {
      const listener = () => {};
      side.listen('message', listener);
      side.pause();
      side.unlisten('message', listener);
      side.listen('message', listener);
      await turns();
      expect(side.isPaused()).to.equal(true);
    });

    it("does not pause when the last listener is removed, and there are 'data' listeners", async () => {
      const read: string[] = [];
      const listener = () => {};
      side.on('pause', () => read.push('pause'));
      side.listen('message', listener);
      side.listen('data', (message: string) => read.push(message));
      await turn();
      side.unlisten('message', listener);
      queue.deliver('a');
      expect(read).to.deep.equal(['a']);
    });

    it("emits 'data' as well if it has a listener", async () => {
      const read: string[] = [];
      side.listen('message', (message: string) => read.push(`message ${message}`));
      side.listen('data', (message: string) => read.push(`data ${message}`));
      await turn();
      queue.deliver('a');
      queue.deliver('b');
      expect(read).to.deep.equal(['message a', 'data a', 'message b', 'data b']);
    });
  });

  describe('whose listener throws', () => {
    const listenAndThrowAt = (...bad: string[]) => {
      const read: string[] = [];
      side.listen('message', (message: string) => {
        read.push(message);
        if (bad.includes(message)) throw new Error(`thrown at ${message}`);
      });
      return read;
    };

    it('delivers each of the queued messages once, in order', async () => {
      for (const message of ['a', 'b', 'c']) queue.deliver(message);
      let read: string[] = [];
      const uncaught = await uncaughtDuring(async () => {
        read = listenAndThrowAt('a', 'b');
      });
      expect([read, uncaught]).to.deep.equal([
        ['a', 'b', 'c'],
        ['thrown at a', 'thrown at b'],
      ]);
    });

    it('calls readOn() if it has thrown at the last queued message', async () => {
      make({ messages: 1, bytes: 2000 });
      let read: string[] = [];
      const supply = supplyOf('a', 'b', 'c');
      supply.readOn();
      await uncaughtDuring(async () => {
        read = listenAndThrowAt('a');
      });
      expect([read, supply.messages]).to.deep.equal([['a', 'b', 'c'], []]);
    });

    it('does not count a message as queued whose listener has thrown', async () => {
      const bad = 'x'.repeat(500);
      queue.deliver(bad);
      await uncaughtDuring(async () => {
        listenAndThrowAt(bad);
      });
      expect([side.readableLength, queue.cost]).to.deep.equal([0, 0]);
    });

    it('delivers no further message if the listener has also paused the stream', async () => {
      for (const message of ['a', 'b']) queue.deliver(message);
      side.on('message', () => side.pause());
      let read: string[] = [];
      await uncaughtDuring(async () => {
        read = listenAndThrowAt('a');
      });
      expect([read, side.readableLength]).to.deep.equal([['a'], 1]);
    });

    it('does not count a message as queued that was delivered at once', async () => {
      const bad = 'x'.repeat(900);
      listenAndThrowAt(bad);
      await turn();
      expect(() => queue.deliver(bad)).to.throw('thrown at');
      side.pause();
      expect(queue.deliver('x'.repeat(50))).to.equal(true);
    });
  });

  describe('hasReader', () => {
    it('is false without a reader', () => {
      queue.listenersChanged();
      expect(queue.hasReader).to.equal(false);
    });

    it("is true with 'message', 'data' or 'readable' listeners, loops, or a pause", () => {
      side.listen('message', () => {});
      expect(queue.hasReader).to.equal(true);
      make();
      side.listen('data', () => {});
      expect(queue.hasReader).to.equal(true);
      make();
      side.on('readable', () => {});
      expect(queue.hasReader).to.equal(true);
      make();
      queue.loopStarted();
      expect([queue.hasReader, queue.loops]).to.deep.equal([true, 1]);
      queue.loopEnded();
      expect([queue.hasReader, queue.loops]).to.deep.equal([false, 0]);
      make();
      side.pause();
      expect(queue.hasReader).to.equal(true);
    });

    it("is true with a 'readable' listener that was added when no 'message' listener was left", () => {
      const listener = () => {};
      side.listen('message', listener);
      side.unlisten('message', listener);
      side.on('readable', listener);
      expect(queue.hasReader).to.equal(true);
    });
  });

  describe('discardUnread()', () => {
    it('drops queued and later messages, and calls readOn()', async () => {
      const supply = supplyOf('a', 'b', 'c', 'd', 'e');
      supply.readOn();
      queue.discardUnread();
      await turns();
      expect([side.readableLength, supply.messages, queue.received]).to.deep.equal([0, [], 5]);
    });

    it('drops queued messages also if the connection is not known yet', () => {
      queue.deliver('a');
      queue.discardUnread();
      expect(side.readableLength).to.equal(0);
    });

    it('drops nothing if somebody reads, or has read', () => {
      queue.deliver('a');
      queue.deliver('b');
      side.read();
      queue.discardUnread();
      expect(side.readableLength).to.equal(1);
      make();
      queue.deliver('a');
      side.pause();
      queue.discardUnread();
      expect(side.readableLength).to.equal(1);
    });
  });

  describe('end()', () => {
    it('ends the stream after the queued messages', async () => {
      queue.deliver('a');
      queue.end();
      expect(await side.toArray()).to.deep.equal(['a']);
    });

    it("emits 'end' also if nobody reads and nothing is queued", async () => {
      let ended = false;
      side.on('end', () => {
        ended = true;
      });
      queue.end();
      await turns();
      expect(ended).to.equal(true);
    });

    it("does not emit 'end' while the program has paused", async () => {
      let ended = false;
      side.on('end', () => {
        ended = true;
      });
      side.pause();
      queue.end();
      await turns();
      expect(ended).to.equal(false);
      side.resume();
      await turns();
      expect(ended).to.equal(true);
    });
  });

  describe('failAfterReading()', () => {
    const error = new Error('lost');

    it('destroys the stream at once if nothing is queued', async () => {
      side.on('error', () => {});
      expect(queue.failAfterReading(error)).to.equal(false);
      expect(side.errored).to.equal(error);
    });

    it('destroys it when a loop has read the queued messages', async () => {
      queue.deliver('a');
      queue.deliver('b');
      const read: unknown[] = [];
      queue.loopStarted();
      expect(queue.failAfterReading(error)).to.equal(true);
      let caught: unknown;
      try {
        for await (const message of side) read.push(message);
      } catch (thrown) {
        caught = thrown;
      }
      expect([read, caught]).to.deep.equal([['a', 'b'], error]);
    });

    it('returns false if nobody reads the queued messages, and keeps them', async () => {
      queue.deliver('a');
      expect(queue.failAfterReading(error)).to.equal(false);
      await turns();
      expect([side.destroyed, side.readableLength]).to.deep.equal([false, 1]);
    });

    it('returns true if the stream flows, and is about to read the queued messages', async () => {
      const read: string[] = [];
      queue.deliver('a');
      side.on('error', () => {});
      side.listen('data', (message: string) => read.push(message));
      expect(queue.failAfterReading(error)).to.equal(true);
      await turns();
      expect([read, side.errored]).to.deep.equal([['a'], error]);
    });

    it('keeps the first error', async () => {
      queue.deliver('a');
      side.on('error', () => {});
      queue.failAfterReading(error);
      queue.failAfterReading(new Error('later'));
      side.read();
      await turns();
      expect(side.errored).to.equal(error);
    });

    it('destroys it also if the listener throws at the last message', async () => {
      queue.deliver('a');
      side.on('error', () => {});
      queue.failAfterReading(error);
      await uncaughtDuring(async () => {
        side.listen('message', () => {
          throw new Error('thrown');
        });
      });
      expect(side.errored).to.equal(error);
    });

    it('destroys it also if the listener pauses the stream and throws at the last message', async () => {
      queue.deliver('a');
      side.on('error', () => {});
      queue.failAfterReading(error);
      await uncaughtDuring(async () => {
        side.listen('message', () => {
          side.pause();
          throw new Error('thrown');
        });
      });
      expect(side.errored).to.equal(error);
    });
  });

  describe('keepUnreadFor()', () => {
    let time: VirtualTime;
    beforeEach(() => {
      time = new VirtualTime();
      time.start();
    });
    afterEach(() => time[Symbol.dispose]());

    const pass = (milliseconds: number) => time.pass(milliseconds, 100);

    it('calls the callback with the failure when nobody has read for this time', async () => {
      const failure = new Error('lost');
      const expiries: unknown[] = [];
      queue.deliver('a');
      queue.failAfterReading(failure);
      queue.keepUnreadFor(1000, (error) => expiries.push(error));
      await pass(900);
      expect(expiries).to.deep.equal([]);
      await pass(2000);
      expect(expiries).to.deep.equal([failure]);
    });

    it('starts the time again when it is called again', async () => {
      let expiries = 0;
      queue.keepUnreadFor(1000, () => expiries++);
      await pass(800);
      queue.keepUnreadFor(1000, () => expiries++);
      await pass(800);
      expect(expiries).to.equal(0);
      await pass(300);
      expect(expiries).to.equal(1);
    });

    it('does not call the callback while somebody reads, or after the stream was destroyed', async () => {
      queue.keepUnreadFor(1000, () => expect.fail('somebody reads'));
      side.pause();
      await pass(2000);
      make();
      queue.keepUnreadFor(1000, () => expect.fail('it is destroyed'));
      side.destroy();
      queue.keepUnreadFor(1000, () => expect.fail('it was destroyed before'));
      await pass(2000);
    });
  });
});
