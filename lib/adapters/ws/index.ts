import { WebSocket } from './webSocket';
import { type ServerOptions, WebSocketServer } from './webSocketServer';
import { createWebSocketStream } from './webSocketStream';
import { WebSocket as withProperties } from './withProperties';

export type { RawData, WebSocketEventMap } from './events';
export type { EventTargetHandler, EventTargetMap, EventTargetName } from './eventTarget';
export type {
  ClientOptions,
  PerMessageDeflateOptions,
  VerifyClient,
  VerifyClientDone,
  VerifyClientInfo,
} from './options';
export type { BinaryType } from './payloads';
export type { SendOptions } from './webSocket';
export type { ServerOptions };
export { createWebSocketStream, WebSocket, WebSocketServer, WebSocketServer as Server };
export default WebSocket;

// `const WebSocket = require('node-websocket-handler/ws')` gets the class itself, and TypeScript finds the default export in it.
module.exports = Object.assign(withProperties, { __esModule: true, default: WebSocket });
