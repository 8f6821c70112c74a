import { expect } from 'chai';
import { OutputQueue } from '../../lib/codec/outputQueue';
import type { Encodable, Role, Version } from '../../lib/contracts';
import { protocolVersion } from '../../lib/versions';
import { receivedAnswer, receivedRequest } from '../support/handshakes';
import { thrownBy } from '../support/thrown';
import { decode, hex, splits } from '../support/vectors';

const limits = { maxMessageSize: 1000 };
const goodbye = { opcode: 'close', code: 1005, reason: '' };

function encode(version: Version, item: Encodable): Buffer {
  const queue = new OutputQueue();
  protocolVersion(version).encoder('server')(item, queue);
  return Buffer.concat(queue.take());
}

const vectors: readonly (readonly [what: string, bytes: string, says: readonly unknown[], version?: Version])[] = [
  ['a text', '00 48656c6c6f ff', ['Hello']],
  ['an empty text', '00 ff', ['']],
  ['texts behind one another', '00 61 ff 00 ff 00 62 ff', ['a', '', 'b']],
  ['text beyond ASCII', '00 c3bc e282ac f09f9880 ff', ['ü€😀']],
  ['frames of unknown kinds that last until FF', '01 6162 ff 7f ff 00 61 ff', ['a']],
  ['a frame of an unknown kind with a length', '80 05 48656c6c6f 00 61 ff', ['a']],
  ['the same with a length of two digits', `81 82 00 ${'ff'.repeat(256)} 00 61 ff`, ['a']],
  ['the same without a byte', 'fe 00 00 61 ff', ['a']],
  ['FF with a length that is not 0', 'ff 02 6162 00 61 ff', ['a']],
  ['the closing handshake, and nothing behind it', '00 61 ff ff 00 00 62 ff', ['a', goodbye]],
  ['the closing handshake with zeros before its length', 'ff 80 00', [goodbye]],
  ['FF 00, which is no goodbye in draft75', 'ff 00 00 61 ff', ['a'], 'draft75'],
];

describe('hixie-76: the handshake', () => {
  const draft = protocolVersion('draft76');
  const location = new URL('ws://example.com/demo?x=1');

  /** A client, the answer of a server to it, and the reply to its challenge. */
  function handshake(url = location, secure = false) {
    const client = draft.connect('draft76', url, undefined);
    const answer = draft.answer(receivedRequest(client, url), secure);
    return { client, answer, reply: answer.challenge?.reply(client.challenge as Buffer) as Buffer };
  }

  it('of a client has its origin, which is that of the server by default, two keys and a challenge', () => {
    const { headers, challenge, replySize } = draft.connect('draft76', location, 'http://a.example');
    const { 'Sec-WebSocket-Key1': first, 'Sec-WebSocket-Key2': second, ...others } = headers;
    expect(others).to.deep.equal({ Upgrade: 'WebSocket', Connection: 'Upgrade', Origin: 'http://a.example' });
    expect(first).not.to.equal(second);
    expect([challenge?.length, replySize]).to.deep.equal([8, 16]);
    expect(draft.connect('draft76', location, undefined).headers['Origin']).to.equal('http://example.com');
  });

  it('is complete when the client has verified the answer and the reply of the server', () => {
    for (const { client, answer, reply } of [handshake(), handshake(new URL('wss://example.com:8443/'), true)])
      client.verify(receivedAnswer(answer), reply);
  });

  for (const [what, changed] of [
    ['without an upgrade', { upgrade: 'h2c' }],
    ['for another origin', { 'sec-websocket-origin': 'http://b.example' }],
    ['for another location', { 'sec-websocket-location': 'ws://example.com/other' }],
  ] as const)
    it(`is refused by the client if the answer is one ${what}`, () => {
      const { client, answer, reply } = handshake();
      const error = thrownBy(() => client.verify(receivedAnswer(answer, changed), reply));
      expect(error.code).to.equal('WS_ERR_INVALID_HANDSHAKE');
      expect(error.message).to.match(new RegExp(Object.keys(changed).join(), 'i'));
    });

  it('is refused by the client if the reply is one to another challenge', () => {
    const { client, answer } = handshake();
    const error = thrownBy(() => client.verify(receivedAnswer(answer), handshake().reply));
    expect(error.code).to.equal('WS_ERR_INVALID_HANDSHAKE');
    expect(error.message).to.include('reply');
  });

  it('of a server repeats no origin and no path that the client has not sent', () => {
    const { headers } = draft.connect('draft76', location, undefined);
    const { url, ...request } = receivedRequest({ headers }, location);
    const { origin, ...withoutOrigin } = request.headers;
    expect([url, origin]).to.deep.equal(['/demo?x=1', 'http://example.com']);
    expect(draft.answer({ ...request, headers: withoutOrigin }, false).headers).to.deep.equal({
      Upgrade: 'WebSocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Location': 'ws://example.com',
    });
  });

  it('is refused by the server with 400 if a key is missing or invalid, or sent twice', () => {
    const good = ['Sec-WebSocket-Key2', '1 2'];
    for (const [key, ...rawHeaders] of [
      [undefined, ...good],
      ['12', 'Sec-WebSocket-Key1', '12', ...good],
      // Joined by a comma, the two keys are a valid one: 1212, divided by 3.
      ['1 2, 1 2', 'Sec-WebSocket-Key1', '1 2', 'sec-websocket-key1', '1 2', ...good],
    ]) {
      const headers = { 'sec-websocket-key2': '1 2', ...(key !== undefined && { 'sec-websocket-key1': key }) };
      const error = thrownBy(() => draft.answer({ headers, rawHeaders: rawHeaders as string[] }, false));
      expect([error.code, error.statusCode]).to.deep.equal(['WS_ERR_INVALID_HANDSHAKE', 400]);
      expect(error.message).to.include('sec-websocket-key1 must be sent once');
    }
  });

  it('may have the name of a key as the value of another header', () => {
    const headers = { 'sec-websocket-key1': '1 2', 'sec-websocket-key2': '1 2' };
    const rawHeaders = [...Object.entries(headers).flat(), 'X-Names', 'sec-websocket-key1'];
    expect(draft.answer({ headers, rawHeaders }, false).challenge?.size).to.equal(8);
  });
});

describe('hixie-76 and -75: the decoder reads', () => {
  for (const role of ['server', 'client'] as const) {
    for (const [what, bytes, says, version = 'draft76'] of vectors) {
      it(`${what}, as ${role}, wherever it is cut`, () => {
        for (const { how, chunks } of splits(hex(bytes))) {
          const outcome = decode(protocolVersion(version).decoder(role, limits), chunks);
          expect([outcome.items, outcome.refusal], how).to.deep.equal([says, undefined]);
        }
      });
    }
  }

  it('text that is not UTF-8: a server refuses it, a client puts replacement characters', () => {
    for (const { how, chunks } of splits(hex('00 61 c328 62 ff'))) {
      const server = decode(protocolVersion('draft76').decoder('server', limits), chunks);
      expect([server.items, server.refusal], how).to.deep.equal([[], 'WS_ERR_INVALID_UTF8 1007']);
      const client = decode(protocolVersion('draft76').decoder('client', limits), chunks);
      expect([client.items, client.refusal], how).to.deep.equal([['a\ufffd(b'], undefined]);
    }
    for (const { how, chunks } of splits(hex('00 61 c3 ff'))) {
      const server = decode(protocolVersion('draft76').decoder('server', limits), chunks);
      expect(server.refusal, how).to.equal('WS_ERR_INVALID_UTF8 1007');
      const client = decode(protocolVersion('draft76').decoder('client', limits), chunks);
      expect(client.items, how).to.deep.equal(['a\ufffd']);
    }
  });

  for (const [what, bytes, refusal] of [
    ['a length that does not end', `80 ${'80'.repeat(100)}`, 'WS_ERR_INVALID_LENGTH 1002'],
    ['a length of 2^56', '80 ffffffffffffff7f', 'WS_ERR_MESSAGE_TOO_BIG 1009'],
    ['a text that does not end', `00 ${'61'.repeat(1001)}`, 'WS_ERR_MESSAGE_TOO_BIG 1009'],
    ['a text that is too long', `00 ${'61'.repeat(1001)} ff`, 'WS_ERR_MESSAGE_TOO_BIG 1009'],
    ['an unknown frame that does not end', `01 ${'61'.repeat(1001)}`, 'WS_ERR_MESSAGE_TOO_BIG 1009'],
  ] as const) {
    it(`${what}, and refuses it`, () => {
      for (const { how, chunks } of splits(hex(bytes))) {
        const outcome = decode(protocolVersion('draft76').decoder('server', limits), chunks, { end: false });
        expect([outcome.items, outcome.refusal], how).to.deep.equal([[], refusal]);
      }
    });
  }

  it('a message, and a frame of an unknown kind, that have exactly the size of the limit', () => {
    for (const { how, chunks } of splits(hex('00 61 ff 00 6162636465 ff 01 6162636465 ff 00 62 ff'))) {
      const outcome = decode(protocolVersion('draft76').decoder('server', { maxMessageSize: 5 }), chunks);
      expect([outcome.items, outcome.refusal], how).to.deep.equal([['a', 'abcde', 'b'], undefined]);
    }
  });

  it('an end inside a frame, and throws WS_ERR_TRUNCATED', () => {
    for (const bytes of ['00', '00 61', '01', '80', '80 05', '80 05 61', 'ff']) {
      const outcome = decode(protocolVersion('draft76').decoder('server', limits), [hex(bytes)]);
      expect(outcome.refusal, bytes).to.equal('WS_ERR_TRUNCATED 1002');
    }
  });
});

describe('hixie-76 and -75: the encoder writes', () => {
  it('text, as a string or as bytes, short or long', () => {
    expect(encode('draft76', 'Hello')).to.deep.equal(hex('00 48656c6c6f ff'));
    expect(encode('draft76', '')).to.deep.equal(hex('00 ff'));
    expect(encode('draft76', { opcode: 'text', payload: Buffer.from('ü') })).to.deep.equal(hex('00 c3bc ff'));
    expect(encode('draft75', { opcode: 'text', payload: 'a' })).to.deep.equal(hex('00 61 ff'));
    const long = encode('draft76', 'ü'.repeat(5000));
    expect(long.equals(Buffer.concat([hex('00'), Buffer.from('ü'.repeat(5000)), hex('ff')]))).to.equal(true);
  });

  it('texts one behind the other, however many they are', () => {
    const queue = new OutputQueue();
    for (let i = 0; i < 30_000; i++) protocolVersion('draft76').encoder('server')('a', queue);
    expect(Buffer.concat(queue.take()).equals(Buffer.alloc(90_000, hex('00 61 ff')))).to.equal(true);
  });

  it('a copy of the bytes of a short text, and those of a long one by reference', () => {
    for (const [length, copied] of [
      [4096, true],
      [4097, false],
    ] as const) {
      const payload = Buffer.alloc(length, 'a');
      const queue = new OutputQueue();
      protocolVersion('draft76').encoder('server')({ opcode: 'text', payload }, queue);
      const shares = queue.take().some(({ buffer }) => buffer === payload.buffer);
      expect(shares, String(length)).to.equal(!copied);
    }
  });

  it('a Close frame without a code, and no bytes in draft75', () => {
    expect(encode('draft76', { opcode: 'close', code: 4000, reason: 'later' })).to.deep.equal(hex('ff 00'));
    expect(encode('draft75', { opcode: 'close', code: 1000, reason: '' })).to.deep.equal(hex(''));
  });

  it('nothing for an item that the version does not have, and throws an error that names the version and the feature', () => {
    const items: [item: Encodable, what: string][] = [
      [Buffer.of(1), 'binary messages'],
      [{ opcode: 'binary', payload: Buffer.of(1) }, 'binary messages'],
      [{ opcode: 'ping', payload: Buffer.of(1) }, 'pings'],
      [{ opcode: 'pong', payload: Buffer.of(1) }, 'pings'],
      [{ opcode: 'text', payload: 'a', fin: false }, 'fragments'],
      [{ opcode: 'continuation', payload: 'a' }, 'fragments'],
    ];
    for (const [item, what] of items) {
      const error = thrownBy(() => encode('draft76', item));
      expect(error.code).to.equal('WS_ERR_UNSUPPORTED');
      expect(error.message).to.include(`draft76 has no ${what}`);
    }
  });

  it('nothing for bytes that are not UTF-8, which could contain a frame, and throws', () => {
    const error = thrownBy(() => encode('draft76', { opcode: 'text', payload: hex('61 ff 00 62') }));
    expect(error.code).to.equal('WS_ERR_INVALID_UTF8');
  });

  it('nothing for a value that is no message, and throws', () => {
    for (const item of [undefined, null, 1, {}, { opcode: 'foo' }]) {
      expect(thrownBy(() => encode('draft76', item as unknown as string)).code).to.equal('WS_ERR_INVALID_ARGUMENT');
    }
  });

  it('every text so that a decoder of either role reads it', () => {
    for (const text of ['', 'a', 'ü€😀', 'x'.repeat(999), '\ud800']) {
      for (const role of ['server', 'client'] satisfies Role[]) {
        const { items } = decode(protocolVersion('draft76').decoder(role, limits), [encode('draft76', text)]);
        expect(items).to.deep.equal([Buffer.from(text).toString()]);
      }
    }
  });
});
