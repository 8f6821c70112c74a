import { setImmediate } from 'node:timers';
import { WebSocketError } from '../errors';
import type { Closing } from './closing';
import type { DuplexOfMessages } from './events';
import type { HalfClose } from './halfClose';
import { isMessageSource } from './messageSources';
import type { Delivered } from './streamedMessages';
import { refuseSource, type WriteCallback } from './writeQueue';

/** The properties of the WebSocket stream that LateWrites uses. */
type LateStream = Pick<DuplexOfMessages<Delivered>, 'destroyed' | 'writableEnded' | 'emit'>;

/**
 * Fails writes after the end of the writable side, whether the library or the program has ended it, and after the loss
 * of the connection. Such a write is no mistake of the program, and its writer must not wait for 'drain' forever.
 */
export class LateWrites {
  readonly #stream: LateStream;
  readonly #halfClose: Pick<HalfClose, 'releaseWriters'>;
  readonly #closing: Pick<Closing, 'messagesLost'> | undefined;
  #drainScheduled = false;

  /** @param closing told of a write after the connection was lost. Default: the stream refuses no such writes */
  constructor(
    stream: LateStream,
    halfClose: Pick<HalfClose, 'releaseWriters'>,
    closing?: Pick<Closing, 'messagesLost'>,
  ) {
    this.#stream = stream;
    this.#halfClose = halfClose;
    this.#closing = closing;
  }

  /**
   * Fails one write, and emits 'drain' in the next turn of the event loop.
   * @param isReadByLoop whether a `for await` loop reads the WebSocket
   * @returns the return value of `write()`
   */
  refuse(message: unknown, callback: WriteCallback | undefined, isReadByLoop: () => boolean): false {
    const { writableEnded, destroyed } = this.#stream;
    const isLost = !writableEnded && !destroyed;
    const why = isLost ? 'the connection was lost' : 'the writable side has ended';
    const error = new WebSocketError('WS_ERR_NOT_OPEN', why);
    if (isLost) this.#closing?.messagesLost();
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
