/**
 * One end of an echo of one large message, in a process of its own: a server, or a client that sends what it makes up and checks
 * what comes back. It tells its parent by how much its resident memory has grown, and gives up where that is more than it may be.
 */
const { createHash } = require('node:crypto');
const { createServer } = require('node:http');

const { library, role, port, size, mostGrowth } = JSON.parse(process.argv[2]);
const pieceSize = 64 * 1024;

/** Pieces that all differ, and the digest of all of them. */
function createSource() {
  const digest = createHash('sha256');
  async function* pieces() {
    for (let i = 0; i < size / pieceSize; i++) {
      const piece = Buffer.alloc(pieceSize, i & 255);
      piece.writeUInt32LE(i, 0);
      digest.update(piece);
      yield piece;
    }
  }
  return { pieces, digest };
}

const libraries = {
  ours: {
    serve(server) {
      const { configureServer } = require('../library.js');
      configureServer(server, { messages: 'stream' });
      server.on('request', (_request, response) => {
        const ws = response.webSocket.connect();
        ws.pipe(ws);
      });
    },
    async echo(url, { pieces }, received) {
      const { connect } = require('../library.js');
      const ws = connect(url, { messages: 'stream' });
      ws.write(pieces());
      // It is answered only while the connection is open, which it is not yet, or no longer, at some ticks.
      const ping = () => ws.ping().then((roundTrip) => pings.push(roundTrip), ignore);
      const pinging = setInterval(ping, 100);
      for await (const message of ws) {
        for await (const piece of message) received.update(piece);
        ws.end();
      }
      clearInterval(pinging);
    },
  },
  /** A server that is wrong in one byte. The client must notice. */
  faulty: {
    serve(server) {
      const { configureServer } = require('../library.js');
      configureServer(server, { messages: 'stream' });
      server.on('request', (_request, response) => {
        const ws = response.webSocket.connect();
        ws.on('data', (message) => ws.write(spoil(message)));
      });
    },
    echo: (...parameters) => libraries.ours.echo(...parameters),
  },
  ws: {
    serve(server) {
      const { WebSocketServer } = require('ws');
      new WebSocketServer({ server, maxPayload: 0 }).on('connection', (ws) => {
        ws.on('error', fail);
        ws.on('message', (data, binary) => ws.send(data, { binary }));
      });
    },
    async echo(url, { pieces }, received) {
      const { WebSocket } = require('ws');
      const ws = new WebSocket(url, { maxPayload: 0 });
      ws.on('error', fail);
      await new Promise((resolve) => ws.once('open', resolve));
      const send = (piece, fin) => new Promise((resolve) => ws.send(piece, { binary: true, fin }, resolve));
      const echoed = new Promise((resolve) => ws.once('message', resolve));
      for await (const piece of pieces()) await send(piece, false);
      await send(Buffer.alloc(0), true);
      received.update(await echoed);
      ws.close();
    },
  },
  websocketStream: {
    serve(server) {
      const websocket = require('websocket-stream');
      websocket.createServer({ server }, (stream) => stream.on('error', fail).pipe(stream));
    },
    // It knows no message of several pieces: each of them is one.
    async echo(url, { pieces }, received) {
      const stream = require('websocket-stream')(url);
      stream.on('error', fail);
      let missing = size;
      const echoed = new Promise((resolve) => {
        stream.on('data', (piece) => {
          received.update(piece);
          missing -= piece.length;
          if (missing === 0) resolve();
        });
      });
      for await (const piece of pieces())
        if (!stream.write(piece)) await new Promise((resolve) => stream.once('drain', resolve));
      await echoed;
      stream.end();
    },
  },
};

async function* spoil(pieces) {
  let spoilt = false;
  for await (const piece of pieces) {
    if (!spoilt) piece[0] ^= 1;
    spoilt = true;
    yield piece;
  }
}

function ignore() {}

const pings = [];
let base;
let largest = 0;

function startMeasuring() {
  base = process.memoryUsage.rss();
  setInterval(measure, 20).unref();
}

function measure() {
  largest = Math.max(largest, process.memoryUsage.rss() - base);
  if (largest > mostGrowth) fail(new Error(`${role}: more than ${mostGrowth / 2 ** 20} MiB`));
}

function fail(error) {
  process.send({ failure: error.message }, () => process.exit(1));
}

/** The answer to 'growth' of a server, and to 'echo' of a client. */
async function answer(question) {
  if (question === 'start') return startMeasuring();
  if (question === 'growth') return { growth: largest };
  startMeasuring();
  const source = createSource();
  const received = createHash('sha256');
  await libraries[library].echo(`ws://127.0.0.1:${port}/`, source, received);
  if (source.digest.digest('hex') !== received.digest('hex')) throw new Error('What came back is not what was sent');
  return { growth: largest, slowestPing: Math.max(0, ...pings) };
}

process.on('message', (question) => answer(question).then((result) => process.send({ answer: result ?? null }), fail));
process.on('disconnect', () => process.exit());

if (role === 'server') {
  const server = createServer();
  libraries[library].serve(server);
  server.listen(0, '127.0.0.1', () => process.send({ answer: server.address().port }));
} else process.send({ answer: 'ready' });
