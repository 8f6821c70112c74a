/** The websocket-stream package: it has objects that keep messages apart, but all of them are binary. */
const { createServer } = require('node:http');
const websocket = require('websocket-stream');

exports.listen = (_style, { maxMessageSize }, listening) => {
  const server = createServer();
  websocket.createServer({ server, objectMode: true, maxPayload: maxMessageSize }, (stream) =>
    stream.on('error', () => {}).pipe(stream),
  );
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
};
