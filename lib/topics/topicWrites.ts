import type { Writable } from 'node:stream';
import { WebSocketError } from '../errors';
import { tolerateErrors } from '../websocket/closing';
import type { WriteCallback } from '../websocket/writeQueue';
import { toData } from './options';

/** The most messages that wait in a Writable of a topic. All that wait are published together. */
export const mostWrites = 64;

/** A chunk whose `write()` had a callback, which gets the error of publishing it. */
class Written {
  readonly chunk: unknown;
  error: Error | undefined;

  constructor(chunk: unknown) {
    this.chunk = chunk;
  }
}

/**
 * Writes a chunk so that a failure to publish it is told to its callback, and does not end the stream. Without a callback, nobody else
 * would learn of it, and it destroys the stream.
 * @param write `write()` of Node's Writable
 */
export function writeChunk(
  write: (chunk: unknown, callback?: WriteCallback) => boolean,
  chunk: unknown,
  encoding: unknown,
  callback: unknown,
): boolean {
  const told = (typeof encoding === 'function' ? encoding : callback) as WriteCallback | undefined;
  if (told === undefined) return write(chunk);
  const written = new Written(chunk);
  return write(written, (error) => told(error ?? written.error));
}

/** Publishes the chunks of `_write()` or `_writev()`, and calls back when all have succeeded or failed. */
export function publishChunks(
  stream: Writable,
  publish: (data: string | Buffer) => Promise<unknown>,
  chunks: readonly { readonly chunk: unknown }[],
  done: WriteCallback,
): void {
  let left = chunks.length;
  let failed: Error | null = null;
  const settled = () => {
    if (--left > 0) return;
    // A broker that fails must not end the process of a program that has no 'error' listener.
    if (failed instanceof WebSocketError && failed.code !== 'WS_ERR_INVALID_ARGUMENT') tolerateErrors(stream);
    done(failed);
  };
  for (const { chunk } of chunks) {
    const fail = (error: Error) => {
      if (chunk instanceof Written) chunk.error = error;
      else failed ??= error;
      settled();
    };
    let data: string | Buffer;
    try {
      data = toData(chunk instanceof Written ? chunk.chunk : chunk);
    } catch (error) {
      fail(error as Error);
      continue;
    }
    publish(data).then(settled, fail);
  }
}
