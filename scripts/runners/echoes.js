/** What must work under every test runner: a server and a client in the runner's own realm. */
const { once } = require('node:events');
const { createServer } = require('node:http');
const { configureServer, connect, WebSocketError } = require('node-websocket-handler');
const { defineRecipe } = require('./recipe');

/** Echoes these messages, one after the other, and closes. */
async function echo(messages, options = {}) {
  const server = createServer((_request, response) => {
    const ws = response.webSocket.connect();
    ws.pipe(ws);
  });
  const handle = configureServer(server, { perMessageDeflate: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const ws = connect(`ws://127.0.0.1:${server.address().port}/`, options);
    const closed = once(ws, 'close');
    // If it fails, the test is told by the `once()` that waits at that time.
    closed.catch(() => {});
    const echoes = [];
    for (const message of messages) {
      ws.write(message);
      const [received] = await once(ws, 'data');
      echoes.push(typeof received === 'string' ? received : [...received]);
    }
    ws.end();
    await closed;
    return echoes;
  } finally {
    await handle.close();
    server.close();
  }
}

/** What text and bytes of the realm that the tests run in become. */
function realmMessages() {
  const buffer = new ArrayBuffer(4);
  new Uint8Array(buffer).set([1, 2, 3, 4]);
  return [
    ['text', 'Grüße', 'Grüße'],
    ['text that is compressed', 'again and '.repeat(1000), 'again and '.repeat(1000)],
    ['a Buffer', Buffer.from([1, 2, 3, 4]), [1, 2, 3, 4]],
    ['a Uint8Array', new Uint8Array([1, 2]), [1, 2]],
    ['a Uint16Array', new Uint16Array([0x0101]), [1, 1]],
    ['a DataView', new DataView(buffer, 1, 2), [2, 3]],
    ['an ArrayBuffer', buffer, [1, 2, 3, 4]],
  ];
}

/** Defines the tests with what any of the runners has. */
exports.defineTests = ({ test, expect }) => {
  defineRecipe(test);

  for (const [name, message, expected] of realmMessages())
    test(`echoes ${name}`, async () => expect(await echo([message])).toEqual([expected]));

  test('keeps a connection alive', async () => {
    expect(await echo(['one', 'two'], { heartbeat: { interval: 10, timeout: 10_000 } })).toEqual(['one', 'two']);
  });

  test('throws errors of its own class', () => {
    expect(() => connect('nonsense:')).toThrow(WebSocketError);
  });
};

/**
 * Defines the tests for programs whose own timers are faked.
 * @param fake starts to fake them, as docs/runtimes.md says for the runner
 * @param advance moves the faked time on by this many milliseconds
 */
exports.defineFakeTimerTests = ({ test, expect, fake, advance, restore }) => {
  test('echoes while the timers of the program are faked, which alone are moved on', async () => {
    fake();
    try {
      let called = false;
      setTimeout(() => {
        called = true;
      }, 60_000);
      // The heartbeat is that of a real clock, or there would be a ping, and no pong in time.
      const messages = ['one', 'again and '.repeat(1000)];
      expect(await echo(messages, { heartbeat: { interval: 50_000, timeout: 1000 } })).toEqual(messages);
      expect(called).toBe(false);
      advance(60_000);
      expect(called).toBe(true);
    } finally {
      restore();
    }
  });
};
