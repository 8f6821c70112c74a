/** The floor of a WebSocket over HTTP/2: what `node:http2` takes to send every chunk of an extended CONNECT back unchanged. */
const { createServer } = require('node:http2');

exports.listen = (_style, _options, listening) => {
  const server = createServer({ settings: { enableConnectProtocol: true } });
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
};
