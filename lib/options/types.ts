import type { OutgoingHttpHeaders } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import type { ExtensionOptions, HttpRequest, Version } from '../contracts';

/** Which origins may connect: any, the server's own, those listed, or those for which the function returns true. */
export type Origins =
  | 'any'
  | 'same'
  | readonly string[]
  | ((origin: string | undefined, request: HttpRequest) => boolean);

/** How many messages and bytes may wait in a queue before backpressure begins. */
export interface HighWaterMark {
  /** Messages. */
  messages?: number;
  /** Bytes of memory that the messages keep alive. A single message may be larger. */
  bytes?: number;
}

/** Node's options of these names, with a mark for messages and one for bytes. The mark of one side overrides that of both. */
export interface HighWaterMarkOptions {
  /** The marks of both sides. */
  highWaterMark?: HighWaterMark;
  /** Marks of the read queue, at which reading from the transport stops. Default 16 messages or 64 KiB. */
  readableHighWaterMark?: HighWaterMark;
  /** Marks of the write queue, at which `write()` returns false. Default 2 messages or 64 KiB. */
  writableHighWaterMark?: HighWaterMark;
}

/** Options of a single connection. */
export interface ConnectionOptions extends ExtensionOptions, HighWaterMarkOptions {
  /** Bytes of one message, all fragments together. A larger one closes the connection with 1009. Default 2 MiB. */
  maxMessageSize?: number;
  /**
   * Milliseconds that the peer has for its part of the close handshake, counted from the last bytes that left. The program has half of it
   * to end its side after the peer's Close. Default 20,000.
   */
  closeTimeout?: number;
  /**
   * Milliseconds of silence after which a keepalive ping is sent; an object with interval and timeout; or false for none. If nothing
   * at all is received within `timeout` after the ping, the connection ends with WS_ERR_HEARTBEAT_TIMEOUT. Time in which reading is
   * paused, or sent bytes have not left, does not count. Over HTTP/2 the session is pinged as well. Default 30,000. Without effect
   * in versions that have no pings.
   */
  heartbeat?: number | false | HeartbeatOptions;
  /**
   * `'stream'`: each message is delivered as a Readable while it is received, and `maxMessageSize` has no default where the version has
   * fragments. Default `'whole'`.
   */
  messages?: 'whole' | 'stream';
  /**
   * Bytes. A write that finds more than this already waiting ends the connection with WS_ERR_BUFFER_FULL; one large message
   * alone is never refused. Infinity for no limit. Default 16 MiB.
   */
  maxBufferedAmount?: number;
  /** Milliseconds. If no byte has left for this long while bytes wait: WS_ERR_SEND_TIMEOUT. False for no limit. Default 120,000. */
  sendTimeout?: number | false;
  /**
   * True: the program always ends the writable side itself. False: the peer's Close is answered at once. Undefined: the library
   * ends the writable side after 'end', unless a chain of streams leads from the readable side back to the writable side.
   */
  allowHalfOpen?: boolean;
}

/** The options of a connection whose messages are delivered whole. The type of `messages` decides the type of what is read. */
export interface WholeMessages extends ConnectionOptions {
  messages?: 'whole';
}

/** The options O for a connection that delivers each message as a stream. */
export type Streamed<O extends WholeMessages> = Omit<O, 'messages'> & { messages: 'stream' };

/** When the keepalive pings, and how long it waits for an answer. */
export interface HeartbeatOptions {
  /** Milliseconds of silence until the ping. Default 30,000. */
  interval?: number;
  /** Milliseconds until something must be received after the ping. Default 10,000, or the interval if that is shorter. */
  timeout?: number;
}

export type HeartbeatSettings = Readonly<Required<HeartbeatOptions>>;

/** The options of `configureServer()` and `handleHttpUpgrade()`. */
export interface ServerOptions extends ConnectionOptions {
  /** The versions to accept; others are answered with 426. Default: all but draft75, whose handshake proves nothing. */
  versions?: readonly Version[];
  /**
   * Milliseconds until the application must have answered the request, with `connect()` or a response; after that it is answered
   * with 503. Default 10,000.
   */
  handshakeTimeout?: number;
  /**
   * Which origins may connect, as browsers send them: `'https://a.example'`, without a path. Default: all, except that a request with
   * cookies, `Authorization` or a TLS client certificate must come from the server's own host: a browser adds these to requests of any page.
   */
  origins?: Origins;
  /** Returns whether to take a WebSocket request; the others are left to other 'upgrade' listeners. Default: all are taken. */
  filter?: (request: HttpRequest) => boolean;
}

/** Options of `res.webSocket.connect()`. They override the server's options for this connection. */
export interface ConnectOptions extends WholeMessages {
  /** The subprotocol to choose. It is not answered if the client did not offer it. Default none. */
  protocol?: string;
  /** Headers of the response, in addition to those set on `res` and in `responseHeaders`. */
  headers?: OutgoingHttpHeaders;
}

/** Our options of `connect(url)`; `ClientOptions` adds those for Node. */
export interface OpeningOptions extends WholeMessages {
  /** The subprotocols to offer, best first. Default none. */
  protocols?: readonly string[];
  /** Headers of the request. */
  headers?: OutgoingHttpHeaders;
  /** The Origin header. Default none; in the drafts of 2010, which must have one, the origin of the URL. */
  origin?: string;
  /** The version to speak. Default '13'. */
  version?: Version;
  /**
   * In place of `version`: the versions to speak, best first. If the server refuses the first and names another one of the list, the
   * client tries that (RFC 6455 §4.4).
   */
  versions?: readonly Version[];
  /**
   * True: over HTTP/2 (RFC 8441), on a session that all WebSockets to the same origin share; or the session to use. If the server has
   * no WebSockets over HTTP/2, HTTP/1.1 is used; `ws.transport` has the result. Default false.
   */
  http2?: boolean | ClientHttp2Session;
  /** Milliseconds until the server must have answered, redirects included. Default 10,000. */
  handshakeTimeout?: number;
  /**
   * How many redirects to follow; true stands for 10. Another origin is sent no credentials and no cookies, and only those options
   * for Node apply to it that are known to be safe. From wss to ws no redirect is followed. Default false.
   */
  followRedirects?: boolean | number;
  /** Destroys the WebSocket with WS_ERR_ABORTED when it aborts, also while connecting. */
  signal?: AbortSignal;
}

/** How `reconnecting()` tries again. */
export interface RetryOptions {
  /**
   * How many attempts in a row may fail before the last error is thrown. A connection that delivered a message, or lasted longer
   * than `maxDelay`, starts the count anew. Default Infinity.
   */
  maxAttempts?: number;
  /** Milliseconds: the longest wait after the first failure. It doubles with each further failure. Default 1,000. */
  initialDelay?: number;
  /** Milliseconds: no wait is longer. A Retry-After of the server is added, up to as much again. Default 30,000. */
  maxDelay?: number;
  /**
   * Whether to try again after this error. `failures` counts failures in a row; after a connection that delivered a message, or
   * lasted longer than `maxDelay`, it is 1. Default: not after errors of the program, nor after those that would come again, such
   * as a 401, an invalid handshake, a protocol error or an untrusted certificate.
   */
  retry?: (error: Error, failures: number) => boolean;
}
