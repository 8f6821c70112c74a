import { WebSocketError } from '../errors';

/**
 * The most final blocks (BFINAL) of a message with more behind them, and one more for each KiB before. Each needs a new engine, and no sender
 * needs more than one.
 */
const mostFinalBlocks = 4;

/**
 * Counts the streams of which a message consists: one more after each final block (RFC 7692 §7.2.3.4). The limit depends on where they begin,
 * so that it is the same for a message that is decompressed at once and one that is decompressed in parts.
 */
export class Streams {
  #count = 0;

  /**
   * Notes that a stream begins.
   * @param position the compressed bytes of the message before it
   * @throws WebSocketError WS_ERR_INVALID_COMPRESSION if there are too many
   */
  begin(position: number): void {
    if (this.#count++ > mostFinalBlocks + position / 1024)
      throw new WebSocketError('WS_ERR_INVALID_COMPRESSION', 'too many final blocks');
  }
}
