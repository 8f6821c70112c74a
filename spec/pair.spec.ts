import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { createPair, type WebSocket } from '../lib/webSocketHandler';
import { pass } from './support/virtually';
import { VirtualTime } from './support/virtualTime';

const ends: Record<string, (ws: WebSocket) => void> = {
  'destroy(error)': (ws) => void ws.destroy(new Error('enough')),
  'destroy()': (ws) => void ws.destroy(),
  'abort()': (ws) => ws.abort(),
  'close()': (ws) => ws.close(),
};

describe('createPair()', () => {
  for (const [name, end] of Object.entries(ends)) {
    it(`leaves nothing open behind ${name}, however late the other end is`, async () => {
      for (let turns = 0; turns < 10; turns++) {
        using time = new VirtualTime();
        time.start();
        const [server, client] = createPair({ heartbeat: false, closeTimeout: 60_000 });
        for (const ws of [server, client]) ws.on('error', () => {}).resume();
        end(server);
        for (let i = 0; i < turns; i++) await turn();
        // The first step is longer than an end that has said its last word goes on reading.
        await time.passUntil(pass(10_000), 5000);
        expect([server.destroyed, client.destroyed, time.active.size], `after ${turns} turns`).to.deep.equal([
          true,
          true,
          0,
        ]);
      }
    });
  }
});
