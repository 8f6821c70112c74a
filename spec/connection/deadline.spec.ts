import { expect } from 'chai';
import { Deadline } from '../../lib/connection/deadline';
import { VirtualTime } from '../support/virtualTime';

describe('Deadline', () => {
  let time: VirtualTime;
  let expiries: number[];
  const expired = () => expiries.push(time.now);

  beforeEach(() => {
    expiries = [];
    time = new VirtualTime();
    time.start();
  });
  afterEach(() => time[Symbol.dispose]());

  const pass = (milliseconds: number) => time.pass(milliseconds, 100);

  it('expires once, after its time', async () => {
    new Deadline(500, expired);
    await pass(400);
    expect(expiries).to.deep.equal([]);
    await pass(2000);
    expect(expiries).to.deep.equal([500]);
  });

  it('progressed(): starts the timer again', async () => {
    const deadline = new Deadline(500, expired);
    await pass(400);
    deadline.progressed();
    await pass(1000);
    expect(expiries).to.deep.equal([900]);
  });

  it('progressed(): starts the timer again after it has expired', async () => {
    const deadline = new Deadline(500, expired);
    await pass(600);
    deadline.progressed();
    await pass(1000);
    expect(expiries).to.deep.equal([500, 1100]);
  });

  it('progressed(): does not start the timer after stop()', async () => {
    const deadline = new Deadline(500, expired);
    deadline.stop();
    deadline.progressed();
    await pass(1000);
    expect(expiries).to.deep.equal([]);
  });

  it('stop(): can be called by the callback, which progressed() does not call again', async () => {
    const deadline = new Deadline(500, () => {
      expired();
      deadline.stop();
      deadline.progressed();
    });
    await pass(2000);
    expect(expiries).to.deep.equal([500]);
  });
});

describe('Deadline.unref()', () => {
  it('lets the process end although the deadline has not expired', () => {
    const timeouts = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timeouts();
    const deadline = new Deadline(1000, () => {});
    expect(timeouts()).to.equal(before + 1);
    expect(deadline.unref()).to.equal(deadline);
    expect(timeouts()).to.equal(before);
    deadline.stop();
  });
});
