/** The totals of one connection, or of all connections of a server, so far. */
export interface ConnectionCounters {
  /** Messages that were received. */
  readonly messagesReceived: number;
  /** Messages that were sent. */
  readonly messagesSent: number;
  /** Bytes received behind the opening handshake, with all frame headers. */
  readonly bytesReceived: number;
  /** Bytes sent behind the opening handshake, with all frame headers. */
  readonly bytesSent: number;
  /** Payload bytes of the messages that were sent compressed, before compression. */
  readonly bytesBeforeCompression: number;
  /** Payload bytes of the messages that were sent compressed, after compression. */
  readonly bytesAfterCompression: number;
  /** Payload bytes of the messages that were received compressed, before decompression. */
  readonly bytesBeforeDecompression: number;
  /** Payload bytes of the messages that were received compressed, after decompression. */
  readonly bytesAfterDecompression: number;
  /** Milliseconds in which the byte stream was not read because the read queue was full. */
  readonly pausedTime: number;
}

/** Payload bytes before and after compression, or before and after decompression. */
export interface CompressionCounter {
  before: number;
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
  const sums = Object.keys(noCounters).map((name) => {
    const key = name as keyof ConnectionCounters;
    return [key, one[key] + other[key]];
  });
  return Object.fromEntries(sums);
}
