import { expect } from 'chai';
import { VirtualTime } from '../support/virtualTime';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('VirtualTime', () => {
  let time: VirtualTime;
  const errors: unknown[] = [];
  const owner = { threw: (error: unknown) => void errors.push(error) };

  beforeEach(() => {
    time = new VirtualTime();
    time.start();
  });

  afterEach(() => time[Symbol.dispose]());

  it('runs timers in the order of their time, and refresh() starts them again', async () => {
    const order: string[] = [];
    const done = new Promise<void>((resolve) => {
      setTimeout(() => order.push('second'), 90);
      setTimeout(() => order.push('first'), 50);
      const last = setTimeout(() => {
        order.push('third');
        resolve();
      }, 60);
      setTimeout(() => last.refresh(), 40);
    });
    await time.passUntil(done);
    expect(order).to.deep.equal(['first', 'second', 'third']);
    expect(time.now).to.be.within(100, 140);
  });

  it('returns the number of active timers of an owner, also of one that was set in a callback', async () => {
    const fired = time.ownedBy(owner, () => new Promise<void>((resolve) => void setTimeout(resolve, 20)));
    await time.passUntil(fired);
    expect(time.countOf(owner)).to.equal(0);
    await time.ownedBy(owner, async () => {
      await turn();
      setInterval(() => {}, 1000);
    });
    expect(time.countOf(owner)).to.equal(1);
    time.clearAllOf(owner);
    expect(time.countOf(owner)).to.equal(0);
  });

  it('reports the owner of a timer whose callback throws', async () => {
    const error = new Error('thrown by a timer');
    time.ownedBy(owner, () => {
      setTimeout(() => {
        throw error;
      }, 20);
    });
    await time.pass(40);
    expect(errors).to.deep.equal([error]);
  });

  it('restores the real timers', () => {
    time[Symbol.dispose]();
    const timer = setTimeout(() => {}, 0);
    expect(timer.constructor.name).to.equal('Timeout');
    clearTimeout(timer);
  });
});
