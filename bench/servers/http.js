/** The floor of a handshake: what `node:http` and the system take for an upgrade that is answered by hand. */
const { createServer } = require('node:http');
const { acceptance } = require('./handshake.js');

exports.listen = (_style, _options, listening) => {
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => {});
    socket.write(acceptance(request.headers['sec-websocket-key']));
    socket.on('data', () => socket.end(Buffer.from([0x88, 0x02, 0x03, 0xe8])));
  });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
};
