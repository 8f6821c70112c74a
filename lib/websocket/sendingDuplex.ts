import type { DataFrame, Message } from '../contracts';
import { type BinaryData, binaryMessage, type SendOptions, textMessage } from '../framing/outgoingMessage';
import type { Delivered } from './incomingMessages';
import { MessageDuplex } from './messageDuplex';
import type { Callback } from './writingDuplex';

/** A Duplex of messages with methods that name the kind of a message. */
export abstract class SendingDuplex<M extends Delivered = Message> extends MessageDuplex<M> {
  /**
   * Sends text, whatever the argument's type. Returns false if the program should wait for 'drain'. Bytes that are not UTF-8
   * destroy the stream with WS_ERR_INVALID_UTF8.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for what is neither a string nor bytes
   */
  sendTextMessage(data: string | BinaryData, callback?: Callback): boolean;
  sendTextMessage(data: string | BinaryData, options?: SendOptions, callback?: Callback): boolean;
  sendTextMessage(data: string | BinaryData, options?: SendOptions | Callback, callback?: Callback): boolean {
    if (typeof options === 'function') return this.#send(textMessage(data), options);
    return this.#send(textMessage(data, options), callback);
  }

  /**
   * Sends bytes, whatever the argument's type; a string as its UTF-8. Returns false if the program should wait for 'drain'.
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT for what is neither a string nor bytes
   */
  sendBinaryMessage(data: string | BinaryData, callback?: Callback): boolean;
  sendBinaryMessage(data: string | BinaryData, options?: SendOptions, callback?: Callback): boolean;
  sendBinaryMessage(data: string | BinaryData, options?: SendOptions | Callback, callback?: Callback): boolean {
    if (typeof options === 'function') return this.#send(binaryMessage(data), options);
    return this.#send(binaryMessage(data, options), callback);
  }

  /** A message with a name is for us alone: what others may write is in the type of `write()`. */
  #send(message: string | Uint8Array | DataFrame, callback: Callback | undefined): boolean {
    return this.write(message as string, callback);
  }
}
