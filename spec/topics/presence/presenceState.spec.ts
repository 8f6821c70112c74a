import { mock } from 'node:test';
import { expect } from 'chai';
import { type PresenceMessage, PresenceState } from '../../../lib/topics/presence/presenceState';

describe('PresenceState', () => {
  let state: PresenceState;
  let changes: unknown[];

  type Content = PresenceMessage extends infer M
    ? M extends PresenceMessage
      ? Omit<M, 'process' | 'at'>
      : never
    : never;

  /** A message of the process A. */
  const receive = (content: Content) => state.receive({ process: 'A', at: Date.now(), ...content } as PresenceMessage);
  const infos = () => [...state.members()].map(({ info }) => info);

  beforeEach(() => {
    mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
    changes = [];
    state = new PresenceState(1000, (change) => changes.push(change));
  });
  afterEach(() => mock.timers.reset());

  it('takes a state in parts when its last part is received', () => {
    receive({ kind: 'state', count: 2, entries: [['A.1', 'Ada']], first: true, more: true });
    expect(infos()).to.deep.equal([]);
    receive({ kind: 'state', count: 2, entries: [['A.2', 'Grace']], first: false, more: false });
    expect(infos()).to.deep.equal(['Ada', 'Grace']);
    expect(changes).to.deep.equal([
      {
        joined: [
          { id: 'A.1', info: 'Ada' },
          { id: 'A.2', info: 'Grace' },
        ],
        left: [],
      },
    ]);
  });

  it('is incomplete from a difference that was missed until a state is received', () => {
    receive({ kind: 'change', count: 1, joined: [['A.1', 'Ada']], left: [] });
    expect(state.isIncomplete).to.equal(false);
    receive({ kind: 'change', count: 3, joined: [['A.3', 'Linus']], left: [] });
    expect([state.isIncomplete, infos()]).to.deep.equal([true, ['Ada']]);
    receive({ kind: 'state', count: 3, entries: [['A.3', 'Linus']], first: true, more: false });
    expect([state.isIncomplete, infos()]).to.deep.equal([false, ['Linus']]);
    expect(changes.at(-1)).to.deep.equal({
      joined: [{ id: 'A.3', info: 'Linus' }],
      left: [{ id: 'A.1', info: 'Ada' }],
    });
  });

  it('forgetCounts(): is incomplete until each process has sent its state', () => {
    receive({ kind: 'change', count: 1, joined: [['A.1', 'Ada']], left: [] });
    state.forgetCounts();
    expect([state.isIncomplete, infos()]).to.deep.equal([true, ['Ada']]);
    receive({ kind: 'state', count: 1, entries: [['A.1', 'Ada']], first: true, more: false });
    expect(state.isIncomplete).to.equal(false);
    // Nothing has changed.
    expect(changes).to.have.lengthOf(1);
  });

  it('ignores messages that are older than the timeout', () => {
    const at = Date.now();
    mock.timers.tick(1001);
    state.receive({ process: 'A', at, kind: 'change', count: 1, joined: [['A.1', 'Ada']], left: [] });
    expect(infos()).to.deep.equal([]);
  });
});
