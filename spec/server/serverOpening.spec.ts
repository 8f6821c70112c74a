import { expect } from 'chai';
import type { Acceptance, Transport } from '../../lib/contracts';
import { ServerOpening } from '../../lib/server/serverOpening';
import type { Exchange } from '../../lib/transports/exchange';
import { rfc6455 } from '../../lib/versions/rfc6455';
import { FakeOpening } from '../support/fakeOpening';
import { thrownBy } from '../support/thrown';

/** A request whose handshake is complete when `complete()` is called. */
class SlowOpening extends FakeOpening {
  complete: () => void = () => {};

  override accept(acceptance: Acceptance, opened: (transport: Transport) => void): void {
    this.complete = () => super.accept(acceptance, opened);
  }
}

describe('ServerOpening', () => {
  let events: unknown[];
  let exchange: FakeOpening;

  function open(fake: FakeOpening): ServerOpening {
    exchange = fake;
    return new ServerOpening({
      exchange: exchange as unknown as Exchange,
      offer: { wire: rfc6455, version: '13', protocols: ['chat'], extensions: [] },
      options: {},
      owner: {
        add: (webSocket, of, place) => void events.push(['add', webSocket, of, place]),
        countRefusal: () => void events.push('refused'),
        closed: (webSocket, { code }) => void events.push(['closed', webSocket, code]),
      },
      place: { release: () => void events.push('released') },
    });
  }

  beforeEach(() => {
    events = [];
  });

  it('makes a WebSocket from the request and the offer', () => {
    const { webSocket } = open(new FakeOpening());
    expect([webSocket.request, webSocket.protocols, webSocket.version, webSocket.transport]).to.deep.equal([
      exchange.request,
      ['chat'],
      '13',
      'http1',
    ]);
    expect(events).to.deep.equal([]);
  });

  it('adds the WebSocket to the others of its server, once, before it is open, and reports its end', async () => {
    const opening = open(new FakeOpening());
    const { webSocket } = opening;
    webSocket.connect().abort();
    await webSocket.whenClosed();
    const [added, ended, ...more] = events as unknown[][];
    expect(added?.slice(0, 3)).to.deep.equal(['add', webSocket, exchange]);
    expect([ended, more]).to.deep.equal([['closed', webSocket, 1006], []]);
  });

  it('adds it when the request is accepted, although the handshake is complete only later', () => {
    const slow = new SlowOpening();
    const { webSocket } = open(slow);
    webSocket.connect();
    expect(events).to.have.lengthOf(1);
    slow.complete();
    expect(events).to.have.lengthOf(1);
    webSocket.abort();
  });

  it('refuses response headers that cannot be sent, before anything is accepted', () => {
    const { webSocket } = open(new FakeOpening());
    const { code } = thrownBy(() => webSocket.connect({ headers: { 'X-Name': 'a\nb' } }));
    expect(code).to.equal('WS_ERR_INVALID_ARGUMENT');
    expect([exchange.acceptance, events]).to.deep.equal([undefined, []]);
    webSocket.destroy();
  });

  it('frees the place of a request that is not accepted, and counts those that are refused', () => {
    for (const refused of [true, false]) {
      open(new FakeOpening());
      exchange.unaccepted({ refused });
    }
    expect(events).to.deep.equal(['released', 'refused', 'released']);
  });

  it('gives the request up when the WebSocket is destroyed before connect()', () => {
    open(new FakeOpening()).webSocket.destroy();
    expect(exchange.abandoned).to.equal(1);
  });

  it('needs no owner and no place, for a single upgrade', () => {
    const { webSocket } = new ServerOpening({
      exchange: new FakeOpening() as unknown as Exchange,
      offer: { wire: rfc6455, version: '13', protocols: [], extensions: [] },
      options: {},
      owner: undefined,
      place: undefined,
    });
    webSocket.connect();
    expect(webSocket.transport).to.equal('http1');
    webSocket.abort();
  });
});
