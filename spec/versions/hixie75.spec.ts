import { expect } from 'chai';
import { OutputQueue } from '../../lib/codec/outputQueue';
import { protocolVersion } from '../../lib/versions';
import { receivedAnswer, receivedRequest } from '../support/handshakes';
import { thrownBy } from '../support/thrown';

const draft = protocolVersion('draft75');
const location = new URL('ws://example.com/demo?x=1');

describe('hixie-75: the handshake', () => {
  it('of a client has its origin, which is that of the server by default, and no keys', () => {
    const { headers, challenge, replySize } = draft.connect('draft75', location, 'http://a.example');
    expect(headers).to.deep.equal({ Upgrade: 'WebSocket', Connection: 'Upgrade', Origin: 'http://a.example' });
    expect([challenge, replySize]).to.deep.equal([undefined, 0]);
    expect(draft.connect('draft75', location, undefined).headers['Origin']).to.equal('http://example.com');
  });

  it('is complete when the client has verified the answer of the server', () => {
    for (const [url, secure] of [
      ['ws://example.com/demo?x=1', false],
      ['wss://example.com:8443/', true],
    ] as const) {
      const client = draft.connect('draft75', new URL(url), undefined);
      const answer = draft.answer(receivedRequest(client, new URL(url)), secure);
      client.verify(receivedAnswer(answer), Buffer.alloc(0));
    }
  });

  for (const [what, changed] of [
    ['without an upgrade', { upgrade: 'h2c' }],
    ['for another origin', { 'websocket-origin': 'http://b.example' }],
    ['for another location', { 'websocket-location': 'ws://example.com/other' }],
  ] as const)
    it(`is refused by the client if the answer is one ${what}`, () => {
      const client = draft.connect('draft75', location, undefined);
      const answer = receivedAnswer(draft.answer(receivedRequest(client, location), false), changed);
      const error = thrownBy(() => client.verify(answer, Buffer.alloc(0)));
      expect(error.code).to.equal('WS_ERR_INVALID_HANDSHAKE');
      expect(error.message).to.match(new RegExp(Object.keys(changed).join(), 'i'));
    });
});

describe('hixie-75: the encoder writes', () => {
  it('nothing for a Close frame, not even a piece without bytes', () => {
    const queue = new OutputQueue();
    draft.encoder('server')({ opcode: 'close', code: 1000, reason: '' }, queue);
    expect(queue.take()).to.deep.equal([]);
  });

  it('nothing for bytes, and throws an error that names the version', () => {
    const error = thrownBy(() => draft.encoder('server')(Buffer.of(1), new OutputQueue()));
    expect([error.code, error.message.includes('draft75')]).to.deep.equal(['WS_ERR_UNSUPPORTED', true]);
  });
});
