import { channel } from 'node:diagnostics_channel';

const named = (event: string) => channel(`node-websocket-handler:${event}`);

/**
 * What happens to WebSockets, for tracing and metrics. Each message is an object; whoever publishes asks first whether somebody
 * listens, so that it costs nothing where nobody does.
 */
export const diagnostics = {
  /** `{ webSocket }` */
  open: named('open'),
  /** `{ webSocket, code, reason, wasClean }`, when the transport is gone */
  close: named('close'),
  /** `{ webSocket, message }` */
  messageReceived: named('message-received'),
  /** `{ webSocket, message }`; the last fragment stands for a message that was written as a stream */
  messageSent: named('message-sent'),
  /** `{ webSocket, error }` */
  error: named('error'),
  /** `{ request, response }`: a request for a WebSocket that was answered otherwise */
  refused: named('refused'),
} as const;
