/** The server of Bun, in Bun. */
/* global Bun */
exports.listen = (_style, { deflate, maxMessageSize }, listening) => {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request, bun) => (bun.upgrade(request) ? undefined : new Response(null, { status: 426 })),
    websocket: {
      perMessageDeflate: deflate,
      maxPayloadLength: maxMessageSize,
      message: (ws, message) => ws.send(message),
    },
  });
  listening(server.port);
};
