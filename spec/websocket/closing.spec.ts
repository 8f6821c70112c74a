import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { Closing, normalClose } from '../../lib/websocket/closing';

const clean = { code: 1000, reason: 'done', wasClean: true };

describe('Closing', () => {
  it('has a Close frame with 1000 and no reason by default', () => {
    expect(new Closing().close).to.equal(normalClose);
    expect(normalClose).to.deep.equal({ code: 1000, reason: '' });
  });

  it('whenClosed(): resolves for all callers when the outcome is known, and not before', async () => {
    const closing = new Closing();
    const outcomes: unknown[] = [];
    for (let i = 0; i < 2; i++) closing.whenClosed().then((outcome) => outcomes.push(outcome));
    await turn();
    expect([outcomes, closing.outcome]).to.deep.equal([[], undefined]);
    closing.settle(clean);
    await turn();
    expect([outcomes, closing.outcome]).to.deep.equal([[clean, clean], clean]);
  });

  it('whenClosed(): resolves if it is called after the end', async () => {
    const closing = new Closing();
    closing.settle(clean);
    expect(await closing.whenClosed()).to.equal(clean);
  });

  it('settle(): has no effect if it is called again', async () => {
    const closing = new Closing();
    closing.settle(clean);
    closing.settle({ code: 1006, reason: '', wasClean: false });
    expect(await closing.whenClosed()).to.equal(clean);
  });

  it('settle(): sets 1006 for a connection that never opened', async () => {
    const closing = new Closing();
    closing.settle();
    expect(await closing.whenClosed()).to.deep.equal({ code: 1006, reason: '', wasClean: false });
  });
});
