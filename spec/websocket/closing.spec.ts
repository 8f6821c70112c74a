import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { WebSocketError } from '../../lib/errors';
import {
  Closing,
  destructionCode,
  endingError,
  normalClose,
  tolerateErrors,
  tolerateSameErrors,
} from '../../lib/websocket/closing';

const clean = { code: 1000, reason: 'done', wasClean: true };

describe('Closing', () => {
  it('has a Close frame with 1000 and no reason by default, which is sent', () => {
    const { close, aborted } = new Closing();
    expect([close, aborted]).to.deep.equal([normalClose, false]);
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

  it('reopen(): removes the outcome, and the next one is accepted', async () => {
    const closing = new Closing();
    closing.settle();
    closing.reopen();
    expect(closing.outcome).to.equal(undefined);
    closing.settle(clean);
    expect(await closing.whenClosed()).to.equal(clean);
  });

  it('leaveGroups(): removes the stream from each group that was added', () => {
    const closing = new Closing();
    const stream = new PassThrough();
    closing.leaveGroups(stream);
    const groups = [new Set([stream]), new Set([stream])];
    for (const group of groups) closing.groups.add(group as Set<never>);
    closing.leaveGroups(stream);
    expect(groups.map(({ size }) => size)).to.deep.equal([0, 0]);
  });

  describe('failureAtTheEnd()', () => {
    let ended: PassThrough;
    const failure = new WebSocketError('WS_ERR_CLOSE_TIMEOUT');

    beforeEach(async () => {
      ended = new PassThrough().resume();
      await once(ended.end(), 'end');
    });

    it('returns the first error that was reported after the readable side has ended, and null before', () => {
      const closing = new Closing();
      expect(closing.failureAtTheEnd(ended, undefined)).to.equal(null);
      closing.errorToReport = failure;
      closing.messagesLost();
      closing.endedBefore('everything was sent', true, new PassThrough());
      expect(closing.failureAtTheEnd(ended, { wasCutOff: false })).to.equal(failure);
      expect(closing.failureAtTheEnd(new PassThrough(), undefined)).to.equal(null);
    });

    it('returns WS_ERR_CONNECTION_LOST for a connection that was cut off, unless there is an error', () => {
      const cutOff = { wasCutOff: true };
      expect(new Closing().failureAtTheEnd(ended, cutOff)).to.have.property('code', 'WS_ERR_CONNECTION_LOST');
      const closing = new Closing();
      closing.errorToReport = failure;
      expect(closing.failureAtTheEnd(ended, cutOff)).to.equal(failure);
    });
  });

  it('messagesLost(): returns and reports WS_ERR_CONNECTION_LOST, and lets the stream fail without a listener', async () => {
    const closing = new Closing();
    const error = closing.messagesLost();
    expect(error.code).to.equal('WS_ERR_CONNECTION_LOST');
    expect(error.message).to.include('before everything was sent');
    const stream = new PassThrough().resume();
    await once(stream.end(), 'end');
    expect(closing.failureAtTheEnd(stream, undefined)).to.equal(error);
    stream.emit('error', error);
  });

  for (const [isAnswered, code, text] of [
    [true, 'WS_ERR_CLOSE_TIMEOUT', 'the peer was answered before everything was sent'],
    [false, 'WS_ERR_CONNECTION_LOST', ': before everything was sent'],
  ] as const)
    it(`endedBefore(): returns and reports ${code}, and lets the stream fail without a listener`, () => {
      const closing = new Closing();
      const stream = new PassThrough();
      const error = closing.endedBefore('everything was sent', isAnswered, stream);
      expect(error.code).to.equal(code);
      expect(error.message).to.include(text);
      expect(closing.errorToReport).to.equal(error);
      stream.emit('error', error);
    });
});

describe('destructionCode()', () => {
  it('is 1001 for a client that has sent everything, 1013 for want of memory, and 1011 otherwise', () => {
    const lost = new WebSocketError('WS_ERR_CONNECTION_LOST');
    expect(destructionCode('client', null, true)).to.equal(1001);
    expect(destructionCode('client', null, false)).to.equal(1011);
    expect(destructionCode('client', lost, true)).to.equal(1011);
    expect(destructionCode('server', null, true)).to.equal(1011);
    expect(destructionCode('server', new WebSocketError('WS_ERR_MEMORY_BUDGET'), true)).to.equal(1013);
  });
});

describe('endingError()', () => {
  it('makes a WS_ERR_NOT_OPEN of an error of Node, and leaves the others as they are', () => {
    const lost = new WebSocketError('WS_ERR_CONNECTION_LOST');
    for (const error of [null, undefined, lost]) expect(endingError(error)).to.equal(error);
    const cause = new Error('write after end');
    const error = endingError(cause);
    expect(error).to.include({ code: 'WS_ERR_NOT_OPEN', cause });
    expect(error?.message).to.include('write after end');
  });
});

describe('tolerateErrors()', () => {
  it('lets a stream without a listener fail, and adds one listener only', () => {
    const stream = new PassThrough();
    tolerateErrors(stream);
    tolerateErrors(stream);
    expect(stream.listenerCount('error')).to.equal(1);
    stream.emit('error', new Error('ignored'));
  });
});

describe('tolerateSameErrors()', () => {
  const failure = new Error('the connection is lost');
  const prematureClose = Object.assign(new Error('Premature close'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });

  /** Whether a stream that Node has made of the stream throws an error. */
  const throws = (stream: PassThrough, error: Error): boolean => {
    const derived = new PassThrough();
    tolerateSameErrors(stream, derived);
    try {
      derived.emit('error', error);
      return false;
    } catch (thrown) {
      expect(thrown).to.equal(error);
      return true;
    }
  };

  it('ignores the error that is ignored on the stream itself, and no other', () => {
    const stream = new PassThrough();
    tolerateErrors(stream);
    stream.destroy(failure);
    expect(throws(stream, failure)).to.equal(false);
    expect(throws(stream, new Error('a mistake in map()'))).to.equal(true);
    expect(throws(stream, prematureClose)).to.equal(true);
  });

  it('throws an error that the stream itself throws or gives to the program', () => {
    const stream = new PassThrough().on('error', () => {});
    stream.destroy(failure);
    expect(throws(stream, failure)).to.equal(true);
  });

  it('ignores ERR_STREAM_PREMATURE_CLOSE after the program has destroyed the stream', () => {
    const stream = new PassThrough();
    expect(throws(stream, prematureClose)).to.equal(true);
    stream.destroy();
    expect(throws(stream, prematureClose)).to.equal(false);
    expect(throws(stream, failure)).to.equal(true);
  });

  it('leaves every error to a listener of the program', () => {
    const derived = new PassThrough();
    tolerateSameErrors(new PassThrough(), derived);
    const errors: unknown[] = [];
    derived.on('error', (error) => errors.push(error));
    derived.emit('error', failure);
    expect(errors).to.deep.equal([failure]);
  });
});
