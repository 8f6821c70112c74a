/**
 * This library in a worker of `node:cluster`, which gets its connections from the primary process. The time of both counts. There is one
 * worker, because what is measured has one core.
 */
const cluster = require('node:cluster');

exports.listen = (style, options, listening) => {
  cluster.setupPrimary({
    exec: require.resolve('./server.js'),
    args: [JSON.stringify({ library: 'ours', style, options })],
  });
  const worker = cluster.fork();
  worker.once('message', ({ answer }) => listening(answer));
  exports.cpu = () =>
    new Promise((resolve) => {
      worker.once('message', ({ answer }) => resolve(answer));
      worker.send('cpu');
    });
};
