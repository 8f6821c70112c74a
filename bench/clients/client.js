/**
 * Clients in a process of their own, of one library. Plain JavaScript and the built library, as in servers/server.js. It keeps messages on
 * their way, or opens one connection after the other, and tells its parent what it has done and used.
 */
const { library, work, port } = JSON.parse(process.argv[2]);

const url = `ws://127.0.0.1:${port}/`;
const text = 'a WebSocket message of some length; '.repeat(1 + work.size / 36).slice(0, work.size);
const message = work.kind === 'text' ? text : Buffer.from(text);
let done = 0;
let running = false;
const open = new Set();

/** How each library opens a connection, sends, and drops it. `check` hands what came back. */
const libraries = {
  ours() {
    const { connect } = require('../library.js');
    return {
      connect: () => connect(url),
      send: (ws, data) => ws.write(data),
      onEcho: (ws, listener) => ws.on('data', listener),
      drop: (ws) => ws.abort(),
    };
  },
  ws() {
    const { WebSocket } = require('ws');
    return {
      connect: () => new WebSocket(url),
      send: (ws, data, binary) => ws.send(data, { binary }),
      onEcho: (ws, listener) => ws.on('message', listener),
      drop: (ws) => ws.terminate(),
    };
  },
};

const { connect, send, onEcho, drop } = libraries[library]();

/** ws hands over the bytes of text, and echoes them as they are; we have a string. */
const expected = { string: text, object: Buffer.from(text) };

function check(echo) {
  const same = typeof echo === 'string' ? echo === expected.string : expected.object.equals(echo);
  if (!same) fail(new Error('An echo is not what was sent'));
  done++;
}

function keepSending() {
  const ws = connect();
  open.add(ws);
  ws.on('error', () => {});
  ws.on('open', () => {
    onEcho(ws, (echo, binary) => {
      check(echo);
      if (running) send(ws, echo, binary);
    });
    for (let i = 0; i < work.inFlight; i++) send(ws, message);
  });
}

function keepOpening() {
  const ws = connect();
  ws.on('error', () => {});
  ws.on('open', () => {
    done++;
    drop(ws);
    if (running) keepOpening();
  });
}

const answers = {
  sendEchoes() {
    running = true;
    for (let i = 0; i < work.connections; i++) keepSending();
  },
  openAndDrop() {
    running = true;
    for (let i = 0; i < work.connections; i++) keepOpening();
  },
  stop() {
    running = false;
    for (const ws of open) drop(ws);
    open.clear();
  },
  usage() {
    const { user, system } = process.cpuUsage();
    return { cpu: user + system, done };
  },
  addons() {
    return Object.keys(require.cache).filter((file) => file.endsWith('.node'));
  },
};

function fail(error) {
  process.send({ failure: error.message }, () => process.exit(1));
}

process.on('uncaughtException', fail);
// A parent that has seen something fail may be gone before it gets the answer.
process.on('message', (question) => process.send({ answer: answers[question]() ?? null }, () => {}));
process.on('disconnect', () => process.exit());
process.send({ answer: 'ready' });
