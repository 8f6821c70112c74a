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
