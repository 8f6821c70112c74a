import type { OutgoingHttpHeaders } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import type { ExtensionOptions, HttpRequest, Version } from '../contracts';

/** Which origins may connect: everyone, the server's own, those listed, or those the function says yes to. */
export type Origins =
  | 'any'
  | 'same'
  | readonly string[]
  | ((origin: string | undefined, request: HttpRequest) => boolean);

/** How much waits in one direction before the writer there is held back: the peer on the way in, the program on the way out. */
export interface HighWaterMark {
  /** Messages. */
  messages?: number;
  /** Bytes of memory that they keep alive. A single message may be larger. */
  bytes?: number;
}

/** As Node's options of these names, with two marks for each side. What is said of one side goes before what is said of both. */
export interface HighWaterMarkOptions {
  /** The marks of both sides. */
  highWaterMark?: HighWaterMark;
  /** What is read ahead of a reader before the peer is held back. Default 16 messages, or 64 KiB. */
  readableHighWaterMark?: HighWaterMark;
  /** What waits for a transport that takes nothing before `write()` returns false. Default 2 messages, or 64 KiB. */
  writableHighWaterMark?: HighWaterMark;
}

/** What can be set for each connection. */
export interface ConnectionOptions extends ExtensionOptions, HighWaterMarkOptions {
  /** Bytes of one message, all fragments together. A larger one closes the connection with 1009. Default 2 MiB. */
  maxMessageSize?: number;
  /** Milliseconds that the peer has for its part of the close handshake. Default 20,000. */
  closeTimeout?: number;
  /**
   * Milliseconds of silence after which the peer is pinged, or the settings, or false for no heartbeat. A peer from which nothing
   * at all comes within `timeout` after that is lost: WS_ERR_HEARTBEAT_TIMEOUT. The clock stands still while we do not read, and
   * while what we have sent has not left. Over HTTP/2 the session is pinged as well. Default 30,000. Without effect in versions that
   * have no pings.
   */
  heartbeat?: number | false | HeartbeatOptions;
  /**
   * `'stream'`: each message is delivered as a Readable while it comes, and `maxMessageSize` has no default where the version has
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

/** The options of a connection whose messages are delivered whole: what its type says of `messages` decides what it reads. */
export interface WholeMessages extends ConnectionOptions {
  messages?: 'whole';
}

/** The same options for one that delivers each message as a stream. */
export type Streamed<O extends WholeMessages> = Omit<O, 'messages'> & { messages: 'stream' };

export interface HeartbeatOptions {
  /** Milliseconds of silence until the ping. Default 30,000. */
  interval?: number;
  /** Milliseconds for the answer. Default 10,000, or the interval if that is shorter. */
  timeout?: number;
}

export type HeartbeatSettings = Readonly<Required<HeartbeatOptions>>;

export interface ServerOptions extends ConnectionOptions {
  /** The versions to accept; others are answered with 426. Default: all that the library speaks. */
  versions?: readonly Version[];
  /**
   * Milliseconds from the request until the application has answered it, with `connect()` or a response; then a 503 goes
   * out. Default 10,000.
   */
  handshakeTimeout?: number;
  /**
   * Which origins may connect. Default: all, except that a request which carries cookies must come from the server's own
   * host, for a browser sends a user's cookies along from any page.
   */
  origins?: Origins;
  /** Which WebSocket requests to take; the others are left to other 'upgrade' listeners. Default: all. */
  filter?: (request: HttpRequest) => boolean;
}

/** What `res.webSocket.connect()` takes; it overrides the server's options for this connection. */
export interface ConnectOptions extends WholeMessages {
  /** The subprotocol to agree on. It is left out of the answer if the client did not offer it. Default none. */
  protocol?: string;
  /** Headers for the answer, beside those set on `res` and in `responseHeaders`. */
  headers?: OutgoingHttpHeaders;
}

/** What `connect(url)` takes, beside what it hands on to Node. */
export interface OpeningOptions extends WholeMessages {
  /** The subprotocols to offer, best first. Default none. */
  protocols?: readonly string[];
  /** Headers for the opening request. */
  headers?: OutgoingHttpHeaders;
  /** The origin to name. Default none; the drafts of 2010 must name one, and get that of the URL. */
  origin?: string;
  /** The version to speak. Default '13'. */
  version?: Version;
  /**
   * In place of `version`: the versions to speak, best first. The first is spoken, unless the server refuses it and names
   * another one of these (RFC 6455 §4.4).
   */
  versions?: readonly Version[];
  /**
   * True: over HTTP/2 (RFC 8441), on a session that all WebSockets to the same origin share; or the session to use. Where the server
   * does not offer that, over HTTP/1.1 all the same; `ws.transport` tells. Default false.
   */
  http2?: boolean | ClientHttp2Session;
  /** Milliseconds until the server must have answered, redirects included. Default 10,000. */
  handshakeTimeout?: number;
  /**
   * How often a server may redirect us; true stands for 10. Another origin is not sent credentials or cookies, and a way from
   * wss to ws is not followed. Default false.
   */
  followRedirects?: boolean | number;
  /** Destroys the WebSocket with WS_ERR_ABORTED, at whatever stage it is. */
  signal?: AbortSignal;
}

/** How `reconnecting()` tries again. */
export interface RetryOptions {
  /**
   * How many attempts in a row may fail before the last error is thrown. A connection that delivered a message, or lasted longer
   * than `maxDelay`, starts the count anew. Default Infinity.
   */
  maxAttempts?: number;
  /** Milliseconds: the longest wait after the first failure. It doubles with each one that follows. Default 1,000. */
  initialDelay?: number;
  /** Milliseconds that no wait exceeds, beside what a server asks for with Retry-After, which may be as long. Default 30,000. */
  maxDelay?: number;
  /**
   * Whether to try again after this error. `failures` counts failures in a row; after a connection that delivered a message, or
   * lasted longer than `maxDelay`, it is 1. Default: not after errors of the program, nor after those that would come again, such
   * as a 401, an invalid handshake, a protocol error or an untrusted certificate.
   */
  retry?: (error: Error, failures: number) => boolean;
}
