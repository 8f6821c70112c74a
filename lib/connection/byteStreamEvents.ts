import type { AsyncResource } from 'node:async_hooks';
import type { Duplex } from 'node:stream';

/** The receiver of a byte stream's events. They are reported in its own asynchronous context: the byte stream has another one. */
export interface ByteStreamWatcher extends Pick<AsyncResource, 'runInAsyncScope'> {
  streamData(bytes: Buffer): void;
  streamDrained(): void;
  /** The peer has ended its side. */
  streamEnded(): void;
  /** The peer has reset a stream of HTTP/2. */
  streamAborted(): void;
  streamFailed(error: Error): void;
  streamClosed(): void;
}

const watchers = new WeakMap<Duplex, ByteStreamWatcher>();

function watcherOf(stream: Duplex): ByteStreamWatcher {
  return watchers.get(stream) as ByteStreamWatcher;
}

/** One function each for all byte streams: six closures would be a tenth of the memory of an idle connection. */
const listeners = {
  data(this: Duplex, bytes: Buffer) {
    const watcher = watcherOf(this);
    watcher.runInAsyncScope(watcher.streamData, watcher, bytes);
  },
  drain(this: Duplex) {
    const watcher = watcherOf(this);
    watcher.runInAsyncScope(watcher.streamDrained, watcher);
  },
  end(this: Duplex) {
    const watcher = watcherOf(this);
    watcher.runInAsyncScope(watcher.streamEnded, watcher);
  },
  aborted(this: Duplex) {
    watcherOf(this).streamAborted();
  },
  error(this: Duplex, error: Error) {
    watcherOf(this).streamFailed(error);
  },
  close(this: Duplex) {
    const watcher = watcherOf(this);
    watcher.runInAsyncScope(watcher.streamClosed, watcher);
  },
};

/** Calls the watcher for these events from now on. A byte stream has one watcher. */
export function watchByteStream(
  stream: Duplex,
  watcher: ByteStreamWatcher,
  ...events: readonly (keyof typeof listeners)[]
): void {
  watchers.set(stream, watcher);
  for (const event of events) stream.on(event, listeners[event] as () => void);
}
