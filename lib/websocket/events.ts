import { Duplex, type DuplexOptions, type Readable } from 'node:stream';
import type { Message } from '../contracts';
import type { WebSocketError } from '../errors';
import { MessageStream } from './messageStream';
import type { Delivered } from './streamedMessages';

/** The second argument of a 'message' listener. */
export interface MessageInfo {
  /** Whether it is a binary message; a text message otherwise. */
  readonly binary: boolean;
}

/** No argument; optional, so that the `resolve` of a promise is a good listener. */
type Nothing = [nothing?: undefined];

/**
 * The events of a WebSocket with the arguments of their listeners.
 * @typeParam M what is delivered: messages, or, with the option `messages: 'stream'`, each message as a stream
 */
export interface WebSocketEvents<M extends Delivered = Message> {
  /** A message has come. Listening is reading: it starts the flow. */
  message: [message: M, info: MessageInfo];
  /** A message has come, as on every readable stream. */
  data: [message: M];
  /** Messages can be read with `read()`. */
  readable: Nothing;
  /** `connect()` was called. */
  start: Nothing;
  /** The connection is open: messages can be sent. */
  open: Nothing;
  /** The peer sent a ping; the pong was sent. */
  ping: [payload: Buffer];
  /** The peer sent a pong. */
  pong: [payload: Buffer];
  /** The peer has closed cleanly, and everything it sent has been read. */
  end: Nothing;
  /** `write()` has returned false before, and may be called again. */
  drain: Nothing;
  /** The writable side has ended, and everything that was written has been sent. */
  finish: Nothing;
  /** The connection has ended other than cleanly. */
  error: [error: WebSocketError];
  /** Both sides are over: the last event. */
  close: Nothing;
  /** `pause()` was called. */
  pause: Nothing;
  /** Reading has begun or goes on after `pause()`. */
  resume: Nothing;
  /** The writable side has ended; 'finish' follows when everything was sent. For Node's own use. */
  prefinish: Nothing;
  /** A stream was piped into this one. */
  pipe: [source: Readable];
  /** A stream is not piped into this one any more. */
  unpipe: [source: Readable];
  /** A listener will be added, as on every EventEmitter. */
  newListener: [event: string | symbol, listener: (...parameters: unknown[]) => void];
  /** A listener was removed, as on every EventEmitter. */
  removeListener: [event: string | symbol, listener: (...parameters: unknown[]) => void];
}

type EventName = keyof WebSocketEvents;

type ListenerOf<M extends Delivered, E extends EventName> = (...parameters: WebSocketEvents<M>[E]) => void;

// biome-ignore lint/suspicious/noExplicitAny: as EventEmitter declares the listeners of events it knows nothing about
export type AnyListener = (...parameters: any[]) => void;

/** Node's Duplex with the events of a WebSocket: of other names it takes only symbols. */
export interface DuplexOfMessages<M extends Delivered = Message> extends Duplex {
  on<E extends EventName>(event: E, listener: ListenerOf<M, E>): this;
  on(event: symbol, listener: AnyListener): this;
  addListener<E extends EventName>(event: E, listener: ListenerOf<M, E>): this;
  addListener(event: symbol, listener: AnyListener): this;
  once<E extends EventName>(event: E, listener: ListenerOf<M, E>): this;
  once(event: symbol, listener: AnyListener): this;
  prependListener<E extends EventName>(event: E, listener: ListenerOf<M, E>): this;
  prependListener(event: symbol, listener: AnyListener): this;
  prependOnceListener<E extends EventName>(event: E, listener: ListenerOf<M, E>): this;
  prependOnceListener(event: symbol, listener: AnyListener): this;
  removeListener<E extends EventName>(event: E, listener: ListenerOf<M, E>): this;
  removeListener(event: symbol, listener: AnyListener): this;
  off<E extends EventName>(event: E, listener: ListenerOf<M, E>): this;
  off(event: symbol, listener: AnyListener): this;
  emit<E extends EventName>(event: E, ...parameters: WebSocketEvents<M>[E]): boolean;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  emit(event: symbol, ...parameters: any[]): boolean;
}

/** Node's own Duplex class under that type. */
export const DuplexOfMessages = Duplex as unknown as {
  new <M extends Delivered = Message>(options: DuplexOptions): DuplexOfMessages<M>;
};

const textInfo: MessageInfo = Object.freeze({ binary: false });
const binaryInfo: MessageInfo = Object.freeze({ binary: true });

/** The 'data' listener behind the 'message' event: one function for all WebSockets. */
export function emitMessage(this: Readable, message: Delivered): void {
  const isText = typeof message === 'string' || (message instanceof MessageStream && !message.binary);
  this.emit('message', message, isText ? textInfo : binaryInfo);
}
