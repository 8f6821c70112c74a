import { expect } from 'chai';
import { type CloseChannel, CloseSequence, type CloseSequenceOwner } from '../../lib/connection/closeSequence';
import type { CloseFrame, Role } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { settingsFor } from '../../lib/options';
import { hixie75 } from '../../lib/versions/hixie75';
import { rfc6455 } from '../../lib/versions/rfc6455';
import { VirtualTime } from '../support/virtualTime';

const closeFrame = (code: number, reason = ''): CloseFrame => ({ opcode: 'close', code, reason });

/** A byte stream that notes what is asked of it. What is sent has left when `letLeave()` is called. */
class FakeChannel implements CloseChannel {
  readonly events: string[] = [];
  readonly input = { inMessage: false };
  isDisconnected = false;
  isDestroyed = false;
  isClosed = false;
  readonly #callbacks: (((error?: Error | null) => void) | undefined)[] = [];
  readonly output = {
    isWritable: true,
    bufferedAmount: 0,
    hasUnsent: false,
    send: ({ code, reason }: CloseFrame, callback?: (error?: Error | null) => void) => {
      this.events.push(`send ${code}${reason}`);
      this.#callbacks.push(callback);
    },
  };

  letLeave(error?: Error): void {
    for (const callback of this.#callbacks.splice(0)) callback?.(error);
  }
  discard(): void {
    this.events.push('discard');
  }
  reset(): void {
    this.events.push('reset');
    this.output.isWritable = false;
    this.isDestroyed = true;
  }
  finish(afterPeer: boolean): void {
    this.events.push(afterPeer ? 'finish after the peer' : 'finish');
  }
}

/** Notes what is reported. `isReading`: messages that came before a failure are still being read. */
class FakeOwner implements CloseSequenceOwner {
  isReading = false;
  readonly events: string[] = [];

  peerClosed(): void {
    this.events.push('peerClosed');
  }
  answerOverdue(isAnswered: boolean): void {
    this.events.push(isAnswered ? 'answered for the program' : 'not answered');
  }
  failed({ code }: WebSocketError): boolean {
    this.events.push(`failed with ${code}`);
    return this.isReading;
  }
}

describe('CloseSequence', () => {
  const closeTimeout = 20_000;
  let time: VirtualTime;
  let channel: FakeChannel;
  let owner: FakeOwner;
  let end: CloseSequence;

  const make = (role: Role, { version = '13', wire = rfc6455 } = {}) => {
    channel = new FakeChannel();
    owner = new FakeOwner();
    const agreement = { version: version as '13', extensions: '' };
    end = new CloseSequence(channel, settingsFor({ closeTimeout }, role, agreement, wire.capabilities), owner);
  };

  beforeEach(() => {
    time = new VirtualTime();
    time.start();
    make('server');
  });
  afterEach(() => time[Symbol.dispose]());

  const pass = (milliseconds: number) => time.pass(milliseconds, 1000);

  const lost = () => new WebSocketError('WS_ERR_CONNECTION_LOST');

  describe('when the program closes first', () => {
    it('sends its Close frame once, and waits for the answer', () => {
      end.close(4000, ' bye');
      end.close(1000, '');
      expect(channel.events).to.deep.equal(['send 4000 bye']);
      expect([end.closeSent, end.isAwaited, end.outcome]).to.deep.equal([true, false, undefined]);
    });

    it('ends the byte stream of a server after the answer', () => {
      end.close(1000, '');
      end.receiveClose(closeFrame(1000));
      expect(channel.events).to.deep.equal(['send 1000', 'finish']);
      expect(owner.events).to.deep.equal(['peerClosed']);
    });

    it('lets the server end the byte stream of a client (RFC 6455 §7.1.1)', () => {
      make('client');
      end.close(1000, '');
      end.receiveClose(closeFrame(1000));
      expect(channel.events).to.deep.equal(['send 1000', 'finish after the peer']);
    });

    it('resets the byte stream if the answer is not received within closeTimeout after our Close frame was sent', async () => {
      end.close(1000, '');
      await pass(15_000);
      channel.letLeave();
      await pass(19_000);
      expect(channel.events).to.deep.equal(['send 1000']);
      await pass(2000);
      expect(channel.events).to.deep.equal(['send 1000', 'reset', 'discard']);
      expect(owner.events).to.deep.equal(['failed with WS_ERR_CLOSE_TIMEOUT']);
      await pass(2 * closeTimeout);
      expect(owner.events).to.have.lengthOf(1);
    });

    it('counts closeTimeout from the last progress until our Close frame was sent, and not after that', async () => {
      end.close(1000, '');
      for (let i = 0; i < 5; i++) {
        await pass(15_000);
        end.progressed();
      }
      expect(owner.events).to.deep.equal([]);
      channel.letLeave();
      await pass(15_000);
      end.progressed();
      await pass(6000);
      expect(owner.events).to.deep.equal(['failed with WS_ERR_CLOSE_TIMEOUT']);
    });

    it('sends and records no Close frame if the byte stream is not writable', () => {
      channel.output.isWritable = false;
      end.close(1000, '');
      expect([channel.events, end.closeSent]).to.deep.equal([[], false]);
    });

    it('ends the byte stream at once in a version without Close frames', () => {
      make('client', { version: 'draft75', wire: hixie75 });
      end.close(1000, '');
      channel.letLeave();
      expect(channel.events).to.deep.equal(['send 1000', 'finish']);
      expect([owner.events, end.outcome]).to.deep.equal([['peerClosed'], { code: 1005, reason: '', wasClean: true }]);
    });
  });

  describe('when the peer closes first', () => {
    it("answers with the peer's code when the program ends, and ends the byte stream", () => {
      end.receiveClose(closeFrame(1001));
      expect([channel.events, owner.events, end.isAwaited]).to.deep.equal([[], ['peerClosed'], true]);
      end.close(1000, '');
      end.progressed();
      expect(channel.events).to.deep.equal(['send 1001', 'finish']);
    });

    it('answers for the program after half of closeTimeout, also if bytes were sent in that time', async () => {
      end.receiveClose(closeFrame(1000));
      await pass(8000);
      end.progressed();
      await pass(1000);
      expect(channel.events).to.deep.equal([]);
      await pass(1000);
      expect(channel.events).to.deep.equal(['send 1000', 'finish']);
      expect(owner.events).to.deep.equal(['peerClosed', 'answered for the program']);
    });

    it('counts from the last progress once the program has ended', async () => {
      end.receiveClose(closeFrame(1000));
      end.programEnded();
      for (let i = 0; i < 5; i++) {
        await pass(9000);
        end.progressed();
      }
      expect(channel.events).to.deep.equal([]);
      await pass(11_000);
      expect(owner.events).to.deep.equal(['peerClosed', 'answered for the program']);
    });

    it('does not say that it has answered for the program if the byte stream accepts no more bytes', async () => {
      end.receiveClose(closeFrame(1000));
      channel.output.isWritable = false;
      await pass(10_000);
      expect([channel.events, end.closeSent]).to.deep.equal([[], false]);
      expect(owner.events).to.deep.equal(['peerClosed', 'not answered']);
    });

    for (const isReadLate of [false, true])
      it(`limits the time for an answer of the program also if the byte stream closes ${isReadLate ? 'before' : 'after'} its Close frame is read`, async () => {
        const received = () => end.receiveClose(closeFrame(1000));
        if (!isReadLate) received();
        channel.output.isWritable = false;
        channel.isDisconnected = true;
        end.disconnected();
        if (isReadLate) received();
        await pass(closeTimeout / 2);
        expect([channel.events, owner.events]).to.deep.equal([[], ['peerClosed', 'not answered']]);
        expect(time.active.size).to.equal(0);
      });

    for (const [what, leave] of [
      ['end()', () => end.programEnded()],
      ['destroy()', () => end.leave(1011)],
      ['abort()', () => end.abort()],
    ] as const)
      it(`has no deadline left after the byte stream has closed, and the program has called ${what}`, () => {
        end.receiveClose(closeFrame(1000));
        channel.output.isWritable = false;
        channel.isDisconnected = true;
        channel.isDestroyed = true;
        end.disconnected();
        expect(time.active.size).to.equal(1);
        leave();
        expect(time.active.size).to.equal(0);
      });

    it('fails with the close code if it is not clean, and answers it', () => {
      end.receiveClose(closeFrame(4000));
      expect(owner.events).to.deep.equal(['failed with WS_ERR_CLOSED_BY_PEER']);
      expect(channel.events).to.deep.equal(['discard', 'send 4000', 'finish']);
      channel.letLeave();
      expect(end.outcome).to.deep.equal({ code: 4000, reason: '', wasClean: true });
    });

    it('fails with WS_ERR_TRUNCATED in the middle of a message, and answers', () => {
      channel.input.inMessage = true;
      end.receiveClose(closeFrame(1000));
      expect(owner.events).to.deep.equal(['failed with WS_ERR_TRUNCATED']);
      expect(channel.events).to.deep.equal(['discard', 'send 1000', 'finish']);
    });

    it('does not fail when the peer ends its byte stream after its Close frame', () => {
      end.receiveClose(closeFrame(1000));
      end.inputEnded(undefined);
      expect(owner.events).to.deep.equal(['peerClosed']);
    });

    it('fails when the byte stream is reset before the answer', () => {
      end.receiveClose(closeFrame(1000));
      end.inputEnded(lost());
      expect(owner.events).to.deep.equal(['peerClosed', 'failed with WS_ERR_CONNECTION_LOST']);
    });
  });

  describe('when the program has ended, and its Close frame waits for messages', () => {
    it('resets the byte stream if no bytes are sent for closeTimeout', async () => {
      channel.output.bufferedAmount = 5;
      end.programEnded();
      await pass(19_000);
      end.progressed();
      await pass(19_000);
      expect(channel.events).to.deep.equal([]);
      await pass(2000);
      expect(channel.events).to.deep.equal(['reset', 'discard']);
      expect(owner.events).to.deep.equal(['failed with WS_ERR_CLOSE_TIMEOUT']);
    });

    it("waits for the program's own source as long as no bytes wait for the peer", async () => {
      end.programEnded();
      await pass(5 * closeTimeout);
      expect([channel.events, owner.events]).to.deep.equal([[], []]);
      channel.output.bufferedAmount = 5;
      await pass(closeTimeout);
      expect(owner.events).to.deep.equal(['failed with WS_ERR_CLOSE_TIMEOUT']);
    });

    it('starts no deadline after both sides have closed, or the byte stream has closed', () => {
      end.receiveClose(closeFrame(1000));
      end.close(1000, '');
      end.programEnded();
      expect(time.delays).to.deep.equal([]);

      make('server');
      channel.isDisconnected = true;
      end.programEnded();
      expect(time.delays).to.deep.equal([]);
    });

    it("keeps its deadline when the peer's Close frame is received", () => {
      end.programEnded();
      end.receiveClose(closeFrame(1000));
      expect(time.delays).to.deep.equal([closeTimeout]);
    });
  });

  describe('when the peer, or the transport, fails', () => {
    it('sends the close code of the error, and ends the byte stream', () => {
      end.fail(new WebSocketError('WS_ERR_INVALID_UTF8'));
      expect(channel.events).to.deep.equal(['discard', 'send 1007', 'finish']);
      expect(owner.events).to.deep.equal(['failed with WS_ERR_INVALID_UTF8']);
    });

    it('sends no Close frame if the connection was lost: the code 1006 is never sent (RFC 6455 §7.4.1)', () => {
      end.inputEnded(undefined);
      expect(channel.events).to.deep.equal(['discard', 'finish']);
      expect(owner.events).to.deep.equal(['failed with WS_ERR_CONNECTION_LOST']);
    });

    it('reports the first failure only', () => {
      end.fail(new WebSocketError('WS_ERR_INVALID_UTF8'));
      end.fail(lost());
      end.inputEnded(lost());
      expect(owner.events).to.deep.equal(['failed with WS_ERR_INVALID_UTF8']);
    });

    it('resets the byte stream if our Close frame was sent before', () => {
      end.close(1000, '');
      end.fail(new WebSocketError('WS_ERR_INVALID_UTF8'));
      expect(channel.events).to.deep.equal(['send 1000', 'discard', 'reset']);
    });

    it('sends the close code at leave() if earlier messages are still being read', () => {
      owner.isReading = true;
      end.fail(new WebSocketError('WS_ERR_INVALID_UTF8'));
      expect(channel.events).to.deep.equal(['discard']);
      end.leave(1011);
      expect(channel.events).to.deep.equal(['discard', 'send 1007', 'finish', 'discard']);
    });

    it('has the outcome 1006 at once, also while earlier messages are read', () => {
      owner.isReading = true;
      end.fail(lost());
      expect(end.outcome).to.deep.equal({ code: 1006, reason: '', wasClean: false });
    });

    it('starts no deadline if earlier messages are read after the byte stream has closed', () => {
      channel.isDisconnected = true;
      owner.isReading = true;
      end.fail(lost());
      expect(time.delays).to.deep.equal([]);
    });

    it('sends the close code after closeTimeout if earlier messages are read for longer', async () => {
      owner.isReading = true;
      end.fail(new WebSocketError('WS_ERR_INVALID_UTF8'));
      await pass(closeTimeout);
      expect(channel.events).to.deep.equal(['discard', 'send 1007', 'finish']);
      end.leave(1011);
      expect(channel.events).to.deep.equal(['discard', 'send 1007', 'finish', 'discard']);
    });

    it('does not fail at the end of the byte stream in a version without Close frames', () => {
      make('server', { version: 'draft75', wire: hixie75 });
      end.inputEnded(undefined);
      expect([owner.events, end.isAwaited]).to.deep.equal([['peerClosed'], true]);
    });

    it('fails when the byte stream is reset in a version without Close frames', () => {
      make('server', { version: 'draft75', wire: hixie75 });
      end.inputEnded(lost());
      expect(owner.events).to.deep.equal(['failed with WS_ERR_CONNECTION_LOST']);
    });
  });

  describe('leave()', () => {
    it('sends the code, and ends the byte stream', () => {
      end.leave(1011);
      expect(channel.events).to.deep.equal(['send 1011', 'finish', 'discard']);
      expect(end.outcome).to.deep.equal({ code: 1006, reason: '', wasClean: false });
    });

    it("answers a peer that has closed first with the peer's code", () => {
      end.receiveClose(closeFrame(1000));
      end.leave(1011);
      expect(channel.events).to.deep.equal(['send 1000', 'finish', 'discard']);
    });

    it('ends the byte stream after our Close frame if that was not answered', () => {
      end.close(1000, '');
      end.leave(1011);
      expect(channel.events).to.deep.equal(['send 1000', 'finish', 'discard']);
    });

    it('only discards after both sides have closed', () => {
      end.receiveClose(closeFrame(1000));
      end.close(1000, '');
      end.leave(1011);
      expect(channel.events).to.deep.equal(['send 1000', 'finish', 'discard']);
    });

    it('stops the deadline, and reports no later failure', async () => {
      end.programEnded();
      channel.output.bufferedAmount = 5;
      end.leave(1001);
      end.inputEnded(lost());
      await pass(2 * closeTimeout);
      expect(owner.events).to.deep.equal([]);
      expect(channel.events).to.deep.equal(['send 1001', 'finish', 'discard']);
    });

    it('does nothing to a byte stream that is destroyed', () => {
      channel.isDestroyed = true;
      end.leave(1011);
      expect(channel.events).to.deep.equal(['discard']);
    });
  });

  it('abort(): resets the byte stream without a Close frame, and reports nothing', async () => {
    end.programEnded();
    end.abort();
    end.inputEnded(lost());
    end.disconnected();
    await pass(2 * closeTimeout);
    expect([channel.events, owner.events]).to.deep.equal([['reset'], []]);
  });

  it('disconnected(): stops the deadline, which does not start again', async () => {
    end.close(1000, '');
    end.disconnected();
    channel.letLeave();
    end.progressed();
    await pass(2 * closeTimeout);
    expect(owner.events).to.deep.equal([]);
  });

  describe('outcome', () => {
    it('is undefined while the connection is open', () => {
      end.programEnded();
      expect(end.outcome).to.equal(undefined);
    });

    it('is clean only when our Close frame was sent', () => {
      end.receiveClose(closeFrame(1000, 'done'));
      end.close(1000, '');
      expect(end.outcome).to.deep.equal({ code: 1000, reason: 'done', wasClean: false });
      channel.letLeave();
      expect(end.outcome).to.deep.equal({ code: 1000, reason: 'done', wasClean: true });
    });

    it('is not clean if our Close frame could not be sent, and wasCutOff is true if messages before it could not', () => {
      end.receiveClose(closeFrame(1000));
      channel.output.bufferedAmount = 5;
      end.close(1000, '');
      channel.letLeave(new Error('reset'));
      expect(end.wasCutOff).to.equal(false);
      channel.isDisconnected = true;
      expect(end.outcome).to.deep.equal({ code: 1000, reason: '', wasClean: false });
      expect(end.wasCutOff).to.equal(true);
    });

    it('is not clean without our Close frame, and wasCutOff is true if messages could not be sent', () => {
      channel.output.hasUnsent = true;
      end.receiveClose(closeFrame(1000));
      expect(end.wasCutOff).to.equal(false);
      channel.isDisconnected = true;
      expect([end.outcome?.wasClean, end.wasCutOff]).to.deep.equal([false, true]);
      channel.output.hasUnsent = false;
      expect([end.outcome?.wasClean, end.wasCutOff]).to.deep.equal([false, false]);
    });

    it('wasCutOff is also known if the Close frame of the peer is read after the byte stream has closed', () => {
      channel.output.hasUnsent = channel.isDisconnected = true;
      end.programEnded();
      expect(end.wasCutOff).to.equal(false);
      end.receiveClose(closeFrame(1000));
      expect(end.wasCutOff).to.equal(true);
    });

    it('wasCutOff is false after abort(): the program itself has given up its messages', () => {
      channel.output.hasUnsent = true;
      end.receiveClose(closeFrame(1000));
      end.abort();
      channel.isDisconnected = true;
      expect(end.wasCutOff).to.equal(false);
    });

    it('is not clean if only our Close frame could not be sent, and wasCutOff is false', () => {
      end.receiveClose(closeFrame(1000));
      end.close(1000, '');
      channel.letLeave(new Error('reset'));
      channel.isDisconnected = true;
      expect([end.outcome?.wasClean, end.wasCutOff]).to.deep.equal([false, false]);
    });

    it('is 1006 without a Close frame of the peer', () => {
      end.close(1000, '');
      channel.letLeave();
      channel.isClosed = true;
      expect(end.outcome).to.deep.equal({ code: 1006, reason: '', wasClean: false });
      expect(end.wasCutOff).to.equal(false);
    });
  });

  it('repeats the body of a Close frame that answers ours, if the version requires it (hybi-03 §4.3)', () => {
    end.close(1000, '');
    end.receiveClose({ ...closeFrame(1005), body: Buffer.from('body') });
    expect(channel.events).to.deep.equal(['send 1000', 'send 1005', 'finish']);
  });
});
