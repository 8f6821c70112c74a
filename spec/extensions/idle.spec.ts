import { expect } from 'chai';
import { IdleTimer, SharedEngines } from '../../lib/extensions/idle';
import { VirtualTime } from '../support/virtualTime';

describe('Idle timers and shared engines', () => {
  let time: VirtualTime;

  beforeEach(() => {
    time = new VirtualTime();
    time.start();
  });

  afterEach(() => time[Symbol.dispose]());

  const pass = (milliseconds: number) => time.pass(milliseconds, milliseconds);

  describe('IdleTimer', () => {
    let calls: number;
    let idle: IdleTimer;

    beforeEach(() => {
      calls = 0;
      idle = new IdleTimer(100, () => calls++);
    });

    it('calls back once, when it was not touched for its delay', async () => {
      await pass(200);
      expect(calls).to.equal(0);
      idle.touch();
      for (let i = 0; i < 3; i++) {
        await pass(60);
        idle.touch();
      }
      expect(calls).to.equal(0);
      await pass(110);
      await pass(110);
      expect(calls).to.equal(1);
    });

    it('tells the first touch, also after it has called back and after stop()', async () => {
      expect([idle.touch(), idle.touch()]).to.deep.equal([true, false]);
      await pass(110);
      expect([idle.touch(), idle.touch()]).to.deep.equal([true, false]);
      idle.stop();
      expect([idle.touch(), idle.touch()]).to.deep.equal([true, false]);
    });

    it('does not call back after stop(), and leaves no timer', () => {
      idle.touch();
      idle.stop();
      expect(time.active.size).to.equal(0);
    });
  });

  describe('SharedEngines', () => {
    /** An engine that notes what is done with it. */
    class Engine {
      readonly done: string[] = [];
      reset = () => void this.done.push('reset');
      close = () => void this.done.push('close');
    }

    let engines: SharedEngines<Engine>;
    const use = (parameters: string) =>
      engines.use(
        parameters,
        () => new Engine(),
        (engine) => {
          engine.done.push('work');
          return engine;
        },
      );

    beforeEach(() => {
      engines = new SharedEngines();
    });

    it('have one for each set of parameters, which is reset after each use', () => {
      const engine = use('small');
      expect([use('small') === engine, use('large') === engine]).to.deep.equal([true, false]);
      expect(engine.done).to.deep.equal(['work', 'reset', 'work', 'reset']);
    });

    it('close one that was not used for half a minute, and make a new one then', async () => {
      const engine = use('small');
      await pass(20_000);
      expect(use('small')).to.equal(engine);
      await pass(20_000);
      expect(engine.done).to.deep.equal(['work', 'reset', 'work', 'reset']);
      await pass(20_000);
      expect(engine.done.at(-1)).to.equal('close');
      expect(use('small')).to.not.equal(engine);
    });

    it('close one that has failed, and throw its error', () => {
      const engine = use('small');
      const failure = new Error('no memory');
      const fail = () => {
        throw failure;
      };
      expect(() => engines.use('small', () => new Engine(), fail)).to.throw(failure);
      expect(engine.done).to.deep.equal(['work', 'reset', 'close']);
      expect(time.active.size).to.equal(0);
      expect(use('small')).to.not.equal(engine);
    });
  });
});
