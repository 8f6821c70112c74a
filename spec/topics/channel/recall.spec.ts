import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Link } from '../../../lib/topics/channel/link';
import { Recall } from '../../../lib/topics/channel/recall';
import { RecentBudget, RecentMessages } from '../../../lib/topics/channel/recent';
import { type Position, toCursor } from '../../../lib/topics/cursor';

const epoch = 'e';
const at = (offset: number): Position => ({ epoch, offset });
const message = (offset: number, data = 'x') => ({ id: toCursor(at(offset)), data, binary: false });
const never = new AbortController().signal;

/** A log with a message at each offset up to that of the live messages, and those above `from` as the recent ones. */
class Rig {
  readonly recent = new RecentMessages(new RecentBudget(), { messages: 100, bytes: 1e6, maxAge: 1e6 });
  readonly recall: Recall;
  /** The cursors after which the broker was read. */
  readonly reads: string[] = [];
  /** Called before each message that the broker gives. */
  beforeMessage = async (_offset: number, _signal: AbortSignal): Promise<void> => {};
  live: Position | undefined;

  constructor(live: number, from = live) {
    this.live = at(live);
    for (let offset = from + 1; offset <= live; offset++) this.recent.add(at(offset - 1), offset, message(offset));
    const broker = { read: (_topic: string, after: string, signal: AbortSignal) => this.#read(after, signal) };
    this.recall = new Recall({ broker } as unknown as Link, 'topic', this.recent, () => this.live);
  }

  async *#read(after: string, signal: AbortSignal) {
    this.reads.push(after);
    for (let offset = Number(after.split(':')[1]) + 1; ; offset++) {
      await this.beforeMessage(offset, signal);
      if (signal.aborted) return;
      yield message(offset);
    }
  }

  /** The offset of the message behind this one, if it is a recent one. */
  next(offset: number): string | undefined {
    return this.recent.next(at(offset))?.id;
  }
}

describe('Recall', () => {
  it('reads once for all members that come back at the same time, from the position that is farthest back', async () => {
    const rig = new Rig(20, 18);
    await Promise.all([15, 12, 19].map((offset) => rig.recall.reach(at(offset), never)));
    expect(rig.reads).to.deep.equal(['e:12']);
    for (let offset = 12; offset < 20; offset++) expect(rig.next(offset)).to.equal(`e:${offset + 1}`);
    expect(rig.next(11)).to.equal(undefined);
  });

  it('reads up to the live messages if there are no recent ones', async () => {
    const rig = new Rig(20);
    await rig.recall.reach(at(17), never);
    expect([17, 18, 19, 20].map((offset) => rig.next(offset))).to.deep.equal(['e:18', 'e:19', 'e:20', undefined]);
  });

  it('reads nothing for a position that the recent messages continue, nor for one of another epoch', async () => {
    const rig = new Rig(20, 10);
    await rig.recall.reach(at(15), never);
    await rig.recall.reach({ epoch: 'other', offset: 5 }, never);
    expect(rig.reads).to.deep.equal([]);
  });

  it('reads nothing for a position at the end: the next message will come by itself', async () => {
    const rig = new Rig(20, 18);
    await rig.recall.reach(at(20), never);
    expect(rig.reads).to.deep.equal([]);
    expect(rig.recent.start).to.deep.equal(at(18));
  });

  it('takes those that come while it reads next', async () => {
    const rig = new Rig(20);
    let later: Promise<void> | undefined;
    rig.beforeMessage = async () => {
      later ??= rig.recall.reach(at(10), never);
    };
    await rig.recall.reach(at(15), never);
    await later;
    expect(rig.reads).to.deep.equal(['e:15', 'e:10']);
    expect(rig.next(10)).to.equal('e:11');
  });

  it('goes on to the recent messages where they are then, if live ones come while it reads', async () => {
    const rig = new Rig(20);
    rig.beforeMessage = async (offset) => {
      if (offset !== 19) return;
      rig.live = at(21);
      rig.recent.add(at(20), 21, message(21));
    };
    await rig.recall.reach(at(17), never);
    expect([17, 20, 21].map((offset) => rig.next(offset))).to.deep.equal(['e:18', 'e:21', undefined]);
  });

  it('gives up where there is no room, and does not try again from there or from farther back', async () => {
    const rig = new Rig(500);
    await rig.recall.reach(at(300), never);
    expect(rig.next(300)).to.equal(undefined);
    for (const offset of [300, 200]) await rig.recall.reach(at(offset), never);
    expect(rig.reads).to.deep.equal(['e:300']);
    await rig.recall.reach(at(450), never);
    expect(rig.next(450)).to.equal('e:451');
  });

  it('resolves without messages if the broker fails, and if the log becomes another one', async () => {
    const rig = new Rig(20);
    rig.beforeMessage = () => Promise.reject(new Error('away'));
    await rig.recall.reach(at(10), never);
    rig.beforeMessage = async () => {
      rig.live = { epoch: 'other', offset: 0 };
    };
    await rig.recall.reach(at(10), never);
    expect(rig.reads).to.have.lengthOf(2);
    expect(rig.recent.start).to.equal(undefined);
  });

  it('stops reading when all members for which it reads have left', async () => {
    const rig = new Rig(20);
    const [one, other] = [new AbortController(), new AbortController()];
    let asked = false;
    rig.beforeMessage = async (_, signal) => {
      asked = true;
      while (!signal.aborted) await nextTurn();
    };
    const reached = Promise.all([one, other].map(({ signal }) => rig.recall.reach(at(10), signal)));
    while (!asked) await nextTurn();
    one.abort();
    let over = false;
    void reached.then(() => {
      over = true;
    });
    for (let i = 0; i < 3; i++) await nextTurn();
    expect(over).to.equal(false);
    other.abort();
    await reached;
    expect(rig.recent.start).to.equal(undefined);
  });
});
