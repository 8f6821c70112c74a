import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { closeCodes } from './closeCodes';

interface ErrorKind {
  /** The close code that is sent to the peer; absent if there is no connection to close. */
  readonly closeCode?: number;
  readonly sentence: string;
}

const { protocolError, invalidPayload, messageTooBig, abnormal, internalError } = closeCodes;

/** All errors of the library. `docs/errors.md` explains each code to users; a spec compares the two. */
export const errorTable = {
  // Frames of the peer that break the protocol (RFC 6455).
  WS_ERR_RESERVED_BITS: { closeCode: protocolError, sentence: 'A frame has a reserved bit set' },
  WS_ERR_RESERVED_OPCODE: { closeCode: protocolError, sentence: 'A frame has a reserved opcode' },
  WS_ERR_MASK_REQUIRED: { closeCode: protocolError, sentence: 'A frame from the client is not masked' },
  WS_ERR_MASK_FORBIDDEN: { closeCode: protocolError, sentence: 'A frame from the server is masked' },
  WS_ERR_INVALID_LENGTH: { closeCode: protocolError, sentence: 'A frame length is malformed' },
  WS_ERR_INVALID_CONTROL_FRAME: { closeCode: protocolError, sentence: 'A control frame is fragmented or too long' },
  WS_ERR_INVALID_FRAGMENT: { closeCode: protocolError, sentence: 'A fragment is out of sequence' },
  WS_ERR_INVALID_CLOSE: { closeCode: protocolError, sentence: 'A Close frame is malformed' },
  WS_ERR_INVALID_UTF8: { closeCode: invalidPayload, sentence: 'Text is not valid UTF-8' },
  WS_ERR_INVALID_COMPRESSION: { closeCode: invalidPayload, sentence: 'A compressed message is corrupt' },
  WS_ERR_MESSAGE_TOO_BIG: { closeCode: messageTooBig, sentence: 'A message exceeds maxMessageSize' },
  WS_ERR_TRUNCATED: { closeCode: protocolError, sentence: 'The byte stream ended inside a message' },
  // Ends of a connection that are not clean.
  WS_ERR_CLOSED_BY_PEER: { sentence: 'The peer closed the connection before it was done' },
  WS_ERR_CONNECTION_LOST: { closeCode: abnormal, sentence: 'The connection ended without a Close frame' },
  WS_ERR_CLOSE_TIMEOUT: { closeCode: abnormal, sentence: 'The close handshake was not completed within closeTimeout' },
  WS_ERR_HEARTBEAT_TIMEOUT: { closeCode: abnormal, sentence: 'The peer has not answered a ping' },
  WS_ERR_BUFFER_FULL: { closeCode: abnormal, sentence: 'The peer does not read: more than maxBufferedAmount waits' },
  WS_ERR_SEND_TIMEOUT: { closeCode: abnormal, sentence: 'The peer does not read: no byte has left for sendTimeout' },
  WS_ERR_ABORTED: { closeCode: abnormal, sentence: 'The connection was aborted' },
  // Failures of the opening handshake.
  WS_ERR_INVALID_HANDSHAKE: { sentence: 'The opening handshake is invalid' },
  WS_ERR_UNSUPPORTED_VERSION: { sentence: 'The WebSocket version is not supported' },
  WS_ERR_ORIGIN_REFUSED: { sentence: 'The origin is not allowed' },
  WS_ERR_CONNECTION_FAILED: { closeCode: abnormal, sentence: 'The server cannot be reached' },
  WS_ERR_HANDSHAKE_REFUSED: { closeCode: abnormal, sentence: 'The server did not accept the WebSocket' },
  WS_ERR_HANDSHAKE_TIMEOUT: {
    closeCode: abnormal,
    sentence: 'The opening handshake took longer than handshakeTimeout',
  },
  WS_ERR_SHUTTING_DOWN: { sentence: 'The server is shutting down' },
  // Topics and their brokers.
  WS_ERR_TOPIC_LOST: { sentence: 'A topic cannot be continued without a gap' },
  WS_ERR_BROKER_UNAVAILABLE: { sentence: 'The broker cannot be reached' },
  WS_ERR_BROKER_REFUSED: { sentence: 'The broker has refused the request' },
  // Mistakes of the local program.
  WS_ERR_INVALID_ARGUMENT: { closeCode: internalError, sentence: 'An argument is invalid' },
  WS_ERR_ALREADY_CONNECTED: { sentence: 'connect() was called before' },
  WS_ERR_RESPONSE_STARTED: { sentence: 'The request has been answered with an ordinary response' },
  WS_ERR_SOURCE_FAILED: { closeCode: internalError, sentence: 'The source of a message has failed' },
  WS_ERR_UNSUPPORTED: { sentence: 'This version of the protocol cannot do that' },
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
    super(detail === undefined ? kind.sentence : `${kind.sentence}: ${detail}`, 'cause' in details ? { cause } : {});
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
