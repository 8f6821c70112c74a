import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import type { Outgoing, Version } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { MessageWriter } from '../../lib/framing/messageWriter';
import {
  binaryMessage,
  isBinary,
  messageSize,
  PreparedMessage,
  textMessage,
  toOutgoing,
} from '../../lib/framing/outgoingMessage';
import { thrownBy } from '../support/thrown';
import { hex } from '../support/vectors';

/** The bytes of "hi", in objects of another realm. */
const foreign: readonly (readonly [what: string, value: unknown])[] = [
  ['a Uint8Array', 'Uint8Array.of(104, 105)'],
  ['an ArrayBuffer', 'Uint8Array.of(104, 105).buffer'],
  ['a SharedArrayBuffer', 'const s = new SharedArrayBuffer(2); new Uint8Array(s).set([104, 105]); s'],
  ['a Uint16Array', 'new Uint16Array(Uint8Array.of(104, 105).buffer)'],
  ['a DataView', 'new DataView(Uint8Array.of(104, 105).buffer)'],
].map(([what, source]) => [what as string, runInNewContext(source as string)]);

function encoded(item: Outgoing, version: Version = '13', extensions = ''): Buffer {
  const writer = new MessageWriter({ role: 'server', version, extensions });
  writer.write(item);
  const bytes = Buffer.concat(writer.take());
  writer.release();
  return bytes;
}

describe('A message of another realm', () => {
  for (const [what, value] of foreign) {
    it(`is sent from ${what}: written, as text, as binary, prepared`, () => {
      expect([isBinary(value), messageSize(value)]).to.deep.equal([true, 2]);
      expect(encoded(toOutgoing(value) as Outgoing)).to.deep.equal(hex('82 02 6869'));
      expect(encoded(textMessage(value as ArrayBuffer))).to.deep.equal(hex('81 02 6869'));
      expect(encoded(binaryMessage(value as ArrayBuffer))).to.deep.equal(hex('82 02 6869'));
      expect(encoded(new PreparedMessage(value as ArrayBuffer))).to.deep.equal(hex('82 02 6869'));
      expect(encoded(toOutgoing(value) as Outgoing, 'draft03')).to.deep.equal(hex('05 02 6869'));
    });
  }

  it('is a Uint8Array that is compressed as well', () => {
    const bytes = runInNewContext('new Uint8Array(1000)');
    expect(encoded(bytes, '13', 'permessage-deflate')[0]).to.equal(0xc2);
    expect(encoded({ opcode: 'ping', payload: runInNewContext('Uint8Array.of(49)') })).to.deep.equal(hex('89 01 31'));
  });
});

describe('A value that is no message', () => {
  for (const [value, given] of [
    [{ a: 1 }, 'a plain object: JSON.stringify it'],
    [[1, 2], '[ 1, 2 ]: JSON.stringify it'],
    [null, 'null'],
    [42, '42'],
    [undefined, 'undefined'],
  ] as const) {
    it(`is refused with an error that names it, ${given}, and all that is accepted`, () => {
      const error = toOutgoing(value) as WebSocketError;
      expect(error).to.be.an.instanceOf(WebSocketError);
      expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
      expect(error.message).to.equal(
        'An argument is invalid: a message is a string, a Buffer, a typed array, a DataView, an ArrayBuffer or a ' +
          `SharedArrayBuffer, a PreparedMessage, a Readable, a web ReadableStream or an async iterable, not ${given}`,
      );
      for (const make of [textMessage, binaryMessage, (data: string) => new PreparedMessage(data)]) {
        const { message } = thrownBy(() => make(value as unknown as string));
        expect(message).to.include('the data of a message is a string, a Buffer').and.to.include(`not ${given}`);
      }
    });
  }
});

describe('An item that is no frame', () => {
  for (const [item, message] of [
    [42, 'a Framer takes a string, a Uint8Array, or an object with an opcode and a payload, not 42'],
    [{}, 'not a plain object: JSON.stringify it'],
    [{ opcode: 'text', payload: 1000 }, 'the payload of a text frame is a string or a Uint8Array, not 1000'],
    [{ opcode: 'toString' }, "not an object with the opcode 'toString'"],
  ] as const) {
    it(`is refused in every version: ${message}`, () => {
      for (const version of ['13', 'draft03', 'draft76'] as const) {
        const error = thrownBy(() => encoded(item as unknown as Outgoing, version));
        expect([error.code, error.message.includes(message)], version).to.deep.equal(['WS_ERR_INVALID_ARGUMENT', true]);
      }
    });
  }

  it('is a ping whose payload is no bytes, or more than 125 of them', () => {
    for (const version of ['13', 'draft03'] as const) {
      for (const [payload, message] of [
        [undefined, 'the payload of a ping frame is a Uint8Array, not undefined'],
        ['x', "the payload of a ping frame is a Uint8Array, not 'x'"],
        [Buffer.alloc(126), 'a ping or pong takes at most 125 bytes, not 126'],
      ] as const) {
        const error = thrownBy(() => encoded({ opcode: 'ping', payload } as Outgoing, version));
        expect([error.code, error.message.includes(message)]).to.deep.equal(['WS_ERR_INVALID_ARGUMENT', true]);
      }
    }
  });
});
