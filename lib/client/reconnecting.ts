import type { OutgoingHttpHeaders } from 'node:http';
import { clearTimeout, setTimeout } from 'node:timers';
import { closeCodes } from '../closeCodes';
import { WebSocketError, type WebSocketErrorCode } from '../errors';
import { defaults, type RetryOptions, type Streamed } from '../options';
import type { MessageStream } from '../websocket/messageStream';
import type { AnyWebSocket, WebSocket } from '../websocket/webSocket';
import { onAbort } from './abortSignals';
import { type ClientOptions, checkClientOptions } from './clientOptions';
import { connect } from './connect';

/** A value, or a function that makes one for every connection. */
type Fresh<T> = T | (() => T | Promise<T>);

/** The options of `reconnecting()`. */
export interface ReconnectingOptions extends Omit<ClientOptions, 'headers'>, RetryOptions {
  /** Headers for the opening request, or a function that makes them for every connection. */
  headers?: Fresh<OutgoingHttpHeaders>;
}

/**
 * Connects, and connects again after every end but a clean one. Each stream that it yields is open; the next one follows when the
 * loop body has finished and the stream has closed. The loop ends if the peer closes with 1000 or without a code, or if the
 * program ends the stream: with `end()`, `close()`, `destroy()`, or by leaving the loop, which destroys it. A server that goes
 * away (1001) or restarts (1012) is connected to again. Messages under way when a connection breaks are lost: to resume there,
 * let the URL or the headers, made anew for each connection, say what the program has.
 * @param url as for `connect()`, or a function that makes it for every connection
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT at once; in the loop the error of a connection that is not to be tried again,
 * and WS_ERR_ABORTED
 * @example
 * for await (const ws of reconnecting(() => `wss://a.example/log?after=${last}`, { signal })) {
 *   for await (const message of ws) last = store(message);
 * }
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
  const { headers, ...others } = options;
  // Headers that a function makes are checked by `connect()`.
  const known = typeof headers === 'function' || headers === undefined ? others : { ...others, headers };
  checkClientOptions(known, ['initialDelay', 'maxDelay', 'maxAttempts', 'retry']);
  return connections(url, options);
}

async function* connections(
  url: Fresh<string | URL>,
  { headers = {}, retry = isTransient, ...options }: ReconnectingOptions | Streamed<ReconnectingOptions>,
): AsyncGenerator<AnyWebSocket, void, undefined> {
  const {
    initialDelay,
    maxDelay = defaults.maxDelay,
    maxAttempts = Number.POSITIVE_INFINITY,
    ...clientOptions
  } = options;
  const { signal } = clientOptions;
  let failures = 0;
  let failedAttempts = 0;
  for (;;) {
    const made = await make(headers);
    const attempt = new Attempt(connect(await make(url), { ...clientOptions, headers: made }));
    if (await attempt.opened) yield* attempt.use();
    const error = await attempt.ended;
    if (error === undefined) return;
    // A server that only just accepts is not well; one that has sent something, or has kept the connection for long, is.
    const succeeded = attempt.hasReceived || attempt.duration > maxDelay;
    failures = succeeded ? 1 : failures + 1;
    failedAttempts = succeeded ? 0 : failedAttempts + 1;
    if (signal?.aborted || failedAttempts >= maxAttempts || !retry(error, failures)) throw error;
    await pause(retryAfter(error, maxDelay) + backoff(failures, initialDelay, maxDelay), signal);
  }
}

/** One connection, from its opening to its end. */
class Attempt {
  /** Whether it has opened; false once it cannot any more. */
  readonly opened: Promise<boolean>;
  /** Why to connect again; undefined if the connection ended as the program or the server wanted. */
  readonly ended: Promise<Error | undefined>;
  /** Milliseconds that it was open. */
  duration = 0;
  readonly #webSocket: AnyWebSocket;

  constructor(webSocket: AnyWebSocket) {
    this.#webSocket = webSocket;
    let openedAt = Number.POSITIVE_INFINITY;
    let error: Error | undefined;
    let peerClosedFirst = false;
    webSocket.on('error', (cause: Error) => {
      error = cause;
    });
    // The writable side ends because the program ended it, or after the peer's Close, whose code is known then.
    webSocket.once('finish', () => {
      peerClosedFirst = webSocket.closeCode !== undefined;
    });
    this.ended = new Promise((resolve) => {
      webSocket.once('close', () => {
        this.duration = performance.now() - openedAt;
        resolve(error ?? (peerClosedFirst ? goingAway(webSocket) : undefined));
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

  /** Whether the server has sent a message. */
  get hasReceived(): boolean {
    return this.#webSocket.counters.messagesReceived > 0;
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

/** For a stream, 1001 from the peer is a clean end; for a client that is to stay connected it is a reason to come back. */
function goingAway({ closeCode, closeReason }: AnyWebSocket): WebSocketError | undefined {
  if (closeCode !== closeCodes.goingAway) return undefined;
  const reason = closeReason === '' ? '' : `, ${JSON.stringify(closeReason)}`;
  return new WebSocketError('WS_ERR_CLOSED_BY_PEER', `close code ${closeCode}${reason}`, { closeCode });
}

/**
 * Returns the milliseconds to wait after so many failures: a random number below a bound that doubles with each failure, so that
 * the clients of a server that was gone do not all come back at once ("full jitter").
 */
export function backoff(
  failures: number,
  initialDelay: number = defaults.initialDelay,
  maxDelay: number = defaults.maxDelay,
): number {
  return Math.random() * Math.min(maxDelay, initialDelay * 2 ** (failures - 1));
}

/** Errors that another connection would end with as well. */
const permanentErrors: ReadonlySet<WebSocketErrorCode> = new Set([
  'WS_ERR_ABORTED',
  'WS_ERR_INVALID_ARGUMENT',
  'WS_ERR_INVALID_HANDSHAKE',
  'WS_ERR_MESSAGE_TOO_BIG',
  'WS_ERR_UNSUPPORTED',
]);

/** Close codes, sent or received, of a disagreement that another connection would not settle (RFC 6455 §7.4.1). */
const permanentCloseCodes: ReadonlySet<number | undefined> = new Set([
  closeCodes.protocolError,
  closeCodes.unsupportedData,
  closeCodes.invalidPayload,
  closeCodes.policyViolation,
  closeCodes.messageTooBig,
  closeCodes.missingExtension,
]);

/** Errors of Node about a certificate: those of OpenSSL's verification, of the host's name, and alerts of the server. */
const certificateError =
  /^(?:CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_|HOSTNAME_MISMATCH$|ERR_TLS_CERT_|ERR_SSL_\w*ALERT_\w*(?:CERTIFICATE|UNKNOWN_CA))/;

/** Answers that say that the next request may be answered otherwise (RFC 9110 §15, RFC 8470 §5.2, RFC 6585 §4). */
const transientStatuses = new Set([408, 425, 429]);

/** Whether to try again by default. Errors that the program threw or destroyed the stream with are not for us to handle. */
function isTransient(error: Error): boolean {
  if (!(error instanceof WebSocketError) || permanentErrors.has(error.code)) return false;
  const { code, closeCode, statusCode, cause } = error;
  // A server that died inside a message has disagreed about nothing.
  if (permanentCloseCodes.has(closeCode) && code !== 'WS_ERR_TRUNCATED') return false;
  if (certificateError.test((cause as NodeJS.ErrnoException | undefined)?.code ?? '')) return false;
  return statusCode === undefined || statusCode >= 500 || transientStatuses.has(statusCode);
}

/** Milliseconds that the server asked for with Retry-After (RFC 9110 §10.2.3), but no more than our own limit. */
function retryAfter(error: Error, limit: number): number {
  const asked = error instanceof WebSocketError ? error.headers?.['retry-after'] : undefined;
  if (typeof asked !== 'string') return 0;
  const milliseconds = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.now();
  return Math.min(limit, Math.max(0, milliseconds || 0));
}

/** @throws WebSocketError WS_ERR_ABORTED */
function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(new WebSocketError('WS_ERR_ABORTED', undefined, { cause: signal?.reason }));
    };
    const timer = setTimeout(() => {
      forget?.();
      resolve();
    }, milliseconds);
    const forget = signal && onAbort(signal, abort);
    if (signal?.aborted) abort();
  });
}

async function make<T>(fresh: Fresh<T>): Promise<T> {
  return typeof fresh === 'function' ? (fresh as () => T | Promise<T>)() : fresh;
}
