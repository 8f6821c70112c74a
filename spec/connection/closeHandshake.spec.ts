import { expect } from 'chai';
import { CloseHandshake } from '../../lib/connection/closeHandshake';
import type { CloseFrame } from '../../lib/contracts';

const closeFrame = (code: number, reason = ''): CloseFrame => ({ opcode: 'close', code, reason });

describe('CloseHandshake', () => {
  it('begins open: no Close frame sent or received, and no error', () => {
    const session = new CloseHandshake();
    expect([session.closeSent, session.closeReceived, session.complete]).to.deep.equal([false, false, false]);
    expect(session.verdict()).to.equal(undefined);
  });

  it('is complete when we close and the peer answers', () => {
    const session = new CloseHandshake();
    expect(session.close(1000, 'done')).to.deep.equal(closeFrame(1000, 'done'));
    expect([session.closeSent, session.closeReceived, session.complete]).to.deep.equal([true, false, false]);
    session.receive(closeFrame(1000));
    expect([session.closeSent, session.closeReceived, session.complete]).to.deep.equal([true, true, true]);
    expect(session.outcome()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
  });

  it('is complete when the peer closes and we answer', () => {
    const session = new CloseHandshake();
    session.receive(closeFrame(1001, 'bye'));
    expect([session.closeSent, session.closeReceived, session.complete]).to.deep.equal([false, true, false]);
    session.close(1000, '');
    expect([session.closeSent, session.closeReceived, session.complete]).to.deep.equal([true, true, true]);
    expect(session.outcome()).to.deep.equal({ code: 1001, reason: 'bye', wasClean: true });
  });

  it("answers with the peer's code, whatever code was asked for (RFC 6455 §5.5.1)", () => {
    for (const code of [1000, 1001, 1011, 4000]) {
      const session = new CloseHandshake();
      session.receive(closeFrame(code, 'a reason'));
      expect(session.close(3000, 'ours')).to.deep.equal(closeFrame(code));
    }
  });

  it('answers a Close frame without a code by one without a code', () => {
    const session = new CloseHandshake();
    session.receive(closeFrame(1005));
    expect(session.close(1000, '')).to.deep.equal(closeFrame(1005));
  });

  it('sends one Close frame, also if close() is called again', () => {
    const closed = new CloseHandshake();
    closed.close(1000, '');
    expect(closed.close(1011, 'again')).to.equal(undefined);
    closed.receive(closeFrame(1000));
    expect(closed.close(1011, 'again')).to.equal(undefined);

    const answered = new CloseHandshake();
    answered.receive(closeFrame(1000));
    answered.close(1000, '');
    expect(answered.close(1000, '')).to.equal(undefined);
  });

  it('uses the first Close frame of a peer that sends two', () => {
    const session = new CloseHandshake();
    session.receive(closeFrame(1000, 'first'));
    session.receive(closeFrame(4000, 'second'));
    expect(session.outcome()).to.deep.equal({ code: 1000, reason: 'first', wasClean: false });
    session.close(1000, '');
    session.receive(closeFrame(4000, 'third'));
    expect(session.outcome()).to.deep.equal({ code: 1000, reason: 'first', wasClean: true });
  });

  it('repeats the body of a Close frame in the answer, in versions that keep it (hybi-03 §4.3)', () => {
    const withBody = (body: string) => ({ ...closeFrame(1005), body: Buffer.from(body) });
    const answering = new CloseHandshake();
    answering.receive(withBody('body'));
    expect(answering.close(1000, '')).to.deep.equal(withBody('body'));

    const closing = new CloseHandshake();
    closing.close(1000, '');
    expect(closing.receive(withBody('body'))).to.deep.equal(withBody('body'));

    const answered = new CloseHandshake();
    answered.close(1000, '');
    expect(answered.receive(withBody(''))).to.equal(undefined);
  });

  describe('outcome()', () => {
    it('is 1006 if no Close frame was received', () => {
      expect(new CloseHandshake().outcome()).to.deep.equal({ code: 1006, reason: '', wasClean: false });
    });

    it('is 1006 if our Close frame was not answered', () => {
      const session = new CloseHandshake();
      session.close(4000, 'anybody there?');
      expect(session.outcome()).to.deep.equal({ code: 1006, reason: '', wasClean: false });
    });

    it('is not clean if our answer was not sent', () => {
      const session = new CloseHandshake();
      session.receive(closeFrame(4001, 'bye'));
      expect(session.outcome()).to.deep.equal({ code: 4001, reason: 'bye', wasClean: false });
    });

    it("has the peer's code if both sides closed at the same time", () => {
      const session = new CloseHandshake();
      session.close(1001, 'ours');
      session.receive(closeFrame(4002, 'theirs'));
      expect(session.outcome()).to.deep.equal({ code: 4002, reason: 'theirs', wasClean: true });
    });
  });

  describe('verdict()', () => {
    for (const code of [1000, 1001, 1005]) {
      it(`is undefined after ${code}`, () => {
        const session = new CloseHandshake();
        session.receive(closeFrame(code));
        expect(session.verdict()).to.equal(undefined);
        session.close(1000, '');
        expect(session.verdict()).to.equal(undefined);
      });
    }

    for (const code of [1002, 1003, 1007, 1008, 1009, 1011, 1012, 3000, 4000]) {
      it(`is an error after ${code}`, () => {
        const session = new CloseHandshake();
        session.receive(closeFrame(code, 'a "reason"'));
        const error = session.verdict();
        expect([error?.code, error?.closeCode]).to.deep.equal(['WS_ERR_CLOSED_BY_PEER', code]);
        expect(error?.message).to.include(String(code)).and.to.include('reason');
        // Answering changes nothing in that.
        session.close(1000, '');
        expect(session.verdict()?.closeCode).to.equal(code);
      });
    }

    it('is undefined if the peer answers with our code', () => {
      const session = new CloseHandshake();
      session.close(4000, 'enough');
      expect(session.verdict()).to.equal(undefined);
      session.receive(closeFrame(4000));
      expect(session.verdict()).to.equal(undefined);
    });

    it('is an error if the peer answers with another code', () => {
      const session = new CloseHandshake();
      session.close(1000, '');
      session.receive(closeFrame(1011));
      expect(session.verdict()?.closeCode).to.equal(1011);
    });

    it('is an error that names only the code if the peer has given no reason', () => {
      const session = new CloseHandshake();
      session.receive(closeFrame(1011));
      expect(session.verdict()?.message).to.include('1011').and.to.not.include('""');
    });

    it('is an error on one line if the reason has line breaks', () => {
      const session = new CloseHandshake();
      session.receive(closeFrame(4000, 'first\nsecond'));
      expect(session.verdict()?.message).to.not.include('\n');
    });
  });
});
