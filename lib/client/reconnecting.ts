import type { OutgoingHttpHeaders } from 'node:http';
import { closeCodes } from '../closeCodes';
import { WebSocketError, type WebSocketErrorCode } from '../errors';
import { ownListener } from '../nodeStreams/duplexOverrides';
import { checkIsObject, defaults, type RetryOptions, type Streamed } from '../options';
import type { MessageStream } from '../websocket/messageStream';
import type { AnyWebSocket, WebSocket } from '../websocket/webSocket';
import { backoff, pause } from './backoff';
import { type ClientOptions, checkClientOptions } from './clientOptions';
import { parseClientUrl } from './clientUrl';
import { connect } from './connect';

/** A value, or a function that returns one for each connection. */
type Fresh<T> = T | (() => T | Promise<T>);

/** The options of `reconnecting()`. */
export interface ReconnectingOptions extends Omit<ClientOptions, 'headers'>, RetryOptions {
  /** Headers for the opening request, or a function that returns them for each connection. */
  headers?: Fresh<OutgoingHttpHeaders>;
}

/**
 * Yields open WebSockets: connects, and connects again after each connection that did not end cleanly. The next
 * WebSocket is yielded when the loop body has finished and the last one has closed. The loop ends if the peer closes
 * with 1000 or without a code, or if the program ends the stream: with `end()`, `close()`, `destroy()`, or by leaving
 * the loop, which destroys it. If the server goes away (1001) or restarts (1012), it is connected to again. Messages
 * that are being sent when a connection is lost are lost. To resume after them, pass functions for the URL or the
 * headers, which tell the server what the program has received.
 * @param url as for `connect()`, or a function that returns it for each connection
 * @throws WebSocketError WS_ERR_INVALID_ARGUMENT at once for invalid options and an invalid URL; in the loop, the error
 * of a connection after which no other one is tried, and WS_ERR_ABORTED. An exception of a function for the URL or the
 * headers, or the rejection of its promise, ends the loop.
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
  checkIsObject(options);
  if (typeof url !== 'function') parseClientUrl(url);
  const { headers, ...others } = options;
  // Headers that a function returns are checked by `connect()`.
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
    // A server that only accepts connections may be broken. It works if it has sent a message, or has kept the
    // connection for long.
    const succeeded = attempt.hasReceived || attempt.duration > maxDelay;
    failures = succeeded ? 1 : failures + 1;
    failedAttempts = succeeded ? 0 : failedAttempts + 1;
    if (signal?.aborted || failedAttempts >= maxAttempts || !retry(error, failures)) throw error;
    await pause(retryAfter(error, maxDelay) + backoff(failures, initialDelay, maxDelay), signal);
  }
}

/** One connection, from its opening to its end. */
class Attempt {
  /** Resolves with true when the connection is open, and with false if it ends before. */
  readonly opened: Promise<boolean>;
  /**
   * Resolves with the error after which to connect again; undefined if the program or the server has ended the
   * connection as intended.
   */
  readonly ended: Promise<Error | undefined>;
  /** Milliseconds for which the connection was open. */
  duration = 0;
  readonly #webSocket: AnyWebSocket;

  constructor(webSocket: AnyWebSocket) {
    this.#webSocket = webSocket;
    let openedAt = Number.POSITIVE_INFINITY;
    let error: Error | undefined;
    let peerClosedFirst = false;
    const on = (event: 'error' | 'finish' | 'close' | 'open', listener: (cause: Error) => void) =>
      webSocket.on(event as 'error', ownListener(listener));
    on('error', (cause: Error) => {
      error = cause;
    });
    // The writable side ends because the program has ended it, or after the peer's Close frame, whose code is then
    // known.
    on('finish', () => {
      peerClosedFirst = webSocket.closeCode !== undefined;
    });
    this.ended = new Promise((resolve) => {
      on('close', () => {
        this.duration = performance.now() - openedAt;
        resolve(error ?? (peerClosedFirst ? goingAway(webSocket) : undefined));
      });
    });
    this.opened = new Promise((resolve) => {
      on('open', () => {
        openedAt = performance.now();
        resolve(true);
      });
      on('close', () => resolve(false));
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

/**
 * Returns an error if the peer has closed with 1001. For a stream this is a clean end, but a client that is to stay
 * connected must connect again.
 */
function goingAway({ closeCode, closeReason }: AnyWebSocket): WebSocketError | undefined {
  if (closeCode !== closeCodes.goingAway) return undefined;
  const reason = closeReason === '' ? '' : `, ${JSON.stringify(closeReason)}`;
  return new WebSocketError('WS_ERR_CLOSED_BY_PEER', `close code ${closeCode}${reason}`, { closeCode });
}

/** Errors that would occur again on another connection. */
const permanentErrors: ReadonlySet<WebSocketErrorCode> = new Set([
  'WS_ERR_ABORTED',
  'WS_ERR_INVALID_ARGUMENT',
  'WS_ERR_INVALID_HANDSHAKE',
  'WS_ERR_MESSAGE_TOO_BIG',
  'WS_ERR_UNSUPPORTED',
]);

/** Close codes, sent or received, whose cause would occur again on another connection (RFC 6455 §7.4.1). */
const permanentCloseCodes: ReadonlySet<number | undefined> = new Set([
  closeCodes.protocolError,
  closeCodes.unsupportedData,
  closeCodes.invalidPayload,
  closeCodes.policyViolation,
  closeCodes.messageTooBig,
  closeCodes.missingExtension,
]);

/** Errors of Node about the certificate of the server: errors of OpenSSL's verification, and of the host name. */
const certificateError =
  /^(?:CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_|HOSTNAME_MISMATCH$|ERR_TLS_CERT_)/;

/** An alert of the server, which may be about the certificate of the client. */
const alertOfServer = /^ERR_SSL_[A-Z0-9]+_ALERT_/;

function isCertificateError(code: string): boolean {
  return certificateError.test(code) || (alertOfServer.test(code) && /CERTIFICATE|UNKNOWN_CA/.test(code));
}

/** Statuses after which another request may succeed (RFC 9110 §15, RFC 8470 §5.2, RFC 6585 §4). */
const transientStatuses = new Set([408, 425, 429]);

/**
 * Returns whether to try again by default. Errors that the program has thrown or destroyed the stream with are left to
 * the program.
 */
function isTransient(error: Error): boolean {
  if (!(error instanceof WebSocketError) || permanentErrors.has(error.code)) return false;
  const { code, closeCode, statusCode, cause } = error;
  // WS_ERR_TRUNCATED has one of these codes, but it is caused by a lost server, not by a disagreement.
  if (permanentCloseCodes.has(closeCode) && code !== 'WS_ERR_TRUNCATED') return false;
  if (isCertificateError((cause as NodeJS.ErrnoException | undefined)?.code ?? '')) return false;
  return statusCode === undefined || statusCode >= 500 || transientStatuses.has(statusCode);
}

/** Returns the milliseconds of the server's Retry-After (RFC 9110 §10.2.3), at most `limit`. */
function retryAfter(error: Error, limit: number): number {
  const asked = error instanceof WebSocketError ? error.headers?.['retry-after'] : undefined;
  if (typeof asked !== 'string') return 0;
  const milliseconds = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.now();
  return Math.min(limit, Math.max(0, milliseconds || 0));
}

async function make<T>(fresh: Fresh<T>): Promise<T> {
  return typeof fresh === 'function' ? (fresh as () => T | Promise<T>)() : fresh;
}
