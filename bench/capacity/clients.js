/**
 * The clients, all in this process: bare sockets that share one buffer. They open WebSockets, get one echo each, answer pings, and count
 * the bytes of a broadcast.
 */
const { connect } = require('node:net');

const atOnce = 20;

const request =
  'GET / HTTP/1.1\r\nHost: capacity\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';
/** A text message whose masking key is zero. */
const hello = '\x81\x85\0\0\0\0hello';
const pong = Buffer.from('8a8000000000', 'hex');

const sockets = new Set();
const buffer = Buffer.alloc(64 * 1024);
let lost = 0;
/** Called with each number of bytes once all are open. */
let received = () => {};

function open(port) {
  return new Promise((resolve, reject) => {
    let head = '';
    let opened = false;
    const socket = connect({
      port,
      host: '127.0.0.1',
      onread: {
        buffer,
        callback(size, bytes) {
          if (opened) {
            if (bytes[0] === 0x89) this.write(pong);
            else received(size);
            return true;
          }
          head += bytes.latin1Slice(0, size);
          if (head.endsWith('\r\n\r\n') && !head.startsWith('HTTP/1.1 101')) reject(new Error(head));
          else if (head.endsWith('\r\n\r\n')) this.write(hello, 'latin1');
          else if (head.endsWith('hello')) {
            opened = true;
            head = '';
            sockets.add(this);
            resolve();
          }
          return true;
        },
      },
    });
    socket.on('error', reject);
    socket.on('close', () => {
      sockets.delete(socket);
      lost++;
    });
    socket.write(request);
  });
}

const tasks = {
  async open({ port, count }) {
    let started = 0;
    const worker = async () => {
      while (started++ < count) await open(port);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  },
  /** Resolves when every client has got that many bytes. */
  async expect({ bytes }) {
    let missing = bytes * sockets.size;
    await new Promise((resolve) => {
      received = (size) => {
        missing -= size;
        if (missing === 0) resolve();
      };
      process.send({ answer: 'ready' });
    });
  },
  async lost() {
    return lost;
  },
};

process.on('message', ({ task, parameters }) => {
  tasks[task](parameters).then(
    (answer) => process.send({ answer: answer ?? null }),
    (error) => process.send({ failure: error.message }, () => process.exit(1)),
  );
});
process.on('disconnect', () => process.exit());
process.send({ answer: 'ready' });
