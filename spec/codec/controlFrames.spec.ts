import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import {
  checkClose,
  checkControlPayload,
  controlPayload,
  decodeCloseBody,
  encodeCloseBody,
  maxControlPayload,
} from '../../lib/codec/controlFrames';
import type { WebSocketErrorCode } from '../../lib/errors';
import { WebSocketError } from '../../lib/errors';
import { thrownBy } from '../support/thrown';
import { hex } from '../support/vectors';

describe('checkControlPayload()', () => {
  it('accepts 125 bytes and refuses 126', () => {
    checkControlPayload(Buffer.alloc(0));
    checkControlPayload(Buffer.alloc(maxControlPayload));
    const error = thrownBy(() => checkControlPayload(Buffer.alloc(maxControlPayload + 1)));
    expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
    expect(error.message).to.include('125 bytes');
  });
});

describe('controlPayload()', () => {
  it('returns a copy of bytes of any realm, or the UTF-8 of a string', () => {
    const bytes = Uint8Array.of(1, 2);
    for (const data of [bytes, bytes.buffer, runInNewContext('Uint8Array.of(1, 2)')])
      expect(controlPayload(data)).to.deep.equal(hex('0102'));
    expect(controlPayload(bytes).buffer).to.not.equal(bytes.buffer);
    expect(controlPayload('ü')).to.deep.equal(hex('c3bc'));
  });

  it('refuses any other value with an error that names it', () => {
    for (const [data, given] of [
      [{}, 'a plain object'],
      [[1], '[ 1 ]'],
      [100, '100'],
      [null, 'null'],
    ] as const) {
      const error = thrownBy(() => controlPayload(data as unknown as string));
      expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
      expect(error.message).to.include(`not ${given}`);
    }
  });
});

describe('checkClose()', () => {
  it('refuses a code of another type, and names it', () => {
    for (const [code, given] of [
      ['4000', "not '4000'"],
      [null, 'not null'],
      [999, 'not 999'],
    ] as const) {
      const error = thrownBy(() => checkClose(code as number, ''));
      expect([error.code, error.message.includes(given)]).to.deep.equal(['WS_ERR_INVALID_ARGUMENT', true]);
    }
  });

  it('refuses a reason that is too long or no string, and names it', () => {
    expect(thrownBy(() => checkClose(1000, 'x'.repeat(124))).message).to.include('at most 123 bytes, not 124');
    expect(thrownBy(() => checkClose(1000, null as unknown as string)).message).to.include('not null');
  });
});

describe('The body of a Close frame', () => {
  const bodies: [body: string, code: number, reason: string][] = [
    ['', 1005, ''], // no body at all
    ['03e8', 1000, ''],
    ['03e9 627965', 1001, 'bye'],
    ['03f6', 1014, ''],
    ['0bb8', 3000, ''],
    ['1387 e282ac', 4999, '\u20ac'],
  ];
  for (const [body, code, reason] of bodies) {
    it(`${body || '(empty)'} says ${code} ${JSON.stringify(reason)}, both ways`, () => {
      expect(decodeCloseBody(hex(body))).to.deep.equal({ opcode: 'close', code, reason });
      expect(encodeCloseBody({ code, reason })).to.deep.equal(hex(body));
    });
  }

  const bad: [what: string, body: string, code: WebSocketErrorCode, closeCode: number][] = [
    ['half a code', '03', 'WS_ERR_INVALID_CLOSE', 1002],
    ['code 0', '0000', 'WS_ERR_INVALID_CLOSE', 1002],
    ['code 999', '03e7', 'WS_ERR_INVALID_CLOSE', 1002],
    ['code 1004', '03ec', 'WS_ERR_INVALID_CLOSE', 1002],
    ['code 1005, which only an empty body can say', '03ed', 'WS_ERR_INVALID_CLOSE', 1002],
    ['code 1006', '03ee', 'WS_ERR_INVALID_CLOSE', 1002],
    ['code 1015', '03f7', 'WS_ERR_INVALID_CLOSE', 1002],
    ['code 2999', '0bb7', 'WS_ERR_INVALID_CLOSE', 1002],
    ['code 5000', '1388', 'WS_ERR_INVALID_CLOSE', 1002],
    ['code 65535', 'ffff', 'WS_ERR_INVALID_CLOSE', 1002],
    ['a reason that is not UTF-8', '03e8 c328', 'WS_ERR_INVALID_UTF8', 1007],
    ['a reason that is cut inside a code point', '03e8 61 e282', 'WS_ERR_INVALID_UTF8', 1007],
  ];
  for (const [what, body, code, closeCode] of bad) {
    it(`is refused with ${what}`, () => {
      const error = thrownBy(() => decodeCloseBody(hex(body)));
      expect([error.code, error.closeCode]).to.deep.equal([code, closeCode]);
    });
  }

  it('names an invalid code in the error', () => {
    expect(thrownBy(() => decodeCloseBody(hex('03ec'))).message).to.include('1004');
  });

  it('refuses to encode a code that must not be sent', () => {
    for (const code of [0, 999, 1004, 1006, 1015, 1016, 2999, 5000, -1, Number.NaN]) {
      const error = thrownBy(() => encodeCloseBody({ code, reason: '' }));
      expect(error.code, String(code)).to.equal('WS_ERR_INVALID_ARGUMENT');
      expect(error.message).to.include(String(code));
    }
  });

  it('names a code that is no number in the error', () => {
    const error = thrownBy(() => encodeCloseBody({ code: '4000' as unknown as number, reason: '' }));
    expect(error.message).to.match(/close code must be a number: .*, or 3000 to 4999, not '4000'$/);
  });

  it('accepts a reason of 123 bytes, also with fewer characters', () => {
    expect(encodeCloseBody({ code: 1000, reason: 'x'.repeat(123) })).to.have.lengthOf(125);
    expect(encodeCloseBody({ code: 1000, reason: '\u20ac'.repeat(41) })).to.have.lengthOf(125);
    for (const reason of ['x'.repeat(124), '\u20ac'.repeat(42)]) {
      expect(thrownBy(() => encodeCloseBody({ code: 1000, reason })).message).to.include('123 bytes');
    }
  });

  it('refuses a reason that is no string', () => {
    // A typed array has once sent the memory of the process to the peer (CVE-2026-45736 of another library).
    for (const reason of [new Float32Array(20), 5, {}]) {
      expect(() => encodeCloseBody({ code: 1000, reason: reason as string })).to.throw(WebSocketError, /a string/);
    }
  });
});

describe('What the errors of control frames say', () => {
  const errors: [what: string, action: () => unknown, message: string][] = [
    [
      'a payload of another type',
      () => controlPayload(5 as never),
      'a string, a Buffer, a typed array, a DataView or an ArrayBuffer, not 5',
    ],
    [
      'a payload that is too long',
      () => controlPayload('x'.repeat(126)),
      'a ping or pong takes at most 125 bytes, not 126',
    ],
    [
      'a reason of another type',
      () => checkClose(1000, 5 as never),
      'close reason must be a string of at most 123 bytes, not 5',
    ],
    ['half a close code', () => decodeCloseBody(hex('03')), 'a body of one byte is half a close code'],
    ['a reason that is not UTF-8', () => decodeCloseBody(hex('03e8 ff')), 'the close reason'],
  ];
  for (const [what, action, message] of errors) {
    it(`names ${what}`, () => expect(thrownBy(() => void action()).message).to.include(message));
  }
});
