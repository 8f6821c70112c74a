import { expect } from 'chai';
import { MessageRate } from '../../lib/limits/messageRate';
import { inVirtualTime, pass } from '../support/virtually';

/** A peer that has more to say at any time. It notes when its messages are read. */
class TalkativePeer {
  readonly readAt: number[] = [];
  #suspended = false;

  suspendReading(): void {
    this.#suspended = true;
  }

  resumeReading(): void {
    this.#suspended = false;
  }

  /** Lets the peer send up to this many messages. */
  send(rate: MessageRate, messages: number, now: number): void {
    for (let i = 0; i < messages && !this.#suspended; i++) {
      this.readAt.push(now);
      rate.count();
    }
  }
}

describe('MessageRate', () => {
  /** The numbers of messages that are read in each of the following seconds, of a peer that always has more. */
  async function perSecond(messagesPerSecond: number, seconds: number): Promise<number[]> {
    const peer = new TalkativePeer();
    await inVirtualTime(async (time) => {
      const rate = new MessageRate(messagesPerSecond, peer, () => time.now);
      while (time.now < seconds * 1000) {
        peer.send(rate, 10_000, time.now);
        await pass(10);
      }
      rate.stop();
    }, 10);
    return Array.from(
      { length: seconds },
      (_, second) => peer.readAt.filter((at) => Math.floor(at / 1000) === second).length,
    );
  }

  it('lets the messages of one second come at once, and then as many per second as the rate', async () => {
    const [first, ...later] = await perSecond(100, 4);
    expect(first).to.be.within(190, 200);
    for (const count of later) expect(count).to.be.within(90, 110);
  });

  it('allows one message at a time if the rate is less than one per second', async () => {
    expect(await perSecond(0.5, 6)).to.deep.equal([1, 0, 1, 0, 1, 0]);
  });

  it('never stops a peer that sends less', () =>
    inVirtualTime(async (time) => {
      const peer = new TalkativePeer();
      const rate = new MessageRate(10, peer, () => time.now);
      for (let i = 0; i < 30; i++) {
        peer.send(rate, 1, time.now);
        await pass(100);
      }
      expect(peer.readAt).to.have.lengthOf(30);
      rate.stop();
    }));

  it('stop(): leaves no timer', () =>
    inVirtualTime(async (time) => {
      const rate = new MessageRate(1, new TalkativePeer(), () => time.now);
      rate.count();
      expect(time.active.size).to.equal(1);
      rate.stop();
      expect(time.active.size).to.equal(0);
    }));
});
