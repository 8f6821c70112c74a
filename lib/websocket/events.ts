import { Duplex, type DuplexOptions, type Readable } from 'node:stream';
import type { Message } from '../contracts';
import type { WebSocketError } from '../errors';
import type { AnyListener } from '../nodeStreams/duplexOverrides';
import { MessageStream } from './messageStream';
import type { Delivered } from './streamedMessages';

/** The second argument of a 'message' listener. */
export interface MessageInfo {
  /** True for a binary message, false for a text message. */
  readonly binary: boolean;
}

/** An event without an argument. The optional parameter lets the `resolve` function of a promise be a listener. */
type Nothing = [nothing?: undefined];

/**
 * The events of a WebSocket with the arguments of their listeners.
 * @typeParam M the type of a delivered message; with the option `messages: 'stream'`, a MessageStream
 */
export interface WebSocketEvents<M extends Delivered = Message> {
  /** Emitted for each received message. Adding a listener starts the flow. */
  message: [message: M, info: MessageInfo];
  /** Emitted for each received message, as on every Readable. */
  data: [message: M];
  /** Emitted when messages can be read with `read()`. */
  readable: Nothing;
  /** Emitted when `connect()` is called. */
  start: Nothing;
  /** Emitted when the connection is open and messages can be sent. */
  open: Nothing;
  /** Emitted when a ping is received. The pong has been sent, or waits for the byte stream to drain. */
  ping: [payload: Buffer];
  /** Emitted when a pong is received. */
  pong: [payload: Buffer];
  /** Emitted when the peer has closed cleanly and all messages have been read. */
  end: Nothing;
  /** Emitted when `write()` may be called again after it has returned false. */
  drain: Nothing;
  /** Emitted when the writable side has ended and everything that was written has been sent. */
  finish: Nothing;
  /** Emitted when the connection has not ended cleanly. */
  error: [error: WebSocketError];
  /** The last event: emitted when both sides have ended, or the stream was destroyed. */
  close: Nothing;
  /** Emitted when `pause()` is called. */
  pause: Nothing;
  /** Emitted when reading starts, or goes on after `pause()`. */
  resume: Nothing;
  /** Emitted when the writable side has ended, before 'finish'. For Node's own use. */
  prefinish: Nothing;
  /** Emitted when a stream is piped into this one. */
  pipe: [source: Readable];
  /** Emitted when a stream is no longer piped into this one. */
  unpipe: [source: Readable];
  /** Emitted before a listener is added, as on every EventEmitter. */
  newListener: [event: string | symbol, listener: (...parameters: unknown[]) => void];
  /** Emitted after a listener was removed, as on every EventEmitter. */
  removeListener: [event: string | symbol, listener: (...parameters: unknown[]) => void];
}

type EventName = keyof WebSocketEvents;

type ListenerOf<M extends Delivered, E extends EventName> = (...parameters: WebSocketEvents<M>[E]) => void;

/** Node's Duplex with the events of a WebSocket. Other event names must be symbols. */
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

/** Node's Duplex class with the type `DuplexOfMessages`. */
export const DuplexOfMessages = Duplex as unknown as {
  new <M extends Delivered = Message>(options: DuplexOptions): DuplexOfMessages<M>;
};

const textInfo: MessageInfo = Object.freeze({ binary: false });
const binaryInfo: MessageInfo = Object.freeze({ binary: true });

/** The 'data' listener that emits 'message'. All WebSockets share this function. */
export function emitMessage(this: Readable, message: Delivered): void {
  const isText = typeof message === 'string' || (message instanceof MessageStream && !message.binary);
  this.emit('message', message, isText ? textInfo : binaryInfo);
}
