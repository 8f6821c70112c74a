import type { OutgoingHttpHeaders } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocketError, type WebSocketErrorCode } from '../errors';
import { checkOptions, defaults, type RetryOptions, type Streamed } from '../options';
import type { MessageStream } from '../websocket/messageStream';
import type { AnyWebSocket, WebSocket } from '../websocket/webSocket';
import { type ClientOptions, connect } from './connect';

/** The thing itself, or what makes it anew for every connection. */
type Fresh<T> = T | (() => T | Promise<T>);

export interface ReconnectingOptions extends Omit<ClientOptions, 'headers'>, RetryOptions {
  /** Headers for the opening request, or a function that makes them for every connection. */
  headers?: Fresh<OutgoingHttpHeaders>;
}

/**
 * Connects, and connects again after every end that was not clean. Each stream that it yields is open; the next one comes when
 * the loop has done with it, and it has ended. A clean end, or one of the program's own making, ends the loop; leaving the
 * loop destroys the stream. What was on its way when a connection broke is lost with it: to go on where that was, let the
 * URL or the headers, made anew for each connection, say how far you are.
 * @param url as for `connect()`, or a function that makes it for every connection
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT at once; in the loop the error of a connection that is not to be tried again,
 * and WS_ERR_ABORTED
 */
export function reconnecting(
  url: Fresh<string | URL>,
  options?: ReconnectingOptions,
): AsyncGenerator<WebSocket, void, undefined>;
export function reconnecting(
  url: Fresh<string | URL>,
  options: Streamed<ReconnectingOptions>,
): AsyncGenerator<WebSocket<MessageStream>, void, undefined>;
export function reconnecting(
  url: Fresh<string | URL>,
  options: ReconnectingOptions | Streamed<ReconnectingOptions>,
): AsyncGenerator<AnyWebSocket, void, undefined>;
export function reconnecting(
  url: Fresh<string | URL>,
  options: ReconnectingOptions | Streamed<ReconnectingOptions> = {},
): AsyncGenerator<AnyWebSocket, void, undefined> {
  checkOptions(options, 'initialDelay', 'maxDelay', 'retry', 'signal');
  return connections(url, options);
}

async function* connections(
  url: Fresh<string | URL>,
  { headers = {}, retry = isTransient, ...options }: ReconnectingOptions | Streamed<ReconnectingOptions>,
): AsyncGenerator<AnyWebSocket, void, undefined> {
  const { signal, initialDelay, maxDelay = defaults.maxDelay, ...clientOptions } = options;
  let failures = 0;
  for (;;) {
    const fresh = { ...clientOptions, headers: await make(headers), ...(signal && { signal }) };
    const attempt = new Attempt(connect(await make(url), fresh));
    if (await attempt.opened) yield* attempt.use();
    const error = await attempt.ended;
    if (error === undefined) return;
    // One that has lasted was a good one, and the waits begin from the start; a server that only just accepts is not.
    failures = attempt.duration > maxDelay ? 1 : failures + 1;
    if (signal?.aborted || !retry(error, failures)) throw error;
    await pause(retryAfter(error, maxDelay) + backoff(failures, initialDelay, maxDelay), signal);
  }
}

/** One connection, from its opening to its end. */
class Attempt {
  /** Whether it has opened; false once it cannot any more. */
  readonly opened: Promise<boolean>;
  /** The error that it has ended with, if any. */
  readonly ended: Promise<Error | undefined>;
  /** Milliseconds that it was open. */
  duration = 0;
  readonly #webSocket: AnyWebSocket;

  constructor(webSocket: AnyWebSocket) {
    this.#webSocket = webSocket;
    let openedAt = Number.POSITIVE_INFINITY;
    let error: Error | undefined;
    webSocket.on('error', (cause: Error) => {
      error = cause;
    });
    this.ended = new Promise((resolve) => {
      webSocket.once('close', () => {
        this.duration = performance.now() - openedAt;
        resolve(error);
      });
    });
    this.opened = new Promise((resolve) => {
      webSocket.once('open', () => {
        openedAt = performance.now();
        resolve(true);
      });
      webSocket.once('close', () => resolve(false));
    });
  }

  *use(): Generator<AnyWebSocket, void, undefined> {
    let left = true;
    try {
      yield this.#webSocket;
      left = false;
    } finally {
      if (left && !this.#webSocket.writableEnded) this.#webSocket.destroy();
    }
  }
}

/**
 * Milliseconds to wait after so many failures: any number up to a bound that doubles each time, so that the clients of a server
 * that was gone do not all come back at once ("full jitter").
 */
export function backoff(
  failures: number,
  initialDelay: number = defaults.initialDelay,
  maxDelay: number = defaults.maxDelay,
): number {
  return Math.random() * Math.min(maxDelay, initialDelay * 2 ** (failures - 1));
}

/** Failures that another connection would meet as well. */
const permanent: ReadonlySet<WebSocketErrorCode> = new Set([
  'WS_ERR_ABORTED',
  'WS_ERR_INVALID_ARGUMENT',
  'WS_ERR_INVALID_HANDSHAKE',
  'WS_ERR_MESSAGE_TOO_BIG',
  'WS_ERR_UNSUPPORTED',
]);

/** Answers that say that the next request may be answered otherwise (RFC 9110 §15, RFC 8470 §5.2, RFC 6585 §4). */
const transientStatuses = new Set([408, 425, 429]);

/** Errors of the program are its own affair: only those of the connection are tried again. */
function isTransient(error: Error): boolean {
  if (!(error instanceof WebSocketError) || permanent.has(error.code)) return false;
  const { statusCode } = error;
  return statusCode === undefined || statusCode >= 500 || transientStatuses.has(statusCode);
}

/** Milliseconds that the server has asked for (RFC 9110 §10.2.3), up to a limit that it does not set. */
function retryAfter(error: Error, limit: number): number {
  const asked = error instanceof WebSocketError ? error.headers?.['retry-after'] : undefined;
  if (typeof asked !== 'string') return 0;
  const milliseconds = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.now();
  return Math.min(limit, Math.max(0, milliseconds || 0));
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await wait(milliseconds, undefined, signal && { signal }).catch(() => {
    throw new WebSocketError('WS_ERR_ABORTED', undefined, { cause: signal?.reason });
  });
}

async function make<T>(fresh: Fresh<T>): Promise<T> {
  return typeof fresh === 'function' ? (fresh as () => T | Promise<T>)() : fresh;
}
