import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { type Message, MessageStream, type WebSocket, WebSocketError } from '../../lib/webSocketHandler';
import type { EndOptions, Rig, RigKind } from './rigs';

const mebibyte = 1024 * 1024;

/** Reads a WebSocket to its end: what came, and the error that it ended with, if any. */
async function readAll(ws: WebSocket): Promise<{ messages: Message[]; error?: unknown }> {
  const messages: Message[] = [];
  try {
    for await (const message of ws) messages.push(message);
    return { messages };
  } catch (error) {
    return { messages, error };
  }
}

function expectError(error: unknown, code: string, closeCode: number): void {
  expect(error).to.be.instanceOf(WebSocketError);
  const { code: actual, closeCode: actualCloseCode } = error as WebSocketError;
  expect([actual, actualCloseCode]).to.deep.equal([code, closeCode]);
}

/** Writes until it is told to wait, and returns what it has written. */
function fill(ws: WebSocket, size: number): Buffer[] {
  const written: Buffer[] = [];
  let more = true;
  while (more && written.length < 1000) {
    const message = randomBytes(size);
    written.push(message);
    more = ws.write(message);
  }
  return written;
}

/**
 * What every transport must do, whichever end does it. `near` acts, and `far` is what its peer sees.
 */
export function transportContract({ name, transport, create }: RigKind): void {
  for (const near of ['client', 'server'] as const) {
    const far = near === 'client' ? 'server' : 'client';
    describe(`A WebSocket over ${name}, seen from the ${near}`, () => {
      let rig: Rig;

      beforeEach(async () => {
        rig = await create();
      });

      afterEach(() => rig[Symbol.asyncDispose]());

      async function open(options: EndOptions = {}): Promise<{ near: WebSocket; far: WebSocket }> {
        const ends = await rig.open(options);
        return { near: ends[near], far: ends[far] };
      }

      it("has the transport's name in transport", async () => {
        const ends = await open();
        expect([ends.near.transport, ends.far.transport]).to.deep.equal([transport, transport]);
      });

      it('has the agreed subprotocol in protocol on both sides', async () => {
        const ends = await open({ protocol: 'chat' });
        expect([ends.near.protocol, ends.far.protocol]).to.deep.equal(['chat', 'chat']);
      });

      it('carries text, binary and empty messages in order in both directions', async () => {
        const ends = await open();
        const sent: Message[] = ['a', Buffer.of(0, 255), '', Buffer.alloc(0), 'Grüße', 'x'.repeat(70_000)];
        ends.far.pipe(ends.far);
        for (const message of sent) ends.near.write(message);
        ends.near.end();
        expect(await readAll(ends.near)).to.deep.equal({ messages: sent });
      });

      it('carries a large message and small messages after it', async () => {
        const ends = await open({ maxMessageSize: 8 * mebibyte });
        const large = randomBytes(5 * mebibyte);
        ends.far.pipe(ends.far);
        ends.near.write(large);
        ends.near.end('small');
        const { messages, error } = await readAll(ends.near);
        expect(error).to.equal(undefined);
        expect(large.equals(messages[0] as Buffer)).to.equal(true);
        expect(messages.slice(1)).to.deep.equal(['small']);
      });

      it('carries one message as a stream in both directions', async () => {
        const ends = await open({ messages: 'stream' });
        const parts = Array.from({ length: 48 }, () => randomBytes(mebibyte / 16));
        ends.far.pipe(ends.far);
        ends.near.write(Readable.from(parts));
        const [message] = (await once(ends.near, 'data')) as [MessageStream];
        expect(message).to.be.instanceOf(MessageStream);
        expect(Buffer.concat(parts).equals(await buffer(message))).to.equal(true);
        ends.near.end();
        await ends.near.whenClosed();
      });

      it('compresses messages if perMessageDeflate is on', async () => {
        const ends = await open({ perMessageDeflate: true });
        expect(ends.near.extensions).to.include('permessage-deflate');
        const sent = Array.from({ length: 20 }, (_, index) => `${'much the same '.repeat(50)}${index}`);
        ends.far.pipe(ends.far);
        for (const message of sent) ends.near.write(message);
        ends.near.end();
        expect(await readAll(ends.near)).to.deep.equal({ messages: sent });
        expect(ends.near.counters.bytesSent).to.be.below(sent.join('').length / 10);
      });

      it('works as a part of pipeline() with transforms', async () => {
        const ends = await open();
        const shout = new Transform({
          objectMode: true,
          transform: (message: string, _encoding, done) => done(null, message.toUpperCase()),
        });
        const served = pipeline(ends.far, shout, ends.far);
        ends.near.write('one');
        ends.near.end('two');
        expect(await readAll(ends.near)).to.deep.equal({ messages: ['ONE', 'TWO'] });
        await served;
      });

      it('holds the writer back while the peer does not read and loses no message', async () => {
        const ends = await open();
        ends.far.pause();
        ends.far.on('data', () => expect.fail('it is paused'));
        const written = fill(ends.near, 32 * 1024);
        expect(ends.near.writableNeedDrain).to.equal(true);
        expect(written.length).to.be.below(1000);
        // What is on its way stops within the marks of the peer, whatever comes behind it.
        ends.far.removeAllListeners('data');
        const drained = once(ends.near, 'drain');
        const received = readAll(ends.far);
        await drained;
        ends.near.end();
        const { messages } = await received;
        expect(Buffer.concat(messages as Buffer[]).equals(Buffer.concat(written))).to.equal(true);
      });

      it('answers pings while messages wait for a reader', async () => {
        const ends = await open();
        ends.far.pause();
        ends.near.write('unread');
        expect(await ends.near.ping('there?')).to.be.within(0, 10_000);
      });

      it('pings a silent peer and keeps the connection if it answers', async () => {
        const ends = await open({ heartbeat: { interval: 20, timeout: 5000 } });
        await once(ends.near, 'pong');
        await once(ends.near, 'pong');
        expect(ends.near.destroyed).to.equal(false);
      });

      for (const [closing, code] of [
        ['end()', 1000],
        ['close(1001)', 1001],
      ] as const) {
        it(`ends cleanly on both sides by ${closing}`, async () => {
          const ends = await open();
          const received = readAll(ends.far);
          ends.near.write('last words');
          if (code === 1000) ends.near.end();
          else ends.near.close(code);
          expect(await readAll(ends.near)).to.deep.equal({ messages: [] });
          expect(await received).to.deep.equal({ messages: ['last words'] });
          const outcome = { code, reason: '', wasClean: true };
          expect(await ends.near.whenClosed()).to.deep.equal(outcome);
          expect(await ends.far.whenClosed()).to.deep.equal(outcome);
        });
      }

      it('sends the code and the reason of close() after all messages', async () => {
        const ends = await open();
        const received = readAll(ends.far);
        ends.near.write('before');
        ends.near.close(4321, 'enough');
        ends.near.resume();
        const { messages, error } = await received;
        expect(messages).to.deep.equal(['before']);
        expectError(error, 'WS_ERR_CLOSED_BY_PEER', 4321);
        expect(await ends.far.whenClosed()).to.deep.equal({ code: 4321, reason: 'enough', wasClean: true });
        // An answer repeats the code, and gives no reason.
        expect(await ends.near.whenClosed()).to.deep.equal({ code: 4321, reason: '', wasClean: true });
      });

      it('sends 1011 when it is destroyed with an error', async () => {
        const ends = await open();
        const received = readAll(ends.far);
        ends.near.on('error', () => {});
        ends.near.destroy(new Error('mine'));
        expectError((await received).error, 'WS_ERR_CLOSED_BY_PEER', 1011);
      });

      it('causes an error and no end at the peer when it is aborted', async () => {
        const ends = await open();
        const received = readAll(ends.far);
        ends.near.write('on its way');
        await ends.near.ping();
        ends.near.abort();
        const { messages, error } = await received;
        expect(messages).to.deep.equal(['on its way']);
        expectError(error, 'WS_ERR_CONNECTION_LOST', 1006);
        expect((await ends.near.whenClosed()).code).to.equal(1006);
      });

      it('causes an error at the peer when it is reset inside a message', async () => {
        const ends = await open();
        const received = readAll(ends.far);
        const source = new Readable({ read() {} });
        ends.near.on('error', () => {});
        ends.near.write(source, () => {});
        source.push(Buffer.alloc(1000));
        await ends.near.ping();
        ends.near.abort();
        const { messages, error } = await received;
        expect(messages).to.deep.equal([]);
        expectError(error, 'WS_ERR_CONNECTION_LOST', 1006);
      });

      it('reads messages that the peer sends after our end()', async () => {
        const ends = await open();
        const answers = Array.from({ length: 200 }, (_, index) => `${index} ${'x'.repeat(2000)}`);
        const served = pipeline(
          ends.far,
          async function* (questions) {
            for await (const question of questions) if (question === 'tell me') yield* answers;
          },
          ends.far,
        );
        ends.near.end('tell me');
        expect(await readAll(ends.near)).to.deep.equal({ messages: answers });
        await served;
      });

      it('closes with 1009 when a message is too large', async () => {
        const ends = await open({ maxMessageSize: 1000 });
        const received = readAll(ends.far);
        const told = readAll(ends.near);
        ends.near.write('x'.repeat(1001));
        expectError((await received).error, 'WS_ERR_MESSAGE_TOO_BIG', 1009);
        expectError((await told).error, 'WS_ERR_CLOSED_BY_PEER', 1009);
      });

      it('ends after closeTimeout if the peer does not answer its Close frame', async () => {
        const ends = await open({ closeTimeout: 50 });
        ends.far.pause();
        ends.far.write('still talking');
        // As long as somebody may still write to it, the peer does not answer.
        ends.far.on('drain', () => {});
        ends.near.end();
        ends.near.resume();
        ends.near.on('error', () => {});
        ends.far.on('error', () => {});
        await ends.near.whenClosed();
        ends.far.destroy();
        await ends.far.whenClosed();
      });

      it('delivers the messages of many connections to the right connection', async () => {
        const all = await Promise.all(Array.from({ length: 50 }, () => open()));
        const echoes = all.map(async (ends, index) => {
          ends.far.pipe(ends.far);
          for (let i = 0; i < 20; i++) ends.near.write(`${index}: ${i}`);
          ends.near.end();
          expect((await readAll(ends.near)).messages).to.deep.equal(
            Array.from({ length: 20 }, (_, i) => `${index}: ${i}`),
          );
        });
        await Promise.all(echoes);
      });
    });
  }
}

/** What is more to those that have a server and a network. */
export function networkContract({ name, create }: RigKind): void {
  describe(`A server and its WebSockets over ${name}`, () => {
    let rig: Rig & Required<Pick<Rig, 'server'>>;

    beforeEach(async () => {
      const { server, ...others } = await create();
      if (server === undefined) throw new Error('a network has a server');
      rig = { ...others, server };
    });

    afterEach(() => rig[Symbol.asyncDispose]());

    it('end with WS_ERR_CONNECTION_LOST on both sides when the network is cut', async () => {
      const { server, client } = await rig.open();
      const received = [readAll(server), readAll(client)];
      rig.cut();
      for (const { error } of await Promise.all(received)) expectError(error, 'WS_ERR_CONNECTION_LOST', 1006);
      expect((await server.whenClosed()).code).to.equal(1006);
      expect((await client.whenClosed()).code).to.equal(1006);
    });

    it('deliver messages that a client writes before it is open', async () => {
      const client = rig.server.connect();
      client.end('early');
      expect(await readAll(client)).to.deep.equal({ messages: ['early'] });
    });

    it('close all connections, refuse new ones with 503 and let the HTTP server close on handle.close()', async () => {
      const { handle, http } = rig.server;
      const all = await Promise.all([rig.open(), rig.open(), rig.open()]);
      expect(handle.connections.size).to.equal(3);
      all[0].server.write('queued');
      const closing = handle.close();
      const refused = rig.server.connect();
      const [error] = (await once(refused, 'error')) as [WebSocketError];
      expect([error.code, error.statusCode, error.headers?.['retry-after']]).to.deep.equal([
        'WS_ERR_HANDSHAKE_REFUSED',
        503,
        '1',
      ]);
      expect(await readAll(all[0].client)).to.deep.equal({ messages: ['queued'] });
      for (const { client } of all.slice(1)) expect(await readAll(client)).to.deep.equal({ messages: [] });
      for (const { client } of all) expect((await client.whenClosed()).code).to.equal(1001);
      expect(await closing).to.deep.equal({ closed: 3, dropped: 0, refused: 1 });
      expect(handle.connections.size).to.equal(0);
      await new Promise((resolve) => http.close(resolve));
    });

    it('are dropped at the deadline of a shutdown', async () => {
      const { server, client } = await rig.open();
      // It has the Close, and does not read on to it.
      client.on('error', () => {}).pause();
      const summary = await rig.server.handle.close({ timeout: 50 });
      expect(summary).to.deep.equal({ closed: 0, dropped: 1, refused: 0 });
      expect((await server.whenClosed()).code).to.equal(1006);
      client.resume();
      await client.whenClosed();
    });

    it('refuse a client with the status, headers and body of an ordinary response', async () => {
      const refused = rig.server.connect({ headers: { 'X-Refuse': '401' } });
      const [error] = (await once(refused, 'error')) as [WebSocketError];
      const { code, statusCode, headers, body } = error;
      expect([code, statusCode, headers?.['x-reason'], body?.toString()]).to.deep.equal([
        'WS_ERR_HANDSHAKE_REFUSED',
        401,
        'unknown',
        'who are you?',
      ]);
    });

    it('can be aborted while they are being opened', async () => {
      const abort = new AbortController();
      const client = rig.server.connect({ signal: abort.signal, headers: { 'X-Refuse': 'never' } });
      await once(rig.server.http, 'request');
      abort.abort();
      const [error] = (await once(client, 'error')) as [WebSocketError];
      expect(error.code).to.equal('WS_ERR_ABORTED');
    });
  });
}
