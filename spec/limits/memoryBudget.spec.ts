import { expect } from 'chai';
import { type Holder, MemoryBudget } from '../../lib/limits/memoryBudget';
import type { WebSocketError } from '../../lib/webSocketHandler';
import { inVirtualTime, pass } from '../support/virtually';

/** A WebSocket that notes what is done with it. */
class FakeConnection implements Holder {
  held: number;
  paused = false;
  error: WebSocketError | undefined;
  aborted = false;
  readonly _core: Holder['_core'];

  constructor(held: number, isOpen = true) {
    this.held = held;
    const size = () => this.held;
    const reading = {
      // Two thirds wait to be read and to be sent, and one has been received in part.
      get partialSize() {
        return size() / 3;
      },
      suspendReading: () => {
        this.paused = true;
      },
      resumeReading: () => {
        this.paused = false;
      },
    };
    this._core = {
      readQueue: {
        get cost() {
          return size() / 3;
        },
      },
      writeQueue: {
        get bufferedAmount() {
          return isOpen ? size() / 3 : size();
        },
      },
      connection: isOpen ? reading : undefined,
      fail: (error) => {
        this.error = error;
      },
    };
  }

  abort(): void {
    this.aborted = true;
  }
}

/** Runs a budget of 1,000 bytes for these connections. */
function budgeted(connections: FakeConnection[], work: (budget: MemoryBudget) => Promise<void>): Promise<void> {
  return inVirtualTime(async () => {
    const budget = new MemoryBudget(1000, connections);
    budget.start();
    await work(budget);
    budget.stop();
  });
}

describe('MemoryBudget', () => {
  it('does nothing below the budget', () => {
    const connections = [new FakeConnection(600), new FakeConnection(400)];
    return budgeted(connections, async () => {
      await pass(5000);
      for (const { paused, error } of connections)
        expect({ paused, error }).to.deep.equal({ paused: false, error: undefined });
    });
  });

  it('pauses as many of the heaviest connections as exceed the budget', () => {
    const light = new FakeConnection(300);
    const heavy = new FakeConnection(500);
    const heaviest = new FakeConnection(600);
    return budgeted([light, heavy, heaviest], async () => {
      await pass(200);
      expect([light.paused, heavy.paused, heaviest.paused]).to.deep.equal([false, false, true]);
    });
  });

  it('lets them go on when four fifths of the budget are enough', () => {
    const one = new FakeConnection(600);
    const other = new FakeConnection(500);
    return budgeted([one, other], async () => {
      await pass(200);
      one.held = 400;
      await pass(200);
      expect(one.paused).to.equal(true);
      one.held = 300;
      await pass(200);
      expect(one.paused).to.equal(false);
    });
  });

  it('lets them go on when the budget has been enough for a second', () => {
    const one = new FakeConnection(600);
    const other = new FakeConnection(500);
    return budgeted([one, other], async () => {
      await pass(200);
      one.held = 450;
      await pass(800);
      expect(one.paused).to.equal(true);
      await pass(500);
      expect(one.paused).to.equal(false);
    });
  });

  it('closes a connection that has been paused for a second to no avail, and only that', () => {
    const light = new FakeConnection(300);
    const heavy = new FakeConnection(800);
    return budgeted([light, heavy], async () => {
      await pass(1000);
      expect(heavy.error).to.equal(undefined);
      await pass(300);
      expect(heavy.error?.code).to.equal('WS_ERR_MEMORY_BUDGET');
      expect(heavy.error?.message).to.include('of 1000 bytes');
      expect(light.error).to.equal(undefined);
    });
  });

  it('aborts a connection that keeps its memory for another second', () => {
    const stubborn = new FakeConnection(2000);
    return budgeted([stubborn], async () => {
      await pass(1500);
      expect(stubborn.aborted).to.equal(false);
      await pass(1000);
      expect(stubborn.aborted).to.equal(true);
    });
  });

  it('leaves a connection alone whose handshake is not complete', () => {
    const opening = new FakeConnection(2000, false);
    return budgeted([opening], async () => {
      await pass(5000);
      expect(opening.error).to.equal(undefined);
    });
  });

  it('forgets a connection that has ended', () => {
    const connections = [new FakeConnection(1200)];
    return budgeted(connections, async (budget) => {
      await pass(200);
      const [ended] = connections.splice(0);
      budget.forget(ended as FakeConnection);
      await pass(200);
      // It was not told to go on.
      expect(ended?.paused).to.equal(true);
    });
  });
});
