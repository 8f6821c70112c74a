import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { discardUntilClosed, lingerTime, resetByteStream } from '../../lib/connection/byteStreamEnds';
import { VirtualTime } from '../support/virtualTime';

/** A byte stream that keeps what is written until `letLeave()` is called, and reads what `push()` is given. */
class FakeStream extends Duplex {
  #taken: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 4, autoDestroy: false });
  }

  override _read(): void {}

  override _write(_bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#taken = done;
  }

  /** The operating system takes a write. */
  letLeave(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }
}

describe('resetByteStream()', () => {
  it('destroys the stream', () => {
    const stream = new FakeStream();
    resetByteStream({ stream });
    expect(stream.destroyed).to.equal(true);
  });

  it("calls the transport's own reset() instead, if there is one", () => {
    const stream = new FakeStream();
    let resets = 0;
    resetByteStream({ stream, reset: () => resets++ });
    expect([resets, stream.destroyed]).to.deep.equal([1, false]);
  });
});

describe('discardUntilClosed()', () => {
  const timeout = 20_000;
  let time: VirtualTime;
  let stream: FakeStream;
  /** The times at which the stream was reset. */
  let resets: number[];
  let ends: { stream: Duplex; reset: () => void };

  beforeEach(() => {
    time = new VirtualTime();
    time.start();
    stream = new FakeStream();
    resets = [];
    ends = {
      stream,
      reset: () => {
        resets.push(time.now);
        stream.destroy();
      },
    };
  });
  afterEach(() => time[Symbol.dispose]());

  const pass = (milliseconds: number) => time.pass(milliseconds, 500);

  it('reads the stream to its end', async () => {
    stream.push('unread');
    discardUntilClosed(ends, timeout);
    stream.push('more');
    await turn();
    expect(stream.readableLength).to.equal(0);
  });

  it('resets the stream when our last bytes were not sent within the timeout', async () => {
    discardUntilClosed(ends, timeout);
    stream.end('bytes');
    await pass(2 * timeout);
    expect(resets).to.deep.equal([timeout]);
  });

  it("counts the timeout from the last 'drain'", async () => {
    stream.write('12345678');
    stream.write('12345678');
    discardUntilClosed(ends, timeout);
    await pass(15_000);
    stream.letLeave();
    stream.letLeave();
    await pass(1.5 * timeout);
    expect(resets).to.deep.equal([15_000 + timeout]);
  });

  it('waits a second for the peer to end its side after our last bytes were sent', async () => {
    discardUntilClosed(ends, timeout);
    stream.end('bytes');
    await pass(5000);
    stream.letLeave();
    await turn();
    await pass(timeout);
    expect(resets).to.deep.equal([5000 + lingerTime]);
  });

  it('waits a second for the peer also if our last bytes had been sent before', async () => {
    stream.end();
    await turn();
    discardUntilClosed(ends, timeout);
    await pass(2 * timeout);
    expect(resets).to.deep.equal([lingerTime]);
  });

  it('waits no longer than the timeout, if that is shorter than a second', async () => {
    stream.end();
    await turn();
    discardUntilClosed(ends, 500);
    await pass(2000);
    expect(resets).to.deep.equal([500]);
  });

  it("resets nothing and leaves no timer and no 'drain' listener after the stream has closed", async () => {
    const owner = { threw: (error: unknown) => expect.fail(String(error)) };
    time.ownedBy(owner, () => discardUntilClosed(ends, timeout));
    expect(time.countOf(owner)).to.equal(1);
    stream.end();
    await turn();
    stream.destroy();
    await turn();
    expect([time.countOf(owner), stream.listenerCount('drain')]).to.deep.equal([0, 0]);
    await pass(2 * timeout);
    expect(resets).to.deep.equal([]);
  });

  it('does nothing if the stream is destroyed', async () => {
    stream.destroy();
    discardUntilClosed(ends, timeout);
    await pass(2 * timeout);
    expect([resets, stream.listenerCount('drain')]).to.deep.equal([[], 0]);
  });

  for (const event of ['aborted', 'end'])
    it(`resets a stream of HTTP/2 whose \`closed\` is true at its '${event}', in the next turn of the event loop`, async () => {
      Object.defineProperty(stream, 'aborted', { value: false });
      discardUntilClosed(ends, timeout);
      Object.defineProperty(stream, 'closed', { value: true });
      stream.emit(event);
      expect(resets).to.deep.equal([]);
      await turn();
      expect(resets).to.deep.equal([0]);
    });

  it('resets a stream of HTTP/2 that the peer has reset before', async () => {
    Object.defineProperties(stream, { aborted: { value: true }, closed: { value: true } });
    discardUntilClosed(ends, timeout);
    await turn();
    expect(resets).to.deep.equal([0]);
  });
});
