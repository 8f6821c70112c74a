import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { DataFrame, Outgoing } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { overhead } from '../../lib/framing/cost';
import { textMessage } from '../../lib/framing/outgoingMessage';
import { type ConnectionOptions, settingsFor } from '../../lib/options';
import { rfc6455 } from '../../lib/versions/rfc6455';
import { type Outlet, refuseSource, WriteQueue, type WriteQueueOwner } from '../../lib/websocket/writeQueue';

type Callback = (error?: Error | null) => void;

/** Takes messages while it is not full; each of them has left at once. */
class FakeOutlet implements Outlet {
  readonly taken: string[] = [];
  isFull = false;
  bufferedAmount = 0;
  /** How many more messages it takes until it is full. */
  room = Number.POSITIVE_INFINITY;

  offer(item: Outgoing, callback?: Callback): boolean {
    if (this.isFull) return false;
    const { payload, fin } = typeof item === 'string' ? { payload: item, fin: undefined } : (item as DataFrame);
    this.taken.push(`${payload}${fin === true ? '.' : ''}`);
    this.isFull = --this.room <= 0;
    callback?.();
    return true;
  }
}

class FakeOwner implements WriteQueueOwner {
  readonly events: string[] = [];
  readonly sent: Outgoing[] = [];

  readonly settings: ReturnType<typeof settingsFor>;

  constructor(settings: ReturnType<typeof settingsFor>) {
    this.settings = settings;
  }

  writersMayGoOn(): void {
    this.events.push('writersMayGoOn');
  }
  messageSent(message: Outgoing): void {
    this.sent.push(message);
  }
  writeFailed({ code }: WebSocketError, fromSource = false): void {
    this.events.push(`${fromSource ? 'source' : 'write'}Failed: ${code}`);
  }
}

/** A source that gives a piece each time that `give()` is called, and notes how often it is told to stop. */
class FakeSource implements AsyncIterable<string> {
  returns = 0;
  #next: ((result: IteratorResult<string, undefined>) => void) | undefined;

  [Symbol.asyncIterator](): AsyncIterator<string, undefined> {
    return {
      next: () =>
        new Promise((resolve) => {
          this.#next = resolve;
        }),
      return: async () => {
        this.returns++;
        return { done: true, value: undefined };
      },
    };
  }

  async give(value: string): Promise<void> {
    this.#next?.({ done: false, value });
    await turns();
  }

  async end(): Promise<void> {
    this.#next?.({ done: true, value: undefined });
    await turns();
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

const lost = () => new WebSocketError('WS_ERR_CONNECTION_LOST');

describe('WriteQueue', () => {
  let owner: FakeOwner;
  let outlet: FakeOutlet;
  let queue: WriteQueue;
  /** The calls of callbacks that `note()` has made. */
  let called: string[];

  const make = (options: ConnectionOptions = {}) => {
    owner = new FakeOwner(settingsFor(options, 'server', { version: '13', extensions: '' }, rfc6455.capabilities));
    outlet = new FakeOutlet();
    queue = new WriteQueue(owner);
    called = [];
  };
  beforeEach(() => make());

  const note =
    (name: string): Callback =>
    (error) =>
      void called.push(error ? `${name}: ${(error as WebSocketError).code}` : name);

  it('write(): offers a message to the outlet at once, and counts it', () => {
    queue.open(outlet);
    expect(queue.write('a', note('a'))).to.equal(true);
    expect([outlet.taken, called, queue.sent, queue.length, owner.sent]).to.deep.equal([['a'], ['a'], 1, 0, ['a']]);
    queue.write(textMessage('b', { compress: false }), note('b'));
    expect([outlet.taken, called, queue.sent]).to.deep.equal([['a', 'b.'], ['a', 'b'], 2]);
  });

  it('keeps messages that are written before open(), and then offers them in order', async () => {
    expect(queue.write('a', note('a'))).to.equal(true);
    expect(queue.write('b', note('b'))).to.equal(false);
    expect([queue.length, queue.bufferedAmount, queue.needsDrain]).to.deep.equal([2, 2, true]);
    queue.open(outlet);
    expect([outlet.taken, called]).to.deep.equal([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    await turns();
    expect([queue.needsDrain, owner.events]).to.deep.equal([false, ['writersMayGoOn']]);
  });

  it('keeps messages that a full outlet refuses, and offers them when it has drained', async () => {
    queue.open(outlet);
    outlet.room = 1;
    queue.write('a', undefined);
    queue.write('b', undefined);
    expect(queue.write('c', undefined)).to.equal(false);
    outlet.isFull = false;
    queue.sendWaiting();
    expect([outlet.taken, queue.length]).to.deep.equal([['a', 'b'], 1]);
    await turns();
    expect(owner.events).to.deep.equal([]);
    outlet.room = 5;
    outlet.isFull = false;
    queue.sendWaiting();
    await turns();
    expect([outlet.taken, owner.events]).to.deep.equal([['a', 'b', 'c'], ['writersMayGoOn']]);
  });

  it('write(): returns false at the mark of messages, or of bytes including those of the outlet', () => {
    make({ writableHighWaterMark: { messages: 3, bytes: 1000 } });
    expect([1, 2, 3].map(() => queue.write('a', undefined))).to.deep.equal([true, true, false]);
    make({ writableHighWaterMark: { messages: 3, bytes: 1000 } });
    expect(queue.write(Buffer.alloc(999 - overhead), undefined)).to.equal(true);
    make({ writableHighWaterMark: { messages: 3, bytes: 1000 } });
    expect(queue.write(Buffer.alloc(1000 - overhead), undefined)).to.equal(false);
    make({ writableHighWaterMark: { messages: 3, bytes: 1000 } });
    queue.open(outlet);
    outlet.isFull = true;
    outlet.bufferedAmount = 900;
    expect(queue.write('a', undefined)).to.equal(false);
  });

  it('write(): returns true as long as the outlet is not full, whatever the outlet holds', () => {
    make({ writableHighWaterMark: { messages: 1, bytes: 1000 } });
    queue.open(outlet);
    outlet.bufferedAmount = 5000;
    expect(queue.write('a', undefined)).to.equal(true);
  });

  it("write(): returns false until 'drain', also if the queue is below its mark again", async () => {
    make({ writableHighWaterMark: { messages: 3, bytes: 1000 } });
    for (const message of ['a', 'b', 'c']) queue.write(message, undefined);
    outlet.room = 2;
    queue.open(outlet);
    expect([queue.length, queue.write('d', undefined)]).to.deep.equal([1, false]);
    outlet.isFull = false;
    outlet.room = 5;
    queue.sendWaiting();
    expect([queue.length, queue.write('e', undefined)]).to.deep.equal([0, false]);
    await turns();
    expect([queue.write('f', undefined), owner.events]).to.deep.equal([true, ['writersMayGoOn']]);
  });

  it('write(): counts a sent message no more, neither its size nor its memory', async () => {
    make({ writableHighWaterMark: { messages: 3, bytes: 1000 } });
    queue.write('x'.repeat(900), undefined);
    queue.open(outlet);
    await turns();
    expect(queue.bufferedAmount).to.equal(0);
    outlet.isFull = true;
    expect([queue.write('a', undefined), queue.bufferedAmount]).to.deep.equal([true, 1]);
  });

  it('write(): counts no memory for a source, and does not read it before open()', async () => {
    make({ writableHighWaterMark: { messages: 3, bytes: overhead } });
    let isRead = false;
    const source = async function* () {
      isRead = true;
      yield 'a';
    };
    expect([queue.write(source(), undefined), queue.bufferedAmount]).to.deep.equal([true, 0]);
    await turns();
    expect(isRead).to.equal(false);
  });

  it('write(): sends no message before those that wait, and none while corked, of any kind', () => {
    queue.open(outlet);
    outlet.isFull = true;
    queue.write('a', undefined);
    outlet.isFull = false;
    queue.write('b', undefined);
    queue.write(textMessage('c', { compress: false }), undefined);
    expect(outlet.taken).to.deep.equal([]);
    queue.sendWaiting();
    queue.cork();
    queue.write('d', undefined);
    queue.write(textMessage('e', { compress: false }), undefined);
    expect(outlet.taken).to.deep.equal(['a', 'b', 'c.']);
    queue.uncork();
    expect(outlet.taken).to.deep.equal(['a', 'b', 'c.', 'd', 'e.']);
    queue.cork();
    queue.write(textMessage('f', { compress: false }), undefined);
    expect([outlet.taken.length, queue.length]).to.deep.equal([5, 1]);
  });

  it('shares no messages with another queue', () => {
    new WriteQueue(owner).write('a', undefined);
    expect(queue.length).to.equal(0);
  });

  it('does not call writersMayGoOn() if no writer waits', async () => {
    queue.write('a', undefined);
    queue.open(outlet);
    queue.drop();
    await turns();
    expect(owner.events).to.deep.equal([]);
  });

  it('does not call writersMayGoOn() if the queue was filled again', async () => {
    queue.write('a', undefined);
    queue.write('b', undefined);
    outlet.room = 2;
    queue.open(outlet);
    queue.write('c', undefined);
    await turns();
    expect([owner.events, queue.needsDrain]).to.deep.equal([[], true]);
    outlet.isFull = false;
    outlet.room = 5;
    queue.sendWaiting();
    await turns();
    expect(owner.events).to.deep.equal(['writersMayGoOn']);
  });

  it("does not call writersMayGoOn() if the queue was filled again in the tick in which 'drain' is due", async () => {
    queue.write('a', undefined);
    queue.write('b', undefined);
    queue.open(outlet);
    outlet.isFull = true;
    queue.write('c', undefined);
    await turns();
    expect([owner.events, queue.needsDrain]).to.deep.equal([[], true]);
    outlet.isFull = false;
    queue.sendWaiting();
    await turns();
    expect([owner.events, queue.needsDrain]).to.deep.equal([['writersMayGoOn'], false]);
  });

  it('fails a value that is no message, and the stream', async () => {
    queue.open(outlet);
    expect(queue.write({ text: 'a' }, note('it'))).to.equal(false);
    await turns();
    expect([called, owner.events]).to.deep.equal([
      ['it: WS_ERR_INVALID_ARGUMENT'],
      ['writeFailed: WS_ERR_INVALID_ARGUMENT'],
    ]);
  });

  it('fails a write if more than maxBufferedAmount waits, and stops a source', async () => {
    make({ maxBufferedAmount: 10 });
    const source = new FakeSource();
    queue.write('x'.repeat(11), undefined);
    expect(queue.write('a', note('a'))).to.equal(false);
    expect(queue.write(source, note('source'))).to.equal(false);
    await turns();
    expect(called).to.deep.equal(['a: WS_ERR_BUFFER_FULL', 'source: WS_ERR_BUFFER_FULL']);
    expect([source.returns, owner.events[0]]).to.deep.equal([1, 'writeFailed: WS_ERR_BUFFER_FULL']);
  });

  it('says which option to raise when it refuses a message', async () => {
    make({ maxBufferedAmount: 1 });
    queue.write('ab', undefined);
    const errors: unknown[] = [];
    queue.write('c', (error) => errors.push(error?.message));
    await turns();
    expect(errors[0]).to.match(/maxBufferedAmount, 1 byte/);
  });

  it('accepts a message if exactly maxBufferedAmount waits', () => {
    make({ maxBufferedAmount: 10 });
    queue.write('x'.repeat(10), undefined);
    queue.write('a', undefined);
    expect(queue.bufferedAmount).to.equal(11);
  });

  it('never refuses one large message if no bytes wait', () => {
    make({ maxBufferedAmount: 10 });
    queue.write('x'.repeat(1000), undefined);
    expect(queue.length).to.equal(1);
  });

  it('cork(): holds messages and sources back until uncork()', async () => {
    queue.open(outlet);
    queue.cork();
    const source = new FakeSource();
    queue.write('a', undefined);
    queue.write(source, undefined);
    queue.sendWaiting();
    expect([outlet.taken, queue.length]).to.deep.equal([[], 2]);
    queue.uncork();
    await source.give('b');
    await source.end();
    expect(outlet.taken).to.deep.equal(['a', 'b', '.']);
  });

  describe('end()', () => {
    it('calls the callback at once if no message waits', () => {
      queue.open(outlet);
      queue.end(note('end'));
      expect(called).to.deep.equal(['end']);
    });

    it('calls the callback when the outlet comes, if no message was written before', () => {
      queue.end(note('end'));
      expect(called).to.deep.equal([]);
      queue.open(outlet);
      expect(called).to.deep.equal(['end']);
    });

    it('calls the callback once, when the outlet has accepted all messages', () => {
      queue.open(outlet);
      outlet.isFull = true;
      queue.write('a', note('a'));
      queue.end(note('end'));
      expect(called).to.deep.equal([]);
      outlet.isFull = false;
      queue.sendWaiting();
      queue.sendWaiting();
      expect(called).to.deep.equal(['a', 'end']);
    });

    it('waits for an outlet, and for a source', async () => {
      const source = new FakeSource();
      queue.write(source, note('source'));
      queue.end(note('end'));
      queue.open(outlet);
      await source.give('a');
      expect(called).to.deep.equal([]);
      await source.end();
      expect(called.sort()).to.deep.equal(['end', 'source']);
    });
  });

  describe('with a source', () => {
    it('sends its pieces, and then later messages', async () => {
      queue.open(outlet);
      const source = new FakeSource();
      queue.write(source, note('source'));
      queue.write('behind', note('behind'));
      await source.give('a');
      await source.give('b');
      expect([outlet.taken, called, queue.sent]).to.deep.equal([['a', 'b'], [], 0]);
      await source.end();
      expect([outlet.taken, queue.sent, queue.length]).to.deep.equal([['a', 'b', '.', 'behind'], 2, 0]);
      expect(called.sort()).to.deep.equal(['behind', 'source']);
    });

    it('keeps one fragment while the outlet is full, counts it, and reads the next when it was accepted', async () => {
      queue.open(outlet);
      const source = new FakeSource();
      queue.write(source, undefined);
      outlet.isFull = true;
      await source.give('abc');
      await source.give('def');
      expect([outlet.taken, queue.bufferedAmount]).to.deep.equal([[], 3]);
      outlet.isFull = false;
      queue.sendWaiting();
      await turns();
      await source.give('ghi');
      expect([outlet.taken, queue.bufferedAmount]).to.deep.equal([['abc', 'ghi'], 0]);
    });

    it('bufferedAmount: is what waits in the queue, as a fragment, and in the outlet', async () => {
      queue.open(outlet);
      const source = new FakeSource();
      queue.write(source, undefined);
      Object.assign(outlet, { isFull: true, bufferedAmount: 1000 });
      await source.give('abc');
      queue.write('de', undefined);
      expect(queue.bufferedAmount).to.equal(1005);
    });

    it('reports the failure of a source, and calls the callback once', async () => {
      queue.open(outlet);
      queue.write(
        (async function* () {
          yield 'a';
          throw new Error('disk');
        })(),
        note('source'),
      );
      await turns();
      expect([called, owner.events]).to.deep.equal([
        ['source: WS_ERR_SOURCE_FAILED'],
        ['sourceFailed: WS_ERR_SOURCE_FAILED'],
      ]);
    });
  });

  describe('fail()', () => {
    it('calls each callback once, in order, and stops each source once', async () => {
      queue.open(outlet);
      const [first, second] = [new FakeSource(), new FakeSource()];
      queue.write(first, note('first source'));
      queue.write('a', note('a'));
      queue.write(second, note('second source'));
      queue.write('b', note('b'));
      await turns();
      queue.fail(lost());
      queue.fail(lost());
      expect(called).to.deep.equal([]);
      await turns();
      expect(called).to.deep.equal(
        ['first source', 'a', 'second source', 'b'].map((name) => `${name}: WS_ERR_CONNECTION_LOST`),
      );
      expect([first.returns, second.returns]).to.deep.equal([1, 1]);
      expect([queue.length, queue.bufferedAmount, owner.events]).to.deep.equal([0, 0, []]);
    });

    it('sends no more pieces of a source, also if it yields more', async () => {
      queue.open(outlet);
      const source = new FakeSource();
      queue.write(source, undefined);
      await source.give('a');
      queue.fail(lost());
      await source.give('late');
      await source.end();
      expect(outlet.taken).to.deep.equal(['a']);
    });

    it('drops a waiting fragment', async () => {
      queue.open(outlet);
      const source = new FakeSource();
      queue.write(source, undefined);
      outlet.isFull = true;
      await source.give('a');
      queue.fail(lost());
      outlet.isFull = false;
      queue.sendWaiting();
      expect(outlet.taken).to.deep.equal([]);
    });

    it('fails messages with WS_ERR_NOT_OPEN if the WebSocket was destroyed, and the cause if there is one', async () => {
      const cause = new Error('of the program');
      const errors: (Error | null | undefined)[] = [];
      queue.write('a', (error) => errors.push(error));
      queue.fail();
      queue.write('b', (error) => errors.push(error));
      queue.fail(cause);
      await turns();
      expect(errors.map((error) => (error as WebSocketError).code)).to.deep.equal([
        'WS_ERR_NOT_OPEN',
        'WS_ERR_NOT_OPEN',
      ]);
      expect(errors.map((error) => error?.cause)).to.deep.equal([undefined, cause]);
      expect(errors[0]?.message).to.match(/destroyed before/);
    });

    it('does not call the callback of end()', async () => {
      queue.write('a', undefined);
      queue.end(note('end'));
      queue.fail(lost());
      queue.open(outlet);
      await turns();
      expect(called).to.deep.equal([]);
    });

    it('leaves nothing to do for uncork() if there has been no outlet', async () => {
      queue.cork();
      queue.write('a', undefined);
      queue.write('b', undefined);
      queue.fail();
      queue.uncork();
      await turns();
      expect(owner.events).to.deep.equal([]);
    });

    it('calls the later callbacks if a source throws when it is stopped', async () => {
      const source = {
        [Symbol.asyncIterator]: () => {
          throw new Error('no');
        },
      };
      queue.write(source, note('source'));
      queue.write('a', note('a'));
      queue.fail(lost());
      await turns();
      expect(called).to.deep.equal(['source: WS_ERR_CONNECTION_LOST', 'a: WS_ERR_CONNECTION_LOST']);
    });

    it('calls the other callbacks if one throws', async () => {
      const listeners = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      const thrown: string[] = [];
      process.on('uncaughtException', ({ message }) => thrown.push(message));
      queue.write('a', () => {
        throw new Error('a callback has thrown');
      });
      queue.write('b', note('b'));
      queue.fail(lost());
      await turns();
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener);
      expect([thrown, called]).to.deep.equal([['a callback has thrown'], ['b: WS_ERR_CONNECTION_LOST']]);
    });
  });

  it('drop(): fails all queued messages, calls the callback of end(), and lets writers go on', async () => {
    queue.open(outlet);
    outlet.isFull = true;
    queue.write('a', note('a'));
    queue.write('b', note('b'));
    queue.end(note('end'));
    outlet.isFull = false;
    queue.drop(lost());
    await turns();
    expect(called).to.deep.equal(['end', 'a: WS_ERR_CONNECTION_LOST', 'b: WS_ERR_CONNECTION_LOST']);
    expect([outlet.taken, owner.events]).to.deep.equal([[], ['writersMayGoOn']]);
  });

  it('drop(): fails messages with WS_ERR_NOT_OPEN by default, and waits for none of their bytes', async () => {
    const errors: unknown[] = [];
    queue.write('x'.repeat(1000), (error) => errors.push(error));
    queue.drop();
    await turns();
    expect(errors.map((error) => (error as WebSocketError).code)).to.deep.equal(['WS_ERR_NOT_OPEN']);
    expect((errors[0] as Error).message).to.match(/ended before/);
    expect([queue.length, queue.bufferedAmount, queue.needsDrain]).to.deep.equal([0, 0, false]);
  });

  it("drop(): calls writersMayGoOn() once, also in the tick in which 'drain' is due", async () => {
    queue.write('a', undefined);
    queue.write('b', undefined);
    queue.open(outlet);
    queue.drop();
    await turns();
    expect([owner.events, queue.needsDrain]).to.deep.equal([['writersMayGoOn'], false]);
  });
});

describe('refuseSource()', () => {
  it('cancels the source', () => {
    const source = new FakeSource();
    refuseSource(source, lost());
    expect(source.returns).to.equal(1);
  });
});
