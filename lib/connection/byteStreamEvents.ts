import type { AsyncResource } from 'node:async_hooks';
import type { Duplex } from 'node:stream';

/**
 * Receives the events of a byte stream. Its methods are called in its own asynchronous context, because that of the
 * byte stream is another one.
 */
export interface ByteStreamWatcher extends Pick<AsyncResource, 'runInAsyncScope'> {
  streamData(bytes: Buffer): void;
  streamDrained(): void;
  /** Called when the peer has ended its side of the byte stream. */
  streamEnded(): void;
  /** Called when the peer has reset an HTTP/2 stream. */
  streamAborted(): void;
  streamFailed(error: Error): void;
  streamClosed(): void;
}

const watchers = new WeakMap<Duplex, ByteStreamWatcher>();

function watcherOf(stream: Duplex): ByteStreamWatcher {
  return watchers.get(stream) as ByteStreamWatcher;
}

/**
 * All byte streams share these functions: six closures for each would be a tenth of the memory of an idle connection.
 */
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

/** Calls the methods of the watcher for these events. A byte stream has one watcher at a time. */
export function watchByteStream(
  stream: Duplex,
  watcher: ByteStreamWatcher,
  ...events: readonly (keyof typeof listeners)[]
): void {
  // To set it again would take as long as to add a listener.
  if (watchers.get(stream) !== watcher) watchers.set(stream, watcher);
  for (const event of events) stream.on(event, listeners[event] as () => void);
}
