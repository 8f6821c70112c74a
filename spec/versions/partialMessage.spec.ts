import { constants } from 'node:buffer';
import { expect } from 'chai';
import type { MessagePart } from '../../lib/contracts';
import { checkMessageSize, PartialMessage } from '../../lib/versions/partialMessage';
import { thrownBy } from '../support/thrown';

/** Appends bytes that nobody will overwrite. */
function append(message: PartialMessage, text: string | Buffer): void {
  const bytes = Buffer.from(text as string);
  message.append(bytes, 0, bytes.length, true);
}

describe('PartialMessage', () => {
  describe('that is joined', () => {
    it('is the text, or the bytes, of all that was appended', () => {
      for (const [text, expected] of [
        [true, 'Hello'],
        [false, Buffer.from('Hello')],
      ] as const) {
        const message = new PartialMessage(text, false, false);
        message.expect(3);
        append(message, 'Hel');
        expect([message.size, message.kept, message.part()]).to.deep.equal([3, 3, undefined]);
        append(message, 'lo');
        expect(message.end()).to.deep.equal(expected);
      }
    });

    it('is compressed bytes with what they are, which are not checked before they are decompressed', () => {
      for (const [text, opcode] of [
        [true, 'text'],
        [false, 'binary'],
      ] as const) {
        const message = new PartialMessage(text, true, false);
        append(message, Buffer.of(0xff, 0xfe));
        expect(message.end()).to.deep.equal({ opcode, compressed: true, payload: Buffer.of(0xff, 0xfe) });
      }
    });

    it('takes no more memory than its frame header has announced', () => {
      const message = new PartialMessage(false, false, false);
      message.expect(10_000);
      append(message, Buffer.alloc(6000));
      append(message, Buffer.alloc(4000));
      expect((message.end() as Buffer).buffer.byteLength).to.equal(10_000);
    });

    it('takes only the bytes between two places, and none of an empty piece', () => {
      const message = new PartialMessage(false, false, false);
      message.append(Buffer.from('abcdef'), 2, 4, false);
      message.append(Buffer.from('abcdef'), 4, 4, false);
      expect([message.size, message.end()]).to.deep.equal([2, Buffer.from('cd')]);
    });
  });

  describe('in parts', () => {
    it('gives what was received since the last part, and tells the first and the last one', () => {
      const message = new PartialMessage(true, false, true);
      message.expect(1e9);
      append(message, 'Hel');
      const common = { opcode: 'part', text: true, compressed: false } as const;
      expect(message.part()).to.deep.equal({ ...common, first: true, last: false, payload: Buffer.from('Hel') });
      expect(message.part()).to.equal(undefined);
      append(message, 'lo');
      expect([message.size, message.kept]).to.deep.equal([5, 0]);
      expect(message.end()).to.deep.equal({ ...common, first: false, last: true, payload: Buffer.from('lo') });
    });

    it('has one empty part if it is empty', () => {
      const message = new PartialMessage(false, true, true);
      append(message, '');
      expect(message.part()).to.equal(undefined);
      const only = { opcode: 'part', text: false, compressed: true, first: true, last: true, payload: Buffer.alloc(0) };
      expect(message.end()).to.deep.equal(only);
    });

    /** Whether a part refers to the memory that it was received in. */
    function refers(length: number, of: number, lasting: boolean): boolean {
      const received = Buffer.alloc(of);
      const message = new PartialMessage(false, false, true);
      message.append(received, 0, length, lasting);
      return (message.part() as MessagePart).payload.buffer === received.buffer;
    }

    it('refers to the received bytes if they last, and are most of what they keep in memory', () => {
      expect(refers(6000, 10_000, true)).to.equal(true);
      expect(refers(5000, 10_000, true)).to.equal(false);
      expect(refers(10_000, 10_000, false)).to.equal(false);
    });
  });

  it('that is text: fails at the first byte that is not UTF-8, and at the end in a code point', () => {
    for (const parts of [false, true]) {
      const bad = new PartialMessage(true, false, parts);
      append(bad, Buffer.of(0xc3));
      expect(thrownBy(() => append(bad, Buffer.of(0x28))).code).to.equal('WS_ERR_INVALID_UTF8');
      const cut = new PartialMessage(true, false, parts);
      append(cut, Buffer.of(0xe2, 0x82));
      const error = thrownBy(() => cut.end());
      expect(error.code).to.equal('WS_ERR_INVALID_UTF8');
      expect(error.message).to.include('the last code point is cut off');
    }
  });
});

describe('checkMessageSize()', () => {
  const refusal = (size: number, text: boolean, compressed: boolean, maxMessageSize: number, parts?: boolean) => {
    try {
      checkMessageSize(size, { text, compressed }, { maxMessageSize, ...(parts !== undefined && { parts }) } as never);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('allows the limit, and not a byte more', () => {
    expect(refusal(1000, true, false, 1000)).to.equal(undefined);
    expect(refusal(1001, true, false, 1000)).to.include('1001 bytes are more than 1000');
  });

  it('allows compressed bytes 64 and a thousandth more, because some cannot be compressed', () => {
    expect(refusal(102_400 + 100 + 64, false, true, 102_400)).to.equal(undefined);
    expect(refusal(102_400 + 100 + 65, false, true, 102_400)).to.include('102565 compressed bytes');
  });

  it('allows no limit of the program that a string or a Buffer cannot have, except in parts', () => {
    const most = Number.POSITIVE_INFINITY;
    expect(refusal(constants.MAX_STRING_LENGTH, true, false, most)).to.equal(undefined);
    expect(refusal(constants.MAX_STRING_LENGTH + 1, true, false, most)).to.be.a('string');
    expect(refusal(constants.MAX_STRING_LENGTH + 1, true, true, most)).to.equal(undefined);
    expect(refusal(constants.MAX_LENGTH + 1, false, false, most)).to.be.a('string');
    expect(refusal(constants.MAX_STRING_LENGTH + 1, true, false, most, true)).to.equal(undefined);
  });
});
