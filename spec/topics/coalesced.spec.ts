import { expect } from 'chai';
import { Coalesced } from '../../lib/topics/coalesced';

/** Questions whose answers the spec gives. */
class Rig {
  readonly asked: string[] = [];
  readonly #answers: { resolve(value: string): void; reject(error: Error): void }[] = [];
  readonly #coalesced = new Coalesced<string>();

  ask(key: string): Promise<string> {
    return this.#coalesced.run(key, () => {
      this.asked.push(key);
      return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
    });
  }

  /** Answers the oldest question. */
  answer(value: string): void {
    this.#answers.shift()?.resolve(value);
  }

  fail(error: Error): void {
    this.#answers.shift()?.reject(error);
  }
}

describe('Coalesced', () => {
  it('asks one question for all calls that are made while another is under way, and asks it after them', async () => {
    const rig = new Rig();
    const first = rig.ask('a');
    const others = [rig.ask('a'), rig.ask('a')];
    expect(rig.asked).to.deep.equal(['a']);
    rig.answer('old');
    expect(await first).to.equal('old');
    expect(rig.asked).to.deep.equal(['a', 'a']);
    const later = rig.ask('a');
    rig.answer('new');
    expect(await Promise.all(others)).to.deep.equal(['new', 'new']);
    rig.answer('newest');
    expect(await later).to.equal('newest');
    expect(rig.asked).to.have.lengthOf(3);
  });

  it('asks at once when nothing is under way, and for each key by itself', async () => {
    const rig = new Rig();
    const all = [rig.ask('a'), rig.ask('b')];
    expect(rig.asked).to.deep.equal(['a', 'b']);
    rig.answer('1');
    rig.answer('2');
    expect(await Promise.all(all)).to.deep.equal(['1', '2']);
    const again = rig.ask('a');
    rig.answer('3');
    expect(await again).to.equal('3');
  });

  it('goes on after a question that fails: only those who have asked it are told', async () => {
    const rig = new Rig();
    const first = rig.ask('a').catch((error) => error);
    const second = rig.ask('a');
    const error = new Error('away');
    rig.fail(error);
    expect(await first).to.equal(error);
    rig.answer('there');
    expect(await second).to.equal('there');
  });
});
