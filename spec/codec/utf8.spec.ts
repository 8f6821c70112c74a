import { expect } from 'chai';
import { decodeUtf8, Utf8Validator } from '../../lib/codec/utf8';
import { hex, splits } from '../support/vectors';

const texts: Record<string, string> = {
  nothing: '',
  'U+0000': '00',
  'the last character of one byte': '7f',
  'the first and the last of two bytes': 'c280 dfbf',
  'the first and the last of three bytes': 'e0a080 efbfbf',
  'the neighbours of the surrogates': 'ed9fbf ee8080',
  'the first and the last of four bytes': 'f0908080 f48fbfbf',
  'a Greek word': 'ceba e1bdb9 cf83 cebc ceb5',
  'characters that are none': 'efbfbe efbfbf',
  'a byte order mark, which belongs to the text': 'efbbbf 61',
  'the replacement character itself': 'efbfbd',
};

/** The `!` stands behind the first byte that no valid text could have in that place. */
const impossible: Record<string, string> = {
  'a continuation byte alone': '80!',
  'a continuation byte too many': 'c280 80!',
  'an overlong slash in two bytes': 'c0! af',
  'an overlong DEL': 'c1! bf',
  'an overlong form of three bytes': 'e0 80! 80',
  'an overlong form of four bytes': 'f0 80! 8080',
  'the first surrogate': 'ed a0! 80',
  'the last surrogate': 'ed bf! bf',
  'the code point after the last': 'f4 90! 8080',
  'a lead byte beyond Unicode': 'f5! 808080',
  'FE, which is never in a text': '61 fe! 61',
  'FF, which is never in a text': '61 ff!',
  'a code point broken off by another': 'e282 41! ac',
};

const unfinished = ['ce', 'e2', 'e282', 'f0', 'f09f', 'f09f98', '61f09f98'];

const bytesOf = (text: string) => hex(text.replace('!', ''));

describe('decodeUtf8()', () => {
  for (const last of ['a', 'ä', '€', '\u{1f600}', '\ufffd']) {
    it(`reads a long text that is ASCII but for its end: ${last}`, () => {
      for (const length of [16_000, 17_000, 1_200_000]) {
        const text = 'a'.repeat(length) + last;
        const bytes = Buffer.from(`(${text})`);
        expect(decodeUtf8(bytes, 1, bytes.length - 1) === text, `${length}`).to.equal(true);
      }
    });
  }

  for (const [what, text] of Object.entries(texts)) {
    it(`reads ${what}`, () => {
      const bytes = bytesOf(text);
      expect(Buffer.from(decodeUtf8(bytes, 0, bytes.length) ?? '', 'utf8')).to.deep.equal(bytes);
    });
  }

  for (const [what, text] of Object.entries(impossible)) {
    it(`refuses ${what}`, () => {
      const bytes = bytesOf(text);
      expect(decodeUtf8(bytes, 0, bytes.length)).to.equal(undefined);
    });
  }

  it('refuses a text that is cut inside a code point', () => {
    for (const text of unfinished) expect(decodeUtf8(hex(text), 0, hex(text).length), text).to.equal(undefined);
  });

  it('refuses invalid bytes, also if the text contains replacement characters', () => {
    const bytes = hex('efbfbd ff');
    expect(decodeUtf8(bytes, 0, 4)).to.equal(undefined);
    expect(decodeUtf8(bytes, 0, 3)).to.equal('\ufffd');
  });

  it('decodes only the given range', () => {
    expect(decodeUtf8(hex('ff 6162 ff'), 1, 3)).to.equal('ab');
  });
});

describe('Utf8Validator', () => {
  for (const [what, text] of Object.entries(texts)) {
    it(`accepts ${what}, wherever it is cut`, () => {
      for (const { how, chunks } of splits(bytesOf(text))) {
        const validator = new Utf8Validator();
        expect(
          chunks.map((chunk) => validator.accept(chunk)),
          how,
        ).to.not.include(false);
        expect(validator.complete, how).to.equal(true);
      }
    });
  }

  for (const [what, text] of Object.entries(impossible)) {
    it(`refuses ${what}, wherever it is cut, and not a byte too late or too early`, () => {
      const bytes = bytesOf(text);
      const refused = hex(text.slice(0, text.indexOf('!'))).length;
      for (const { how, chunks } of splits(bytes)) {
        const validator = new Utf8Validator();
        expect(
          chunks.every((chunk) => validator.accept(chunk)),
          how,
        ).to.equal(false);
      }
      expect(new Utf8Validator().accept(bytes.subarray(0, refused - 1)), 'before that byte').to.equal(true);
      expect(new Utf8Validator().accept(bytes.subarray(0, refused)), 'with that byte').to.equal(false);
    });
  }

  it('accepts the beginning of a code point, and reports that it is not complete', () => {
    for (const text of unfinished) {
      const validator = new Utf8Validator();
      expect(validator.accept(hex(text)), text).to.equal(true);
      expect(validator.complete, text).to.equal(false);
    }
  });

  it('accepts empty pieces', () => {
    const validator = new Utf8Validator();
    for (const piece of ['', 'e2', '', '82', '', 'ac', '']) expect(validator.accept(hex(piece))).to.equal(true);
    expect(validator.complete).to.equal(true);
  });

  it('agrees with TextDecoder on every sequence of bytes at the limits of valid ranges', () => {
    // The first and the last byte of each range in table 3-7 of the Unicode standard, and their neighbours.
    const limits = hex(`
      00 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff
    `);
    const compare = (prefix: number[]) => {
      for (const byte of limits) {
        const sequence = [...prefix, byte];
        const validator = new Utf8Validator();
        const accepted = sequence.every((single) => validator.accept(Buffer.of(single)));
        const text = Buffer.from(sequence).toString('hex');
        expect(accepted, text).to.equal(textDecoderAccepts(sequence, { stream: true }));
        expect(new Utf8Validator().accept(Buffer.from(sequence)), `${text} in one piece`).to.equal(accepted);
        if (!accepted) continue;
        expect(validator.complete, `${text} as the whole text`).to.equal(textDecoderAccepts(sequence));
        if (!validator.complete) compare(sequence);
      }
    };
    compare([]);
  });
});

function textDecoderAccepts(bytes: number[], options = { stream: false }): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes), options);
    return true;
  } catch {
    return false;
  }
}
