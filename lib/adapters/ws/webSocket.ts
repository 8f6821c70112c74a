import { Blob } from 'node:buffer';
import { toBytes } from '../../codec/bytes';
import {
  type BinaryData,
  connect,
  WebSocket as Stream,
  WebSocketError,
  type WebSocketErrorCode,
  type WriteCallback,
} from '../../webSocketHandler';
import { WebSocketEmitter } from './events';
import {
  addHandler,
  attributeOf,
  type EventTargetHandler,
  type EventTargetName,
  removeHandler,
  setAttribute,
} from './eventTarget';
import { type ClientOptions, toClientOptions } from './options';
import { type BinaryType, isBinaryType, toBinaryType, toPayload } from './payloads';

/** How one message is sent. */
export interface SendOptions {
  /** Whether it is a binary message. Default: true for bytes, false for a string. */
  binary?: boolean;
  /** Whether it is compressed, where that was agreed on. Default: by its size. */
  compress?: boolean;
  /** Only true: a message in fragments is a stream that is written to `stream`. */
  fin?: boolean;
}

const [connecting, open, closing, closed] = [0, 1, 2, 3];

/** Errors that ws reports by the code of 'close' only, without an 'error' event. */
const toldByCloseAlone: readonly WebSocketErrorCode[] = [
  'WS_ERR_CLOSED_BY_PEER',
  'WS_ERR_CONNECTION_LOST',
  'WS_ERR_CLOSE_TIMEOUT',
];

/**
 * A WebSocket with the API of ws and of the browser, around one of this library, which is its `stream`: for programs
 * that were written for ws.
 */
export class WebSocket extends WebSocketEmitter {
  /** A client that is not connected yet. */
  static readonly CONNECTING = 0;
  /** Messages can be sent. */
  static readonly OPEN = 1;
  /** The close handshake has begun. */
  static readonly CLOSING = 2;
  /** The connection has ended. */
  static readonly CLOSED = 3;
  /** `WebSocket.CONNECTING`. */
  declare readonly CONNECTING: 0;
  /** `WebSocket.OPEN`. */
  declare readonly OPEN: 1;
  /** `WebSocket.CLOSING`. */
  declare readonly CLOSING: 2;
  /** `WebSocket.CLOSED`. */
  declare readonly CLOSED: 3;
  /** The URL of a client; '' on a server. */
  readonly url: string;
  readonly #stream: Stream;
  #readyState = connecting;
  #binaryType: BinaryType = 'nodebuffer';
  #isPaused = false;
  /** Bytes that were passed to `send()` after the end. */
  #unsent = 0;
  /** Whether the program reads and writes the stream itself. */
  #handedOver = false;

  /**
   * @param address a URL to connect to, or an open WebSocket of this library, such as `res.webSocket.connect()`
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  constructor(address: string | URL | Stream, protocols?: string | string[] | ClientOptions, options?: ClientOptions) {
    super();
    if (address instanceof Stream) {
      this.url = '';
      this.#stream = address;
      this.#readyState = address.transport === undefined ? connecting : open;
    } else {
      const isOptions = typeof protocols === 'object' && !Array.isArray(protocols);
      const settings = (isOptions ? protocols : options) ?? {};
      const offered = isOptions ? settings.protocols : (protocols ?? settings.protocols);
      this.#stream = connect(address, toClientOptions(settings, [offered ?? []].flat()));
      this.url = new URL(address).href.replace(/^http/, 'ws');
    }
    this.#followStream();
  }

  #followStream(): void {
    const stream = this.#stream;
    if (this.#readyState === open) process.nextTick(() => this.#read());
    else
      stream.on('open', () => {
        this.#readyState = open;
        this.emit('open');
        this.#read();
      });
    stream.on('ping', (data) => this.emit('ping', data));
    stream.on('pong', (data) => this.emit('pong', data));
    stream.on('end', () => {
      this.#readyState = closing;
    });
    stream.on('error', (error) => this.#failed(error));
    stream.on('close', () => {
      this.#readyState = closed;
      this.emit('close', stream.closeCode ?? 1006, Buffer.from(stream.closeReason));
    });
  }

  /** As in ws, messages that are received while there is no 'message' listener are dropped. */
  #read(): void {
    if (this.#handedOver) return;
    this.#stream.on('data', (message) => {
      if (typeof message === 'string') this.emit('message', Buffer.from(message), false);
      else this.emit('message', toBinaryType(message, this.#binaryType), true);
    });
  }

  #failed(error: WebSocketError): void {
    this.#readyState = closing;
    if (toldByCloseAlone.includes(error.code)) return;
    // A peer must not be able to end the process of a server that does not listen for 'error'.
    if (this.#stream._core.settings.role === 'server' && this.listenerCount('error') === 0) return;
    this.emit('error', error);
  }

  /**
   * The WebSocket of this library that this one is made of. If the program takes it in the turn of the event loop in
   * which this WebSocket was made or has opened, the program reads it, and no 'message' events are emitted.
   */
  get stream(): Stream {
    this.#handedOver = true;
    return this.#stream;
  }

  /** One of the four constants. */
  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState as 0 | 1 | 2 | 3;
  }

  /** The type in which binary messages are delivered. Other values are ignored, as in ws. Default 'nodebuffer'. */
  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(type: BinaryType) {
    if (isBinaryType(type)) this.#binaryType = type;
  }

  /** Bytes that were sent and have not reached the operating system. */
  get bufferedAmount(): number {
    return this.#stream.bufferedAmount + this.#unsent;
  }

  /** The names of the extensions in use, without their parameters. */
  get extensions(): string {
    const names = this.#stream.extensions.split(',').map((extension) => extension.split(';')[0]?.trim());
    return names.join();
  }

  /** The subprotocol in use; '' for none. */
  get protocol(): string {
    return this.#stream.protocol;
  }

  /** Whether `pause()` was called last. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /**
   * Sends a message; a number is sent as text. The callback is called when the message has reached the operating system.
   * @throws WebSocketError WS_ERR_NOT_OPEN while connecting, WS_ERR_INVALID_ARGUMENT, WS_ERR_UNSUPPORTED
   */
  send(data: unknown, callback?: WriteCallback): void;
  send(data: unknown, options?: SendOptions, callback?: WriteCallback): void;
  send(data: unknown, options?: SendOptions | WriteCallback, callback?: WriteCallback): void {
    if (typeof options === 'function') return this.send(data, undefined, options);
    this.#checkIsConnected();
    // As in ws: a number is sent as text, and undefined or null as an empty message.
    const message = typeof data === 'number' ? String(data) : (data ?? Buffer.alloc(0));
    if (this.#readyState !== open) return this.#refuse(message, callback);
    if (message instanceof Blob) this.#stream.write(message.stream() as AsyncIterable<Uint8Array>, callback);
    else if (options?.fin === false)
      throw new WebSocketError(
        'WS_ERR_UNSUPPORTED',
        'to send fragments, write a stream: socket.stream.write(readable)',
      );
    else if (options?.binary ?? typeof message !== 'string')
      this.#stream.sendBinaryMessage(message as BinaryData, compression(options), callback);
    else this.#stream.sendTextMessage(message as string, compression(options), callback);
  }

  /** Fails the callback of a message that is sent after the end, and counts its bytes in `bufferedAmount`. */
  #refuse(message: unknown, callback: WriteCallback | undefined): void {
    this.#unsent += sizeOf(message);
    if (callback !== undefined) process.nextTick(callback, notOpen(this.#readyState));
  }

  /** Sends a ping. The parameter `mask` is ignored: the role decides whether frames are masked. */
  ping(data?: unknown, mask?: unknown, callback?: unknown): void {
    this.#control(
      (payload) => {
        // The program learns of the answer by 'pong', and of a lost connection by 'close'.
        this.#stream.ping(payload).catch(() => {});
      },
      [data, mask, callback],
    );
  }

  /**
   * Sends an unsolicited pong. Pings are answered by the library. The parameter `mask` is ignored: the role decides
   * whether frames are masked.
   */
  pong(data?: unknown, mask?: unknown, callback?: unknown): void {
    this.#control((payload) => void this.#stream.pong(payload), [data, mask, callback]);
  }

  #control(send: (payload: string | Uint8Array) => void, parameters: readonly unknown[]): void {
    this.#checkIsConnected();
    const callback = parameters.find((parameter) => typeof parameter === 'function') as WriteCallback | undefined;
    const [data] = parameters;
    const isOpen = this.#readyState === open;
    if (isOpen) send(data === undefined || typeof data === 'function' ? '' : toPayload(data));
    if (callback !== undefined) process.nextTick(callback, isOpen ? undefined : notOpen(this.#readyState));
  }

  /**
   * Starts the close handshake: the Close frame is sent after all messages. A client that is still connecting emits
   * 'error' and 'close' instead.
   * @param code default 1000
   * @throws WebSocketError WS_ERR_INVALID_ARGUMENT
   */
  close(code?: number, reason?: string | Buffer): void {
    if (this.#readyState === connecting) this.#giveUp();
    if (this.#readyState !== open) return;
    this.#stream.close(code, reason === undefined ? undefined : String(reason));
    this.#readyState = closing;
  }

  /** Closes the connection at once, without a Close frame. A client that is still connecting also emits 'error'. */
  terminate(): void {
    if (this.#readyState === connecting) return this.#giveUp();
    if (this.#readyState === closed) return;
    this.#readyState = closing;
    this.#stream.abort();
  }

  #giveUp(): void {
    this.#readyState = closing;
    this.#stream.destroy(
      new WebSocketError('WS_ERR_ABORTED', 'WebSocket was closed before the connection was established'),
    );
  }

  /** Stops reading from the connection, so that the peer has to wait (backpressure). */
  pause(): void {
    if (this.#readyState === connecting || this.#readyState === closed) return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  /** Reads on after `pause()`. */
  resume(): void {
    if (this.#readyState === connecting || this.#readyState === closed) return;
    this.#isPaused = false;
    this.#stream.resume();
  }

  #checkIsConnected(): void {
    if (this.#readyState === connecting) throw notOpen(connecting);
  }

  /** Adds a listener, as in the browser: the same listener is added once only. */
  addEventListener<E extends EventTargetName>(
    name: E,
    handler: EventTargetHandler<E, WebSocket>,
    options?: { once?: boolean },
  ): void {
    addHandler(this, name, handler as EventTargetHandler<EventTargetName, WebSocket>, { once: options?.once });
  }

  /** Removes a listener of `addEventListener()`. */
  removeEventListener<E extends EventTargetName>(name: E, handler: EventTargetHandler<E, WebSocket>): void {
    removeHandler(this, name, handler as EventTargetHandler<EventTargetName, WebSocket>);
  }

  /** The listener for 'open'. */
  declare onopen: EventTargetHandler<'open', WebSocket> | null;
  /** The listener for 'message'. */
  declare onmessage: EventTargetHandler<'message', WebSocket> | null;
  /** The listener for 'close'. */
  declare onclose: EventTargetHandler<'close', WebSocket> | null;
  /** The listener for 'error'. */
  declare onerror: EventTargetHandler<'error', WebSocket> | null;

  static {
    for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 }))
      Object.defineProperty(WebSocket.prototype, name, { value, enumerable: true });
    for (const name of ['open', 'message', 'close', 'error'] as const)
      Object.defineProperty(WebSocket.prototype, `on${name}`, {
        enumerable: true,
        configurable: true,
        get(this: WebSocket) {
          return attributeOf(this, name);
        },
        set(this: WebSocket, handler: unknown) {
          setAttribute(this, name, handler);
        },
      });
  }
}

const compressed = { compress: true } as const;
const uncompressed = { compress: false } as const;

function compression({ compress }: SendOptions = {}): typeof compressed | typeof uncompressed | undefined {
  if (compress === undefined) return undefined;
  return compress ? compressed : uncompressed;
}

/** Bytes of a message; 0 for what is no message. */
function sizeOf(message: unknown): number {
  if (typeof message === 'string') return Buffer.byteLength(message);
  if (message instanceof Blob) return message.size;
  return toBytes(message)?.length ?? 0;
}

function notOpen(readyState: number): WebSocketError {
  const name = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'][readyState];
  return new WebSocketError('WS_ERR_NOT_OPEN', `WebSocket is not open: readyState ${readyState} (${name})`);
}
