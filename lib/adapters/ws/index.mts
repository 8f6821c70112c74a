/** For `import`: a default export that is the class, which a CommonJS module has for Node alone, not for TypeScript. */
import { createWebSocketStream, Server, WebSocket, WebSocketServer } from './index.js';

export type * from './index.js';
export { createWebSocketStream, Server, WebSocket, WebSocketServer };
export default WebSocket;
