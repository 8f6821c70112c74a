import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { ByteChannel, type ChannelOwner } from '../../lib/connection/byteChannel';
import type { Incoming, Transport } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { type ConnectionOptions, type ConnectionSettings, settingsFor } from '../../lib/options';
import { rfc6455 } from '../../lib/versions/rfc6455';
import { FakeByteStream } from '../support/fakeByteStream';
import { VirtualTime } from '../support/virtualTime';

/** Notes what is reported. It has enough after each of the messages in `enoughAfter`. */
class FakeOwner implements ChannelOwner {
  readonly events: unknown[] = [];
  readonly errors: (WebSocketError | undefined)[] = [];
  readonly enoughAfter: unknown[] = [];
  onReceive: (item: Incoming) => void = () => {};
  readonly settings: ConnectionSettings;

  constructor(settings: ConnectionSettings) {
    this.settings = settings;
  }

  receive(item: Incoming): boolean {
    this.events.push(item);
    this.onReceive(item);
    return !this.enoughAfter.includes(item);
  }
  inputEnded(error: WebSocketError | undefined): void {
    this.errors.push(error);
    this.events.push(error === undefined ? 'inputEnded' : `inputEnded: ${error.code}`);
  }
  drained(): void {
    this.events.push('drained');
  }
  progressed(): void {
    this.events.push('progressed');
  }
  sendTimedOut(): void {
    this.events.push('sendTimedOut');
  }
  sendingFailed(error: WebSocketError): void {
    this.events.push(`sendingFailed: ${error.code}`);
  }
  disconnected(): void {
    this.events.push('disconnected');
  }
  closed(): void {
    this.events.push('closed');
  }
}

/** The frames of text messages, as a server sends them. */
const frames = (...messages: string[]) =>
  Buffer.concat(messages.map((message) => Buffer.concat([Buffer.of(0x81, message.length), Buffer.from(message)])));

const none = Buffer.alloc(0);

describe('ByteChannel', () => {
  let stream: FakeByteStream;
  let owner: FakeOwner;
  let channel: ByteChannel;

  const make = (options: ConnectionOptions = {}, transport: Partial<Transport> = {}) => {
    stream = new FakeByteStream();
    owner = new FakeOwner(settingsFor(options, 'client', { version: '13', extensions: '' }, rfc6455.capabilities));
    channel = new ByteChannel({ stream, head: none, ...transport }, owner);
  };

  beforeEach(() => make());
  afterEach(() => void stream.destroy());

  describe('start()', () => {
    it('delivers the bytes that were received with the handshake, and later bytes', async () => {
      channel.start(frames('head'));
      stream.push(frames('a', 'b'));
      await turn();
      expect(owner.events).to.deep.equal(['head', 'a', 'b']);
      expect(channel.counters.bytesReceived).to.equal(12);
    });

    it('resumes a stream that the handshake has paused', async () => {
      stream.pause();
      channel.start(none);
      stream.push(frames('a'));
      await turn();
      expect(owner.events).to.deep.equal(['a']);
    });

    it('reports the end of a stream that had ended before', async () => {
      stream.push(null);
      stream.resume();
      await turn();
      channel.start(frames('head'));
      expect(owner.events).to.deep.equal([]);
      await turn();
      expect(owner.events).to.deep.equal(['head', 'inputEnded']);
    });

    it('reports the close of a stream that had closed before', async () => {
      stream.destroy();
      await turn();
      channel.start(none);
      expect([owner.events, channel.isDestroyed]).to.deep.equal([[], true]);
      await turn();
      expect(owner.events).to.have.members(['inputEnded: WS_ERR_CONNECTION_LOST', 'disconnected', 'closed']);
    });

    it('reports the close of a stream that was destroyed before, and no crash if it had an error', async () => {
      stream.destroy(new Error('ECONNRESET'));
      channel.start(none);
      await turn();
      expect(owner.events).to.have.members(['inputEnded: WS_ERR_CONNECTION_LOST', 'disconnected', 'closed']);
      expect(owner.events[0]).to.equal('inputEnded: WS_ERR_CONNECTION_LOST');
    });
  });

  it('stops reading when receive() returns false, until readOn() is called', async () => {
    owner.enoughAfter.push('a');
    channel.start(none);
    stream.push(frames('a', 'b'));
    await turn();
    expect([owner.events, stream.isPaused()]).to.deep.equal([['a'], true]);
    channel.input.readOn();
    expect([owner.events, stream.isPaused()]).to.deep.equal([['a', 'b'], false]);
  });

  it('sends items that are offered while bytes are read in one write, also if the owner throws', async () => {
    const thrown: unknown[] = [];
    channel.start(none);
    owner.onReceive = (item) => {
      channel.output.offer({ opcode: 'pong', payload: none });
      channel.output.offer({ opcode: 'pong', payload: none });
      if (item === 'b') throw new Error('a listener has thrown');
    };
    stream.removeAllListeners('data');
    channel.streamData(frames('a'));
    expect(stream.written).to.match(/^8a80.{8}8a80.{8}$/);
    await stream.letLeave();
    try {
      channel.streamData(frames('b'));
    } catch (error) {
      thrown.push(error);
    }
    expect(thrown).to.have.lengthOf(1);
    expect(stream.written).to.have.lengthOf(4 * 12);
  });

  it('offer(): returns false while the stream is full, and calls drained() and progressed() later', async () => {
    channel.start(none);
    expect(channel.output.offer('12345678')).to.equal(true);
    await turn();
    expect(channel.output.offer('next')).to.equal(false);
    await stream.letLeave();
    expect(owner.events).to.deep.equal(['drained', 'progressed']);
    expect(channel.output.offer('next')).to.equal(true);
  });

  it('writes what is sent between the steps in which the messages of one chunk are read in one write', async () => {
    owner.enoughAfter.push('a');
    channel.start(none);
    stream.push(frames('a', 'b'));
    await turn();
    channel.output.offer({ opcode: 'pong', payload: none });
    await Promise.resolve();
    process.nextTick(() => channel.output.offer({ opcode: 'pong', payload: none }));
    await turn();
    expect(stream.written).to.match(/^8a80.{8}8a80.{8}$/);
  });

  it('writes a large message in pieces of 256 KiB, or of `largestWrite` of the transport', async () => {
    for (const [largestWrite, size] of [
      [undefined, 256 * 1024],
      [100, 100],
    ] as const) {
      make({}, largestWrite === undefined ? {} : { largestWrite });
      channel.start(none);
      channel.output.offer({ opcode: 'binary', payload: Buffer.alloc(300 * 1024) });
      await turn();
      await stream.letLeave();
      expect(stream.writableLength).to.equal(size);
      stream.destroy();
    }
  });

  it('calls sendingFailed() for an accepted message that cannot be encoded', () => {
    channel.outputFailed(new WebSocketError('WS_ERR_UNSUPPORTED'));
    expect(owner.events).to.deep.equal(['sendingFailed: WS_ERR_UNSUPPORTED']);
  });

  it('offer(): returns false after the stream has closed', async () => {
    channel.start(none);
    stream.destroy();
    await turn();
    expect(channel.output.offer('late')).to.equal(false);
  });

  it("calls the owner in the asynchronous context of the program's handler", async () => {
    const requests = new AsyncLocalStorage<string>();
    requests.run('a request', () => make());
    const contexts: unknown[] = [];
    owner.onReceive = () => contexts.push(requests.getStore());
    channel.start(none);
    requests.run('another', () => stream.push(frames('a')));
    await turn();
    channel.inContext(() => contexts.push(requests.getStore()));
    expect(contexts).to.deep.equal(['a request', 'a request']);
  });

  describe('at the end of the stream', () => {
    it("reports the peer's end, and closed() when all received bytes were delivered", async () => {
      owner.enoughAfter.push('a');
      channel.start(none);
      stream.push(frames('a', 'b'));
      await turn();
      stream.destroy();
      await turn();
      expect([owner.events, channel.isDisconnected, channel.isClosed]).to.deep.equal([
        ['a', 'disconnected'],
        true,
        false,
      ]);
      channel.input.readOn();
      expect(owner.events).to.deep.equal(['a', 'disconnected', 'b', 'inputEnded: WS_ERR_CONNECTION_LOST', 'closed']);
      expect(channel.isClosed).to.equal(true);
    });

    it('reports a reset as WS_ERR_CONNECTION_LOST, with the error of the stream as its cause', async () => {
      channel.start(none);
      const reset = new Error('ECONNRESET');
      stream.destroy(reset);
      await turn();
      expect(owner.events).to.have.members(['inputEnded: WS_ERR_CONNECTION_LOST', 'disconnected', 'closed']);
      expect(owner.events[0]).to.equal('inputEnded: WS_ERR_CONNECTION_LOST');
      expect(owner.errors[0]?.cause).to.equal(reset);
      expect(owner.errors[0]?.message).to.include('ECONNRESET');
    });

    it('reports an end without an error, also if the stream closes before everything was delivered', async () => {
      owner.enoughAfter.push('a');
      channel.start(none);
      stream.push(frames('a', 'b'));
      stream.push(null);
      await turn();
      stream.destroy();
      await turn();
      channel.input.readOn();
      expect(owner.events).to.deep.equal(['a', 'disconnected', 'b', 'inputEnded', 'closed']);
    });

    it("notes from the peer's end on whether what was sent reaches the operating system; on an HTTP/2 stream always", async () => {
      for (const isHttp2 of [false, true]) {
        make();
        if (isHttp2) {
          stream = Object.assign(new FakeByteStream(), { aborted: false });
          channel = new ByteChannel({ stream, head: none }, owner);
        }
        channel.start(none);
        channel.output.send('a');
        await turn();
        expect(channel.output.hasUnsent).to.equal(isHttp2);
        stream.push(null);
        await turn();
        expect(channel.output.hasUnsent).to.equal(true);
        await stream.letLeave();
        // The empty write behind the bytes.
        if (!isHttp2) await stream.letLeave();
        expect(channel.output.hasUnsent).to.equal(false);
        stream.destroy();
      }
    });

    it('reports a truncated message as WS_ERR_CONNECTION_LOST', async () => {
      channel.start(none);
      stream.push(frames('abc').subarray(0, 3));
      stream.push(null);
      await turn();
      expect(owner.events).to.deep.equal(['inputEnded: WS_ERR_CONNECTION_LOST']);
    });

    it('reports an end without an error', async () => {
      channel.start(none);
      stream.push(null);
      await turn();
      expect(owner.events).to.deep.equal(['inputEnded']);
    });

    it('reports bytes that break the protocol with their own error', async () => {
      channel.start(none);
      stream.push(Buffer.of(0xf1, 0));
      await turn();
      expect(owner.events).to.deep.equal(['inputEnded: WS_ERR_RESERVED_BITS']);
    });

    it('calls the callbacks of unsent items, once, before closed()', async () => {
      channel.start(none);
      channel.output.offer('12345678', (error) => owner.events.push((error as WebSocketError).code));
      await turn();
      stream.destroy();
      await turn();
      await stream.letLeave();
      expect(owner.events[0]).to.equal('WS_ERR_NOT_OPEN');
      expect(owner.events.filter((event) => event === 'WS_ERR_NOT_OPEN')).to.have.lengthOf(1);
    });
  });

  it('discard(): delivers no more items, and calls closed() when the stream closes', async () => {
    channel.start(none);
    channel.discard();
    stream.push(frames('a'));
    await turn();
    stream.destroy();
    await turn();
    expect(owner.events).to.deep.equal(['disconnected', 'closed']);
  });

  it('discard(): calls closed() if the stream closed before, and messages were not delivered', async () => {
    owner.enoughAfter.push('a');
    channel.start(none);
    stream.push(frames('a', 'b'));
    await turn();
    stream.destroy();
    await turn();
    channel.discard();
    channel.input.readOn();
    expect(owner.events).to.deep.equal(['a', 'disconnected', 'closed']);
  });

  it('reset() and finish(): deliver no more items', async () => {
    for (const end of [() => channel.reset(), () => channel.finish(false)]) {
      make({}, { reset: () => {} });
      owner.enoughAfter.push('a');
      channel.start(none);
      stream.push(frames('a', 'b'));
      await turn();
      end();
      channel.input.readOn();
      expect(owner.events).to.deep.equal(['a']);
      stream.destroy();
    }
  });

  it('reset(): destroys the stream, with reset() of the transport if it has one, and sends no more bytes', async () => {
    let resets = 0;
    make({}, { reset: () => resets++ });
    channel.start(none);
    channel.output.offer('a');
    channel.reset();
    await turn();
    expect([resets, stream.destroyed, stream.written]).to.deep.equal([1, false, '']);
    make();
    channel.start(none);
    channel.reset();
    expect(stream.destroyed).to.equal(true);
  });

  it('finish(): ends our side after everything that was sent', async () => {
    channel.start(none);
    channel.output.offer('a');
    channel.finish(false);
    expect(stream.writableEnded).to.equal(true);
    await stream.letLeave();
    expect([stream.written.length, stream.writableFinished]).to.deep.equal([14, true]);
  });

  it('finish(true): ends our side after the peer has ended its side', async () => {
    channel.start(none);
    channel.finish(true);
    await turn();
    expect(stream.writableEnded).to.equal(false);
    stream.push(null);
    await turn();
    expect(stream.writableEnded).to.equal(true);
  });

  it('writes no more bytes to a stream of HTTP/2 that the peer has reset', async () => {
    Object.assign(stream, { aborted: false });
    channel.start(none);
    channel.output.offer('a');
    stream.emit('aborted');
    await turn();
    expect([stream.written, channel.output.isWritable]).to.deep.equal(['', false]);
  });

  describe('with a deadline', () => {
    let time: VirtualTime;
    beforeEach(() => {
      time = new VirtualTime();
      time.start();
    });
    afterEach(() => time[Symbol.dispose]());

    const pass = (milliseconds: number) => time.pass(milliseconds, 100);
    const timeOuts = () => owner.events.filter((event) => event === 'sendTimedOut').length;

    it('finish(): resets the stream once if our last bytes are not sent within closeTimeout', async () => {
      let resets = 0;
      make({ closeTimeout: 1000 }, { reset: () => resets++ });
      channel.start(none);
      channel.output.offer('12345678');
      channel.finish(true);
      channel.finish(false);
      await pass(900);
      expect(resets).to.equal(0);
      await pass(5000);
      expect(resets).to.equal(1);
    });

    it('calls sendTimedOut() when bytes wait and none was sent for sendTimeout', async () => {
      make({ sendTimeout: 1000 });
      channel.start(none);
      channel.output.offer('12345678');
      await pass(900);
      expect(timeOuts()).to.equal(0);
      await pass(200);
      expect(timeOuts()).to.equal(1);
    });

    it("counts sendTimeout from the last 'drain' while the rest of a large message waits", async () => {
      make({ sendTimeout: 1000 }, { largestWrite: 8 });
      channel.start(none);
      channel.output.offer('x'.repeat(20));
      await pass(900);
      await stream.letLeave();
      await pass(900);
      expect(timeOuts()).to.equal(0);
      await pass(200);
      expect(timeOuts()).to.equal(1);
    });

    it("counts sendTimeout from the last 'drain', and stops when no bytes wait", async () => {
      make({ sendTimeout: 1000 });
      channel.start(none);
      channel.output.offer('12345678');
      await pass(900);
      await stream.letLeave();
      await pass(5000);
      channel.output.offer('12345678');
      await pass(900);
      expect(timeOuts()).to.equal(0);
      await pass(200);
      expect(timeOuts()).to.equal(1);
    });

    it('does not call sendTimedOut() after the stream has closed', async () => {
      make({ sendTimeout: 1000 });
      channel.start(none);
      channel.output.offer('12345678');
      await pass(500);
      stream.destroy();
      await pass(5000);
      expect(timeOuts()).to.equal(0);
    });

    it('calls sendTimedOut() never with sendTimeout: false', async () => {
      make({ sendTimeout: false });
      channel.start(none);
      channel.output.offer('12345678');
      await pass(10_000);
      await stream.letLeave();
      expect(owner.events).to.deep.equal(['drained', 'progressed']);
    });
  });
});
