import { setImmediate } from 'node:timers';
import { WebSocketError } from '../errors';
import type { DuplexOfMessages } from './events';
import type { HalfClose } from './halfClose';
import { isMessageSource } from './messageSources';
import type { Delivered } from './streamedMessages';
import { refuseSource, type WriteCallback } from './writeQueue';

/** Fails what is written after the end of the writable side, ours or the program's own: that is no mistake, and must hold nobody back. */
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
   * Fails one write, and holds its writer back for one turn of the event loop only.
   * @param isReadByLoop whether a loop reads the WebSocket
   * @returns what `write()` returns
   */
  refuse(message: unknown, callback: WriteCallback | undefined, isReadByLoop: () => boolean): false {
    const error = new WebSocketError('WS_ERR_NOT_OPEN', 'the writable side has ended');
    if (isMessageSource(message)) refuseSource(message, error);
    if (callback !== undefined) process.nextTick(callback, error);
    if (this.#drainScheduled) return false;
    this.#drainScheduled = true;
    setImmediate(() => {
      this.#drainScheduled = false;
      // Also on a destroyed stream, for a loop that reads: it has its last message in hand, and learns of the end by reading on.
      if (!this.#stream.destroyed || isReadByLoop()) this.#stream.emit('drain');
      if (this.#stream.destroyed) this.#halfClose.releaseWriters(error);
    });
    return false;
  }
}
