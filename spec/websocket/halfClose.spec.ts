import { once } from 'node:events';
import { PassThrough, type Readable, Transform, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { WebSocketError } from '../../lib/errors';
import { createPair } from '../../lib/pair';
import { HalfClose, type HalfCloseOwner, type HalfCloseStream } from '../../lib/websocket/halfClose';

type Listener = (error?: Error) => void;

/** A WebSocket that notes how often its writable side is ended for the program. */
class FakeOwner implements HalfCloseOwner {
  readonly settings = { allowHalfOpen: undefined as boolean | undefined };
  readonly readQueue = { loops: 0 };
  readableEnded = false;
  writableEnded = false;
  destroyed = false;
  ends = 0;
  listenersOf: { drain: Listener[]; data: Listener[] } = { drain: [], data: [] };

  listeners(event: 'drain' | 'data'): Listener[] {
    return this.listenersOf[event];
  }

  end(): void {
    this.ends++;
  }
}

const halfCloseOf = (owner: FakeOwner) => new HalfClose(owner as unknown as HalfCloseStream, owner);

/** As `pipeline()` listens for 'drain' where it writes for an async generator. */
const resume: Listener = (_error) => {};
/** As the web streams of a Duplex listen. */
function onDrain(): void {}
function onData(): void {}

/** A source that only reads, a feed for example, and notes what it is unpiped from. */
class FakeFeed {
  readonly unpiped: unknown[] = [];
  unpipe(destination: unknown): void {
    this.unpiped.push(destination);
  }
}

/** A destination that can only be written. */
const sink = { write: () => true } as unknown as Writable;

describe('HalfClose', () => {
  let owner: FakeOwner;
  let halfClose: HalfClose;

  beforeEach(() => {
    owner = new FakeOwner();
    halfClose = halfCloseOf(owner);
  });

  const addFeed = () => {
    const feed = new FakeFeed();
    halfClose.sourceAdded(feed as unknown as Readable);
    return feed;
  };

  /** The readable side ends; returns whether the writable side has been ended after that. */
  async function endsAfterReading(): Promise<boolean> {
    owner.readableEnded = true;
    halfClose.readingEnded();
    await turn();
    return owner.ends === 1;
  }

  it('ends the writable side after the readable side, in the same turn of the event loop', async () => {
    owner.readableEnded = true;
    halfClose.readingEnded();
    expect(owner.ends).to.equal(0);
    await turn();
    expect(owner.ends).to.equal(1);
  });

  it('never ends it with allowHalfOpen: true', async () => {
    owner.settings.allowHalfOpen = true;
    expect(await endsAfterReading()).to.equal(false);
    halfClose.nobodyReads();
    await turn();
    expect(owner.ends).to.equal(0);
  });

  it('hasDestinations: tells whether the WebSocket is piped into a stream', () => {
    expect(halfClose.hasDestinations).to.equal(false);
    const [one, other] = [new PassThrough(), new PassThrough()];
    halfClose.destinationAdded(one);
    halfClose.destinationAdded(other);
    halfClose.destinationRemoved(one);
    expect(halfClose.hasDestinations).to.equal(true);
    halfClose.destinationRemoved(other);
    expect(halfClose.hasDestinations).to.equal(false);
  });

  it('always ends it with allowHalfOpen: false, whatever is piped', async () => {
    owner.settings.allowHalfOpen = false;
    const chain = new PassThrough();
    halfClose.destinationAdded(chain);
    halfClose.sourceAdded(chain);
    expect(await endsAfterReading()).to.equal(true);
  });

  describe('treats as a chain that will end the writable side', () => {
    it('a stream that is fed from the WebSocket and piped into it', async () => {
      const chain = new PassThrough();
      halfClose.destinationAdded(chain);
      halfClose.sourceAdded(chain);
      expect(await endsAfterReading()).to.equal(false);
    });

    it('a chain of several streams, of which the first and the last touch the WebSocket', async () => {
      halfClose.destinationAdded(new PassThrough());
      halfClose.sourceAdded(new PassThrough());
      expect(await endsAfterReading()).to.equal(false);
    });

    it('a chain whose first stream Node has unpiped at the end, as it does for pipeline()', async () => {
      const [first, last] = [new PassThrough(), new PassThrough()];
      halfClose.destinationAdded(first);
      halfClose.sourceAdded(last);
      owner.readableEnded = true;
      halfClose.destinationRemoved(first);
      expect(await endsAfterReading()).to.equal(false);
    });

    it('a stream whose own writable side has ended', async () => {
      const transform = new PassThrough();
      transform.end();
      halfClose.sourceAdded(transform);
      expect(await endsAfterReading()).to.equal(false);
    });

    it('an operator that reads it, and a stream that is piped into it', async () => {
      halfClose.operatorAdded();
      addFeed();
      expect(await endsAfterReading()).to.equal(false);
    });

    it('a loop that reads it, beside pipeline() that writes for an async generator', async () => {
      owner.listenersOf.drain = [resume];
      owner.readableEnded = true;
      halfClose.loopEnded();
      await turn();
      expect(owner.ends).to.equal(0);
    });

    it('a loop that has not ended, beside pipeline() that writes for an async generator', () => {
      owner.listenersOf.drain = [resume];
      owner.readQueue.loops = 1;
      expect(halfClose.isChain).to.equal(true);
    });

    it('a web stream that reads it, beside a web stream that writes', async () => {
      owner.listenersOf = { drain: [onDrain], data: [onData] };
      expect(await endsAfterReading()).to.equal(false);
    });

    it('a web stream that reads and one that writes, beside listeners of the program, also after its own are gone', async () => {
      const program = () => {};
      owner.listenersOf = { drain: [program, onDrain], data: [program, onData] };
      expect(halfClose.isChain).to.equal(true);
      owner.readableEnded = true;
      halfClose.readingEnded();
      owner.listenersOf.data = [];
      await turn();
      expect(owner.ends).to.equal(0);
    });
  });

  describe('does not treat as a chain', () => {
    it('a feed', async () => {
      addFeed();
      expect(await endsAfterReading()).to.equal(true);
    });

    it('a feed beside a stream that the WebSocket is piped into', async () => {
      halfClose.destinationAdded(new PassThrough());
      addFeed();
      expect(await endsAfterReading()).to.equal(true);
    });

    it('a transform that is fed from elsewhere, beside a destination that cannot be read', async () => {
      halfClose.destinationAdded(sink);
      halfClose.sourceAdded(new PassThrough());
      expect(await endsAfterReading()).to.equal(true);
    });

    it("a 'drain' listener of the program, with every reader", async () => {
      owner.listenersOf = { drain: [() => {}], data: [() => {}] };
      halfClose.loopEnded();
      expect(await endsAfterReading()).to.equal(true);
    });

    it('a web stream that writes, if the program reads', async () => {
      owner.listenersOf = { drain: [onDrain], data: [() => {}] };
      expect(await endsAfterReading()).to.equal(true);
    });

    it('pipeline() that writes for an async generator, or a web stream that writes, if nothing reads', async () => {
      owner.listenersOf.drain = [resume, onDrain];
      expect(await endsAfterReading()).to.equal(true);
    });

    it('an operator without a stream that is piped in', async () => {
      halfClose.operatorAdded();
      expect(await endsAfterReading()).to.equal(true);
    });

    it('a chain whose first stream was unpiped, one by one or all at once', async () => {
      for (const removed of ['this one', undefined] as const) {
        owner = new FakeOwner();
        halfClose = halfCloseOf(owner);
        const chain = new PassThrough();
        halfClose.destinationAdded(chain);
        halfClose.sourceAdded(chain);
        halfClose.destinationRemoved(removed && chain);
        expect(await endsAfterReading()).to.equal(true);
      }
    });
  });

  it('ends the writable side when the last stream of a chain is unpiped after the readable side has ended', async () => {
    const chain = new PassThrough();
    halfClose.destinationAdded(chain);
    halfClose.sourceAdded(chain);
    expect(await endsAfterReading()).to.equal(false);
    halfClose.sourceRemoved(chain);
    await turn();
    expect(owner.ends).to.equal(1);
  });

  it('does not end it when a source is unpiped before the readable side has ended', async () => {
    const feed = addFeed();
    halfClose.sourceRemoved(feed as unknown as Readable);
    await turn();
    expect(owner.ends).to.equal(0);
  });

  describe('with loops', () => {
    it('waits for the last of them', async () => {
      owner.readQueue.loops = 2;
      expect(await endsAfterReading()).to.equal(false);
      owner.readQueue.loops = 1;
      halfClose.loopEnded();
      await turn();
      expect(owner.ends).to.equal(0);
      owner.readQueue.loops = 0;
      halfClose.loopEnded();
      await turn();
      expect(owner.ends).to.equal(1);
    });

    it('waits for the last of them with allowHalfOpen: false, too', async () => {
      owner.settings.allowHalfOpen = false;
      owner.readQueue.loops = 2;
      expect(await endsAfterReading()).to.equal(false);
      owner.readQueue.loops = 1;
      halfClose.loopEnded();
      await turn();
      expect(owner.ends).to.equal(0);
    });

    it('does not end the writable side while another loop has begun in the same turn', async () => {
      owner.readableEnded = true;
      halfClose.loopEnded();
      owner.readQueue.loops = 1;
      await turn();
      expect(owner.ends).to.equal(0);
    });
  });

  it('nobodyReads(): ends the writable side', async () => {
    halfClose.nobodyReads();
    await turn();
    expect(owner.ends).to.equal(1);
  });

  it('closes a web stream that reads the WebSocket once, when everything has been read', async () => {
    let closes = 0;
    halfClose.webStreamAdded(() => closes++);
    halfClose.readingEnded();
    expect(closes).to.equal(0);
    await turn();
    halfClose.readingEnded();
    await turn();
    expect(closes).to.equal(1);
  });

  it('does not close a web stream after the writable side has ended: Node closes it, and would throw', async () => {
    let closes = 0;
    halfClose.webStreamAdded(() => closes++);
    owner.writableEnded = true;
    halfClose.readingEnded();
    await turn();
    expect(closes).to.equal(0);
  });

  it('unpipeFeeds(): unpipes every feed that is still piped', () => {
    const [one, two, three, four] = [addFeed(), addFeed(), addFeed(), addFeed()];
    halfClose.sourceRemoved(two as unknown as Readable);
    halfClose.sourceRemoved(new FakeFeed() as unknown as Readable);
    halfClose.unpipeFeeds(sink);
    for (const { unpiped } of [one, three, four]) expect(unpiped).to.deep.equal([sink]);
    expect(two.unpiped).to.deep.equal([]);
  });

  it('unpipeFeeds(): unpipes a feed that was piped twice and unpiped once', () => {
    const feed = addFeed();
    halfClose.sourceAdded(feed as unknown as Readable);
    halfClose.sourceRemoved(feed as unknown as Readable);
    halfClose.unpipeFeeds(sink);
    expect(feed.unpiped).to.deep.equal([sink]);
  });

  it('unpipeFeeds(): unpipes nothing after the last feed was unpiped, and ignores a stream that is not piped', () => {
    halfClose.sourceRemoved(new FakeFeed() as unknown as Readable);
    const feed = addFeed();
    halfClose.sourceRemoved(feed as unknown as Readable);
    halfClose.unpipeFeeds(sink);
    expect(feed.unpiped).to.deep.equal([]);
  });

  it('unpipeFeeds(): does not unpipe a chain', () => {
    const feed = addFeed();
    const chain = new PassThrough();
    halfClose.destinationAdded(chain);
    halfClose.sourceAdded(chain);
    halfClose.unpipeFeeds(sink);
    expect(feed.unpiped).to.deep.equal([]);
  });

  it('releaseWriters(): passes the error to pipeline(), lets web streams go on, and does not call listeners of the program', () => {
    const calls: unknown[] = [];
    const error = new WebSocketError('WS_ERR_NOT_OPEN');
    owner.listenersOf.drain = [
      (given) => calls.push(given),
      Object.defineProperty(() => calls.push('web stream'), 'name', { value: 'onDrain' }),
      () => calls.push('program'),
    ];
    halfClose.releaseWriters(error);
    expect(calls).to.deep.equal([error, 'web stream']);
  });

  describe('finish()', () => {
    const finishes = () => {
      let count = 0;
      halfClose.finish(() => count++);
      return () => count;
    };

    it('calls the callback at once if no chain writes', () => {
      expect(finishes()()).to.equal(1);
    });

    it('calls the callback at once for a feed, for a chain that has ended, and for a chain without a pipe', async () => {
      addFeed();
      expect(finishes()()).to.equal(1);

      halfClose = halfCloseOf(owner);
      const chain = new PassThrough().resume();
      await once(chain.end(), 'end');
      halfClose.sourceAdded(chain);
      expect([halfClose.isChain, finishes()()]).to.deep.equal([true, 1]);

      halfClose = halfCloseOf(owner);
      owner.listenersOf.drain = [resume];
      owner.readQueue.loops = 1;
      expect([halfClose.isChain, finishes()()]).to.deep.equal([true, 1]);
    });

    it('waits for a chain beside a stream that has ended, also when a feed is unpiped', async () => {
      const ended = new PassThrough().resume();
      await once(ended.end(), 'end');
      halfClose.sourceAdded(ended);
      const chain = new PassThrough();
      halfClose.destinationAdded(chain);
      halfClose.sourceAdded(chain);
      const feed = addFeed();
      const count = finishes();
      halfClose.sourceRemoved(feed as unknown as Readable);
      expect(count()).to.equal(0);
    });

    it('waits for the end of the readable side while a chain writes: Node would unpipe it, and it would read no more', () => {
      const chain = new PassThrough();
      halfClose.destinationAdded(chain);
      halfClose.sourceAdded(chain);
      const count = finishes();
      expect(count()).to.equal(0);
      owner.readableEnded = true;
      halfClose.readingEnded();
      expect(count()).to.equal(1);
    });

    it('does not wait any longer when the chain is unpiped', () => {
      const chain = new PassThrough();
      halfClose.destinationAdded(chain);
      halfClose.sourceAdded(chain);
      const count = finishes();
      halfClose.sourceRemoved(chain);
      expect(count()).to.equal(1);
    });
  });

  it('endForProgram(): ends the writable side, unless it has ended or the stream is destroyed', () => {
    halfClose.endForProgram();
    expect(owner.ends).to.equal(1);
    for (const state of [{ writableEnded: true }, { destroyed: true }]) {
      owner = Object.assign(new FakeOwner(), state);
      halfCloseOf(owner).endForProgram();
      expect(owner.ends).to.equal(0);
    }
  });

  describe('with the HalfClose of a stream around the WebSocket', () => {
    it('leaves the decision to it, and recognizes its chain', async () => {
      const outer = halfCloseOf(new FakeOwner());
      halfClose.handOver(outer);
      expect(await endsAfterReading()).to.equal(false);
      expect(halfClose.isChain).to.equal(false);
      const chain = new PassThrough();
      outer.destinationAdded(chain);
      outer.sourceAdded(chain);
      expect(halfClose.isChain).to.equal(true);
    });

    it('still ends the writable side if that stream is made after the readable side has ended', async () => {
      owner.readableEnded = true;
      halfClose.readingEnded();
      halfClose.handOver(halfCloseOf(new FakeOwner()));
      await turn();
      expect(owner.ends).to.equal(1);
    });

    it('lets it end the writable side when nobody reads', async () => {
      const outer = new FakeOwner();
      halfClose.handOver(halfCloseOf(outer));
      halfClose.nobodyReads();
      await turn();
      expect([owner.ends, outer.ends]).to.deep.equal([0, 1]);
    });
  });

  it('keeps the last messages of a pipeline of several streams, also if its first stream is slow', async () => {
    const [ws, peer] = createPair();
    const slow = new Transform({
      objectMode: true,
      transform: (message, _encoding, done) => done(null, message),
      flush: (done) => void setImmediate(() => setImmediate(done, null, 'the tail')),
    });
    const all = pipeline(ws, slow, new PassThrough({ objectMode: true }), ws);
    peer.end('head');
    expect(await peer.toArray()).to.deep.equal(['head', 'the tail']);
    await all;
  });
});
