import { expect } from 'chai';
import { onceDrained } from '../../lib/broadcast/drains';
import { createPair } from '../../lib/webSocketHandler';

describe('onceDrained()', () => {
  it('calls all callbacks at the next drain, once, with one listener for all of them', async () => {
    const [ws, peer] = createPair();
    const calls: string[] = [];
    for (const name of ['one', 'other']) onceDrained(ws, () => calls.push(name));
    expect(ws.listenerCount('drain')).to.equal(1);
    ws.emit('drain');
    ws.emit('drain');
    expect(calls).to.deep.equal(['one', 'other']);
    expect(ws.listenerCount('drain')).to.equal(0);
    for (const end of [ws, peer]) end.resume().end();
    await ws.whenClosed();
  });

  it('may be called again by a callback', async () => {
    const [ws, peer] = createPair();
    let calls = 0;
    const again = () => {
      calls++;
      onceDrained(ws, again);
    };
    onceDrained(ws, again);
    ws.emit('drain');
    ws.emit('drain');
    expect(calls).to.equal(2);
    for (const end of [ws, peer]) end.resume().end();
    await ws.whenClosed();
  });
});
