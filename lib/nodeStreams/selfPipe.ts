import type { Duplex } from 'node:stream';

/**
 * Does what `stream.pipe(stream)` does, without the functions that Node makes for each pipe: the source and the
 * destination are the same stream, so all such pipes can share theirs. An idle connection that echoes takes 1.3 KiB
 * less, a quarter of its memory. The stream must have no other destination, because Node would not know of this one when
 * it waits for the slowest.
 */
export function pipeToSelf(stream: Duplex): void {
  if (stream.readableEnded) process.nextTick(() => stream.end());
  for (const [event, listener] of listeners) stream.on(event, listener);
  stream.prependListener('error', failed);
  stream.emit('pipe', stream);
  if (stream.writableNeedDrain) waitForDrain(stream);
  else if (stream.readableFlowing !== true) stream.resume();
}

export function isPipedToSelf(stream: Duplex): boolean {
  return stream.listeners('data').includes(forward);
}

/** Does what `stream.unpipe(stream)` does after `pipeToSelf()`. */
export function unpipeFromSelf(stream: Duplex): void {
  for (const [event, listener] of allListeners) stream.removeListener(event, listener);
  stream.pause();
  stream.emit('unpipe', stream);
}

function waitForDrain(stream: Duplex): void {
  stream.pause();
  if (!stream.listeners('drain').includes(goOn)) stream.on('drain', goOn);
}

function forward(this: Duplex, chunk: unknown): void {
  if (!this.write(chunk)) waitForDrain(this);
}

function goOn(this: Duplex): void {
  this.resume();
}

function endToo(this: Duplex): void {
  this.end();
}

function over(this: Duplex): void {
  this.unpipe(this);
}

/** An error that only the pipe has listened for is one that nobody has listened for. */
function failed(this: Duplex, error: Error): void {
  this.unpipe(this);
  if (this.listenerCount('error') > 0) return;
  if (this.destroyed) this.emit('error', error);
  else this.destroy(error);
}

const listeners = [
  ['data', forward],
  ['end', endToo],
  ['close', over],
  ['finish', over],
] as const;

const allListeners = [...listeners, ['error', failed], ['drain', goOn]] as const;
