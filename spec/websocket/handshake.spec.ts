import { expect } from 'chai';
import type { Agreement, HttpRequest, Opening } from '../../lib/contracts';
import { rfc6455 } from '../../lib/versions/rfc6455';
import { Handshake } from '../../lib/websocket/handshake';

/** A request that waits for connect(). It notes how often it is given up. */
class FakeOpening implements Opening {
  readonly transport = 'http1';
  readonly version = '13';
  readonly wire = rfc6455;
  readonly extensions = [];
  readonly request = { url: '/chat' } as HttpRequest;
  abandoned = 0;

  constructor(readonly protocols: readonly string[] = []) {}

  accept(): void {}
  onUnaccepted(): void {}
  abandon(): void {
    this.abandoned++;
  }
}

const agreement = (given: Partial<Agreement> = {}): Agreement => ({
  transport: 'http1',
  version: '13',
  protocol: '',
  extensions: '',
  ...given,
});

describe('Handshake', () => {
  it('knows on a server what the request asks for', () => {
    const opening = new FakeOpening(['chat', 'v2']);
    const handshake = new Handshake({ role: 'server', opening });
    expect(handshake.request).to.equal(opening.request);
    expect(handshake.protocols).to.deep.equal(['chat', 'v2']);
    expect([handshake.role, handshake.version, handshake.transport]).to.deep.equal(['server', '13', 'http1']);
    expect([handshake.protocol, handshake.extensions, handshake.connecting]).to.deep.equal(['', '', false]);
  });

  it('knows on a client what it offers, and its transport only when it is open', () => {
    const handshake = new Handshake({ role: 'client', version: '8', protocols: ['chat'] });
    expect([handshake.role, handshake.version, handshake.protocols]).to.deep.equal(['client', '8', ['chat']]);
    expect([handshake.request, handshake.transport, handshake.abandon]).to.deep.equal([
      undefined,
      undefined,
      undefined,
    ]);
    handshake.agreeOn(agreement({ transport: 'http2', protocol: 'chat' }));
    expect([handshake.version, handshake.protocol, handshake.transport]).to.deep.equal(['13', 'chat', 'http2']);
  });

  it('agreeOn(): takes the settings from what was agreed on, and from the options of this connection', () => {
    const handshake = new Handshake({ role: 'server', options: { closeTimeout: 5, maxMessageSize: 6 } });
    handshake.agreeOn(agreement({ version: 'draft76' }), handshake.optionsWith({ maxMessageSize: 7 }));
    const { closeTimeout, maxMessageSize, version, capabilities } = handshake.settings;
    expect([closeTimeout, maxMessageSize, version]).to.deep.equal([5, 7, 'draft76']);
    expect(capabilities.fragments).to.equal(false);
  });

  it('shares its settings with every connection that has the same options and has agreed on the same', () => {
    const options = { closeTimeout: 5 };
    const [one, other] = [1, 2].map(() => new Handshake({ role: 'server', options })) as [Handshake, Handshake];
    for (const handshake of [one, other]) handshake.agreeOn(agreement(), handshake.optionsWith(undefined));
    expect(one.settings).to.equal(other.settings);
    other.agreeOn(agreement(), other.optionsWith({ maxMessageSize: 7 }));
    expect(one.settings.maxMessageSize).to.not.equal(7);
  });

  describe('chooseProtocol()', () => {
    const { chooseProtocol } = Handshake.prototype;
    const choose = (offered: readonly string[], wanted: string | undefined, mayDecline = true) =>
      chooseProtocol.call(new Handshake({ role: 'server', opening: new FakeOpening(offered) }), wanted, mayDecline);

    it('takes the wanted one if it was offered, and none otherwise (RFC 6455 §4.2.2)', () => {
      expect(choose(['chat', 'v2'], 'v2')).to.equal('v2');
      expect(choose(['chat'], 'v2')).to.equal('');
      expect(choose([], 'v2')).to.equal('');
    });

    it('takes none if none is wanted, except in a version that may not decline', () => {
      expect(choose(['chat', 'v2'], undefined)).to.equal('');
      expect(choose(['chat', 'v2'], undefined, false)).to.equal('chat');
      expect(choose([], undefined, false)).to.equal('');
    });
  });

  it('answerHeaders(): adds the headers of connect() to those that the program has set before, over them', () => {
    const handshake = new Handshake({ role: 'server' });
    expect(handshake.answerHeaders(undefined)).to.deep.equal({});
    handshake.responseHeaders['x-one'] = '1';
    handshake.responseHeaders['x-two'] = '2';
    expect(handshake.answerHeaders({ 'x-two': 'two' })).to.deep.equal({ 'x-one': '1', 'x-two': 'two' });
    expect(handshake.responseHeaders).to.deep.equal({ 'x-one': '1', 'x-two': '2' });
  });

  it('abandon(): gives the request up', () => {
    const opening = new FakeOpening();
    new Handshake({ role: 'server', opening }).abandon?.();
    expect(opening.abandoned).to.equal(1);
  });

  it('forget(): lets go of what is needed only until the connection is open, and keeps the request', () => {
    const opening = new FakeOpening();
    const handshake = new Handshake({ role: 'server', opening });
    handshake.forget();
    expect([handshake.opening, handshake.abandon, handshake.request]).to.deep.equal([
      undefined,
      undefined,
      opening.request,
    ]);
  });
});
