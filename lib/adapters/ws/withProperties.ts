import { WebSocket as WebSocketClass } from './webSocket';
import { WebSocketServer } from './webSocketServer';
import { createWebSocketStream } from './webSocketStream';

/** The class, with the other exports as its properties, as in ws. */
export const WebSocket: typeof WebSocketClass = Object.assign(WebSocketClass, {
  WebSocket: WebSocketClass,
  WebSocketServer,
  Server: WebSocketServer,
  createWebSocketStream,
});

/** The type of an instance, with the same name as the class. */
export type WebSocket = WebSocketClass;
