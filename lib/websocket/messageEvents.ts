import { Duplex, type Readable } from 'node:stream';
import type { Message } from '../contracts';
import type { Delivered } from './incomingMessages';
import { MessageStream } from './messageStream';

/** What a 'message' listener is told beside the message. */
export interface MessageInfo {
  readonly binary: boolean;
}

const textInfo: MessageInfo = Object.freeze({ binary: false });
const binaryInfo: MessageInfo = Object.freeze({ binary: true });

/**
 * What the listeners of each event are called with, beside the events that every Duplex has.
 * @typeParam M what is delivered: messages, or, with the option `messages: 'stream'`, each as a stream
 */
export interface WebSocketEvents<M extends Delivered = Message> {
  /** A message, in the event style. Listening is reading: it starts the flow. */
  message: [message: M, info: MessageInfo];
  data: [message: M];
  /** `connect()` was called. */
  start: [];
  /** Messages can travel. */
  open: [];
  /** The peer sent a ping; the pong has been sent. */
  ping: [payload: Buffer];
  pong: [payload: Buffer];
  error: [error: Error];
}

// biome-ignore lint/suspicious/noExplicitAny: as EventEmitter declares its listeners
type Listener = (...parameters: any[]) => void;

type ListenerOf<M extends Delivered, E extends keyof WebSocketEvents> = (...parameters: WebSocketEvents<M>[E]) => void;

/** A Duplex of messages that also emits them as 'message' events: listening is a way of reading like the others. */
export abstract class MessageEvents<M extends Delivered = Message> extends Duplex {
  /** The last 'message' listener has gone, and with it the flow. */
  #pausedForListener = false;
  /** Whoever reads listens for 'message'. */
  #onlyMessages = false;

  /** Whether the stream stands still because nobody listens any more, and not because somebody said so. */
  protected get isForsaken(): boolean {
    return this.#pausedForListener;
  }

  /** Called when it becomes so. */
  protected forsaken(): void {}

  override on<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<M, E>): this;
  override on(event: string | symbol, listener: Listener): this;
  override on(event: string | symbol, listener: Listener): this {
    super.on(event, listener);
    this.#listened(event);
    return this;
  }

  override addListener<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<M, E>): this;
  override addListener(event: string | symbol, listener: Listener): this;
  override addListener(event: string | symbol, listener: Listener): this {
    return this.on(event, listener);
  }

  override once<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<M, E>): this;
  override once(event: string | symbol, listener: Listener): this;
  override once(event: string | symbol, listener: Listener): this {
    return super.once(event, listener);
  }

  override prependListener<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<M, E>): this;
  override prependListener(event: string | symbol, listener: Listener): this;
  override prependListener(event: string | symbol, listener: Listener): this {
    super.prependListener(event, listener);
    this.#listened(event);
    return this;
  }

  override removeListener<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<M, E>): this;
  override removeListener(event: string | symbol, listener: Listener): this;
  override removeListener(event: string | symbol, listener: Listener): this {
    super.removeListener(event, listener);
    if (event === 'message') this.#stopMessages();
    if (event === 'data') this.#noteReaders();
    return this;
  }

  override off<E extends keyof WebSocketEvents>(event: E, listener: ListenerOf<M, E>): this;
  override off(event: string | symbol, listener: Listener): this;
  override off(event: string | symbol, listener: Listener): this {
    return this.removeListener(event, listener);
  }

  override removeAllListeners(event?: string | symbol): this {
    super.removeAllListeners(event);
    if (event === undefined || event === 'message') this.#stopMessages();
    this.#noteReaders();
    return this;
  }

  /** Hands a message to whoever reads, past 'data' if that would only lead to 'message' (a twentieth of the time of a small echo). */
  protected tell(message: Delivered): void {
    if (this.#onlyMessages) emitMessage.call(this, message);
    else this.emit('data', message);
  }

  #listened(event: string | symbol): void {
    if (event === 'message') this.#startMessages();
    if (event === 'data') this.#noteReaders();
  }

  #noteReaders(): void {
    const listeners = this.listeners('data');
    this.#onlyMessages = listeners.length === 1 && listeners[0] === emitMessage;
  }

  #startMessages(): void {
    if (this.listeners('data').includes(emitMessage)) return;
    super.on('data', emitMessage);
    this.#noteReaders();
    if (this.#pausedForListener) {
      this.#pausedForListener = false;
      this.resume();
    }
  }

  /** Without a listener the flow would throw messages away: `once(ws, 'message')` must not cost the second one. */
  #stopMessages(): void {
    if (this.listenerCount('message') > 0) return;
    super.removeListener('data', emitMessage);
    this.#noteReaders();
    if (this.listenerCount('data') === 0 && !this.isPaused()) {
      this.pause();
      this.#pausedForListener = true;
      this.forsaken();
    }
  }
}

/** One function for all connections. */
export function emitMessage(this: Readable, message: Delivered): void {
  const isText = typeof message === 'string' || (message instanceof MessageStream && !message.binary);
  this.emit('message', message, isText ? textInfo : binaryInfo);
}
