import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { flushLater } from '../../lib/connection/endOfTick';

describe('The end of a tick', () => {
  it('flushes all connections in order, and those added meanwhile at the end of the next tick', async () => {
    const flushed: string[] = [];
    const named = (name: string, meanwhile = () => {}) => ({
      flushScheduled() {
        flushed.push(name);
        meanwhile();
      },
    });
    flushLater(named('one', () => flushLater(named('three'))));
    flushLater(named('two'));
    expect(flushed).to.deep.equal([]);
    await turn();
    expect(flushed).to.deep.equal(['one', 'two', 'three']);
  });

  it('flushes the other connections when a byte stream throws', async () => {
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    try {
      const flushed: string[] = [];
      const caught = once(process, 'uncaughtException');
      flushLater({ flushScheduled: () => flushed.push('one') });
      flushLater({
        flushScheduled() {
          throw new Error('a bad transport');
        },
      });
      flushLater({ flushScheduled: () => flushed.push('two') });
      const [error] = await caught;
      await turn();
      expect([error.message, ...flushed]).to.deep.equal(['a bad transport', 'one', 'two']);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });
});
