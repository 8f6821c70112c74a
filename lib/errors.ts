import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { closeCodes } from './closeCodes';

interface ErrorKind {
  /** The close code that is sent to the peer; absent if there is no connection to close. */
  readonly closeCode?: number;
  readonly sentence: string;
}

const { protocolError, invalidPayload, messageTooBig, abnormal, internalError } = closeCodes;

/**
 * All errors of the library. The docstring of each has its details and, in a second paragraph, what to do; `npm run docs:tables` makes the
 * tables of docs/errors.md from them, so links are relative to that page.
 */
export const errorTable = {
  // Frames of the peer that break the protocol (RFC 6455).
  /**
   * The peer uses an extension that was not agreed on, or its bytes are not WebSocket frames.
   *
   * Check which extensions the peer uses without negotiation.
   */
  WS_ERR_RESERVED_BITS: { closeCode: protocolError, sentence: 'A frame has a reserved bit set' },
  /**
   * No version of the protocol defines this kind of frame.
   *
   * Check whether the peer writes bytes other than frames to the connection.
   */
  WS_ERR_RESERVED_OPCODE: { closeCode: protocolError, sentence: 'A frame has a reserved opcode' },
  /**
   * Clients must mask all that they send.
   *
   * Repair the client; for a `Deframer` of your own, check that its `role` is yours and not the peer's.
   */
  WS_ERR_MASK_REQUIRED: { closeCode: protocolError, sentence: 'A frame from the client is not masked' },
  /**
   * Servers must not mask.
   *
   * Repair the server; for a `Deframer` of your own, check that its `role` is yours and not the peer's.
   */
  WS_ERR_MASK_FORBIDDEN: { closeCode: protocolError, sentence: 'A frame from the server is masked' },
  /**
   * It is not in its shortest form, or its top bit is set.
   *
   * Repair the peer's encoder.
   */
  WS_ERR_INVALID_LENGTH: { closeCode: protocolError, sentence: 'A frame length is malformed' },
  /**
   * A ping, pong or Close carries at most 125 bytes, in one frame.
   *
   * Repair the peer; large or fragmented data belongs in messages.
   */
  WS_ERR_INVALID_CONTROL_FRAME: { closeCode: protocolError, sentence: 'A control frame is fragmented or too long' },
  /**
   * A new message began inside another, or a continuation frame had no message to continue.
   *
   * Check whether the peer writes to one connection from two places at once.
   */
  WS_ERR_INVALID_FRAGMENT: { closeCode: protocolError, sentence: 'A fragment is out of sequence' },
  /**
   * It has a body of one byte, or a close code that must not be sent.
   *
   * Let the peer close with 1000, or with a code from 3000 to 4999.
   */
  WS_ERR_INVALID_CLOSE: { closeCode: protocolError, sentence: 'A Close frame is malformed' },
  /**
   * The text is a text message or the reason of a Close frame.
   *
   * Send text in other encodings, and bytes, as binary messages.
   */
  WS_ERR_INVALID_UTF8: { closeCode: invalidPayload, sentence: 'Text is not valid UTF-8' },
  /**
   * Its bytes cannot be decompressed with permessage-deflate.
   *
   * Repair the peer, or leave `perMessageDeflate` off for it.
   */
  WS_ERR_INVALID_COMPRESSION: { closeCode: invalidPayload, sentence: 'A compressed message is corrupt' },
  /**
   * It is refused by the length in its header, before its bytes are stored; a compressed message is refused during
   * decompression.
   *
   * Raise `maxMessageSize` for connections that need it, or let the peer send smaller messages.
   */
  WS_ERR_MESSAGE_TOO_BIG: { closeCode: messageTooBig, sentence: 'A message exceeds maxMessageSize' },
  /**
   * The peer sent a Close frame in the middle of a message; or, in a `Deframer` that you use without a WebSocket, the
   * bytes ended there. If the connection is lost, a WebSocket reports `WS_ERR_CONNECTION_LOST` instead.
   *
   * Treat the received message as incomplete.
   */
  WS_ERR_TRUNCATED: { closeCode: protocolError, sentence: 'The byte stream ended inside a message' },
  // Ends of a connection that are not clean.
  /**
   * A clean end has the close code 1000 or 1001, or none. `closeCode` has the peer's.
   *
   * Read `closeCode` and the message, which has the peer's reason. After 1012 or 1013 try again later.
   */
  WS_ERR_CLOSED_BY_PEER: { sentence: 'The peer did not close the connection cleanly' },
  /**
   * The peer crashed, its network failed, or a proxy closed the connection.
   *
   * Connect again; `cause` has the socket's error, if there was one.
   */
  WS_ERR_CONNECTION_LOST: { closeCode: abnormal, sentence: 'The connection ended without a Close frame' },
  /**
   * The connection was destroyed; or our Close frame was sent before this program had ended the writable side, and
   * messages that it wrote later were not sent.
   *
   * Assume that the last messages were not received. Raise `closeTimeout` if one side needs more time to finish.
   */
  WS_ERR_CLOSE_TIMEOUT: { closeCode: abnormal, sentence: 'The close handshake was not completed within closeTimeout' },
  /**
   * No byte was received from it for the interval and the timeout of `heartbeat`, although this end was reading; or,
   * over HTTP/2, no byte on the whole session.
   *
   * Connect again. Raise `heartbeat` for [peers that pause](api.md#readers-that-pause).
   */
  WS_ERR_HEARTBEAT_TIMEOUT: { closeCode: abnormal, sentence: 'The peer has not answered a ping' },
  /**
   * When a message was written, more bytes than this were [waiting](api.md#peers-that-do-not-read). A single large
   * message is never refused.
   *
   * Wait for `'drain'` when `write()` returns `false`, or use a pipe; send less to a slow peer, or raise
   * `maxBufferedAmount`.
   */
  WS_ERR_BUFFER_FULL: { closeCode: abnormal, sentence: 'The peer does not read: more than maxBufferedAmount waits' },
  /**
   * Bytes were waiting during this time. A peer that reads slowly is [not affected](api.md#readers-that-pause).
   *
   * Connect again. Raise `sendTimeout`, or set it to `false`, for peers that pause longer.
   */
  WS_ERR_SEND_TIMEOUT: { closeCode: abnormal, sentence: 'The peer does not read: no byte was sent for sendTimeout' },
  /**
   * The messages of all connections took more memory than `memoryBudget`, and this connection had the most. Its peer
   * gets 1013.
   *
   * Connect again later. On the server, find out why messages are kept: peers or a program that do not read.
   */
  WS_ERR_MEMORY_BUDGET: { closeCode: abnormal, sentence: 'The memory of all connections exceeds memoryBudget' },
  /**
   * The `signal` of a client aborted, and `cause` has its reason; or the program destroyed the WebSocket in the middle
   * of a streamed message.
   *
   * Nothing, if this was intended. To send written messages first, use `close()`.
   */
  WS_ERR_ABORTED: { closeCode: abnormal, sentence: 'The connection was aborted' },
  // Failures of the opening handshake.
  /**
   * The message names the header that is missing or malformed.
   *
   * Repair the client, or the proxy that changes its headers.
   */
  WS_ERR_INVALID_HANDSHAKE: { sentence: 'The opening handshake is invalid' },
  /**
   * The response, 426, lists the supported versions.
   *
   * Update the client, or allow its version with the option `versions`.
   */
  WS_ERR_UNSUPPORTED_VERSION: { sentence: 'The WebSocket version is not supported' },
  /**
   * A page of another site tried to connect. By default this is refused for requests with cookies, `Authorization` or
   * a TLS client certificate. The message names the values of `Origin` and `Host` that differ.
   *
   * If the site is yours, name it in the option `origins`. If a proxy has changed `Host`, configure it to [pass the
   * client's `Host` on](api.md#origins).
   */
  WS_ERR_ORIGIN_REFUSED: { sentence: 'The origin is not allowed' },
  /**
   * `cause` is Node's error, for example `ECONNREFUSED`.
   *
   * Check the address; try again later.
   */
  WS_ERR_CONNECTION_FAILED: { closeCode: abnormal, sentence: 'The server cannot be reached' },
  /**
   * `statusCode`, `headers` and `body` are from its response. A redirect that the option `followRedirects` does not
   * allow is such a response.
   *
   * Handle the status.
   */
  WS_ERR_HANDSHAKE_REFUSED: { closeCode: abnormal, sentence: 'The server did not accept the WebSocket' },
  /**
   * The connection was destroyed.
   *
   * Try again later, or raise `handshakeTimeout`.
   */
  WS_ERR_HANDSHAKE_TIMEOUT: {
    closeCode: abnormal,
    sentence: 'The opening handshake took longer than handshakeTimeout',
  },
  /**
   * As many WebSockets are open, or wait for the answer of the application, as `maxConnections` (the response is 503) or
   * `maxConnectionsPerAddress` (429) allows.
   *
   * Try again later: the response has `Retry-After`.
   */
  WS_ERR_TOO_MANY_CONNECTIONS: { sentence: 'No more connections are accepted' },
  /**
   * It closes its open connections and accepts no new ones.
   *
   * Try again later, or on another server; the response is 503 with `Retry-After`.
   */
  WS_ERR_SHUTTING_DOWN: { sentence: 'The server is shutting down' },
  // Topics and their brokers.
  /**
   * Messages after the cursor were deleted (`'evicted'`), or the topic has a new log, for example after a restart (`'epoch'`).
   *
   * Get the present state another way, and read on from `'start'`; raise `history` for readers that are away longer.
   */
  WS_ERR_TOPIC_LOST: { sentence: 'A topic cannot be continued without a gap' },
  /**
   * It did not answer, or the connection to it was lost. A message that was being published may have reached the broker nevertheless.
   *
   * Publish again later. Topics come back by themselves.
   */
  WS_ERR_BROKER_UNAVAILABLE: { sentence: 'The broker cannot be reached' },
  /**
   * Its memory or storage is full, the user of the connection may not do this, or a feature is missing.
   *
   * Look at `cause`, and repair the broker or its configuration.
   */
  WS_ERR_BROKER_REFUSED: { sentence: 'The broker has refused the request' },
  // Mistakes of the local program.
  /**
   * The message has its name, its value, and the accepted values; for an unknown option, the most similar known one.
   *
   * Correct the call.
   */
  WS_ERR_INVALID_ARGUMENT: { closeCode: internalError, sentence: 'An argument is invalid' },
  /**
   * A request can be accepted only once.
   *
   * Keep the WebSocket that the first call returned.
   */
  WS_ERR_ALREADY_CONNECTED: { sentence: 'connect() was called before' },
  /**
   * It can no longer be accepted.
   *
   * Call `connect()` before the response is written to; look for middleware that ends the response.
   */
  WS_ERR_RESPONSE_STARTED: { sentence: 'The request has been answered with an ordinary response' },
  /**
   * A stream that was written as one message has failed; `cause` is its error. The peer has received a part of the
   * message, and gets a Close frame with 1011.
   *
   * Look at `cause`; connect again to send the message again.
   */
  WS_ERR_SOURCE_FAILED: { closeCode: internalError, sentence: 'The source of a message has failed' },
  /**
   * The drafts of 2010 have no binary messages or no pings; the message names the version. The connection stays open.
   *
   * Check `ws.version`, or remove the draft from `versions`.
   */
  WS_ERR_UNSUPPORTED: { sentence: 'This version of the protocol cannot do that' },
  /**
   * A message was written [after the end](api.md#writes-after-the-end), or had not been sent when the connection
   * ended; or a ping was sent before `'open'` or after the end, or its pong was not received.
   *
   * Check `ws.writable` before a write, and handle the errors of callbacks and of `ping()`: the connection may end at
   * any time.
   */
  WS_ERR_NOT_OPEN: { sentence: 'The connection is not open' },
} as const satisfies Record<string, ErrorKind>;

/** The stable codes of the errors of the library. `docs/errors.md` explains each of them. */
export type WebSocketErrorCode = keyof typeof errorTable;

/** The properties of a WebSocketError in addition to its code and its message. */
export interface WebSocketErrorDetails {
  /** The close code (RFC 6455 §7.4). Default: the close code of the error's code. */
  readonly closeCode?: number;
  /** The HTTP status of a refused handshake. */
  readonly statusCode?: number;
  /** The HTTP headers of a refused handshake. */
  readonly headers?: IncomingHttpHeaders | OutgoingHttpHeaders;
  /** The body of a server's refusal. */
  readonly body?: Buffer;
  /** Why a topic cannot be continued: messages were deleted before they were read, or its log is a new one. */
  readonly lost?: 'evicted' | 'epoch';
  /** The error that caused this error. */
  readonly cause?: unknown;
}

/**
 * Ends of a connection that the peer or the network causes. Their stack would only show the listener of a socket, and to
 * collect and print it takes a seventh of the time of a connection that is opened and reset.
 */
const endsByPeer: ReadonlySet<WebSocketErrorCode> = new Set([
  'WS_ERR_CLOSED_BY_PEER',
  'WS_ERR_CONNECTION_LOST',
  'WS_ERR_CLOSE_TIMEOUT',
  'WS_ERR_HEARTBEAT_TIMEOUT',
  'WS_ERR_SEND_TIMEOUT',
]);

/** False with `node --frozen-intrinsics`. */
const canLimitStacks = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit')?.writable === true;

/** Every error that the library throws or emits. */
export class WebSocketError extends Error {
  /** `'WebSocketError'`; for WS_ERR_ABORTED `'AbortError'`, as everywhere in Node. */
  declare readonly name: 'WebSocketError' | 'AbortError';
  /** The code of the error, which does not change between versions of the library. `docs/errors.md` has the table. */
  readonly code: WebSocketErrorCode;
  // The properties are only declared, so that a printed error shows only those that were given.
  /** The close code (RFC 6455 §7.4) of the error, or the one that the peer sent. */
  declare readonly closeCode: number | undefined;
  /** The HTTP status of a handshake that was refused. */
  declare readonly statusCode: number | undefined;
  /** The HTTP headers of a handshake that was refused. */
  declare readonly headers: IncomingHttpHeaders | OutgoingHttpHeaders | undefined;
  /** The body of a server's refusal as received, up to 64 KiB. */
  declare readonly body: Buffer | undefined;
  /** With WS_ERR_TOPIC_LOST: messages were deleted before they were read, or the log of the topic is a new one. */
  declare readonly lost: 'evicted' | 'epoch' | undefined;

  /** @param detail follows the sentence of the code in the message */
  constructor(code: WebSocketErrorCode, detail?: string, details: WebSocketErrorDetails = {}) {
    const kind: ErrorKind = errorTable[code];
    const { cause, closeCode = kind.closeCode, statusCode, headers, body, lost } = details;
    const { stackTraceLimit } = Error;
    const hasStack = !endsByPeer.has(code) || !canLimitStacks;
    if (!hasStack) Error.stackTraceLimit = 0;
    super(detail === undefined ? kind.sentence : `${kind.sentence}: ${detail}`, 'cause' in details ? { cause } : {});
    if (!hasStack) Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    if (closeCode !== undefined) this.closeCode = closeCode;
    if (statusCode !== undefined) this.statusCode = statusCode;
    if (headers !== undefined) this.headers = headers;
    if (body !== undefined) this.body = body;
    if (lost !== undefined) this.lost = lost;
    if (code === 'WS_ERR_ABORTED') define(this, 'AbortError');
  }

  static {
    // The stack trace is made in super() and begins with the name, so the name must be on the prototype by then.
    define(WebSocketError.prototype, 'WebSocketError');
  }
}

/** Sets the name of errors. It is not enumerable, as in JavaScript's own errors. */
function define(error: WebSocketError, name: WebSocketError['name']): void {
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
}
