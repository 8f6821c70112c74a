import { expect } from 'chai';
import { OutputQueue } from '../../lib/codec/outputQueue';

const slabSize = 64 * 1024;

function write(queue: OutputQueue, text: string): void {
  const bytes = Buffer.from(text);
  const start = queue.reserve(bytes.length);
  queue.bytes.set(bytes, start);
  queue.commit(bytes.length);
}

const text = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString();

describe('OutputQueue', () => {
  it('take(): returns bytes that were written piece by piece as one piece', () => {
    const queue = new OutputQueue();
    for (const word of ['one ', 'two ', 'three']) write(queue, word);
    expect([queue.length, queue.pieces]).to.deep.equal([13, 1]);
    expect(queue.take().map(String)).to.deep.equal(['one two three']);
  });

  it('is empty before the first write, and after take()', () => {
    const queue = new OutputQueue();
    expect([queue.length, queue.pieces, queue.take()]).to.deep.equal([0, 0, []]);
    write(queue, 'one');
    queue.take();
    expect([queue.length, queue.pieces, queue.take()]).to.deep.equal([0, 0, []]);
  });

  it('take(): returns only the committed bytes of a reservation', () => {
    const queue = new OutputQueue();
    queue.reserve(100);
    const start = queue.reserve(100);
    queue.bytes.write('short', start);
    queue.commit(5);
    expect(queue.length).to.equal(5);
    expect(text(queue.take())).to.equal('short');
  });

  it('takeOnly(): returns a single piece, and undefined if there are more or none', () => {
    const queue = new OutputQueue();
    expect(queue.takeOnly()).to.equal(undefined);
    write(queue, 'one');
    expect(String(queue.takeOnly())).to.equal('one');
    expect([queue.length, queue.takeOnly(), queue.take()]).to.deep.equal([0, undefined, []]);
    write(queue, 'two');
    queue.append(Buffer.from('three'));
    expect(queue.takeOnly()).to.equal(undefined);
    expect(text(queue.take())).to.equal('twothree');
    queue.append(Buffer.from('five'));
    write(queue, 'six');
    expect(queue.takeOnly()).to.equal(undefined);
    expect(text(queue.take())).to.equal('fivesix');
    write(queue, 'four');
    expect(String(queue.takeOnly())).to.equal('four');
  });

  it('append(): keeps large bytes by reference, in order with the others', () => {
    const queue = new OutputQueue();
    const large = Buffer.from('the payload itself');
    write(queue, 'before ');
    queue.append(large);
    write(queue, ' after');
    expect([queue.length, queue.pieces]).to.deep.equal([31, 3]);
    const pieces = queue.take();
    expect(text(pieces)).to.equal('before the payload itself after');
    expect(pieces[1]).to.equal(large);
  });

  it('does not mix the bytes of connections that write in turns', () => {
    const a = new OutputQueue();
    const b = new OutputQueue();
    for (const digit of '123') {
      write(a, `a${digit} `);
      write(b, `b${digit} `);
    }
    expect(text(a.take())).to.equal('a1 a2 a3 ');
    expect(text(b.take())).to.equal('b1 b2 b3 ');
  });

  it('never overwrites bytes that were taken', () => {
    const queue = new OutputQueue();
    const taken: { pieces: readonly Uint8Array[]; expected: string }[] = [];
    // More than three slabs.
    for (let i = 0; i < 30; i++) {
      const expected = `${i} `.repeat(3000);
      write(queue, expected);
      taken.push({ pieces: queue.take(), expected });
    }
    for (const { pieces, expected } of taken) expect(text(pieces)).to.equal(expected);
  });

  it('continues in a new slab when the old one is full, and loses no byte', () => {
    const queue = new OutputQueue();
    const expected: string[] = [];
    for (let i = 0; i < 100; i++) {
      const word = `${i} `.repeat(500);
      expected.push(word);
      write(queue, word);
    }
    expect(queue.length).to.equal(expected.join('').length);
    // It is still few pieces, each as long as a slab allows.
    expect(queue.pieces).to.be.at.most(Math.ceil(queue.length / slabSize) + 2);
    expect(text(queue.take())).to.equal(expected.join(''));
  });

  it('reserve(): accepts a size larger than a slab', () => {
    const queue = new OutputQueue();
    const word = 'x'.repeat(3 * slabSize);
    write(queue, 'before ');
    write(queue, word);
    write(queue, ' after');
    expect(text(queue.take())).to.equal(`before ${word} after`);
  });
});
