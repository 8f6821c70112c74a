import { expect } from 'chai';
import { RecentBudget, RecentMessages } from '../../../lib/topics/channel/recent';
import { toCursor } from '../../../lib/topics/cursor';
import { retainedBytes } from '../../support/garbage';

const epoch = 'e';
const unlimited = { messages: 1e6, bytes: Number.POSITIVE_INFINITY, maxAge: Number.POSITIVE_INFINITY };

const message = (offset: number, data = 'x') => ({ id: toCursor({ epoch, offset }), data, binary: false });

/** The recent messages of a topic whose offsets grow by ten, beginning after the offset 0. */
class Rig {
  readonly recent: RecentMessages;
  /** The time in milliseconds. */
  time = 0;
  #last = 0;

  constructor({ limits = unlimited, budget = new RecentBudget() } = {}) {
    this.recent = new RecentMessages(budget, limits, () => this.time);
  }

  add(count: number, data = 'x'): void {
    for (let i = 0; i < count; i++) {
      const before = { epoch, offset: this.#last };
      this.#last += 10;
      this.recent.add(before, this.#last, message(this.#last, data));
    }
  }

  /** The offset of the message after this one. */
  next(offset: number): number | undefined {
    const next = this.recent.next({ epoch, offset });
    return next && Number(next.id.slice(epoch.length + 1));
  }

  /** The least offset that can be continued after. */
  get first(): number {
    for (let offset = 0; offset < this.#last; offset += 10) if (this.next(offset) !== undefined) return offset;
    return this.#last;
  }
}

describe('RecentMessages', () => {
  it('gives the message after each position that it has all messages after', () => {
    const rig = new Rig();
    rig.add(3);
    expect([0, 10, 20].map((offset) => rig.next(offset))).to.deep.equal([10, 20, 30]);
    expect(rig.recent.continues({ epoch, offset: 20 })).to.equal(true);
  });

  it('gives nothing after the last one, between two, before the first, and in another epoch', () => {
    const rig = new Rig();
    expect(rig.next(0)).to.equal(undefined);
    rig.add(3);
    expect([30, 40, 15, -10].map((offset) => rig.next(offset))).to.deep.equal(new Array(4).fill(undefined));
    expect(rig.recent.next({ epoch: 'other', offset: 10 })).to.equal(undefined);
    expect(rig.recent.continues({ epoch, offset: 30 })).to.equal(false);
  });

  it('forgets the oldest of more than 1,000 messages', () => {
    const rig = new Rig();
    rig.add(1744);
    expect([rig.first, rig.next(7440), rig.next(7430)]).to.deep.equal([7440, 7450, undefined]);
  });

  it('begins at the position before its first message, and nowhere without one', () => {
    const rig = new Rig();
    expect(rig.recent.start).to.equal(undefined);
    rig.add(2);
    expect(rig.recent.start).to.deep.equal({ epoch, offset: 0 });
    rig.recent.forgetUntil(10);
    expect(rig.recent.start).to.deep.equal({ epoch, offset: 10 });
  });

  it('takes what was read again of the messages before its own, and forgets them first', () => {
    const rig = new Rig();
    rig.recent.add({ epoch, offset: 30 }, 40, message(40));
    rig.recent.prepend({ epoch, offset: 5 }, [message(10), message(30)]);
    expect([5, 10, 30, 40, 0].map((offset) => rig.next(offset))).to.deep.equal([10, 30, 40, undefined, undefined]);
    rig.recent.forgetUntil(10);
    expect([5, 10].map((offset) => rig.next(offset))).to.deep.equal([undefined, 30]);
  });

  it('has room for as many messages and bytes as the history, and no more than a mebibyte', () => {
    const { recent } = new Rig({ limits: { messages: 5, bytes: 2_000_000, maxAge: Number.POSITIVE_INFINITY } });
    recent.add({ epoch, offset: 0 }, 10, message(10, 'x'.repeat(1_000_000)));
    expect([recent.hasRoomFor(4, 1), recent.hasRoomFor(5, 1)]).to.deep.equal([true, false]);
    expect([recent.hasRoomFor(1, 1_000_000), recent.hasRoomFor(1, 1_000_001)]).to.deep.equal([true, false]);
    const unbounded = new Rig().recent;
    expect([unbounded.hasRoomFor(1000, 2 ** 20), unbounded.hasRoomFor(1, 2 ** 20 + 1)]).to.deep.equal([true, false]);
  });

  it('keeps no more messages and bytes than the history of the topic', () => {
    const ofMessages = new Rig({ limits: { ...unlimited, messages: 5 } });
    ofMessages.add(20);
    expect(ofMessages.first).to.equal(150);

    const ofBytes = new Rig({ limits: { ...unlimited, bytes: 99 } });
    ofBytes.add(20, 'x'.repeat(20));
    expect(ofBytes.first).to.equal(160);
    ofBytes.add(1, 'x'.repeat(100));
    expect(ofBytes.first).to.equal(210);
  });

  it('forgets messages of the age at which they leave the history', () => {
    const rig = new Rig({ limits: { ...unlimited, maxAge: 1000 } });
    rig.add(1);
    rig.time = 600;
    rig.add(1);
    const firsts = [999, 1000, 1599, 1600].map((time) => {
      rig.time = time;
      return rig.first;
    });
    expect(firsts).to.deep.equal([0, 10, 10, 20]);
  });

  it('forgets all when it is cleared, and begins anew', () => {
    const rig = new Rig();
    rig.add(2);
    rig.recent.clear();
    expect(rig.first).to.equal(20);
    rig.add(1);
    expect([rig.next(10), rig.next(20)]).to.deep.equal([undefined, 30]);
  });
});

describe('RecentBudget', () => {
  it('holds the bytes of all topics together: the oldest messages are forgotten, of whatever topic they are', () => {
    const budget = new RecentBudget();
    const quiet = new Rig({ budget });
    const busy = new Rig({ budget });
    const mebibyte = 'x'.repeat(1024 * 1024);
    quiet.add(3, mebibyte);
    busy.add(4, mebibyte);
    expect([quiet.first, busy.first]).to.deep.equal([0, 0]);
    busy.add(1, mebibyte);
    expect([quiet.first, busy.first]).to.deep.equal([10, 0]);
    busy.add(3, mebibyte);
    expect([quiet.first, busy.first]).to.deep.equal([30, 10]);
  });

  it('does not count what a topic has cleared, or forgotten because of its own limits', () => {
    const budget = new RecentBudget();
    const quiet = new Rig({ budget });
    const busy = new Rig({ budget, limits: { ...unlimited, messages: 2 } });
    const cleared = new Rig({ budget });
    const mebibyte = 'x'.repeat(1024 * 1024);
    quiet.add(1);
    for (let i = 0; i < 1000; i++) {
      busy.add(2, mebibyte);
      cleared.add(4, mebibyte);
      cleared.recent.clear();
    }
    expect([quiet.first, busy.first]).to.deep.equal([0, 19_980]);
  });

  it('keeps neither the messages nor the entries that their topics have forgotten', async () => {
    const budget = new RecentBudget();
    const busy = new Rig({ budget, limits: { ...unlimited, messages: 2 } });
    busy.add(2000);
    const before = await retainedBytes();
    for (let i = 0; i < 200; i++) busy.add(1000, `${'x'.repeat(1000)}${i}`);
    expect((await retainedBytes()) - before).to.be.below(500_000);
    expect(busy.first).to.be.above(0);
  });

  it('forgets the oldest also while messages are prepended, and leaves no gap', () => {
    const budget = new RecentBudget();
    const rig = new Rig({ budget });
    const mebibyte = 'x'.repeat(1024 * 1024);
    for (let offset = 1000; offset < 1070; offset += 10)
      rig.recent.add({ epoch, offset: offset - 10 }, offset, message(offset, mebibyte));
    // There is room for 7 mebibytes: the first of the live messages is the oldest, and what is before it goes with it.
    rig.recent.prepend({ epoch, offset: 960 }, [message(970, 'x'.repeat(900_000)), message(990, 'x'.repeat(148_000))]);
    expect(rig.recent.start).to.deep.equal({ epoch, offset: 1000 });
    expect([990, 1000, 1050].map((offset) => rig.next(offset))).to.deep.equal([undefined, 1010, 1060]);
    rig.recent.add({ epoch, offset: 1060 }, 1070, message(1070));
    expect(rig.next(1000)).to.equal(1010);
  });
});
