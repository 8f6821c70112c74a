import type { OutgoingHttpHeaders } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import type { ExtensionOptions, HttpRequest, Version } from '../contracts';

/** The origins that may connect: any, the server's own, those listed, or those for which the function returns true. */
export type Origins =
  | 'any'
  | 'same'
  | readonly string[]
  | ((origin: string | undefined, request: HttpRequest) => boolean);

/** The numbers of messages and bytes in a queue at which backpressure begins. */
export interface HighWaterMark {
  /** The number of messages. */
  messages?: number;
  /** The number of bytes of memory that the messages keep alive. A single message may be larger. */
  bytes?: number;
}

/**
 * The high water marks. As in Node, the option for one side overrides the option for both; unlike in Node, each has a
 * mark for messages and one for bytes.
 */
export interface HighWaterMarkOptions {
  /** The marks of both queues; each of the two options below overrides it. Default none. */
  highWaterMark?: HighWaterMark;
  /** Marks of the read queue, at which reading from the transport stops. Default 16 messages or 64 KiB. */
  readableHighWaterMark?: HighWaterMark;
  /** Marks of the write queue, at which `write()` returns false. Default 2 messages or 64 KiB. */
  writableHighWaterMark?: HighWaterMark;
}

/** Options of a single connection. */
export interface ConnectionOptions extends ExtensionOptions, HighWaterMarkOptions {
  /**
   * The most bytes of one received message, all fragments together. A larger message closes the connection with 1009.
   * Default 2 MiB.
   */
  maxMessageSize?: number;
  /**
   * Milliseconds that the peer has for its part of the close handshake, counted from the last bytes that were sent.
   * After the peer's Close frame, the program has half of this time to end the writable side. Default 20,000.
   */
  closeTimeout?: number;
  /**
   * Milliseconds of silence after which a keepalive ping is sent; an object with interval and timeout; or false for no
   * pings. If no byte is received within `timeout` after the ping, the connection ends with WS_ERR_HEARTBEAT_TIMEOUT.
   * The time in which reading is paused, or in which bytes wait to be sent, does not count. Over HTTP/2, PING frames
   * are sent on the session as well. Ignored in versions that have no pings. Default 30,000.
   */
  heartbeat?: number | false | HeartbeatOptions;
  /**
   * `'stream'`: each message is delivered as a Readable while it is received, and `maxMessageSize` has no default where
   * the version has fragments. Default `'whole'`.
   */
  messages?: 'whole' | 'stream';
  /**
   * The most bytes that may wait for the peer. If more bytes wait when a message is written, the connection ends with
   * WS_ERR_BUFFER_FULL. The message itself does not count, so one large message alone is never refused. Infinity for no
   * limit. Default 16 MiB.
   */
  maxBufferedAmount?: number;
  /**
   * Milliseconds. If bytes wait and none can be sent for this time, the connection ends with WS_ERR_SEND_TIMEOUT. False
   * for no limit. Default 120,000.
   */
  sendTimeout?: number | false;
  /**
   * The most messages per second that are received; the messages of one second may come at once. When the peer sends
   * more, reading pauses, so that they wait on its side. Default Infinity.
   */
  maxMessageRate?: number;
  /**
   * Milliseconds after which the connection is closed, at a random time in the last tenth: a server closes with 1012, so
   * that clients connect again, a client with 1001. False for no limit. Default false.
   */
  maxLifetime?: number | false;
  /**
   * True: the program always ends the writable side itself. False: the library ends it at 'end'. Default: the library
   * ends it after 'end'; but if a chain of streams leads from the readable side back to the writable side, the chain
   * ends it.
   */
  allowHalfOpen?: boolean;
  /**
   * False: `ws.request` is undefined after 'open', so that an idle connection of a server takes 1 KiB less. Default
   * true.
   */
  keepRequest?: boolean;
}

/**
 * The options of a connection that delivers each message as a whole. The type of `messages` decides the type of the
 * delivered messages.
 */
export interface WholeMessages extends ConnectionOptions {
  messages?: 'whole';
}

/** The options O for a connection that delivers each message as a stream. */
export type Streamed<O extends WholeMessages> = Omit<O, 'messages'> & { messages: 'stream' };

/** The times of the keepalive pings. */
export interface HeartbeatOptions {
  /** Milliseconds of silence until the ping. Default 30,000. */
  interval?: number;
  /**
   * Milliseconds after the ping within which a byte must be received. Default 10,000, or the interval if that is
   * shorter.
   */
  timeout?: number;
}

export type HeartbeatSettings = Readonly<Required<HeartbeatOptions>>;

/** Limits for all WebSockets of a server together. */
export interface ServerLimits {
  /**
   * The most WebSockets: those that are open, and requests that the application has not answered. Further requests are
   * answered with 503. Default Infinity.
   */
  maxConnections?: number;
  /**
   * The most WebSockets from one address; further requests are answered with 429. An IPv6 address stands for its first
   * 64 bits. Behind a proxy, all clients have the proxy's address: pass an object with a function that finds out theirs.
   * Default Infinity.
   */
  maxConnectionsPerAddress?: number | AddressLimit;
  /**
   * The most bytes of memory for the messages of all connections, received and written ones. Beyond it, the connections
   * with the most memory stop reading; if that has not helped after a second, they end with WS_ERR_MEMORY_BUDGET and the
   * close code 1013. Default Infinity.
   */
  memoryBudget?: number;
}

/** A limit by an address that the program finds out. */
export interface AddressLimit {
  /** The most WebSockets from one address. */
  limit: number;
  /** Returns the address of the client, or any other name of it; undefined for no limit. */
  addressOf: (request: HttpRequest) => string | undefined;
}

/** The options of `handleHttpUpgrade()`. */
export interface UpgradeOptions extends ConnectionOptions {
  /**
   * The versions to accept; others are answered with 426. Default: all but draft75, whose handshake does not prove that
   * the client speaks WebSocket.
   */
  versions?: readonly Version[];
  /**
   * Milliseconds within which the application must answer the request, with `connect()` or a response. After that, the
   * request is answered with 503; if `connect()` is called later, the WebSocket is destroyed with
   * WS_ERR_CONNECTION_LOST. Default 10,000.
   */
  handshakeTimeout?: number;
  /**
   * The origins that may connect, as browsers send them: `'https://a.example'`, without a path. Default: a request with
   * cookies, `Authorization` or a TLS client certificate must come from the server's own host, because a browser adds
   * these to requests of any page; other requests may come from any origin.
   */
  origins?: Origins;
  /**
   * Returns whether to handle a WebSocket request. The other requests are left to other 'upgrade' listeners; needed if
   * another WebSocket server shares the HTTP server. Default: all are handled.
   */
  filter?: (request: HttpRequest) => boolean;
}

/** The options of `configureServer()`. */
export interface ServerOptions extends UpgradeOptions, ServerLimits {}

/** Options of `res.webSocket.connect()`. They override the server's options for this connection. */
export interface ConnectOptions extends WholeMessages {
  /** The subprotocol to choose. If the client did not offer it, no subprotocol is chosen. Default none. */
  protocol?: string;
  /** Headers of the response, in addition to those set on `res` and in `responseHeaders`. Default none. */
  headers?: OutgoingHttpHeaders;
}

/** The options of this library for `connect(url)`. `ClientOptions` adds the options for Node. */
export interface OpeningOptions extends WholeMessages {
  /** The subprotocols to offer, in order of preference. Default none. */
  protocols?: readonly string[];
  /** Headers of the request, in addition to those of the handshake. Default none. */
  headers?: OutgoingHttpHeaders;
  /** The Origin header. Default none; in the drafts of 2010, which must have one, the origin of the URL. */
  origin?: string;
  /** The protocol version. Default '13'. */
  version?: Version;
  /**
   * Instead of `version`: the accepted versions, in order of preference. If the server refuses the first one and names
   * another one of the list, the client tries that one (RFC 6455 §4.4). Default: only `version`.
   */
  versions?: readonly Version[];
  /**
   * True: over HTTP/2 (RFC 8441), on a session that all WebSockets to the same origin share; or the session to use. If
   * the server has no WebSockets over HTTP/2, HTTP/1.1 is used; `ws.transport` has the result. Default false.
   */
  http2?: boolean | ClientHttp2Session;
  /** Milliseconds within which the server must answer, redirects included. Default 10,000. */
  handshakeTimeout?: number;
  /**
   * The most redirects to follow; true stands for 10. To another origin, no credentials and no cookies are sent, and
   * only those options for Node are used that are known to be safe. A redirect from wss to ws is not followed. Default
   * false.
   */
  followRedirects?: boolean | number;
  /**
   * When the signal is aborted, the WebSocket is destroyed with WS_ERR_ABORTED, also while connecting; the `cause` of the
   * error is the signal's reason. If the connection is open, the peer gets a Close frame with 1011. Default none.
   */
  signal?: AbortSignal;
}

/** The options of `reconnecting()` for further attempts. */
export interface RetryOptions {
  /**
   * The number of attempts in a row that may fail before the last error is thrown. After a connection that delivered a
   * message, or lasted longer than `maxDelay`, the count starts again. Default Infinity.
   */
  maxAttempts?: number;
  /**
   * The longest delay after the first failure, in milliseconds. It doubles with each further failure. Default 1,000.
   */
  initialDelay?: number;
  /**
   * The longest delay in milliseconds. The time of a Retry-After header is added, up to `maxDelay` once more. Default
   * 30,000.
   */
  maxDelay?: number;
  /**
   * Returns whether to try again after this error. `failures` is the number of failures in a row; after a connection
   * that delivered a message, or lasted longer than `maxDelay`, it is 1. Default: not after errors of the program, and
   * not after errors that would occur again, such as a 401, an invalid handshake, a protocol error or an untrusted
   * certificate.
   */
  retry?: (error: Error, failures: number) => boolean;
}
