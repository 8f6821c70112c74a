import { expect } from 'chai';
import { RecentBudget, RecentMessages } from '../../../lib/topics/channel/recent';
import { toCursor } from '../../../lib/topics/cursor';

const epoch = 'e';
const unlimited = { messages: 1e6, bytes: Number.POSITIVE_INFINITY, maxAge: Number.POSITIVE_INFINITY };

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
      this.recent.add(before, this.#last, { id: toCursor({ epoch, offset: this.#last }), data, binary: false });
    }
  }

  /** The offset of the message after this one. */
  next(offset: number): number | undefined {
    const message = this.recent.next({ epoch, offset });
    return message && Number(message.id.slice(epoch.length + 1));
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

  it('forgets the oldest of more than 256 messages', () => {
    const rig = new Rig();
    rig.add(1000);
    expect([rig.first, rig.next(7440), rig.next(7430)]).to.deep.equal([7440, 7450, undefined]);
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

  it('forgets nothing twice: messages that their topic has cleared take their place until they are the oldest', () => {
    const budget = new RecentBudget();
    const rig = new Rig({ budget });
    rig.add(8, 'x'.repeat(1000 * 1000));
    rig.recent.clear();
    rig.add(1, 'x'.repeat(1000 * 1000));
    expect(rig.first).to.equal(80);
    rig.add(7, 'x'.repeat(1000 * 1000));
    expect(rig.first).to.equal(80);
    rig.add(1, 'x'.repeat(1000 * 1000));
    expect(rig.first).to.equal(90);
  });
});
