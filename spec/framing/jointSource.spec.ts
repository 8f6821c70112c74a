import { expect } from 'chai';
import type { ConnectionSettings } from '../../lib/connection/connectionOwner';
import type { DeframerNeighbour, FramerNeighbour } from '../../lib/framing/joined';
import { JointSource, jointSourceFor } from '../../lib/framing/jointSource';

const settings: ConnectionSettings = {
  role: 'client',
  version: '13',
  extensions: '',
  maxMessageSize: 1000,
  closeTimeout: 1000,
  parts: false,
};

/** Keeps what it gets; takes everything, or nothing. */
class Neighbour implements DeframerNeighbour, FramerNeighbour {
  readonly items: unknown[] = [];
  readonly bytes: string[] = [];
  readonly #willing: boolean;

  constructor({ willing = true } = {}) {
    this.#willing = willing;
  }

  take(item: unknown): boolean {
    this.items.push(item);
    return this.#willing;
  }

  chunkUsed(): void {}

  writeBytes(bytes: Uint8Array): void {
    this.bytes.push(Buffer.from(bytes).toString('hex'));
  }

  compressed(): void {}
}

describe('JointSource', () => {
  it('gives the Deframer of a silent connection to the next that has something to read', () => {
    const source = new JointSource(settings);
    const [one, other] = [new Neighbour(), new Neighbour()];
    const deframer = source.deframer(one);
    deframer.feed(Buffer.from('81026869', 'hex')); // the text "hi"
    expect(source.parkDeframer(deframer)).to.equal(undefined);
    const next = source.deframer(other);
    expect(next).to.equal(deframer);
    next.feed(Buffer.from('8103686579', 'hex')); // the text "hey"
    expect([one.items, other.items]).to.deep.equal([['hi'], ['hey']]);
  });

  for (const [what, bytes] of [
    ['a header', '81'],
    ['a frame', '810268'],
    ['a fragmented message', '01026869'],
    ['everything: the peer has said goodbye', '8800'],
  ] as const) {
    it(`leaves a connection its Deframer behind ${what}`, () => {
      const source = new JointSource(settings);
      const deframer = source.deframer(new Neighbour());
      deframer.feed(Buffer.from(bytes, 'hex'));
      expect(source.parkDeframer(deframer)).to.equal(deframer);
      expect(source.deframer(new Neighbour())).to.not.equal(deframer);
    });
  }

  it('leaves a connection its Deframer while a reader has enough', () => {
    const source = new JointSource(settings);
    const deframer = source.deframer(new Neighbour({ willing: false }));
    deframer.feed(Buffer.from('81016181016281016381016481016581016681016781016881016981016a', 'hex'));
    expect(source.parkDeframer(deframer)).to.equal(deframer);
  });

  it('gives on a Framer whose bytes have left', () => {
    const source = new JointSource({ ...settings, role: 'server' });
    const neighbour = new Neighbour();
    const framer = source.framer(neighbour);
    framer.feed('hi');
    expect(source.parkFramer(framer)).to.equal(framer);
    framer.flush();
    expect(neighbour.bytes).to.deep.equal(['81026869']);
    expect(source.parkFramer(framer)).to.equal(undefined);
    expect(source.framer(new Neighbour())).to.equal(framer);
  });

  it('leaves both to a connection that compresses: they remember what went before', () => {
    const source = new JointSource({ ...settings, extensions: 'permessage-deflate', perMessageDeflate: true });
    const [deframer, framer] = [source.deframer(new Neighbour()), source.framer(new Neighbour())];
    expect([source.parkDeframer(deframer), source.parkFramer(framer)]).to.deep.equal([deframer, framer]);
  });

  it('keeps no more than a few', () => {
    const source = new JointSource(settings);
    const all = Array.from({ length: 100 }, () => source.deframer(new Neighbour()));
    for (const deframer of all) source.parkDeframer(deframer);
    const again = new Set(Array.from({ length: 100 }, () => source.deframer(new Neighbour())));
    expect(all.filter((deframer) => again.has(deframer))).to.have.lengthOf(32);
  });

  it('is one for all connections with the same settings', () => {
    expect(jointSourceFor(settings)).to.equal(jointSourceFor(settings));
    expect(jointSourceFor(settings)).to.not.equal(jointSourceFor({ ...settings }));
  });
});
