import { once } from 'node:events';
import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { createPair, type WebSocket } from '../../lib/webSocketHandler';

describe('ws.pipe(ws)', () => {
  let program: WebSocket;
  let peer: WebSocket;
  let echoes: string[];

  beforeEach(() => {
    [program, peer] = createPair();
    echoes = [];
    peer.on('message', (message) => echoes.push(String(message)));
  });

  afterEach(async () => {
    for (const end of [program, peer]) end.abort();
    await Promise.all([program.whenClosed(), peer.whenClosed()]);
  });

  /** Takes one message, and never says that it has been written. */
  const stuck = () => new Writable({ objectMode: true, highWaterMark: 1, write() {} });

  async function settle(): Promise<void> {
    for (let i = 0; i < 100; i++) await turn();
  }

  it('returns the WebSocket, sends each message back, and ends it with the peer', async () => {
    expect(program.pipe(program)).to.equal(program);
    for (const message of ['a', 'b', 'c']) peer.write(message);
    peer.end();
    expect(await peer.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
    expect(echoes).to.deep.equal(['a', 'b', 'c']);
  });

  it('stops by unpipe(), with and without the destination, and can begin again', async () => {
    for (const stop of [() => program.unpipe(program), () => program.unpipe()]) {
      program.pipe(program);
      peer.write('echoed');
      await once(peer, 'message');
      stop();
      peer.write('read');
      expect((await once(program.resume(), 'message'))[0]).to.equal('read');
      program.pause();
    }
    await settle();
    expect(echoes).to.deep.equal(['echoed', 'echoed']);
  });

  for (const order of ['before', 'after'] as const) {
    it(`waits for the slowest destination, if another one is added ${order} it`, async () => {
      const slow = stuck();
      if (order === 'before') program.pipe(slow);
      program.pipe(program);
      if (order === 'after') program.pipe(slow);
      // Each fills the write queue of the echo, too, whose 'drain' must not let the next one pass.
      for (let i = 0; i < 20; i++) peer.write('x'.repeat(64 * 1024));
      await settle();
      expect([echoes.length, slow.writableLength]).to.deep.equal([1, 1]);

      program.unpipe(slow);
      await settle();
      expect([echoes.length, slow.writableLength]).to.deep.equal([20, 1]);
    });
  }

  it('goes on when another stream is unpiped', async () => {
    program.pipe(program);
    program.unpipe(stuck());
    peer.write('a');
    await settle();
    expect(echoes).to.deep.equal(['a']);
  });

  it('costs no functions of its own', async () => {
    const [another, itsPeer] = createPair();
    for (const end of [program, another]) end.pipe(end);
    expect(program.rawListeners('data')).to.deep.equal(another.rawListeners('data'));
    for (const end of [another, itsPeer]) end.abort();
    await another.whenClosed();
  });

  it('leaves the other destinations when it stops', async () => {
    const read: string[] = [];
    const sink = new Writable({ objectMode: true, write: (chunk, _encoding, done) => done(void read.push(chunk)) });
    program.pipe(program);
    program.pipe(sink);
    peer.write('both');
    await settle();
    program.unpipe(program);
    peer.write('one');
    await settle();
    expect([echoes, read]).to.deep.equal([['both'], ['both', 'one']]);
  });

  it('writes twice if it was called twice', async () => {
    program.pipe(program).pipe(program);
    peer.write('a');
    await settle();
    expect(echoes).to.deep.equal(['a', 'a']);
  });

  it('does not end the WebSocket with { end: false }', async () => {
    program.pipe(program, { end: false });
    program.once('end', () => program.write('the end'));
    program.once('end', () => program.end());
    peer.end('a');
    await peer.whenClosed();
    expect(echoes).to.deep.equal(['a', 'the end']);
  });
});
