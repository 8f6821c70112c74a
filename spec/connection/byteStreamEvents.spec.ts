import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { type ByteStreamWatcher, watchByteStream } from '../../lib/connection/byteStreamEvents';

const requests = new AsyncLocalStorage<string>();

/** Notes what it is called with, and in which asynchronous context. */
class FakeWatcher extends AsyncResource implements ByteStreamWatcher {
  readonly calls: unknown[] = [];
  readonly contexts: unknown[] = [];

  static in(request: string): FakeWatcher {
    return requests.run(request, () => new FakeWatcher('spec'));
  }

  #note(...call: unknown[]): void {
    this.calls.push(call);
    this.contexts.push(requests.getStore());
  }

  streamData(bytes: Buffer): void {
    this.#note('data', bytes.toString());
  }
  streamDrained(): void {
    this.#note('drain');
  }
  streamEnded(): void {
    this.#note('end');
  }
  streamAborted(): void {
    this.#note('aborted');
  }
  streamFailed(error: Error): void {
    this.#note('error', error.message);
  }
  streamClosed(): void {
    this.#note('close');
  }
}

const newStream = () => new Duplex({ read() {}, write: (_bytes, _encoding, done) => done() });

describe('watchByteStream()', () => {
  it('calls the watcher for each event of the stream', async () => {
    const stream = newStream();
    const watcher = FakeWatcher.in('a request');
    watchByteStream(stream, watcher, 'error', 'close', 'drain', 'end', 'aborted', 'data');
    stream.push('bytes');
    stream.push(null);
    await turn();
    stream.emit('drain');
    stream.emit('aborted');
    stream.destroy(new Error('reset'));
    await turn();
    expect(watcher.calls).to.deep.equal([
      ['data', 'bytes'],
      ['end'],
      ['drain'],
      ['aborted'],
      ['error', 'reset'],
      ['close'],
    ]);
  });

  it('calls the watcher in its own asynchronous context', () => {
    const stream = newStream();
    const watcher = FakeWatcher.in('the first request');
    watchByteStream(stream, watcher, 'data', 'drain', 'end', 'close');
    requests.run('another request', () => {
      for (const event of ['data', 'drain', 'end', 'close']) stream.emit(event, Buffer.alloc(0));
    });
    expect(watcher.contexts).to.deep.equal(Array(4).fill('the first request'));
  });

  it('calls it for no other event than those that are named', () => {
    const stream = newStream();
    const watcher = FakeWatcher.in('a request');
    watchByteStream(stream, watcher, 'drain');
    stream.emit('end');
    stream.emit('drain');
    expect(watcher.calls).to.deep.equal([['drain']]);
  });

  it('adds the same function to every stream, and each stream calls its own watcher', () => {
    const streams = [newStream(), newStream()] as const;
    const watchers = streams.map((stream, index) => {
      const watcher = FakeWatcher.in(`request ${index}`);
      watchByteStream(stream, watcher, 'drain');
      return watcher;
    });
    expect(streams[0].listeners('drain')).to.deep.equal(streams[1].listeners('drain'));
    streams[1].emit('drain');
    expect(watchers.map(({ calls }) => calls.length)).to.deep.equal([0, 1]);
  });
});
