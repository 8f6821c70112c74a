/**
 * For `import`: a default export that is the class, which a CommonJS module has for Node alone, not for TypeScript. It does not import
 * `index.ts`, which assigns to `module.exports` and so cannot be a part of an ES module.
 */
import { WebSocketServer } from './webSocketServer.js';
import { createWebSocketStream } from './webSocketStream.js';
import { WebSocket } from './withProperties.js';

export type * from './index.js';
export { createWebSocketStream, WebSocket, WebSocketServer, WebSocketServer as Server };
export default WebSocket;
