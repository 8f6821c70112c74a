import { EventEmitter } from 'node:events';

/** The data of a 'message' event: a Buffer for text; for binary messages, the type that `binaryType` names. */
export type RawData = Buffer | ArrayBuffer | Buffer[] | Blob;

/** The events of a WebSocket with the arguments of their listeners, as in ws. */
export interface WebSocketEventMap {
  /** A client is connected. */
  open: [];
  /** A message was received. */
  message: [data: RawData, isBinary: boolean];
  /**
   * The connection has ended. The code is that of the peer's Close frame, 1005 if the frame has none, 1006 if there was
   * no Close frame.
   */
  close: [code: number, reason: Buffer];
  /** The connection has failed for another reason than a Close frame or a lost connection. */
  error: [error: Error];
  /** The peer sent a ping; the pong was sent. */
  ping: [data: Buffer];
  /** The peer sent a pong. */
  pong: [data: Buffer];
}

type EventName = keyof WebSocketEventMap;
type Listener<S, E extends EventName> = (this: S, ...parameters: WebSocketEventMap[E]) => void;
// biome-ignore lint/suspicious/noExplicitAny: as EventEmitter declares the listeners of events it knows nothing about
type AnyListener<S> = (this: S, ...parameters: any[]) => void;

/** Node's EventEmitter with the events of a WebSocket, and any others. */
export interface WebSocketEmitter extends EventEmitter {
  on<E extends EventName>(event: E, listener: Listener<this, E>): this;
  on(event: string | symbol, listener: AnyListener<this>): this;
  addListener<E extends EventName>(event: E, listener: Listener<this, E>): this;
  addListener(event: string | symbol, listener: AnyListener<this>): this;
  once<E extends EventName>(event: E, listener: Listener<this, E>): this;
  once(event: string | symbol, listener: AnyListener<this>): this;
  prependListener<E extends EventName>(event: E, listener: Listener<this, E>): this;
  prependListener(event: string | symbol, listener: AnyListener<this>): this;
  prependOnceListener<E extends EventName>(event: E, listener: Listener<this, E>): this;
  prependOnceListener(event: string | symbol, listener: AnyListener<this>): this;
  removeListener<E extends EventName>(event: E, listener: Listener<this, E>): this;
  removeListener(event: string | symbol, listener: AnyListener<this>): this;
  off<E extends EventName>(event: E, listener: Listener<this, E>): this;
  off(event: string | symbol, listener: AnyListener<this>): this;
}

/** Node's own EventEmitter class under that type. */
export const WebSocketEmitter = EventEmitter as unknown as { new (): WebSocketEmitter };
