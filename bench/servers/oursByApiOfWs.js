/** This library through `node-websocket-handler/ws`. */
const { join } = require('node:path');
const { listenBy } = require('./apiOfWs.js');

exports.listen = listenBy(require(join(__dirname, '..', '..', 'dist', 'lib', 'adapters', 'ws', 'index.js')));
