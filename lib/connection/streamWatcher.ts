import type { AsyncResource } from 'node:async_hooks';
import type { Duplex } from 'node:stream';

/** Who is told what happens to a byte stream. */
export interface StreamWatcher {
  /** In which it is told: the stream has another one. */
  readonly context: AsyncResource;
  bytesRead(bytes: Buffer): void;
  streamDrained(): void;
  /** The peer has ended its side. */
  streamEnded(): void;
  /** The peer has reset a stream of HTTP/2. */
  streamAborted(): void;
  streamFailed(error: Error): void;
  streamClosed(): void;
}

const watcherOf = Symbol('watcher');

type Watched = Duplex & { [watcherOf]: StreamWatcher };

/** One function each for all streams: closures would be a tenth of what an idle connection keeps. */
const listeners = {
  data(this: Watched, bytes: Buffer) {
    const watcher = this[watcherOf];
    watcher.context.runInAsyncScope(watcher.bytesRead, watcher, bytes);
  },
  drain(this: Watched) {
    const watcher = this[watcherOf];
    watcher.context.runInAsyncScope(watcher.streamDrained, watcher);
  },
  end(this: Watched) {
    const watcher = this[watcherOf];
    watcher.context.runInAsyncScope(watcher.streamEnded, watcher);
  },
  aborted(this: Watched) {
    this[watcherOf].streamAborted();
  },
  error(this: Watched, error: Error) {
    this[watcherOf].streamFailed(error);
  },
  close(this: Watched) {
    const watcher = this[watcherOf];
    watcher.context.runInAsyncScope(watcher.streamClosed, watcher);
  },
};

/** Tells the watcher of these events from now on. A stream has one watcher. */
export function watchStream(
  stream: Duplex,
  watcher: StreamWatcher,
  ...events: readonly (keyof typeof listeners)[]
): void {
  (stream as Watched)[watcherOf] = watcher;
  for (const event of events) stream.on(event, listeners[event] as () => void);
}
