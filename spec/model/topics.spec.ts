import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { type Resumption, type Topic, type TopicMessage, Topics } from '../../lib/topics';
import { type Position, parseCursor, toCursor } from '../../lib/topics/cursor';
import { fakeBroker } from '../support/fakeBroker';
import { checkSeeds, seeds } from '../support/seeds';
import { spacing, sparse } from '../support/sparseBroker';
import { type TestMember, testMember, until } from '../support/topicMembers';
import type { Dice } from '../support/vectors';

/** All members share it, so that they share what is encoded. */
const format = ({ id, data }: TopicMessage) => `${id} ${data}`;

const last = 'the last one';

/** A member, and after which cursor it has joined. */
interface Joined extends TestMember {
  readonly after: string | undefined;
  reads: boolean;
}

/** Lets it read, if it does not. */
function letRead(member: Joined): void {
  if (!member.reads) member.read();
  member.reads = true;
}

/** A topic whose broker comes and goes, and whose members join, read slowly, and leave. */
class World {
  readonly #dice: Dice;
  readonly #broker = fakeBroker();
  readonly #spacing: number;
  readonly #topics: Topics;
  readonly #topic: Topic;
  readonly #members: Joined[] = [];
  /** The cursors of the messages that were published. */
  readonly #ids: string[] = [];
  #isAway = false;

  constructor(dice: Dice) {
    this.#dice = dice;
    const { driver } = this.#broker;
    const hasGaps = dice.roll(2) === 0;
    this.#spacing = hasGaps ? spacing : 1;
    this.#topics = new Topics({
      broker: hasGaps ? sparse(driver) : driver,
      history: { messages: dice.pick([20, 300, 5000]) },
      initialDelay: 1,
      maxDelay: 3,
      publishTimeout: 0,
    });
    this.#topic = this.#topics.topic('prices');
  }

  async run(steps: number): Promise<void> {
    const actions = [this.publish, this.publish, this.join, this.read, this.leave, this.toggle, this.wait];
    for (let i = 0; i < steps; i++) await this.#dice.pick(actions).call(this);
    if (this.#dice.roll(4) !== 0) return;
    await this.restart();
    for (let i = 0; i < steps; i++) await this.#dice.pick(actions).call(this);
  }

  /** Lets everything go well, until all that are still there have got a message that is published now. */
  async settle(): Promise<void> {
    if (this.#isAway) this.toggle();
    for (const member of this.#members) letRead(member);
    await this.#publishLast();
    // One that reads what a restarted broker has, while the live reader still asks for what it had before, comes back at a later message.
    while (this.#topic.totals.catchingUp > 0) await this.#publishLast();
    await until(() => this.#topics.online);
  }

  /** Resolves when all have got a message that is published now. */
  async #publishLast(): Promise<void> {
    const text = `${last} ${this.#ids.length}`;
    await this.#publishOne(text);
    for (const { received } of this.#members) await until(() => `${received.at(-1)}`.endsWith(text));
  }

  check(): void {
    for (const member of this.#members) this.#checkMember(member);
  }

  async close(): Promise<void> {
    for (const { client } of this.#members) client.abort();
    await this.#topics.close();
  }

  async publish(): Promise<void> {
    const count = this.#dice.pick([1, 10, 200]);
    const text = 'x'.repeat(this.#dice.pick([1, 1000]));
    for (let i = 0; i < count; i++) {
      await this.#publishOne(text);
      if (this.#dice.roll(8) === 0) await nextTurn();
    }
  }

  /** Fails while the broker is away; then there is no such message. */
  async #publishOne(text: string): Promise<void> {
    const id = await this.#topic.publish(text).catch(() => undefined);
    if (id !== undefined) this.#ids.push(id);
  }

  join(): void {
    const reads = this.#dice.roll(2) === 0;
    const member = testMember({ reads });
    const after = this.#dice.pick([undefined, 'start', this.#ids.at(-1), this.#anyId(), this.#anyId()]);
    this.#members.push({ ...member, after, reads });
    const { ws } = member;
    const onResume = ({ lost, after: from }: Resumption) => ws.write(`${lost ?? 'recovered'} ${from}`);
    this.#topic.add(ws, { after, format, onResume });
  }

  #anyId(): string | undefined {
    return this.#ids.length === 0 ? undefined : this.#dice.pick(this.#ids);
  }

  read(): void {
    if (this.#members.length > 0) letRead(this.#dice.pick(this.#members));
  }

  leave(): void {
    if (this.#members.length < 3) return;
    const [member] = this.#members.splice(this.#dice.roll(this.#members.length), 1) as [Joined];
    if (this.#dice.roll(2) === 0) this.#topic.delete(member.ws);
    this.#checkMember(member);
    member.client.abort();
  }

  toggle(): void {
    this.#isAway = !this.#isAway;
    if (this.#isAway) this.#broker.fail();
    else this.#broker.restore();
  }

  /** The broker loses its messages. */
  async restart(): Promise<void> {
    await this.#broker.restart();
    this.#isAway = false;
  }

  async wait(): Promise<void> {
    const turns = this.#dice.pick([1, 5, 50]);
    for (let i = 0; i < turns; i++) await nextTurn();
  }

  /** Each message once, in order, and without a gap, except where the member was told of a loss. */
  #checkMember({ received, after }: Joined): void {
    let before = after === undefined || after === 'start' ? undefined : (parseCursor(after) as Position);
    const losses = new Set<string>();
    for (const message of received) {
      const [id = '', text = ''] = `${message}`.split(' ');
      if (id === 'recovered') continue;
      if (id === 'evicted' || id === 'epoch') {
        losses.add(text);
        continue;
      }
      const { epoch, offset } = parseCursor(id) as Position;
      if (before !== undefined) {
        const isTold = losses.has(toCursor(before));
        if (!isTold)
          expect(id, 'without a gap').to.equal(toCursor({ ...before, offset: before.offset + this.#spacing }));
        else if (epoch === before.epoch) expect(offset, 'in order, and once').to.be.above(before.offset);
      }
      before = { epoch, offset };
    }
  }
}

describe('Members of a topic that come, lag and go, while its broker comes and goes', () => {
  it('get each message once, in order and without a gap, or are told', async function () {
    this.timeout(600_000);
    await checkSeeds(seeds(15, 150), async (dice) => {
      const world = new World(dice);
      try {
        await world.run(40);
        await world.settle();
        world.check();
      } finally {
        await world.close();
      }
    });
  });
});
