import { configureServer, connect, WebSocketError } from 'node-websocket-handler';
import WebSocket from 'node-websocket-handler/ws';
import { run } from './program.mjs';

run({ configureServer, connect, WebSocketError, WebSocket });
