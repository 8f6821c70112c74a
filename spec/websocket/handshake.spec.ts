import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import type { Agreement, Dial, DialResult, Transport } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import type { ConnectOptions } from '../../lib/options';
import { rfc6455 } from '../../lib/versions/rfc6455';
import { Handshake } from '../../lib/websocket/handshake';
import { FakeOpening } from '../support/fakeOpening';
import { thrownBy } from '../support/thrown';

const agreement = (given: Partial<Agreement> = {}): Agreement => ({
  transport: 'http1',
  version: '13',
  protocol: '',
  extensions: '',
  ...given,
});

const nothing = () => {};

describe('Handshake', () => {
  it('has on a server the protocols and the version of the request', () => {
    const opening = new FakeOpening(['chat', 'v2']);
    const handshake = new Handshake({ role: 'server', opening });
    expect(handshake.request).to.equal(opening.request);
    expect(handshake.protocols).to.deep.equal(['chat', 'v2']);
    expect([handshake.role, handshake.version, handshake.transport]).to.deep.equal(['server', '13', 'http1']);
    expect([handshake.protocol, handshake.extensions]).to.deep.equal(['', '']);
  });

  it('has on a client the offered protocols, and the transport only when it is open', () => {
    const handshake = new Handshake({ role: 'client', version: '8', protocols: ['chat'] });
    expect([handshake.role, handshake.version, handshake.protocols]).to.deep.equal(['client', '8', ['chat']]);
    expect([handshake.request, handshake.transport]).to.deep.equal([undefined, undefined]);
    handshake.agreeOn(agreement({ transport: 'http2', protocol: 'chat' }));
    expect([handshake.version, handshake.protocol, handshake.transport]).to.deep.equal(['13', 'chat', 'http2']);
  });

  it('agreeOn(): sets the settings from the agreement and from the options of this connection', () => {
    const handshake = new Handshake({ role: 'server', options: { closeTimeout: 5, maxMessageSize: 6 } });
    handshake.agreeOn(agreement({ version: 'draft76' }), { closeTimeout: 5, maxMessageSize: 7 });
    const { closeTimeout, maxMessageSize, version, capabilities } = handshake.settings;
    expect([closeTimeout, maxMessageSize, version]).to.deep.equal([5, 7, 'draft76']);
    expect(capabilities.fragments).to.equal(false);
  });

  it('shares its settings with connections that have the same options and agreement', () => {
    const options = { closeTimeout: 5 };
    const [one, other] = [1, 2].map(() => new Handshake({ role: 'server', options })) as [Handshake, Handshake];
    for (const handshake of [one, other]) handshake.agreeOn(agreement());
    expect(one.settings).to.equal(other.settings);
    other.agreeOn(agreement(), { maxMessageSize: 7 });
    expect(one.settings.maxMessageSize).to.not.equal(7);
  });

  it('agreeOn(): is not confused by what other connections have agreed on', () => {
    const agreements = [
      agreement(),
      agreement({ transport: 'http2' }),
      agreement({ version: 'draft76' }),
      agreement({ protocol: 'chat' }),
      agreement({ protocol: 'v2' }),
      agreement({ extensions: 'permessage-deflate' }),
      agreement({ extensions: 'permessage-deflate; server_no_context_takeover' }),
      agreement(),
    ];
    for (const agreed of agreements) {
      const handshake = new Handshake({ role: 'server' });
      handshake.agreeOn(agreed);
      const { transport, version, protocol, extensions } = handshake;
      expect({ transport, version, protocol, extensions }).to.deep.equal(agreed);
    }
  });

  describe('accept()', () => {
    const accept = (offered: readonly string[], options?: ConnectOptions, wire = rfc6455) => {
      const opening = Object.assign(new FakeOpening(offered), { wire });
      const handshake = new Handshake({ role: 'server', opening, options: { closeTimeout: 5 } });
      handshake.responseHeaders['x-one'] = '1';
      handshake.responseHeaders['x-two'] = '2';
      const events: unknown[] = [];
      handshake.accept(
        options,
        () => events.push('start'),
        (_transport, { protocol }) => events.push(`open ${protocol}`),
      );
      return { handshake, events, acceptance: opening.acceptance };
    };

    it('answers with the wanted subprotocol if it was offered, and with none otherwise (RFC 6455 §4.2.2)', () => {
      expect(accept(['chat', 'v2'], { protocol: 'v2' }).events).to.deep.equal(['start', 'open v2']);
      expect(accept(['chat'], { protocol: 'v2' }).acceptance?.protocol).to.equal('');
      expect(accept(['chat', 'v2']).acceptance?.protocol).to.equal('');
    });

    it('answers with the first one if none is chosen in a version that may not decline', () => {
      const wire = { ...rfc6455, capabilities: { ...rfc6455.capabilities, declineProtocol: false } };
      expect(accept(['chat', 'v2'], undefined, wire).acceptance?.protocol).to.equal('chat');
      expect(accept([], undefined, wire).acceptance?.protocol).to.equal('');
    });

    it('adds the headers of connect() to the headers set before, and overrides them', () => {
      const { acceptance } = accept([], { headers: { 'x-two': 'two' } });
      expect(acceptance?.headers).to.deep.equal({ 'x-one': '1', 'x-two': 'two' });
    });

    it('prefers the options of this connection to those of the server', () => {
      const { handshake } = accept([], { maxMessageSize: 7 });
      expect([handshake.settings.closeTimeout, handshake.settings.maxMessageSize]).to.deep.equal([5, 7]);
    });

    it('shares the settings of a server with connections that have no options of their own', () => {
      const options = { closeTimeout: 5 };
      const [one, other] = [1, 2].map(() => {
        const handshake = new Handshake({ role: 'server', opening: new FakeOpening(), options });
        handshake.accept(undefined, nothing, nothing);
        return handshake;
      }) as [Handshake, Handshake];
      expect(one.settings).to.equal(other.settings);
    });

    it('throws the error of an answer that cannot be made, and may be called again then', () => {
      const opening = new FakeOpening();
      const handshake = new Handshake({ role: 'server', opening });
      const invalid = new WebSocketError('WS_ERR_INVALID_ARGUMENT', 'a header');
      const { accept } = opening;
      opening.accept = () => {
        throw invalid;
      };
      expect(thrownBy(() => handshake.accept(undefined, nothing, nothing))).to.equal(invalid);
      opening.accept = accept;
      const transports: Transport[] = [];
      handshake.accept(undefined, nothing, (transport) => transports.push(transport));
      expect(transports).to.have.length(1);
    });

    it('refuses a second call, a client, and a request that was answered', () => {
      const { handshake } = accept([]);
      const again = (one: Handshake) => thrownBy(() => one.accept(undefined, nothing, nothing)).code;
      expect(again(handshake)).to.equal('WS_ERR_ALREADY_CONNECTED');
      expect(again(new Handshake({ role: 'client' }))).to.equal('WS_ERR_ALREADY_CONNECTED');
      expect(again(new Handshake({ role: 'server' }))).to.equal('WS_ERR_NOT_OPEN');
    });
  });

  it('accept(): is refused inside of its own start', () => {
    const handshake = new Handshake({ role: 'server', opening: new FakeOpening() });
    let code: unknown;
    const again = () => {
      try {
        handshake.accept(undefined, nothing, nothing);
      } catch (error) {
        code = (error as { code: string }).code;
      }
    };
    handshake.accept(undefined, again, nothing);
    expect(code).to.equal('WS_ERR_ALREADY_CONNECTED');
  });

  it('dial(): can be abandoned until it has opened', () => {
    let result: DialResult | undefined;
    let abandoned = 0;
    const dial: Dial = (given) => {
      result = given;
      return () => abandoned++;
    };
    const events: unknown[] = [];
    const handshake = new Handshake({ role: 'client' });
    handshake.dial(dial, { opened: () => events.push('opened'), failed: (error) => events.push(error.message) });
    handshake.abandon();
    result?.failed(new Error('refused'));
    expect([abandoned, events]).to.deep.equal([1, ['refused']]);
  });

  it('dial(): passes on the transport and the agreement, and cannot be abandoned after a transport that opens at once', () => {
    const transport = { stream: new PassThrough(), head: Buffer.alloc(0) };
    const agreed = agreement();
    let abandoned = 0;
    const results: unknown[] = [];
    const handshake = new Handshake({ role: 'client' });
    handshake.dial(
      (result) => {
        result.opened(transport, agreed);
        return () => abandoned++;
      },
      { opened: (...given) => results.push(...given), failed: nothing },
    );
    handshake.abandon();
    expect(results).to.deep.equal([transport, agreed]);
    expect(abandoned).to.equal(0);
  });

  it('dial(): calls back in the async context of its caller, as a resource named WebSocket', () => {
    const names: string[] = [];
    const hook = createHook({ init: (_id, name) => names.push(name) }).enable();
    const user = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const note = () => seen.push(user.getStore());
    let result: DialResult | undefined;
    const dial: Dial = (given) => {
      result = given;
      return nothing;
    };
    user.run('Ada', () => new Handshake({ role: 'client' }).dial(dial, { opened: note, failed: note }));
    hook.disable();
    user.run('Grace', () => {
      result?.opened({ stream: new PassThrough(), head: Buffer.alloc(0) }, agreement());
      result?.failed(new Error('refused'));
    });
    expect(seen).to.deep.equal(['Ada', 'Ada']);
    expect(names).to.include('WebSocket');
  });

  it('abandon(): gives the request up', () => {
    const opening = new FakeOpening();
    new Handshake({ role: 'server', opening }).abandon();
    expect(opening.abandoned).to.equal(1);
  });

  it('opened(): keeps the request, except with keepRequest: false', () => {
    const opening = new FakeOpening();
    for (const [options, kept] of [
      [{}, opening.request],
      [{ keepRequest: true }, opening.request],
      [{ keepRequest: false }, undefined],
    ] as const) {
      const handshake = new Handshake({ role: 'server', opening, options });
      expect(handshake.request).to.equal(opening.request);
      handshake.opened();
      expect(handshake.request).to.equal(kept);
    }
  });

  it('forget(): frees the opening, and keeps the request', () => {
    const opening = new FakeOpening();
    const handshake = new Handshake({ role: 'server', opening });
    handshake.forget();
    handshake.abandon();
    expect([opening.abandoned, handshake.request]).to.deep.equal([0, opening.request]);
    expect(thrownBy(() => handshake.accept(undefined, nothing, nothing)).code).to.equal('WS_ERR_NOT_OPEN');
  });
});
