import { Duplex, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { ReadableIterator } from '../../lib/nodeStreams/readableIterator';

describe('ReadableIterator', () => {
  let stream: Readable;
  let calls: string[];

  function iterate(): ReadableIterator<string> {
    return new ReadableIterator<string>(stream, {
      readQueue: { loopStarted: () => calls.push('started'), loopEnded: () => calls.push('ended') },
      halfClose: { loopEnded: () => calls.push('at the end') },
    });
  }

  beforeEach(() => {
    stream = new Readable({ objectMode: true, read() {} });
    calls = [];
  });

  it('returns the chunks in order, and ends with the stream, which it does not destroy', async () => {
    stream = new Readable({ objectMode: true, autoDestroy: false, read() {} });
    const read: string[] = [];
    for (const chunk of ['a', 'b', 'c']) stream.push(chunk);
    stream.push(null);
    for await (const chunk of iterate()) read.push(chunk);
    expect(read).to.deep.equal(['a', 'b', 'c']);
    expect([calls, stream.destroyed]).to.deep.equal([['started', 'ended', 'at the end'], false]);
  });

  it('waits for chunks that come later', async () => {
    const iterator = iterate();
    const first = iterator.next();
    await turn();
    stream.push('a');
    expect(await first).to.deep.equal({ done: false, value: 'a' });
  });

  it('gives a chunk to the call of next() that has waited for it, and not to a later call', async () => {
    const iterator = iterate();
    const first = iterator.next();
    stream.push('a');
    const second = iterator.next();
    stream.push('b');
    expect([(await first).value, (await second).value]).to.deep.equal(['a', 'b']);
  });

  it('leaves chunks in the stream until next() is called', async () => {
    const iterator = iterate();
    stream.push('a');
    await iterator.next();
    stream.push('b');
    await turn();
    expect(stream.readableLength).to.equal(1);
  });

  it('ends with the readable side of a Duplex, whose writable side stays open', async () => {
    const duplex = new Duplex({ objectMode: true, read() {}, write: (_chunk, _encoding, done) => done() });
    stream = duplex;
    stream.push('a');
    stream.push(null);
    const read: string[] = [];
    for await (const chunk of iterate()) read.push(chunk);
    expect([read, duplex.writableEnded, duplex.destroyed]).to.deep.equal([['a'], false, false]);
  });

  it('leaves no listeners behind, whether the loop reaches the end or not', async () => {
    const events = ['readable', 'end', 'error', 'close'];
    for (const end of [null, 'b']) {
      stream = new Readable({ objectMode: true, autoDestroy: false, read() {} });
      const before = events.map((event) => stream.listenerCount(event));
      stream.push('a');
      stream.push(end);
      for await (const chunk of iterate()) if (chunk === 'b') break;
      expect(events.map((event) => stream.listenerCount(event))).to.deep.equal(before);
    }
  });

  it('starts with the first call of next(), so that an iterator that is not used reads nothing', async () => {
    const iterator = iterate();
    stream.push('a');
    await turn();
    expect([calls, stream.listenerCount('readable')]).to.deep.equal([[], 0]);
    expect(await iterator.return()).to.deep.equal({ done: true, value: undefined });
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined });
    expect([calls, stream.destroyed]).to.deep.equal([[], false]);
  });

  it('answers calls of next() that do not wait for each other in order, and those after the end with done', async () => {
    const iterator = iterate();
    const results = [iterator.next(), iterator.next(), iterator.next(), iterator.next()];
    stream.push('a');
    stream.push('b');
    stream.push(null);
    const ends = await Promise.all(results);
    expect(ends.map(({ value }) => value)).to.deep.equal(['a', 'b', undefined, undefined]);
    expect(ends.map(({ done }) => done)).to.deep.equal([false, false, true, true]);
    expect(calls).to.deep.equal(['started', 'ended', 'at the end']);
  });

  it('rejects one call with the error of the stream, and answers the later ones with done', async () => {
    const error = new Error('lost');
    const iterator = iterate();
    const results = [iterator.next(), iterator.next()].map((result) => result.catch((reason: unknown) => reason));
    stream.destroy(error);
    expect(await Promise.all(results)).to.deep.equal([error, { done: true, value: undefined }]);
    expect(await iterator.next()).to.deep.equal({ done: true, value: undefined });
    expect(calls).to.deep.equal(['started', 'ended']);
  });

  it('rejects with an error that comes between two calls, and drops what the destroyed stream had queued', async () => {
    const error = new Error('lost');
    const iterator = iterate();
    stream.push('a');
    stream.push('b');
    await iterator.next();
    stream.destroy(error);
    await turn();
    expect(await iterator.next().catch((reason: unknown) => reason)).to.equal(error);
  });

  it('rejects with ERR_STREAM_PREMATURE_CLOSE if the stream closes without an end', async () => {
    const next = iterate().next();
    stream.destroy();
    expect(await next.catch(({ code }) => code)).to.equal('ERR_STREAM_PREMATURE_CLOSE');
  });

  it('destroys the stream when the loop is left, and takes its listeners away', async () => {
    stream.push('a');
    for await (const _chunk of iterate()) break;
    expect([calls, stream.destroyed, stream.listenerCount('readable')]).to.deep.equal([['started', 'ended'], true, 0]);
  });

  it('destroys the stream when the body of the loop throws', async () => {
    const failure = new Error('of the program');
    stream.push('a');
    try {
      for await (const _chunk of iterate()) throw failure;
    } catch (error) {
      expect(error).to.equal(failure);
    }
    expect([calls, stream.destroyed]).to.deep.equal([['started', 'ended'], true]);
  });

  it('return(): answers a call of next() that waits, and does not wait for a chunk', async () => {
    const iterator = iterate();
    const next = iterator.next();
    await iterator.return();
    expect(await next).to.deep.equal({ done: true, value: undefined });
    expect(stream.destroyed).to.equal(true);
  });

  it('return(): does nothing when it is called again', async () => {
    const iterator = iterate();
    stream.push('a');
    await iterator.next();
    for (let i = 0; i < 2; i++) expect(await iterator.return()).to.deep.equal({ done: true, value: undefined });
    expect(calls).to.deep.equal(['started', 'ended']);
  });

  it('is its own iterator', () => {
    const iterator = iterate();
    expect(iterator[Symbol.asyncIterator]()).to.equal(iterator);
  });

  it('throw(): destroys the stream and rejects with the reason', async () => {
    const reason = new Error('of the program');
    const iterator = iterate();
    stream.push('a');
    await iterator.next();
    expect(await iterator.throw(reason).catch((error: unknown) => error)).to.equal(reason);
    expect(stream.destroyed).to.equal(true);
  });

  it('ends with await using', async () => {
    const iterator = iterate();
    stream.push('a');
    await iterator.next();
    await iterator[Symbol.asyncDispose]();
    expect([calls, stream.destroyed]).to.deep.equal([['started', 'ended'], true]);
  });
});
