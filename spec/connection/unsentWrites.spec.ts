import { expect } from 'chai';
import { hasReachedSystem, UnsentWrites } from '../../lib/connection/unsentWrites';

describe('UnsentWrites', () => {
  const open = { destroyed: false };

  it('counts writes until their callbacks are called without an error', () => {
    const unsent = new UnsentWrites(open);
    expect(unsent.any).to.equal(false);
    const callbacks = [unsent.add(), unsent.add()];
    callbacks[0]?.();
    expect(unsent.any).to.equal(true);
    callbacks[1]?.(null);
    expect(unsent.any).to.equal(false);
  });

  it('calls the callback of the program, with its error', () => {
    const errors: unknown[] = [];
    const unsent = new UnsentWrites(open);
    const error = new Error('EPIPE');
    unsent.add((reason) => errors.push(reason))(null);
    unsent.add((reason) => errors.push(reason))(error);
    expect([errors, unsent.any]).to.deep.equal([[null, error], true]);
  });

  it('counts a failed write, and refused bytes, for ever', () => {
    for (const lose of [
      (unsent: UnsentWrites) => unsent.add()(new Error()),
      (unsent: UnsentWrites) => unsent.addRefused(),
    ]) {
      const unsent = new UnsentWrites(open);
      lose(unsent);
      unsent.add()();
      expect(unsent.any).to.equal(true);
    }
  });

  it('counts a write whose callback is called after the byte stream was destroyed, also if it has no error', () => {
    const stream = { destroyed: false };
    const unsent = new UnsentWrites(stream);
    const callback = unsent.add();
    stream.destroyed = true;
    callback();
    expect(unsent.any).to.equal(true);
    expect(hasReachedSystem(stream, null)).to.equal(false);
  });
});
