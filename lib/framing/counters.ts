/** What has happened on a connection so far. */
export interface ConnectionCounters {
  readonly messagesReceived: number;
  readonly messagesSent: number;
  /** Bytes on the wire, frames and all, behind the opening handshake. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Bytes of the messages that were sent compressed, before that and after it. */
  readonly bytesBeforeCompression: number;
  readonly bytesAfterCompression: number;
  /** Bytes of the messages that came compressed, as they came, and decompressed. */
  readonly bytesBeforeDecompression: number;
  readonly bytesAfterDecompression: number;
  /** Milliseconds in which nothing was read, because the reader had enough. */
  readonly pausedTime: number;
}

/** Bytes on one side of the compression and on the other. */
export interface CompressionCounter {
  before: number;
  after: number;
}

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

export function addCounters(one: ConnectionCounters, other: ConnectionCounters): ConnectionCounters {
  const sums = Object.keys(noCounters).map((name) => {
    const key = name as keyof ConnectionCounters;
    return [key, one[key] + other[key]];
  });
  return Object.fromEntries(sums);
}
