import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import {
  Deframer,
  Framer,
  type FramerOptions,
  type Incoming,
  type Outgoing,
  type WebSocketError,
} from '../../lib/webSocketHandler';
import { thrownBy } from '../support/thrown';
import { hex, masked, peerOf } from '../support/vectors';

/** The chunks that come out of a Framer which somebody reads at once. */
function chunksOf(framer: Framer): Buffer[] {
  const chunks: Buffer[] = [];
  framer.on('data', (chunk: Buffer) => chunks.push(chunk));
  return chunks;
}

describe('Framer', () => {
  it('encodes messages and frames', async () => {
    const framer = new Framer({ role: 'server' });
    const chunks = chunksOf(framer);
    framer.write('Hello');
    framer.write(hex('00ff'));
    framer.write(Uint8Array.of(1));
    framer.write('');
    framer.write({ opcode: 'ping', payload: Buffer.from('1') });
    framer.end({ opcode: 'close', code: 1000, reason: '' });
    await once(framer, 'end');
    expect(Buffer.concat(chunks)).to.deep.equal(
      hex(`
        81 05 48656c6c6f
        82 02 00ff
        82 01 01
        81 00
        89 01 31
        88 02 03e8`),
    );
  });

  it('sends a message in fragments that are written one by one, with a ping between', async () => {
    const framer = new Framer({ role: 'server' });
    const chunks = chunksOf(framer);
    framer.write({ opcode: 'text', fin: false, payload: 'Hel' });
    framer.write({ opcode: 'ping', payload: Buffer.alloc(0) });
    framer.write({ opcode: 'continuation', fin: false, payload: Buffer.alloc(0) });
    framer.write({ opcode: 'continuation', fin: true, payload: Buffer.from('lo') });
    framer.end();
    await once(framer, 'end');
    expect(Buffer.concat(chunks)).to.deep.equal(
      hex(`
        01 03 48656c
        89 00
        00 00
        80 02 6c6f`),
    );
  });

  it('of a client is decoded by the Deframer of a server, and the reverse', async () => {
    const messages = ['Hello', Buffer.from('Hello'), '', '\u{1f600}'.repeat(30_000), Buffer.alloc(70_000, 1)];
    for (const from of ['client', 'server'] as const) {
      const to = peerOf(from);
      const heard: Incoming[] = [];
      const deframer = Readable.from(messages)
        .pipe(new Framer({ role: from }))
        .pipe(new Deframer({ role: to }));
      for await (const item of deframer) heard.push(item as Incoming);
      expect(heard.length).to.equal(messages.length);
      for (const [i, message] of messages.entries()) {
        expect(typeof heard[i]).to.equal(typeof message);
        expect(Buffer.from(heard[i] as string).equals(Buffer.from(message as string)), `message ${i}`).to.equal(true);
      }
    }
  }).timeout(2000);

  describe('emits the frames of one tick', () => {
    it('as one chunk', async () => {
      const framer = new Framer({ role: 'server' });
      const chunks = chunksOf(framer);
      await turn();
      for (let i = 0; i < 100; i++) framer.write('a');
      await turn();
      for (let i = 0; i < 50; i++) framer.write('b');
      await turn();
      expect(chunks.map((chunk) => chunk.length)).to.deep.equal([300, 150]);
    });

    it('before the end of the tick if they are many bytes', async () => {
      const framer = new Framer({ role: 'server' });
      const chunks = chunksOf(framer);
      await turn();
      for (let i = 0; i < 100; i++) framer.write('x'.repeat(1000));
      expect(chunks).to.not.have.lengthOf(0);
      await turn();
      expect(Buffer.concat(chunks)).to.have.lengthOf(100 * 1004);
    });

    it('also at the end of the stream', async () => {
      const framer = new Framer({ role: 'server' });
      const chunks = chunksOf(framer);
      await turn();
      framer.write('a');
      framer.end('b');
      await once(framer, 'end');
      expect(chunks).to.deep.equal([hex('81 01 61 81 01 62')]);
    });
  });

  describe('holds the writer back when the bytes are not read:', () => {
    it('write() returns false within two items', () => {
      const framer = new Framer({ role: 'server' });
      const first = framer.write('a');
      expect([first, framer.write('b')]).to.include(false);
      // What was written is there for whoever comes.
      // What read() returns at once is one chunk in some versions of Node, and all of them in others.
      const chunks: Buffer[] = [];
      for (let chunk = framer.read(); chunk !== null; chunk = framer.read()) chunks.push(chunk);
      expect(Buffer.concat(chunks)).to.deep.equal(hex('81 01 61 81 01 62'));
    });

    it("also when the reader has paused, and 'drain' is emitted when it goes on, with everything in order", async () => {
      const framer = new Framer({ role: 'server' });
      const chunks = chunksOf(framer);
      await turn();
      expect(framer.write('before')).to.equal(true);
      await turn();
      framer.pause();
      const accepted: boolean[] = [];
      let drained = false;
      framer.once('drain', () => {
        drained = true;
      });
      for (const text of ['a', 'b', 'c']) accepted.push(framer.write(text));
      expect(accepted.slice(0, 2)).to.include(false);
      expect(accepted[2]).to.equal(false);
      await turn();
      expect(drained).to.equal(false);
      framer.resume();
      await once(framer, 'drain');
      await turn();
      expect(Buffer.concat(chunks)).to.deep.equal(hex('81 06 6265666f7265 81 01 61 81 01 62 81 01 63'));
    });

    it('a source that is piped into it is not read any further', async () => {
      let made = 0;
      const endless = Readable.from(
        (function* () {
          for (;;) yield String(made++);
        })(),
        { highWaterMark: 1 },
      );
      const framer = endless.pipe(new Framer({ role: 'server' }));
      await turn();
      await turn();
      expect(made).to.be.at.most(6);
      endless.destroy();
      framer.destroy();
    });
  });

  describe('a large payload', () => {
    const size = 1024 * 1024;

    it('is sent by reference from a server, unchanged', async () => {
      const framer = new Framer({ role: 'server' });
      const chunks = chunksOf(framer);
      const payload = Buffer.alloc(size, 'x');
      framer.write(payload);
      await turn();
      expect(chunks.some((chunk) => chunk.buffer === payload.buffer)).to.equal(true);
      expect(payload.equals(Buffer.alloc(size, 'x'))).to.equal(true);
      const sent = Buffer.concat(chunks);
      expect(sent.subarray(0, 10)).to.deep.equal(hex('82 7f 0000000000100000'));
      expect(sent.subarray(10).equals(payload)).to.equal(true);
    });

    it('is copied for masking on a client, and not changed', async () => {
      const framer = new Framer({ role: 'client' });
      const chunks = chunksOf(framer);
      const payload = Buffer.alloc(size, 'x');
      framer.write(payload);
      await turn();
      expect(chunks.some((chunk) => chunk.buffer === payload.buffer)).to.equal(false);
      expect(payload.equals(Buffer.alloc(size, 'x'))).to.equal(true);
      const sent = Buffer.concat(chunks);
      const key = sent.subarray(10, 14);
      expect(masked(sent.subarray(14), key).equals(payload)).to.equal(true);
    });
  });

  describe('refuses an item that no frame can have, with an error:', () => {
    const bad: [what: string, item: unknown][] = [
      ['a ping of 126 bytes', { opcode: 'ping', payload: Buffer.alloc(126) }],
      ['a Close with code 1006', { opcode: 'close', code: 1006, reason: '' }],
      ['a number', 42],
      ['a boolean', false],
      ['an object without an opcode', {}],
      ['an opcode that is none', { opcode: 'toString', fin: true, payload: 'x' }],
      ['a number for a payload', { opcode: 'text', fin: true, payload: 1000 }],
      // Its memory holds four times as many bytes as it has elements: such a mix-up has leaked memory to peers.
      ['an array of floats for a payload', { opcode: 'binary', fin: true, payload: new Float32Array(5000) }],
      ['a number for the payload of a ping', { opcode: 'ping', payload: 100 }],
      ['a ping without a payload', { opcode: 'ping' }],
    ];
    for (const [what, item] of bad) {
      it(what, async () => {
        const framer = new Framer({ role: 'server' });
        const chunks = chunksOf(framer);
        const errors: WebSocketError[] = [];
        framer.on('error', (error: WebSocketError) => errors.push(error));
        framer.write(item as Outgoing);
        await turn();
        expect(errors.map(({ code, message }) => code ?? message)).to.deep.equal(['WS_ERR_INVALID_ARGUMENT']);
        expect(chunks).to.deep.equal([]);
      });
    }
  });

  it('emits the frames that were written before a refused item', async () => {
    const framer = new Framer({ role: 'server' });
    const chunks = chunksOf(framer);
    framer.on('error', () => {});
    await turn();
    framer.write('a');
    framer.write(42 as unknown as Outgoing);
    await turn();
    expect(chunks).to.deep.equal([hex('81 01 61')]);
  });

  it('ends a message with its first frame unless fin is false', async () => {
    const framer = new Framer({ role: 'server' });
    framer.end({ opcode: 'text', payload: Buffer.from('a') });
    expect(await framer.toArray()).to.deep.equal([hex('81 01 61')]);
  });

  describe('refuses an invalid option and names the accepted values:', () => {
    const bad: [what: string, options: unknown, message: string][] = [
      ['no role', {}, "option role must be 'server' or 'client', not "],
      ['an unknown role', { role: 'proxy' }, "option role must be 'server' or 'client', not "],
      ['an unknown version', { role: 'client', version: '4' }, "option version must be one of '13', '8', '7'"],
      ['no options', undefined, 'options must be an object, not undefined'],
    ];
    for (const [what, options, message] of bad) {
      it(what, () => {
        const error = thrownBy(() => new Framer(options as FramerOptions));
        expect(error.code).to.equal('WS_ERR_INVALID_ARGUMENT');
        expect(error.message).to.include(message);
      });
    }
  });
});
