/** This library with topics in this process: each message is published, and sent to all members. */
const http = require('node:http');
const { join } = require('node:path');
const { configureServer } = require('../library.js');

const { Topics } = require(join(__dirname, '..', '..', 'dist', 'lib', 'topics', 'index.js'));

const topics = new Topics();
const topic = topics.topic('bench');

const styles = {
  topic: (ws) => {
    topic.add(ws);
    ws.on('message', (message) => topic.write(message));
  },
  join: (ws) => ws.pipe(topics.join('bench')).pipe(ws),
};

exports.listen = (style, { deflate, maxMessageSize }, listening) => {
  const server = http.createServer((_request, response) => styles[style](response.webSocket.connect()));
  configureServer(server, { maxMessageSize, perMessageDeflate: deflate && { idleRelease: 1000 } });
  server.listen(0, '127.0.0.1', () => listening(server.address().port));
};
