/** What connections are made to do. */
export interface Work {
  readonly kind: 'text' | 'binary';
  /**
   * `plain`: ASCII, the same message always. `otherScripts`: text with characters of two and three bytes. `line`: ends with a line feed,
   * which the answer lacks, for split2 takes it away. `json`: documents that differ, as an application sends one after the other.
   */
  readonly content: 'plain' | 'otherScripts' | 'line' | 'json';
  /** Bytes of one message. */
  readonly size: number;
  readonly connections: number;
  /** Messages that each connection has on the way at any time. */
  readonly inFlight: number;
  /** Whether permessage-deflate is offered, and the messages travel compressed. */
  readonly deflate: boolean;
}

/** Where a server is, and how it is spoken to. */
export interface Address {
  readonly port: number;
  readonly transport: 'http1' | 'http2';
  /** `messages`: it answers with frames of its own. `bytes`: what it was sent comes back as it was. */
  readonly returns: 'messages' | 'bytes';
}

/** A message larger than this closes a connection: more than any that is sent, and the same for every server. */
export const maxMessageSize = 64 * 2 ** 20;
