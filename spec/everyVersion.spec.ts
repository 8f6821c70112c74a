import { Transform } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import type { WebSocketError } from '../lib/errors';
import { knownVersions, protocolVersion } from '../lib/versions';
import { createPair, type Message, type PairOptions, type WebSocket } from '../lib/webSocketHandler';
import { retainedBytes } from './support/garbage';
import { decode } from './support/vectors';

/** What every version must do, in both roles. What a version has no form for is left out, and said so by `can`. */
for (const version of knownVersions) {
  const { capabilities: can } = protocolVersion(version);
  const kinds: Message[] = [
    ...['', 'a', 'x'.repeat(125), 'x'.repeat(126), 'ü'.repeat(32_768), '\u{1f600}\u0000\ufeff', 'y'.repeat(1_000_000)],
    ...(can.binary ? [Buffer.alloc(0), Buffer.of(0, 255), Buffer.alloc(65_535, 1), Buffer.alloc(65_536, 2)] : []),
  ];
  /** What a clean end is told as: some have no code, and one not even a frame. */
  const normal = { code: protocolVersion(version).capabilities.closeCode ? 1000 : 1005, reason: '', wasClean: true };

  for (const role of ['server', 'client'] as const) {
    /** The end of this role, and its peer. */
    const open = (options: PairOptions = {}): [ours: WebSocket, peer: WebSocket] => {
      const [server, client] = createPair({ ...options, version });
      client.on('error', () => {});
      return role === 'server' ? [server, client] : [client, server];
    };

    describe(`Version ${version} as ${role}`, () => {
      it('echoes messages of every type and length, in order', async () => {
        const [ours, peer] = open();
        ours.pipe(ours);
        for (const message of kinds) peer.write(message);
        if (can.close) peer.end();
        const echoes: Message[] = [];
        for await (const message of peer) {
          echoes.push(message);
          if (echoes.length === kinds.length) peer.end();
        }
        expect(echoes).to.deep.equal(kinds);
        expect(await ours.whenClosed()).to.deep.equal(normal);
      });

      it('sends the last output of a transform', async () => {
        const [ours, peer] = open();
        const transform = new Transform({
          objectMode: true,
          transform: (message, _encoding, done) => done(null, `${message}!`),
          flush: (done) => done(null, 'the end'),
        });
        ours.pipe(transform).pipe(ours);
        peer.write('one');
        if (can.close) {
          peer.end('two');
          expect(await peer.toArray()).to.deep.equal(['one!', 'two!', 'the end']);
        } else {
          peer.once('message', () => peer.end());
          await ours.whenClosed();
        }
      });

      it('closes from this end', async () => {
        const [ours, peer] = open();
        ours.end('bye');
        expect(await peer.toArray()).to.deep.equal(['bye']);
        expect(await Promise.all([ours.whenClosed(), peer.whenClosed()])).to.deep.equal([normal, normal]);
      });

      it('reports a lost connection', async () => {
        const [ours, peer] = open();
        const failure = new Promise((resolve) => ours.once('error', resolve));
        ours.resume();
        peer.abort();
        expect(((await failure) as WebSocketError).code).to.equal('WS_ERR_CONNECTION_LOST');
      });

      it('refuses a message larger than the limit', async () => {
        const [ours, peer] = open({ maxMessageSize: 1000 });
        const failure = new Promise((resolve) => ours.once('error', resolve));
        ours.resume();
        peer.resume();
        peer.write('x'.repeat(1001));
        expect(((await failure) as WebSocketError).code).to.equal('WS_ERR_MESSAGE_TOO_BIG');
        await peer.whenClosed();
      });

      it('holds back a peer whose messages are not read, and loses no message', async () => {
        const [ours, peer] = open();
        let sent = 0;
        while (peer.write(`${sent++} ${'x'.repeat(1000)}`) && sent < 100_000) if (sent % 10 === 0) await turn();
        expect(sent).to.be.below(10_000);
        let received = 0;
        for await (const message of ours) {
          expect(String(message).startsWith(`${received++} `)).to.equal(true);
          if (received === sent) break;
        }
        await Promise.all([ours.whenClosed(), peer.whenClosed()]);
      });

      it('sends pings, or rejects them with an error', async () => {
        const [ours, peer] = open();
        peer.resume();
        ours.resume();
        const outcome = await ours.ping().catch((error: WebSocketError) => error.code);
        if (can.ping) expect(outcome).to.be.a('number');
        else expect(outcome).to.equal('WS_ERR_UNSUPPORTED');
        ours.end();
        await peer.whenClosed();
      });

      it('decodes random bytes to messages or a documented error, in little memory', async () => {
        const before = await retainedBytes();
        const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 });
        fc.assert(
          fc.property(chunks, (pieces) => {
            const decoder = protocolVersion(version).decoder(role, { maxMessageSize: 1000 });
            // Throws whatever is no WebSocketError.
            const { refusal } = decode(decoder, pieces.map(Buffer.from));
            expect(refusal ?? 'WS_ERR_').to.match(/^WS_ERR_/);
          }),
          { numRuns: 3000 },
        );
        expect((await retainedBytes()) - before).to.be.below(2 * 1024 * 1024);
      });
    });
  }
}
