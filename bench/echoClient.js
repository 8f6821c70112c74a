/**
 * Clients in a process of their own, of this library or of ws, against the same server. Plain JavaScript and the built
 * library, as in echoServer.js. It keeps its messages on their way, or opens one connection after the other, and tells its
 * parent what it has done and used whenever it is asked.
 */
const { library, port, scenario } = JSON.parse(process.argv[2]);
const { measures, kind, size, connections, inFlight } = scenario;

const url = `ws://127.0.0.1:${port}/`;
const message = kind === 'text' ? 'x'.repeat(size) : Buffer.alloc(size, 'x');
let done = 0;

const clients = {
  ours() {
    const { connect } = require('../dist/lib/webSocketHandler.js');
    return {
      open: () => connect(url),
      echo(ws) {
        ws.on('data', (echo) => {
          check(echo);
          ws.write(echo);
        });
        for (let i = 0; i < inFlight; i++) ws.write(message);
      },
      drop: (ws) => ws.abort(),
    };
  },
  ws() {
    const { WebSocket } = require('ws');
    return {
      open: () => new WebSocket(url),
      echo(ws) {
        ws.on('message', (echo, binary) => {
          check(echo);
          ws.send(echo, { binary });
        });
        for (let i = 0; i < inFlight; i++) ws.send(message);
      },
      drop: (ws) => ws.terminate(),
    };
  },
};

const { open, echo, drop } = clients[library]();

function check({ length }) {
  if (length !== size) throw new Error('An echo is not what was sent');
  done++;
}

function openAnother() {
  const ws = open();
  ws.on('open', () => {
    done++;
    drop(ws);
    openAnother();
  });
}

for (let i = 0; i < connections; i++) {
  if (measures === 'handshakes') openAnother();
  else {
    const ws = open();
    ws.on('open', () => echo(ws));
  }
}

process.on('message', () => process.send({ cpu: process.cpuUsage(), done }));
process.on('disconnect', () => process.exit());
