import { deepStrictEqual, strictEqual, throws } from 'node:assert';
import { once } from 'node:events';
import { mock, test } from 'node:test';
import { createPair } from 'node-websocket-handler';
import { defineTests } from './echoes.js';

const expect = (actual) => ({
  toEqual: (expected) => deepStrictEqual(actual, expected),
  toThrow: (type) => throws(actual, type),
});
defineTests({ test, expect });

test('pings a silent peer when the mocked time is moved on', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  try {
    const [server, client] = createPair({ heartbeat: { interval: 30_000, timeout: 10_000 } });
    server.pipe(server);
    client.write('hello');
    strictEqual((await once(client, 'data'))[0], 'hello');
    const ponged = once(client, 'pong');
    mock.timers.tick(30_000);
    await ponged;
    client.end();
    await client.whenClosed();
  } finally {
    mock.timers.reset();
  }
});
