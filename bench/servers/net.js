/**
 * The floor: what `node:net` and the system take for the bytes alone. It answers the handshake, and from then on writes every chunk
 * that it reads, as it is: no frames are read or made, nothing is unmasked, nobody is held back. The masked bytes come back.
 */
const { createServer } = require('node:net');
const { acceptance } = require('./handshake.js');

exports.listen = (style, _options, listening) => {
  const sockets = new Set();
  const serve = {
    echo: (socket) => socket.on('data', (bytes) => socket.write(bytes)),
    broadcast(socket) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', (bytes) => {
        for (const each of sockets) each.write(bytes);
      });
    },
  };
  const server = createServer({ noDelay: true }, (socket) => {
    let head = '';
    socket.on('error', () => {});
    socket.on('data', function readHead(bytes) {
      head += bytes.toString('latin1');
      if (!head.endsWith('\r\n\r\n')) return;
      socket.removeListener('data', readHead);
      socket.write(acceptance(/Sec-WebSocket-Key: (\S+)/.exec(head)[1]));
      serve[style](socket);
    });
  });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
};
