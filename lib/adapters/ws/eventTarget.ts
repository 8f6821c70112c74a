import type { RawData, WebSocketEmitter } from './events';

/** The object that the handlers belong to: a WebSocket. */
export interface HandlerTarget extends WebSocketEmitter {
  readonly stream: { readonly wasClean: boolean };
}

/** The argument of the listeners of `addEventListener()` and of the handlers `onopen`, `onmessage`, … */
class WebSocketEvent<T> {
  readonly type: string;
  readonly target: T;

  constructor(type: string, { target }: { readonly target: T }) {
    this.type = type;
    this.target = target;
  }
}

class WebSocketMessageEvent<T> extends WebSocketEvent<T> {
  /** A string for text. */
  readonly data: string | RawData;

  constructor(type: string, init: { readonly target: T; readonly data: string | RawData }) {
    super(type, init);
    this.data = init.data;
  }
}

class WebSocketCloseEvent<T> extends WebSocketEvent<T> {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;

  constructor(
    type: string,
    init: { readonly target: T; readonly code: number; readonly reason: string; readonly wasClean: boolean },
  ) {
    super(type, init);
    this.code = init.code;
    this.reason = init.reason;
    this.wasClean = init.wasClean;
  }
}

class WebSocketErrorEvent<T> extends WebSocketEvent<T> {
  readonly error: Error;
  readonly message: string;

  constructor(type: string, init: { readonly target: T; readonly error: Error }) {
    super(type, init);
    this.error = init.error;
    this.message = init.error.message;
  }
}

/** The events of the browser's WebSocket, by name. */
export interface EventTargetMap<T> {
  /** A client is connected. */
  open: WebSocketEvent<T>;
  /** A message was received. */
  message: WebSocketMessageEvent<T>;
  /** The connection has ended. */
  close: WebSocketCloseEvent<T>;
  /** The connection failed. */
  error: WebSocketErrorEvent<T>;
}

/** The names of these events. */
export type EventTargetName = keyof EventTargetMap<unknown>;

/** A function, or an object with the method `handleEvent`. */
export type EventTargetHandler<E extends EventTargetName, T> =
  | ((this: T, event: EventTargetMap<T>[E]) => void)
  | { handleEvent(event: EventTargetMap<T>[E]): void };

// biome-ignore lint/suspicious/noExplicitAny: of any WebSocket
type AnyHandler = EventTargetHandler<EventTargetName, any>;
type Listener = (this: HandlerTarget, first: never, second: never) => void;

/** The handler that a listener of the EventEmitter was made for. */
interface Origin {
  readonly handler: AnyHandler;
  /** Whether it was set as `onopen`, `onmessage`, … */
  readonly isAttribute: boolean;
}

const origins = new WeakMap<object, Origin>();

/** Converts the arguments of a listener of the EventEmitter to an event of the browser. */
const events: {
  readonly [E in EventTargetName]: (
    target: HandlerTarget,
    first: never,
    second: never,
  ) => EventTargetMap<HandlerTarget>[E];
} = {
  open: (target) => new WebSocketEvent('open', { target }),
  message: (target, data: RawData, isBinary: boolean) =>
    new WebSocketMessageEvent('message', { target, data: isBinary ? data : String(data) }),
  close: (target, code: number, reason: Buffer) =>
    new WebSocketCloseEvent('close', { target, code, reason: String(reason), wasClean: target.stream.wasClean }),
  error: (target, error: Error) => new WebSocketErrorEvent('error', { target, error }),
};

function isEventName(name: string): name is EventTargetName {
  return Object.hasOwn(events, name);
}

/** Adds a handler as a listener of the emitter, so that both kinds are called in the order in which they were added. */
export function addHandler(
  emitter: WebSocketEmitter,
  name: string,
  handler: AnyHandler,
  { once = false, isAttribute = false }: { once?: boolean | undefined; isAttribute?: boolean } = {},
): void {
  // For other names there are no events, so the handler would never be called.
  if (!isEventName(name) || (!isAttribute && findListener(emitter, name, handler) !== undefined)) return;
  const listener: Listener = function (this, first, second) {
    const event = events[name](this, first, second);
    if (typeof handler === 'function') (handler as (this: HandlerTarget, event: object) => void).call(this, event);
    else (handler as { handleEvent(event: object): void }).handleEvent(event);
  };
  origins.set(listener, { handler, isAttribute });
  if (once) emitter.once(name, listener as () => void);
  else emitter.on(name, listener as () => void);
}

export function removeHandler(emitter: WebSocketEmitter, name: string, handler: AnyHandler): void {
  const listener = findListener(emitter, name, handler);
  if (listener !== undefined) emitter.removeListener(name, listener);
}

/** Returns the handler that was set as `onopen`, `onmessage`, …; null if there is none. */
export function attributeOf(emitter: WebSocketEmitter, name: EventTargetName): AnyHandler | null {
  const listener = findAttribute(emitter, name);
  return listener === undefined ? null : (origins.get(listener)?.handler ?? null);
}

/** Sets `onopen`, `onmessage`, …. A value that is no function removes the handler. */
export function setAttribute(emitter: WebSocketEmitter, name: EventTargetName, handler: unknown): void {
  const before = findAttribute(emitter, name);
  if (before !== undefined) emitter.removeListener(name, before);
  if (typeof handler === 'function') addHandler(emitter, name, handler as AnyHandler, { isAttribute: true });
}

function findListener(emitter: WebSocketEmitter, name: string, handler: AnyHandler): (() => void) | undefined {
  return listenersOf(emitter, name).find((listener) => {
    const origin = origins.get(listener);
    return origin !== undefined && origin.handler === handler && !origin.isAttribute;
  });
}

function findAttribute(emitter: WebSocketEmitter, name: string): (() => void) | undefined {
  return listenersOf(emitter, name).find((listener) => origins.get(listener)?.isAttribute === true);
}

function listenersOf(emitter: WebSocketEmitter, name: string): (() => void)[] {
  return emitter.listeners(name) as (() => void)[];
}
