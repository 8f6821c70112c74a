import { setImmediate } from 'node:timers';
import { WebSocketError } from '../errors';
import type { DuplexOfMessages } from './events';
import type { HalfClose } from './halfClose';
import { isMessageSource } from './messageSources';
import type { Delivered } from './streamedMessages';
import { refuseSource, type WriteCallback } from './writeQueue';

/**
 * Fails writes after the end of the writable side, whether the library or the program has ended it. Such a write is no
 * mistake of the program, and its writer must not wait for 'drain' forever.
 */
export class LateWrites {
  readonly #stream: Pick<DuplexOfMessages<Delivered>, 'destroyed' | 'emit'>;
  readonly #halfClose: Pick<HalfClose, 'releaseWriters'>;
  #drainScheduled = false;

  constructor(
    stream: Pick<DuplexOfMessages<Delivered>, 'destroyed' | 'emit'>,
    halfClose: Pick<HalfClose, 'releaseWriters'>,
  ) {
    this.#stream = stream;
    this.#halfClose = halfClose;
  }

  /**
   * Fails one write, and emits 'drain' in the next turn of the event loop.
   * @param isReadByLoop whether a `for await` loop reads the WebSocket
   * @returns the return value of `write()`
   */
  refuse(message: unknown, callback: WriteCallback | undefined, isReadByLoop: () => boolean): false {
    const error = new WebSocketError('WS_ERR_NOT_OPEN', 'the writable side has ended');
    if (isMessageSource(message)) refuseSource(message, error);
    if (callback !== undefined) process.nextTick(callback, error);
    if (this.#drainScheduled) return false;
    this.#drainScheduled = true;
    setImmediate(() => {
      this.#drainScheduled = false;
      // A `for await` loop may wait for 'drain' before it reads on and so learns of the end; it needs 'drain' also from
      // a destroyed stream.
      if (!this.#stream.destroyed || isReadByLoop()) this.#stream.emit('drain');
      if (this.#stream.destroyed) this.#halfClose.releaseWriters(error);
    });
    return false;
  }
}
