import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { webStreamCloser } from '../../lib/nodeStreams/webStreamReader';

/** Whether the ReadableStream of Node itself waits for the writable side. */
const isNeeded = Number(process.versions.node.split('.', 1)[0]) < 24;

const newStream = () => new Duplex({ objectMode: true, read() {}, write: (_chunk, _encoding, done) => done() });

describe('webStreamCloser()', () => {
  it('returns undefined for a stream that no web stream reads', () => {
    const stream = newStream();
    expect(webStreamCloser(stream)).to.equal(undefined);
    stream.on('data', () => {});
    expect(webStreamCloser(stream)).to.equal(undefined);
  });

  it('returns undefined for a listener of the program with the same name', () => {
    const stream = newStream();
    stream.on('data', function onData() {});
    expect(webStreamCloser(stream)).to.equal(undefined);
  });

  it('returns undefined for listeners of the program of which some have the names of those of a web stream', () => {
    for (const [onfinish, onclose] of [
      [function onfinish() {}, function another() {}],
      [function another() {}, function onclose() {}],
      [function onfinish() {}, undefined],
    ] as const) {
      const stream = newStream();
      stream.on('data', function onData() {}).on('finish', onfinish);
      if (onclose !== undefined) stream.on('close', onclose);
      expect(webStreamCloser(stream)).to.equal(undefined);
    }
  });

  it('returns a function once at most for a web stream', () => {
    const stream = newStream();
    Duplex.toWeb(stream);
    expect(webStreamCloser(stream) !== undefined).to.equal(isNeeded);
    expect(webStreamCloser(stream)).to.equal(undefined);
  });

  const whereNotNeeded = () => {
    const stream = newStream();
    Duplex.toWeb(stream);
    expect(webStreamCloser(stream)).to.equal(undefined);
  };

  const whereNeeded = async () => {
    const stream = newStream();
    const reader = Duplex.toWeb(stream).readable.getReader();
    const close = webStreamCloser(stream);
    stream.push('a');
    stream.push(null);
    expect(await reader.read()).to.deep.equal({ done: false, value: 'a' });
    await turn();
    let closed = false;
    const end = reader.read().then((result) => {
      closed = true;
      return result;
    });
    await turn();
    expect([closed, stream.readableEnded, stream.writableEnded]).to.deep.equal([false, true, false]);
    close?.();
    expect(await end).to.deep.equal({ done: true, value: undefined });
    expect(stream.destroyed).to.equal(false);
  };

  if (isNeeded) it('returns a function that closes the ReadableStream before the writable side has ended', whereNeeded);
  else it('returns undefined where Node needs no help', whereNotNeeded);
});
