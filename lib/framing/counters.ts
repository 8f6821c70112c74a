/** The numbers of messages and bytes of one connection, or of all connections of a server, so far. */
export interface ConnectionCounters {
  /** Received messages. A message that is delivered as a stream counts from its first part on. */
  readonly messagesReceived: number;
  /** Sent messages. Messages in the write queue do not count. */
  readonly messagesSent: number;
  /** Bytes received after the opening handshake, including frame headers. */
  readonly bytesReceived: number;
  /** Bytes sent after the opening handshake, including frame headers. */
  readonly bytesSent: number;
  /** Payload bytes of the messages that were sent compressed, before compression. */
  readonly bytesBeforeCompression: number;
  /** Payload bytes of the messages that were sent compressed, after compression. */
  readonly bytesAfterCompression: number;
  /** Payload bytes of the messages that were received compressed, before decompression. */
  readonly bytesBeforeDecompression: number;
  /** Payload bytes of the messages that were received compressed, after decompression. */
  readonly bytesAfterDecompression: number;
  /** Milliseconds for which the byte stream was paused because the read queue was full. */
  readonly pausedTime: number;
}

/** Payload bytes of the messages of one direction that were compressed. */
export interface CompressionCounter {
  /** Bytes before compression, or before decompression. */
  before: number;
  /** Bytes after compression, or after decompression. */
  after: number;
}

/** The counters of a connection on which nothing has happened. */
export const noCounters: ConnectionCounters = {
  messagesReceived: 0,
  messagesSent: 0,
  bytesReceived: 0,
  bytesSent: 0,
  bytesBeforeCompression: 0,
  bytesAfterCompression: 0,
  bytesBeforeDecompression: 0,
  bytesAfterDecompression: 0,
  pausedTime: 0,
};

/** Returns the sums of two sets of counters. */
export function addCounters(one: ConnectionCounters, other: ConnectionCounters): ConnectionCounters {
  return {
    messagesReceived: one.messagesReceived + other.messagesReceived,
    messagesSent: one.messagesSent + other.messagesSent,
    bytesReceived: one.bytesReceived + other.bytesReceived,
    bytesSent: one.bytesSent + other.bytesSent,
    bytesBeforeCompression: one.bytesBeforeCompression + other.bytesBeforeCompression,
    bytesAfterCompression: one.bytesAfterCompression + other.bytesAfterCompression,
    bytesBeforeDecompression: one.bytesBeforeDecompression + other.bytesBeforeDecompression,
    bytesAfterDecompression: one.bytesAfterDecompression + other.bytesAfterDecompression,
    pausedTime: one.pausedTime + other.pausedTime,
  };
}
