/** This library, in each of the styles that it is used in. */
const http = require('node:http');
const http2 = require('node:http2');
const { byteStream, configureServer } = require('../library.js');

async function echoByLoop(ws) {
  try {
    for await (const message of ws) ws.write(message);
  } catch {
    // The load generator drops its connections.
  }
}

function echoBytes(bytes) {
  // The load generator drops its connections.
  bytes.on('error', () => {});
  bytes.pipe(bytes);
}

const pipe = (ws) => ws.pipe(ws);
const events = (ws) =>
  ws.on('message', (message, { binary }) => (binary ? ws.sendBinaryMessage(message) : ws.sendTextMessage(message)));

const styles = {
  pipe,
  events,
  pipeWithoutRequest: pipe,
  eventsWithoutRequest: events,
  loop: echoByLoop,
  byteStream: (ws) => echoBytes(byteStream(ws)),
  split2: (ws) => ws.pipe(require('split2')()).pipe(ws),
  broadcast: (ws, handle) => ws.on('message', (message) => handle.broadcast(message)),
};

exports.listen = (style, { deflate, maxMessageSize, transport }, listening) => {
  const { createServer } = transport === 'http2' ? http2 : http;
  const server = createServer((_request, response) => styles[style](response.webSocket.connect(), handle));
  // A second of silence stands for the half minute that it is by default.
  const handle = configureServer(server, {
    maxMessageSize,
    perMessageDeflate: deflate && { idleRelease: 1000 },
    // Other builds do not know the option.
    ...(style.endsWith('WithoutRequest') && { keepRequest: false }),
  });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
};
