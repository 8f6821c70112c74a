import { WebSocket as WebSocketClass } from './webSocket';
import { WebSocketServer } from './webSocketServer';
import { createWebSocketStream } from './webSocketStream';

/** As with ws: the class, which has the others as its properties. */
export const WebSocket: typeof WebSocketClass = Object.assign(WebSocketClass, {
  WebSocket: WebSocketClass,
  WebSocketServer,
  Server: WebSocketServer,
  createWebSocketStream,
});

/** The type of an instance, which goes by the same name as its class. */
export type WebSocket = WebSocketClass;
