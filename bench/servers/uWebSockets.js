/** uWebSockets.js: a server in C++, on a loop of its own inside Node's. */
const uws = require('uwebsockets');

/** Windows of 32 KiB and a context that is kept, on both sides, as the others have it. */
const compression = uws.DEDICATED_COMPRESSOR_256KB | uws.DEDICATED_DECOMPRESSOR_32KB;

exports.listen = (style, { deflate, maxMessageSize }, listening) => {
  const app = uws.App();
  const styles = {
    echo: { message: (ws, message, binary) => ws.send(message, binary, deflate) },
    broadcast: {
      open: (ws) => ws.subscribe('all'),
      message: (_ws, message, binary) => app.publish('all', message, binary, deflate),
    },
  };
  app.ws('/*', {
    compression: deflate ? compression : uws.DISABLED,
    maxPayloadLength: maxMessageSize,
    // It drops what is beyond this, where the others let it wait.
    maxBackpressure: 2 ** 30,
    ...styles[style],
  });
  app.listen('127.0.0.1', 0, (socket) => listening(uws.us_socket_local_port(socket)));
};
