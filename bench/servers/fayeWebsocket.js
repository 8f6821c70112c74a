/** The faye-websocket package, through its events. */
const { createServer } = require('node:http');
const FayeWebSocket = require('faye-websocket');

exports.listen = (_style, { maxMessageSize }, listening) => {
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    const ws = new FayeWebSocket(request, socket, head, [], { maxLength: maxMessageSize });
    ws.on('error', () => {});
    ws.on('message', ({ data }) => ws.send(data));
  });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
};
