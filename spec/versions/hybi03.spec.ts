import { expect } from 'chai';
import { OutputQueue } from '../../lib/codec/outputQueue';
import type { Encodable, Incoming } from '../../lib/contracts';
import { protocolVersion } from '../../lib/versions';
import { receivedAnswer, receivedRequest } from '../support/handshakes';
import { thrownBy } from '../support/thrown';
import { decode, hex, splits } from '../support/vectors';

const draft = protocolVersion('draft03');
const limits = { maxMessageSize: 100_000 };

function encode(item: Encodable): Buffer {
  const queue = new OutputQueue();
  draft.encoder('server')(item, queue);
  return Buffer.concat(queue.take());
}

const ping = (text: string): Incoming => ({ opcode: 'ping', payload: Buffer.from(text) });
const pong = (text: string): Incoming => ({ opcode: 'pong', payload: Buffer.from(text) });
const goodbye = (body?: string): Incoming => ({
  opcode: 'close',
  code: 1005,
  reason: '',
  ...(body !== undefined && { body: Buffer.from(body) }),
});

const vectors: readonly (readonly [what: string, bytes: string, says: readonly Incoming[]])[] = [
  ['a text', '04 05 48656c6c6f', ['Hello']],
  ['an empty text', '04 00', ['']],
  ['a binary message', '05 02 00ff', [hex('00ff')]],
  ['a text in two fragments', '84 03 48656c  00 02 6c6f', ['Hello']],
  ['a text in three', '84 03 48656c  80 02 6c6f  00 06 20776f726c64', ['Hello world']],
  ['a code point across fragments', '84 01 e2  80 01 82  00 01 ac', ['€']],
  ['fragments without bytes', '84 00  80 00  00 00', ['']],
  ['a ping and a pong', '02 05 48656c6c6f  03 05 48656c6c6f', [ping('Hello'), pong('Hello')]],
  ['control frames between fragments', '84 01 61  02 01 31  80 01 62  03 00  00 01 63', [ping('1'), pong(''), 'abc']],
  ['a Close with words', '01 03 616263', [goodbye('abc')]],
  ['a Close without, and what follows it', '01 00  04 01 61', [goodbye('')]],
  [
    'our own words: the answer to our Close',
    `01 16 ${Buffer.from('node-websocket-handler').toString('hex')}`,
    [goodbye()],
  ],
  ['a length in 16 bits', `05 7e 0100 ${'07'.repeat(256)}`, [Buffer.alloc(256, 7)]],
  ['a length in 64 bits', `05 7f 0000000000010000 ${'07'.repeat(65536)}`, [Buffer.alloc(65536, 7)]],
  ['lengths that could be shorter, which this draft allows', '04 7e 0001 61  04 7f 0000000000000001 62', ['a', 'b']],
];

const violations: readonly (readonly [what: string, bytes: string, refusal: string, says?: readonly Incoming[]])[] = [
  ['the first reserved bit', '44 00', 'WS_ERR_RESERVED_BITS 1002'],
  ['the second', '24 00', 'WS_ERR_RESERVED_BITS 1002'],
  ['the third', '14 00', 'WS_ERR_RESERVED_BITS 1002'],
  ['the fourth, where RFC 6455 has its mask', '04 80', 'WS_ERR_RESERVED_BITS 1002'],
  ['a reserved opcode', '04 01 61  06 00', 'WS_ERR_RESERVED_OPCODE 1002', ['a']],
  ['the last reserved opcode', '0f 00', 'WS_ERR_RESERVED_OPCODE 1002'],
  ['a ping in fragments', '82 00', 'WS_ERR_INVALID_CONTROL_FRAME 1002'],
  ['a Close of 126 bytes', '01 7e 007e', 'WS_ERR_INVALID_CONTROL_FRAME 1002'],
  ['a continuation of nothing', '00 01 61', 'WS_ERR_INVALID_FRAGMENT 1002'],
  ['a text inside a text', '84 01 61  04 01 62', 'WS_ERR_INVALID_FRAGMENT 1002'],
  ['a length of 2^63', '05 7f 8000000000000000', 'WS_ERR_INVALID_LENGTH 1002'],
  ['a length of 2^62', '05 7f 4000000000000000', 'WS_ERR_MESSAGE_TOO_BIG 1009'],
  ['fragments beyond the limit', '85 01 61  00 7f 00000000000186a0', 'WS_ERR_MESSAGE_TOO_BIG 1009'],
  ['text that is not UTF-8', '04 02 c328', 'WS_ERR_INVALID_UTF8 1007'],
  ['text that is cut off', '04 01 c3', 'WS_ERR_INVALID_UTF8 1007'],
];

describe('hybi-03: the handshake', () => {
  const location = new URL('ws://example.com/demo');

  it('of a client is that of hixie-76, with the number of the draft', () => {
    const client = draft.connect('draft03', location, 'http://a.example');
    expect(client.headers).to.include({ Origin: 'http://a.example', 'Sec-WebSocket-Draft': '2' });
    const request = receivedRequest(client, location);
    expect(draft.claims(request.headers)).to.equal('draft03');
    const answer = draft.answer(request, false);
    client.verify(receivedAnswer(answer), answer.challenge?.reply(client.challenge as Buffer) as Buffer);
  });
});

describe('hybi-03: the decoder reads', () => {
  for (const [what, bytes, says] of vectors) {
    it(`${what}, wherever it is cut`, () => {
      for (const { how, chunks } of splits(hex(bytes))) {
        const { items, refusal } = decode(draft.decoder('server', limits), chunks);
        expect([items, refusal], how).to.deep.equal([says, undefined]);
      }
    });
  }

  for (const [what, bytes, expected, says = []] of violations) {
    it(`${what}, and refuses it, wherever it is cut`, () => {
      for (const { how, chunks } of splits(hex(bytes))) {
        const { items, refusal } = decode(draft.decoder('client', limits), chunks, { end: false });
        expect([items, refusal], how).to.deep.equal([says, expected]);
      }
    });
  }

  it('an end inside a frame or a message, and throws WS_ERR_TRUNCATED', () => {
    for (const bytes of ['04', '04 01', '04 02 61', '84 01 61', '02 01']) {
      expect(decode(draft.decoder('server', limits), [hex(bytes)]).refusal, bytes).to.equal('WS_ERR_TRUNCATED 1002');
    }
  });
});

describe('hybi-03: the encoder writes', () => {
  for (const [what, item, bytes] of [
    ['a text', 'Hello', '04 05 48656c6c6f'],
    ['bytes', Buffer.of(0, 255), '05 02 00ff'],
    ['text as bytes', { opcode: 'text', payload: Buffer.from('ü') }, '04 02 c3bc'],
    ['bytes as a string', { opcode: 'binary', payload: 'ab' }, '05 02 6162'],
    ['the beginning of a text', { opcode: 'text', payload: 'Hel', fin: false }, '84 03 48656c'],
    ['its middle', { opcode: 'continuation', payload: 'l', fin: false }, '80 01 6c'],
    ['its end', { opcode: 'continuation', payload: 'o' }, '00 01 6f'],
    ['a ping', { opcode: 'ping', payload: Buffer.from('Hello') }, '02 05 48656c6c6f'],
    ['a pong', { opcode: 'pong', payload: Buffer.alloc(0) }, '03 00'],
    [
      'our own Close',
      { opcode: 'close', code: 1000, reason: '' },
      `01 16 ${Buffer.from('node-websocket-handler').toString('hex')}`,
    ],
    ['the answer to another', { opcode: 'close', code: 1005, reason: '', body: Buffer.from('abc') }, '01 03 616263'],
  ] satisfies [string, Encodable, string][]) {
    it(`${what}: ${bytes.slice(0, 24)}`, () => expect(encode(item)).to.deep.equal(hex(bytes)));
  }

  it('payloads at the limits of each length format', () => {
    for (const [length, header] of [
      [125, '05 7d'],
      [126, '05 7e 007e'],
      [32767, '05 7e 7fff'],
      // Where the library of 2011 changed to 64 bits, and sent the payload's length in rubbish before it.
      [32768, '05 7e 8000'],
      [65535, '05 7e ffff'],
      [65536, '05 7f 0000000000010000'],
    ] as const) {
      const frame = encode(Buffer.alloc(length, 7));
      expect(frame.equals(Buffer.concat([hex(header), Buffer.alloc(length, 7)])), String(length)).to.equal(true);
    }
  });

  it('messages one behind the other, however many they are', () => {
    const queue = new OutputQueue();
    for (let i = 0; i < 30_000; i++) draft.encoder('server')('a', queue);
    expect(Buffer.concat(queue.take()).equals(Buffer.alloc(90_000, hex('04 01 61')))).to.equal(true);
  });

  it('a copy of a short payload, and a long one by reference', () => {
    for (const [length, copied] of [
      [4096, true],
      [4097, false],
    ] as const) {
      const payload = Buffer.alloc(length, 7);
      const queue = new OutputQueue();
      draft.encoder('server')({ opcode: 'binary', payload }, queue);
      const shares = queue.take().some(({ buffer }) => buffer === payload.buffer);
      expect(shares, String(length)).to.equal(!copied);
    }
  });

  it('nothing for an item that no frame can have, and throws', () => {
    expect(thrownBy(() => encode({ opcode: 'ping', payload: Buffer.alloc(126) })).code).to.equal(
      'WS_ERR_INVALID_ARGUMENT',
    );
    for (const item of [undefined, null, 1, {}, { opcode: 'foo' }]) {
      expect(thrownBy(() => encode(item as unknown as string)).code).to.equal('WS_ERR_INVALID_ARGUMENT');
    }
  });
});
