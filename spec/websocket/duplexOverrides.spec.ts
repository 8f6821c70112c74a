import { Duplex } from 'node:stream';
import { expect } from 'chai';
import { noteOperators, overrideGetters, overrideListenerMethods } from '../../lib/websocket/duplexOverrides';

/** A class of its own for each spec, whose prototype can be changed. */
const newClass = () =>
  class FakeStream extends Duplex {
    override _read(): void {}
  };

const listener = () => {};

describe('overrideListenerMethods()', () => {
  function rig() {
    const Stream = newClass();
    const changes: (readonly [stream: Duplex, count: number])[] = [];
    overrideListenerMethods(Stream.prototype, (stream) => changes.push([stream, stream.listenerCount('message')]));
    return { stream: new Stream(), changes };
  }

  it("is called after each method that adds or removes a 'message' listener", () => {
    for (const add of ['on', 'addListener', 'once', 'prependListener', 'prependOnceListener'] as const) {
      const { stream, changes } = rig();
      expect(stream[add]('message', listener)).to.equal(stream);
      expect(changes).to.deep.equal([[stream, 1]]);
    }
    for (const remove of ['off', 'removeListener'] as const) {
      const { stream, changes } = rig();
      stream.on('message', listener);
      expect(stream[remove]('message', listener)).to.equal(stream);
      expect(changes.at(-1)).to.deep.equal([stream, 0]);
    }
  });

  it('calls back when a once() listener has been called', () => {
    const { stream, changes } = rig();
    stream.once('message', listener);
    stream.emit('message', 'a');
    expect(changes.map(([, count]) => count)).to.deep.equal([1, 0]);
  });

  it("calls back for 'data', which starts the flow as in Node, and for no other event", () => {
    const { stream, changes } = rig();
    stream.on('error', listener).on('close', listener).off('close', listener);
    expect(changes).to.deep.equal([]);
    stream.on('data', listener);
    expect([changes.length, stream.readableFlowing]).to.deep.equal([1, true]);
  });

  it('does not change other streams', () => {
    const { changes } = rig();
    new Duplex().on('message', listener);
    expect(changes).to.deep.equal([]);
  });
});

describe('overrideGetters()', () => {
  it("returns the value of the getter instead of Node's own property", () => {
    const Stream = newClass();
    overrideGetters(Stream.prototype, { readableHighWaterMark: (stream) => [stream.readableLength, 'messages'] });
    const stream = new Stream();
    expect(stream.readableHighWaterMark).to.deep.equal([0, 'messages']);
    expect(new Duplex({ readableHighWaterMark: 5 }).readableHighWaterMark).to.equal(5);
  });
});

describe('noteOperators()', () => {
  const names = ['map', 'filter', 'flatMap', 'take', 'drop'] as const;

  it('calls the callback when an operator is applied, and returns the result of Node', async () => {
    for (const name of names) {
      const Stream = newClass();
      const noted: Duplex[] = [];
      noteOperators(Stream.prototype, (stream) => noted.push(stream));
      const stream = new Stream({ objectMode: true });
      stream.push('a');
      stream.push(null);
      const operator = stream[name] as (this: Duplex, parameter: unknown) => Duplex;
      const isCount = name === 'take' || name === 'drop';
      const result = operator.call(stream, isCount ? 1 : (message: string) => [message]);
      expect(noted).to.deep.equal([stream]);
      expect((await result.toArray()).flat()).to.deep.equal(name === 'drop' ? [] : ['a']);
    }
  });

  it('does not call the callback for operators that read to the end themselves', async () => {
    const Stream = newClass();
    noteOperators(Stream.prototype, () => expect.fail('It was noted'));
    const stream = new Stream({ objectMode: true });
    stream.push(null);
    expect(await stream.toArray()).to.deep.equal([]);
  });
});
