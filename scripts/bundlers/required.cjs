const { configureServer, connect, WebSocketError } = require('node-websocket-handler');
const WebSocket = require('node-websocket-handler/ws');
const { run } = require('./program.mjs');

run({ configureServer, connect, WebSocketError, WebSocket });
