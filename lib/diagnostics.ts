import { channel } from 'node:diagnostics_channel';

const named = (event: string) => channel(`node-websocket-handler:${event}`);

/**
 * The diagnostics channels, for tracing and metrics. Each message is an object. Check `hasSubscribers` before you make
 * one, so that channels without subscribers take no time.
 */
export const diagnostics = {
  /** `{ webSocket }`: a connection is open. */
  open: named('open'),
  /** `{ webSocket, code, reason, wasClean }`: a connection has ended. */
  close: named('close'),
  /** `{ webSocket, message }`: a message was received. */
  messageReceived: named('message-received'),
  /**
   * `{ webSocket, message }`: a message was sent. If the message was written as a stream, `message` is its last
   * fragment.
   */
  messageSent: named('message-sent'),
  /** `{ webSocket, error }`: a WebSocket has failed. */
  error: named('error'),
  /** `{ request, response }`: a request for a WebSocket got an ordinary response. */
  refused: named('refused'),
} as const;
