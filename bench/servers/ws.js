/** The ws package. */
const { listenBy } = require('./apiOfWs.js');

exports.listen = listenBy(require('ws'));
