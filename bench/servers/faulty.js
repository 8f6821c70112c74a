/**
 * A server that is wrong, rarely: one byte of every tenth message. The bench must notice. It begins with the first one, because a busy
 * machine may not get to the tenth.
 */
const { createServer } = require('node:http');
const { configureServer } = require('../library.js');

let messages = 0;

function spoil(message) {
  if (messages++ % 10 !== 0) return message;
  const bytes = Buffer.from(message);
  bytes[bytes.length - 1] ^= 1;
  return Buffer.isBuffer(message) ? bytes : bytes.toString();
}

exports.listen = (style, { deflate, maxMessageSize }, listening) => {
  const server = createServer((_request, response) => {
    const ws = response.webSocket.connect();
    ws.on('message', (message) =>
      style === 'broadcast' ? handle.broadcast(spoil(message)) : ws.write(spoil(message)),
    );
  });
  const handle = configureServer(server, { maxMessageSize, perMessageDeflate: deflate });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
};
