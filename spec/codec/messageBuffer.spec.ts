import { expect } from 'chai';
import { MessageBuffer } from '../../lib/codec/messageBuffer';

const KiB = 1024;

function counting(length: number, first = 0): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => first + i));
}

/** Counts the bytes of all the buffers that are made for messages meanwhile. */
function bytesAllocatedBy(action: () => void): number {
  const { allocUnsafeSlow } = Buffer;
  let total = 0;
  Buffer.allocUnsafeSlow = (size) => {
    total += size;
    return allocUnsafeSlow(size);
  };
  try {
    action();
  } finally {
    Buffer.allocUnsafeSlow = allocUnsafeSlow;
  }
  return total;
}

describe('MessageBuffer', () => {
  it('joins pieces in order', () => {
    const message = new MessageBuffer(false);
    const source = counting(300);
    message.append(source, 0, 100);
    message.append(source, 100, 101);
    message.append(source, 101, 101);
    message.append(source, 101, 300);
    expect(message.length).to.equal(300);
    expect(message.toBuffer().equals(source)).to.equal(true);
  });

  it('returns an empty message if nothing was appended', () => {
    expect(new MessageBuffer(false).toBuffer()).to.deep.equal(Buffer.alloc(0));
    expect(new MessageBuffer(true).toText()).to.equal('');
  });

  it('accepts pieces of any size', () => {
    const message = new MessageBuffer(false);
    const source = counting(1000 * KiB);
    message.append(source, 0, source.length);
    message.append(source, 0, source.length);
    expect(message.length).to.equal(2 * source.length);
    expect(message.toBuffer().equals(Buffer.concat([source, source]))).to.equal(true);
  });

  it('copies the pieces, which may be changed afterwards', () => {
    const message = new MessageBuffer(false);
    const piece = Buffer.from('abc');
    message.append(piece, 0, 3);
    piece.fill('x');
    expect(message.toBuffer().toString()).to.equal('abc');
  });

  it('allocates once if a header announces the length that is received', () => {
    const source = counting(100 * KiB);
    const allocated = bytesAllocatedBy(() => {
      const message = new MessageBuffer(false);
      message.expect(source.length);
      for (let at = 0; at < source.length; at += KiB) message.append(source, at, at + KiB);
      expect(message.toBuffer().equals(source)).to.equal(true);
    });
    expect(allocated).to.equal(source.length);
  });

  it('does not allocate a gigabyte because a header announces it', () => {
    const allocated = bytesAllocatedBy(() => new MessageBuffer(false).expect(KiB ** 3));
    expect(allocated).to.be.at.most(256 * KiB);
  });

  it('allocates at most eight times the received bytes', () => {
    const message = new MessageBuffer(false);
    const piece = counting(64 * KiB);
    message.expect(KiB ** 3);
    let most = 0;
    for (let length = piece.length; length < 100 * piece.length; length += piece.length) {
      most = Math.max(
        most,
        bytesAllocatedBy(() => message.append(piece, 0, piece.length)),
      );
      expect(most).to.be.at.most(Math.max(256 * KiB, 8 * length));
    }
  });

  for (const text of [false, true]) {
    it(`does not copy a ${text ? 'text' : 'binary'} message over and over when it comes in many small pieces`, () => {
      const size = 1024 * KiB;
      const piece = counting(KiB);
      const allocated = bytesAllocatedBy(() => {
        const message = new MessageBuffer(text);
        for (let at = 0; at < size; at += piece.length) {
          // What is still to come of the frame is announced before each of its pieces.
          message.expect(size - at);
          message.append(piece, 0, piece.length);
        }
      });
      expect(allocated).to.be.at.most(4 * size);
    });
  }

  it('takes little more memory than the bytes of thousands of tiny fragments', () => {
    const piece = Buffer.from('x');
    const allocated = bytesAllocatedBy(() => {
      const message = new MessageBuffer(false);
      for (let i = 0; i < 50_000; i++) {
        message.expect(1);
        message.append(piece, 0, 1);
      }
      expect(message.toBuffer().length).to.equal(50_000);
    });
    expect(allocated).to.be.at.most(256 * KiB + 4 * 50_000);
  });

  it('returns a message in at most a quarter more memory than it needs', () => {
    const source = counting(600 * KiB);
    for (const length of [1, 100, 10 * KiB, 200 * KiB, 260 * KiB, 520 * KiB]) {
      const message = new MessageBuffer(false);
      message.expect(length);
      for (let at = 0; at < length; at += KiB) message.append(source, at, Math.min(length, at + KiB));
      const bytes = message.toBuffer();
      expect(bytes.equals(source.subarray(0, length))).to.equal(true);
      // Small copies may come from the pool that Node shares among small buffers.
      if (length > Buffer.poolSize) expect(bytes.buffer.byteLength, `${length} bytes`).to.be.at.most(1.25 * length);
    }
  });

  it('decodes UTF-8, and keeps a byte order mark', () => {
    const message = new MessageBuffer(true);
    const source = Buffer.from('\ufeffgr\u00fc\u00df \u{1f600}');
    for (let at = 0; at < source.length; at++) message.append(source, at, at + 1);
    expect(message.toText()).to.equal('\ufeffgr\u00fc\u00df \u{1f600}');
  });

  it('uses the memory of small and large texts again, and does not keep larger memory', () => {
    const text = (length: number) => {
      const message = new MessageBuffer(true);
      message.expect(length);
      const piece = Buffer.alloc(64 * KiB, 'a');
      for (let at = 0; at < length; at += piece.length) message.append(piece, 0, piece.length);
      expect(message.toText()).to.have.lengthOf(length);
    };
    const lengths = [64 * KiB, 1024 * KiB, 2048 * KiB];
    // After a message of 1.6 MiB: twice its memory would be too large to be kept.
    for (const length of [1600 * KiB, ...lengths]) text(length);
    for (const length of lengths)
      expect(
        bytesAllocatedBy(() => text(length)),
        `${length} bytes`,
      ).to.equal(0);
    for (let i = 0; i < 2; i++) expect(bytesAllocatedBy(() => text(4096 * KiB))).to.be.at.least(4096 * KiB);
  });

  it('does not mix messages that are received at the same time or one after the other', () => {
    const letters = (letter: string) => Buffer.from(letter.repeat(3000));
    for (let round = 0; round < 3; round++) {
      const a = new MessageBuffer(true);
      const b = new MessageBuffer(true);
      const c = new MessageBuffer(false);
      a.append(letters('a'), 0, 2000);
      b.append(letters('b'), 0, 1500);
      c.append(letters('c'), 0, 2500);
      a.append(letters('a'), 0, 1000);
      expect(a.toText()).to.equal('a'.repeat(3000));
      const d = new MessageBuffer(true);
      d.append(letters('d'), 0, 3000);
      b.append(letters('b'), 0, 1500);
      expect(b.toText()).to.equal('b'.repeat(3000));
      const bytes = c.toBuffer();
      expect(d.toText()).to.equal('d'.repeat(3000));
      expect(bytes.toString()).to.equal('c'.repeat(2500));
    }
  });
});
