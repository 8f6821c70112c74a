export { type ClientOptions, connect } from './client';
export type {
  CloseFrame,
  ControlFrame,
  DataFrame,
  HttpRequest,
  HttpResponse,
  Incoming,
  Message,
  MessagePart,
  Outgoing,
  PerMessageDeflateOptions,
  PingFrame,
  Role,
  TransportName,
  Version,
} from './contracts';
export { WebSocketError, type WebSocketErrorCode } from './errors';
export { isWebSocketRequest } from './negotiation';
export type { ConnectionOptions, ConnectOptions, HighWaterMark, Origins, ServerOptions, Streamed } from './options';
export { createPair, type PairOptions } from './pair';
export { type ReconnectingOptions, reconnecting } from './reconnecting';
export { configureServer, handleHttpUpgrade, type WebSocketServer } from './server';
export type { CloseOutcome } from './session';
export type { BroadcastFilter, BroadcastMessage } from './streams/broadcast';
export type { BroadcastCounts } from './streams/broadcastMember';
export {
  type BroadcastPolicy,
  BroadcastStream,
  type BroadcastStreamOptions,
  type BroadcastTotals,
} from './streams/broadcastStream';
export type { ConnectionCounters } from './streams/counters';
export { Deframer, type DeframerOptions } from './streams/deframer';
export { Framer, type FramerOptions } from './streams/framer';
export type { MessageInfo, WebSocketEvents } from './streams/messageEvents';
export { MessageStream } from './streams/messageStream';
export {
  type BinaryData,
  PreparedMessage,
  type PreparedMessageOptions,
  type SendOptions,
} from './streams/outgoingMessage';
export type { MessageSource } from './streams/outgoingStream';
export type { ServerCounters } from './streams/serverCounters';
export type { CloseOptions, CloseSummary } from './streams/shutdown';
export { type AnyWebSocket, WebSocket } from './streams/webSocket';
export type { HttpServer } from './transports/dispatcher';
