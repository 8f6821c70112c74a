/** The build of this library that the process uses: that of this folder, or the one that `--against` names. */
const { join } = require('node:path');

const folder = process.env.BENCH_BUILD ?? join(__dirname, '..', 'dist');

module.exports = require(join(folder, 'lib', 'webSocketHandler.js'));
