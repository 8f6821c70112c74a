import { expect } from 'chai';
import { SlidingWindow } from '../../lib/extensions/slidingWindow';
import { Dice } from '../support/vectors';

describe('SlidingWindow', () => {
  it('is empty at first, and takes no bytes then', () => {
    const window = new SlidingWindow(32_768);
    expect([window.length, window.toBuffer()]).to.deep.equal([0, Buffer.alloc(0)]);
    window.append(Buffer.alloc(0));
    expect(window.length).to.equal(0);
  });

  it('has the last bytes up to its size, oldest first, whatever the pieces', () => {
    const size = 4096;
    const dice = new Dice(1);
    for (const most of [10, 700, 3000, 9000]) {
      const window = new SlidingWindow(size);
      let all: Buffer = Buffer.alloc(0);
      for (let i = 0; i < 200; i++) {
        const piece = dice.bytes(dice.roll(most));
        window.append(piece);
        all = Buffer.concat([all, piece]).subarray(-size);
        expect(window.length).to.equal(all.length);
        expect(window.toBuffer().equals(all), `after ${i + 1} pieces of up to ${most} bytes`).to.equal(true);
      }
    }
  });

  it('has a piece of its size, and the end of a larger one', () => {
    for (const length of [1024, 1025, 5000]) {
      const window = new SlidingWindow(1024);
      window.append(Buffer.from('before'));
      const piece = new Dice(length).bytes(length);
      window.append(piece);
      expect(window.toBuffer()).to.deep.equal(piece.subarray(-1024));
    }
  });

  it('grows with what it has: a connection with small messages does not take the memory of a whole window', () => {
    const window = new SlidingWindow(32_768);
    const piece = Buffer.alloc(256);
    window.append(piece);
    const { arrayBuffers } = process.memoryUsage();
    const windows = Array.from({ length: 200 }, () => new SlidingWindow(32_768));
    for (let i = 0; i < 4; i++) for (const each of windows) each.append(piece);
    expect(process.memoryUsage().arrayBuffers - arrayBuffers).to.be.below(200 * 1500);
    expect(windows.every(({ length }) => length === 1024)).to.equal(true);
  });

  it('gives a copy: later bytes do not change it', () => {
    const window = new SlidingWindow(4);
    window.append(Buffer.from('abcd'));
    const copy = window.toBuffer();
    window.append(Buffer.from('efgh'));
    expect(`${copy}, ${window.toBuffer()}`).to.equal('abcd, efgh');
  });
});
