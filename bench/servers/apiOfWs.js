/** A server by the API of ws: through its events and in the loop of its README, and as a stream. */
const { createServer } = require('node:http');

const stylesOf = ({ WebSocket, createWebSocketStream }) => ({
  events: (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })),
  // As a program that reads its texts.
  readsText: (ws) => ws.on('message', (data, binary) => ws.send(binary ? data : data.toString())),
  stream(ws) {
    const stream = createWebSocketStream(ws);
    stream.on('error', () => {}).pipe(stream);
  },
  split2(ws) {
    const stream = createWebSocketStream(ws, { encoding: 'utf8', decodeStrings: false });
    stream
      .on('error', () => {})
      .pipe(require('split2')())
      .pipe(stream);
  },
  broadcast(ws, all) {
    ws.on('message', (data, binary) => {
      for (const client of all.clients) if (client.readyState === WebSocket.OPEN) client.send(data, { binary });
    });
  },
});

/** @param library ws, or what has its API */
exports.listenBy = (library) => {
  const styles = stylesOf(library);
  return (style, options, listening) => listen(library, styles[style], options, listening);
};

function listen({ WebSocketServer }, serve, { deflate, maxMessageSize }, listening) {
  const server = createServer();
  const all = new WebSocketServer({ server, maxPayload: maxMessageSize, perMessageDeflate: deflate });
  all.on('connection', (ws) => {
    ws.on('error', () => {});
    serve(ws, all);
  });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
}
