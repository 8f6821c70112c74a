/** The websocket package, through its events. It would send large messages in fragments of 16 KiB, which costs it more. */
const { createServer } = require('node:http');
const { server: WebSocketServer } = require('websocket');

exports.listen = (_style, { maxMessageSize }, listening) => {
  const server = createServer();
  const all = new WebSocketServer({
    httpServer: server,
    maxReceivedFrameSize: maxMessageSize,
    maxReceivedMessageSize: maxMessageSize,
    fragmentOutgoingMessages: false,
  });
  all.on('request', (request) => {
    const connection = request.accept();
    connection.on('error', () => {});
    connection.on('message', ({ type, utf8Data, binaryData }) =>
      type === 'utf8' ? connection.sendUTF(utf8Data) : connection.sendBytes(binaryData),
    );
  });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
};
