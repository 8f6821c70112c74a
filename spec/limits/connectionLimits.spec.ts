import { expect } from 'chai';
import { connectionLimits } from '../../lib/limits/connectionLimits';
import { VirtualTime } from '../support/virtualTime';

const part = { opcode: 'part', text: true, compressed: false, payload: Buffer.from('part') } as const;

const noLimits = { role: 'server', maxMessageRate: undefined, maxLifetime: undefined } as const;

/** Notes how often reading was suspended, and how the WebSocket was closed. */
class FakeWebSocket {
  suspensions = 0;
  readonly closes: unknown[] = [];
  suspendReading(): void {
    this.suspensions++;
  }
  resumeReading(): void {}
  close(code: number, reason: string): void {
    this.closes.push([code, reason]);
  }
}

describe('ConnectionLimits', () => {
  let ws: FakeWebSocket;
  beforeEach(() => {
    ws = new FakeWebSocket();
  });

  it('is not made for a connection without limits', () => {
    expect(connectionLimits(noLimits, ws, ws)).to.equal(undefined);
  });

  it('counts a message in parts once, at its end', () => {
    const limits = connectionLimits({ ...noLimits, maxMessageRate: 2 }, ws, ws);
    limits?.received('a whole message');
    limits?.received({ ...part, first: true, last: false });
    limits?.received({ ...part, first: false, last: false });
    expect(ws.suspensions).to.equal(0);
    limits?.received({ ...part, first: false, last: true });
    expect(ws.suspensions).to.equal(1);
    limits?.stop();
  });

  it('ends a lifetime at a random time in its last tenth', async () => {
    using time = new VirtualTime();
    time.start();
    const ends: number[] = [];
    const noting = { close: () => void ends.push(time.now) };
    for (let i = 0; i < 200; i++) connectionLimits({ ...noLimits, maxLifetime: 10_000 }, ws, noting);
    await time.pass(10_001, 10);
    expect(ends).to.have.lengthOf(200);
    expect(Math.min(...ends)).to.be.within(9000, 9500);
    expect(Math.max(...ends)).to.be.within(9500, 10_010);
  });

  for (const [role, code] of [
    ['server', 1012],
    ['client', 1001],
  ] as const)
    it(`closes with ${code} as a ${role}`, async () => {
      using time = new VirtualTime();
      time.start();
      connectionLimits({ ...noLimits, role, maxLifetime: 1000 }, ws, ws);
      await time.pass(1000);
      expect(ws.closes).to.deep.equal([[code, 'maxLifetime']]);
    });

  it('stop(): ends nothing later', () => {
    using time = new VirtualTime();
    time.start();
    const limits = connectionLimits({ ...noLimits, maxMessageRate: 1, maxLifetime: 100 }, ws, ws);
    limits?.received('a message');
    expect(time.active.size).to.equal(2);
    limits?.stop();
    expect(time.active.size).to.equal(0);
  });
});
