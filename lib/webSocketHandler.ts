export { byteStream } from './adapters/byteStream';
export type { BroadcastFilter, BroadcastMessage } from './broadcast/broadcast';
export type { BroadcastCounts } from './broadcast/broadcastMember';
export {
  type BroadcastPolicy,
  BroadcastStream,
  type BroadcastStreamOptions,
} from './broadcast/broadcastStream';
export type { BroadcastTotals } from './broadcast/fanOut';
export { type ClientOptions, connect } from './client/connect';
export { type ReconnectingOptions, reconnecting } from './client/reconnecting';
export { closeCodes } from './closeCodes';
export type { CloseOutcome } from './connection/closeHandshake';
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
export { WebSocketError, type WebSocketErrorCode, type WebSocketErrorDetails } from './errors';
export type { ConnectionCounters } from './framing/counters';
export { Deframer, type DeframerOptions } from './framing/deframer';
export { Framer, type FramerOptions } from './framing/framer';
export {
  type BinaryData,
  PreparedMessage,
  type PreparedMessageOptions,
  type SendOptions,
} from './framing/outgoingMessage';
export type {
  AddressLimit,
  ConnectionOptions,
  ConnectOptions,
  HeartbeatOptions,
  HighWaterMark,
  HighWaterMarkOptions,
  Origins,
  RetryOptions,
  ServerLimits,
  ServerOptions,
  Streamed,
  UpgradeOptions,
} from './options';
export { createPair, type PairOptions } from './pair';
export { configureServer, handleHttpUpgrade, type WebSocketServer } from './server/configureServer';
export type { ServerCounters } from './server/serverCounters';
export type { CloseOptions, CloseSummary } from './server/shutdown';
export type { HttpServer } from './transports/dispatcher';
export { isWebSocketRequest } from './transports/webSocketRequest';
export type { MessageInfo, WebSocketEvents } from './websocket/events';
export type { MessageSource } from './websocket/messageSources';
export { MessageStream } from './websocket/messageStream';
export { type AnyWebSocket, WebSocket, type WritableMessage } from './websocket/webSocket';
export type { WriteCallback } from './websocket/writeQueue';
