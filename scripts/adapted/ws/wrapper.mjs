import WebSocket from './index.js';

export const { createWebSocketStream, Server, WebSocketServer } = WebSocket;
export { WebSocket };
export default WebSocket;
