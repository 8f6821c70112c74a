import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { PendingPings, rejectPing } from '../../lib/connection/pendingPings';
import type { WebSocketError } from '../../lib/errors';

const payload = (text: string) => Buffer.from(text);

/** The error that a promise is rejected with. */
const failureOf = (promise: Promise<unknown>): Promise<WebSocketError> =>
  promise.then(
    () => expect.fail('It was not rejected'),
    (error: WebSocketError) => error,
  );

describe('PendingPings', () => {
  let now = 0;
  beforeEach(() => {
    now = 1000;
    mock.method(performance, 'now', () => now);
  });
  afterEach(() => mock.restoreAll());

  it('add(): resolves with the milliseconds until the pong was received', async () => {
    const pings = new PendingPings();
    const roundTrip = pings.add(payload('a'));
    now += 30;
    pings.receivePong(payload('a'));
    expect(await roundTrip).to.equal(30);
  });

  it('receivePong(): answers the earlier pings too (RFC 6455 §5.5.3), and not the later ones', async () => {
    const pings = new PendingPings();
    const first = pings.add(payload('1'));
    now += 10;
    const second = pings.add(payload('2'));
    now += 10;
    const third = pings.add(payload('3'));
    pings.receivePong(payload('2'));
    expect(await Promise.all([first, second])).to.deep.equal([20, 10]);
    now += 5;
    pings.receivePong(payload('3'));
    expect(await third).to.equal(5);
  });

  it('receivePong(): ignores an unsolicited pong, and a second one for the same ping', async () => {
    const pings = new PendingPings();
    const roundTrip = pings.add(payload('mine'));
    pings.receivePong(payload('unsolicited'));
    now += 7;
    pings.receivePong(payload('mine'));
    now += 7;
    pings.receivePong(payload('mine'));
    expect(await roundTrip).to.equal(7);
  });

  it('receivePong(): answers the earliest of two pings with the same payload', async () => {
    const pings = new PendingPings();
    const first = pings.add(payload('same'));
    now += 10;
    const second = pings.add(payload('same'));
    pings.receivePong(payload('same'));
    expect(await first).to.equal(10);
    now += 1;
    pings.receivePong(payload('same'));
    expect(await second).to.equal(1);
  });

  it('nextPayload(): returns a different payload each time', () => {
    const pings = new PendingPings();
    const payloads = Array.from({ length: 1000 }, () => pings.nextPayload().toString('hex'));
    expect(new Set(payloads).size).to.equal(1000);
  });

  it('rejectAll(): rejects every ping with WS_ERR_NOT_OPEN and the cause, once', async () => {
    const pings = new PendingPings();
    const roundTrips = [pings.add(payload('1')), pings.add(payload('2'))];
    const cause = new Error('reset');
    pings.rejectAll(cause);
    pings.rejectAll(new Error('a later one'));
    pings.receivePong(payload('1'));
    for (const error of await Promise.all(roundTrips.map(failureOf))) {
      expect(error.code).to.equal('WS_ERR_NOT_OPEN');
      expect(error.cause).to.equal(cause);
    }
  });

  it('causes no unhandled rejection for a ping whose promise is not handled', async () => {
    const unhandled: unknown[] = [];
    const listener = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listener);
    const pings = new PendingPings();
    pings.add(payload('1'));
    pings.rejectAll(null);
    rejectPing();
    await turn();
    await turn();
    process.removeListener('unhandledRejection', listener);
    expect(unhandled).to.deep.equal([]);
  });
});

describe('rejectPing()', () => {
  it('returns a promise that is rejected with WS_ERR_NOT_OPEN', async () => {
    expect((await failureOf(rejectPing())).code).to.equal('WS_ERR_NOT_OPEN');
  });
});
