import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { constants, createDeflateRaw, deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import { parseExtensions } from '../../lib/codec/headers';
import type { ExtensionElement, PerMessageDeflateOptions, Role } from '../../lib/contracts';
import { answerExtensions, offerExtensions, verifyExtensions } from '../../lib/extensions';
import { permessageDeflate } from '../../lib/extensions/permessageDeflate';
import {
  createPair,
  Deframer,
  Framer,
  type Incoming,
  type Outgoing,
  type WebSocketError,
} from '../../lib/webSocketHandler';
import { retainedBytes } from '../support/garbage';
import { listen, openingRequest, RawClient } from '../support/http';
import { thrownBy } from '../support/thrown';
import { chunksOf, hex, peerOf, splits, wire } from '../support/vectors';
import { VirtualTime } from '../support/virtualTime';

const roles: readonly Role[] = ['server', 'client'];

function elements(header: string): ExtensionElement[] {
  return parseExtensions(header) as ExtensionElement[];
}

describe('permessage-deflate on a server', () => {
  const answers: readonly (readonly [offer: string, answer: string, settings?: PerMessageDeflateOptions])[] = [
    ['permessage-deflate', 'permessage-deflate'],
    ['foo, permessage-deflate, bar', 'permessage-deflate'],
    // What browsers offer.
    ['permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    [
      'permessage-deflate; client_max_window_bits',
      'permessage-deflate; client_max_window_bits=10',
      { clientMaxWindowBits: 10 },
    ],
    ['permessage-deflate; client_max_window_bits=12', 'permessage-deflate; client_max_window_bits=12'],
    [
      'permessage-deflate; client_max_window_bits=12',
      'permessage-deflate; client_max_window_bits=9',
      { clientMaxWindowBits: 9 },
    ],
    [
      'permessage-deflate; client_max_window_bits=9',
      'permessage-deflate; client_max_window_bits=9',
      { clientMaxWindowBits: 12 },
    ],
    // A client that cannot be told is not told.
    ['permessage-deflate', 'permessage-deflate', { clientMaxWindowBits: 9 }],
    ['permessage-deflate; server_max_window_bits=10', 'permessage-deflate; server_max_window_bits=10'],
    ['permessage-deflate; server_max_window_bits="10"', 'permessage-deflate; server_max_window_bits=10'],
    ['permessage-deflate; server_max_window_bits=8', 'permessage-deflate; server_max_window_bits=8'],
    [
      'permessage-deflate; server_max_window_bits=12',
      'permessage-deflate; server_max_window_bits=9',
      { serverMaxWindowBits: 9 },
    ],
    // Not unasked: some clients take that for an error.
    ['permessage-deflate', 'permessage-deflate', { serverMaxWindowBits: 9 }],
    ['permessage-deflate; server_no_context_takeover', 'permessage-deflate; server_no_context_takeover'],
    ['permessage-deflate; client_no_context_takeover', 'permessage-deflate; client_no_context_takeover'],
    ['permessage-deflate', 'permessage-deflate; server_no_context_takeover', { serverNoContextTakeover: true }],
    ['permessage-deflate', 'permessage-deflate; client_no_context_takeover', { clientNoContextTakeover: true }],
    // The first one that can be accepted counts.
    [
      'permessage-deflate; server_max_window_bits=99, permessage-deflate; server_max_window_bits=9',
      'permessage-deflate; server_max_window_bits=9',
    ],
    [
      'permessage-deflate; client_max_window_bits=11, permessage-deflate',
      'permessage-deflate; client_max_window_bits=11',
    ],
  ];

  for (const [offer, answer, settings] of answers) {
    it(`answers "${offer}"${settings ? ` with ${JSON.stringify(settings)}` : ''} with "${answer}"`, () => {
      expect(answerExtensions(elements(offer), { perMessageDeflate: settings ?? true })).to.equal(answer);
    });
  }

  for (const offer of [
    'permessage-deflate; unknown',
    'permessage-deflate; unknown=10',
    'permessage-deflate; __proto__=1',
    'permessage-deflate; constructor',
    'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    'permessage-deflate; server_max_window_bits=10; server_max_window_bits=10',
    'permessage-deflate; server_no_context_takeover=1',
    'permessage-deflate; client_no_context_takeover=true',
    'permessage-deflate; server_max_window_bits',
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; server_max_window_bits=16',
    'permessage-deflate; server_max_window_bits=08',
    'permessage-deflate; server_max_window_bits=+9',
    'permessage-deflate; server_max_window_bits=9.0',
    'permessage-deflate; client_max_window_bits=7',
    'permessage-deflate; client_max_window_bits=1e1',
    'permessage-deflate; client_max_window_bits=99999999999999999999',
    'x-webkit-deflate-frame',
    'deflate-stream',
    '__proto__',
  ]) {
    it(`leaves "${offer}" out of the answer`, () => {
      expect(answerExtensions(elements(offer), { perMessageDeflate: true })).to.equal('');
    });
  }

  it('is off by default', () => {
    expect(answerExtensions(elements('permessage-deflate'), {})).to.equal('');
    expect(answerExtensions(elements('permessage-deflate'), { perMessageDeflate: false })).to.equal('');
  });
});

describe('permessage-deflate on a client', () => {
  const offers: readonly (readonly [settings: boolean | PerMessageDeflateOptions | undefined, offer: string])[] = [
    [true, 'permessage-deflate; client_max_window_bits'],
    [{}, 'permessage-deflate; client_max_window_bits'],
    [{ level: 9, threshold: 0 }, 'permessage-deflate; client_max_window_bits'],
    [
      { serverNoContextTakeover: true, clientNoContextTakeover: true, serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10',
    ],
    [false, ''],
    [undefined, ''],
  ];

  for (const [settings, offer] of offers) {
    it(`offers "${offer}" for ${JSON.stringify(settings)}`, () => {
      expect(offerExtensions(settings === undefined ? {} : { perMessageDeflate: settings })).to.equal(offer);
    });
  }

  const allSettings = {
    serverNoContextTakeover: true,
    serverMaxWindowBits: 10,
    clientMaxWindowBits: 10,
  };

  it('accepts an answer without the extension, and every answer within its offer', () => {
    for (const answer of [
      undefined,
      'permessage-deflate',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
      'permessage-deflate; server_max_window_bits=8; client_max_window_bits=8',
    ]) {
      verifyExtensions(answer, { perMessageDeflate: true });
    }
    const largest = 'permessage-deflate; server_no_context_takeover; server_max_window_bits=10';
    for (const answer of [largest, `${largest}; client_max_window_bits=10`])
      verifyExtensions(answer, { perMessageDeflate: allSettings });
  });

  const refused: readonly (readonly [answer: string, settings?: PerMessageDeflateOptions | false])[] = [
    [''],
    ['permessage-deflate,'],
    ['permessage-deflate; unknown'],
    ['permessage-deflate; server_no_context_takeover; server_no_context_takeover'],
    ['permessage-deflate; server_no_context_takeover=1'],
    ['permessage-deflate; server_max_window_bits'],
    ['permessage-deflate; server_max_window_bits=16'],
    ['permessage-deflate; server_max_window_bits=1000'],
    ['permessage-deflate; client_max_window_bits'],
    ['permessage-deflate; client_max_window_bits=7'],
    ['foo'],
    ['__proto__'],
    ['permessage-deflate, foo'],
    ['permessage-deflate, permessage-deflate'],
    ['permessage-deflate', false],
    ['permessage-deflate; server_max_window_bits=10', allSettings],
    ['permessage-deflate; server_no_context_takeover', allSettings],
    ['permessage-deflate; server_no_context_takeover; server_max_window_bits=11', allSettings],
    [
      'permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=11',
      allSettings,
    ],
  ];

  for (const [answer, settings = {}] of refused) {
    it(`fails on the answer "${answer}"${settings ? ` to ${JSON.stringify(settings)}` : ' when it offered nothing'}`, () => {
      const error = thrownBy(() => verifyExtensions(answer, { perMessageDeflate: settings }));
      expect(error.code).to.equal('WS_ERR_INVALID_HANDSHAKE');
    });
  }
});

describe('permessage-deflate after the handshake', () => {
  const ours = (perMessageDeflate: boolean | PerMessageDeflateOptions) => ({ perMessageDeflate, maxMessageSize: 1000 });
  const parametersOf = (agreed: string) => elements(agreed)[0]?.parameters ?? [];

  const cases: readonly (readonly [
    agreed: string,
    settings: PerMessageDeflateOptions,
    server: string,
    client: string,
  ])[] = [
    ['', {}, '13/4/7/128', '13/4/7/128'],
    ['', { level: 9, memLevel: 4, threshold: 0 }, '13/9/4/0', '13/9/4/0'],
    ['; server_max_window_bits=9; client_max_window_bits=10', {}, '9/4/7/128', '10/4/7/128'],
    // The peer need not know of a smaller window.
    ['', { serverMaxWindowBits: 9, clientMaxWindowBits: 10 }, '9/4/7/128', '10/4/7/128'],
    ['; server_max_window_bits=9; client_max_window_bits=9', { serverMaxWindowBits: 8 }, '8/4/7/128', '9/4/7/128'],
    ['; client_max_window_bits=9', { serverMaxWindowBits: 15, clientMaxWindowBits: 12 }, '15/4/7/128', '9/4/7/128'],
  ];

  for (const [agreed, settings, ...variants] of cases)
    it(`compresses as agreed and as its settings say: "${agreed}", ${JSON.stringify(settings)}`, () => {
      const parameters = parametersOf(`permessage-deflate${agreed}`);
      for (const [i, role] of roles.entries()) {
        const compressor = permessageDeflate.compressor(role, parameters, ours(settings));
        expect(compressor.variant, role).to.equal(`deflate/${variants[i]}`);
      }
    });

  it('keeps the window of one direction only, if only the other one is without context takeover', () => {
    const hello = Buffer.from('Hello');
    for (const forgetful of roles) {
      const parameters = parametersOf(`permessage-deflate; ${forgetful}_no_context_takeover`);
      for (const role of roles) {
        const compressor = permessageDeflate.compressor(role, parameters, ours(true));
        const messages = [1, 2, 3].map(() => compressor.compress(hello, true));
        const last = role === forgetful ? 'f248cdc9c90700' : 'f200110000';
        expect(messages.at(-1), `${role}, ${forgetful}`).to.deep.equal(hex(last));
        compressor.release();

        const decompressor = permessageDeflate.decompressor(peerOf(role), parameters, ours(true));
        expect(decompressor.decompress(hex('f248cdc9c90700'))).to.deep.equal(hello);
        const again = () => decompressor.decompress(hex('f200110000'));
        if (role === forgetful) expect(thrownBy(again).code).to.equal('WS_ERR_INVALID_COMPRESSION');
        else expect(again()).to.deep.equal(hello);
        decompressor.release();
      }
    }
  });

  it('is idle after half a minute, unless its settings say otherwise', () => {
    for (const [settings, delay] of [
      [true, 30_000],
      [{}, 30_000],
      [{ idleRelease: 1234 }, 1234],
    ] as const) {
      using time = new VirtualTime();
      time.start();
      const timers = () => time.delays.filter((each) => each === delay).length;
      const compressor = permessageDeflate.compressor('server', [], ours(settings));
      const decompressor = permessageDeflate.decompressor('server', [], ours(settings));
      compressor.compress('Hello', true);
      decompressor.decompress(hex('f248cdc9c90700'));
      const before = timers();
      compressor.release();
      expect(timers()).to.equal(before - 1);
      decompressor.release();
      expect(timers()).to.equal(before - 2);
    }
  });
});

/** Frames, and what a Deframer with this extension makes of them. */
interface Vector {
  readonly what: string;
  readonly frames: string;
  readonly says: readonly Incoming[];
  readonly extensions?: string;
}

const vectors: readonly Vector[] = [
  { what: 'a compressed text (RFC 7692 §7.2.3.1)', frames: 'c1 07 | f248cdc9c90700', says: ['Hello'] },
  {
    what: 'its fragments, of which only the first has RSV1',
    frames: `
      41 03 | f248cd
      80 04 | c9c90700`,
    says: ['Hello'],
  },
  {
    what: 'a second one that refers to the first (§7.2.3.2)',
    frames: `
      c1 07 | f248cdc9c90700
      c1 05 | f200110000`,
    says: ['Hello', 'Hello'],
  },
  {
    what: 'two that stand alone',
    frames: `
      c1 07 | f248cdc9c90700
      c1 07 | f248cdc9c90700`,
    says: ['Hello', 'Hello'],
    extensions: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  },
  { what: 'a block without compression (§7.2.3.3)', frames: 'c1 0b | 000500faff48656c6c6f00', says: ['Hello'] },
  { what: 'a final block (§7.2.3.4)', frames: 'c1 08 | f348cdc9c9070000', says: ['Hello'] },
  {
    what: 'a message behind a final block, which refers to what came before it',
    frames: `
      c1 08 | f348cdc9c9070000
      c1 05 | f200110000`,
    says: ['Hello', 'Hello'],
  },
  { what: 'two blocks (§7.2.3.5)', frames: 'c1 0d | f24805000000ffffcac9c90700', says: ['Hello'] },
  { what: 'an empty message (§7.2.3.6)', frames: 'c1 01 | 00', says: [''] },
  { what: 'an empty message without a byte', frames: 'c2 00', says: [Buffer.alloc(0)] },
  { what: 'a binary message', frames: 'c2 07 | f248cdc9c90700', says: [Buffer.from('Hello')] },
  {
    what: 'messages that are not compressed before, between and after',
    frames: `
      81 01 | 61
      c1 07 | f248cdc9c90700
      82 01 | 62
      c1 05 | f200110000
      81 00`,
    says: ['a', 'Hello', Buffer.from('b'), 'Hello', ''],
  },
  {
    what: 'control frames between compressed fragments',
    frames: `
      41 03 | f248cd
      89 01 | 31
      00 00
      8a 00
      80 04 | c9c90700
      88 02 | 03e8`,
    says: [
      { opcode: 'ping', payload: hex('31') },
      { opcode: 'pong', payload: hex('') },
      'Hello',
      { opcode: 'close', code: 1000, reason: '' },
    ],
  },
];

async function readAll(deframer: Deframer): Promise<{ items: Incoming[]; error: WebSocketError | undefined }> {
  const items: Incoming[] = [];
  try {
    for await (const item of deframer) items.push(item as Incoming);
    return { items, error: undefined };
  } catch (error) {
    return { items, error: error as WebSocketError };
  }
}

describe('A Deframer with permessage-deflate', () => {
  for (const { what, frames, says, extensions = 'permessage-deflate' } of vectors) {
    for (const role of roles) {
      it(`reads ${what}, as ${role}, however it is cut`, async () => {
        for (const { how, chunks } of splits(wire(frames, peerOf(role)).bytes)) {
          const { items, error } = await readAll(Readable.from(chunks).pipe(new Deframer({ role, extensions })));
          expect(error, how).to.equal(undefined);
          expect(items, how).to.deep.equal(says);
        }
      });
    }
  }

  const bad: readonly (readonly [what: string, frames: string, refusal: string, extensions?: string])[] = [
    ['RSV1 on a continuation', '41 03 | f248cd \n c0! 04 | c9c90700', 'WS_ERR_RESERVED_BITS 1002'],
    ['RSV1 on a ping', 'c9 00', 'WS_ERR_RESERVED_BITS 1002'],
    ['RSV1 on a Close', 'c8 00', 'WS_ERR_RESERVED_BITS 1002'],
    ['RSV2', 'a1 00', 'WS_ERR_RESERVED_BITS 1002'],
    ['RSV1 and RSV3', 'd1 00', 'WS_ERR_RESERVED_BITS 1002'],
    ['RSV1 where nothing was agreed on', 'c1 07 | f248cdc9c90700', 'WS_ERR_RESERVED_BITS 1002', ''],
    ['bytes that are not compressed data', 'c1 05 | ffffffffff', 'WS_ERR_INVALID_COMPRESSION 1007'],
    ['a reference to before the beginning', 'c1 05 | f200110000', 'WS_ERR_INVALID_COMPRESSION 1007'],
    [
      'a reference to an earlier message that was to be forgotten',
      'c1 07 | f248cdc9c90700 \n c1 05 | f200110000',
      'WS_ERR_INVALID_COMPRESSION 1007',
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    ],
    ['text that is not UTF-8 once decompressed', 'c1 07 | 0001 00fe ffff 00', 'WS_ERR_INVALID_UTF8 1007'],
    ['a final block after the other', `c1 7e 1000 | ${'0300'.repeat(2048)}`, 'WS_ERR_INVALID_COMPRESSION 1007'],
  ];

  for (const [what, frames, refusal, extensions = 'permessage-deflate'] of bad) {
    for (const role of roles) {
      it(`refuses ${what}, as ${role}`, async () => {
        const { bytes } = wire(frames, peerOf(role));
        const { error } = await readAll(Readable.from([bytes]).pipe(new Deframer({ role, extensions })));
        expect(`${error?.code} ${error?.closeCode}`).to.equal(refusal);
      });
    }
  }

  it('delivers the next messages after a listener has thrown', async () => {
    const deframer = new Deframer({ role: 'client', extensions: 'permessage-deflate' });
    deframer.write(hex('c1 07 f248cdc9c90700'));
    expect(await once(deframer, 'data')).to.deep.equal(['Hello']);
    deframer.write(hex('c1 05 f200110000'));
    expect(await once(deframer, 'data')).to.deep.equal(['Hello']);
  });

  it('names the accepted values in its error', () => {
    for (const extensions of [';', 1, null]) {
      const options = { role: 'client', extensions } as unknown as ConstructorParameters<typeof Deframer>[0];
      expect(thrownBy(() => new Deframer(options)).message).to.include('option extensions must be the value of');
    }
  });
});

describe('A compressed message that is too large', () => {
  const zeros = (size: number) => deflateRawSync(Buffer.alloc(size), { finishFlush: constants.Z_SYNC_FLUSH, level: 9 });

  async function bomb(size: number): Promise<Buffer> {
    const framer = new Framer({ role: 'server' });
    framer.end({ opcode: 'binary', payload: zeros(size).subarray(0, -4), compressed: true });
    return Buffer.concat(await framer.toArray());
  }

  let frames: Buffer;
  before(async () => {
    frames = await bomb(200 * 1024 * 1024);
  });

  for (const takeover of ['', '; server_no_context_takeover']) {
    for (const limit of [1000, 256 * 1024, 1024 * 1024]) {
      it(`is refused while it grows past ${limit} bytes${takeover}`, async () => {
        const before = await retainedBytes();
        let most = 0;
        const watch = setInterval(() => {
          most = Math.max(most, process.memoryUsage().arrayBuffers);
        });
        const start = process.memoryUsage().arrayBuffers;
        const options = { role: 'client', extensions: `permessage-deflate${takeover}`, maxMessageSize: limit } as const;
        const { items, error } = await readAll(Readable.from([frames]).pipe(new Deframer(options)));
        clearInterval(watch);
        most = Math.max(most, process.memoryUsage().arrayBuffers);
        expect([items, error?.code, error?.closeCode]).to.deep.equal([[], 'WS_ERR_MESSAGE_TOO_BIG', 1009]);
        // The limit, one chunk, and the window; the compressed message itself was there before.
        expect(most - start).to.be.below(limit + 2 * frames.length + 256 * 1024);
        expect((await retainedBytes()) - before).to.be.below(1024 * 1024);
      });
    }
  }

  for (const size of [1000, 300_000]) {
    it(`is one that has a byte more than ${size}`, async () => {
      const options = { role: 'client', extensions: 'permessage-deflate', maxMessageSize: size } as const;
      const good = await readAll(Readable.from([await bomb(size)]).pipe(new Deframer(options)));
      expect(good.items).to.deep.equal([Buffer.alloc(size)]);
      const bad = await readAll(Readable.from([await bomb(size + 1)]).pipe(new Deframer(options)));
      expect(bad.error?.code).to.equal('WS_ERR_MESSAGE_TOO_BIG');
    });
  }

  it('is not one that cannot be compressed and has just the limit', async () => {
    const size = 100_000;
    const noise = randomBytes(size);
    const framer = new Framer({ role: 'server' });
    const payload = deflateRawSync(noise, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
    expect(payload.length).to.be.above(size);
    framer.end({ opcode: 'binary', payload, compressed: true });
    const options = { role: 'client', extensions: 'permessage-deflate', maxMessageSize: size } as const;
    expect((await readAll(framer.pipe(new Deframer(options)))).items).to.deep.equal([noise]);
  });
});

/** Messages as programs send them: some repeat themselves and each other, some do not. */
function sample(seed: number): string | Buffer {
  const text = JSON.stringify({
    seed,
    items: Array.from({ length: (seed % 40) + 1 }, (_, i) => ({ sku: `A${i * seed}`, n: i })),
  });
  switch (seed % 6) {
    case 0:
      return text;
    case 1:
      return Buffer.from(text);
    case 2:
      return '';
    case 3:
      return randomBytes((seed * 37) % 3000);
    case 4:
      return text.repeat(1 + ((seed * 7) % 60));
    default:
      return `${text} \u{1f600}`;
  }
}

const agreements = [
  'permessage-deflate',
  'permessage-deflate; server_no_context_takeover',
  'permessage-deflate; client_no_context_takeover; server_max_window_bits=8',
  'permessage-deflate; server_max_window_bits=9; client_max_window_bits=9',
  'permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=8',
  'permessage-deflate; server_max_window_bits=12; client_max_window_bits=15',
];

describe('A Framer with permessage-deflate', () => {
  for (const extensions of agreements) {
    for (const role of roles) {
      for (const perMessageDeflate of [{ threshold: 0 }, { level: 1, memLevel: 1 }, { level: 0, idleRelease: 0 }]) {
        it(`is understood as ${role} with "${extensions}" and ${JSON.stringify(perMessageDeflate)}`, async () => {
          const messages = Array.from({ length: 80 }, (_, i) => sample(i * 13 + 1));
          const framer = new Framer({ role, extensions, perMessageDeflate });
          const deframer = new Deframer({ role: peerOf(role), extensions, perMessageDeflate });
          const { items, error } = await readAll(Readable.from(messages).pipe(framer).pipe(deframer));
          expect(error).to.equal(undefined);
          expect(items.length).to.equal(messages.length);
          for (const [i, item] of items.entries()) expect(item, `message ${i}`).to.deep.equal(messages[i]);
        });
      }
    }
  }

  async function framesOf(items: readonly Outgoing[], options: object = {}): Promise<Buffer> {
    const framer = new Framer({ role: 'server', extensions: 'permessage-deflate', ...options });
    for (const item of items) framer.write(item);
    framer.end();
    return Buffer.concat(await framer.toArray());
  }

  it('refers to the last 8 KiB by default, and to as much as was agreed on if the program wants that', async () => {
    const start = randomBytes(4096);
    const repetition = [start, randomBytes(8192), start].map(
      (payload) => ({ opcode: 'binary', payload, compress: true }) as const,
    );
    const sizeWith = async (
      perMessageDeflate: boolean | PerMessageDeflateOptions,
      extensions = 'permessage-deflate',
    ) => {
      const first = { opcode: 'text', payload: 'so that the engine is kept', compress: true } as const;
      return (await framesOf([first, ...repetition], { perMessageDeflate, extensions })).length;
    };
    const all = 2 * start.length + 8192;
    expect(await sizeWith(true)).to.be.above(all);
    expect(await sizeWith({ serverMaxWindowBits: 15 })).to.be.below(all - 3000);
    const small = 'permessage-deflate; server_max_window_bits=9';
    expect(await sizeWith({ serverMaxWindowBits: 15 }, small)).to.be.above(all);
  });

  it('compresses as RFC 7692 §7.2.3 shows', async () => {
    const hello = { opcode: 'text', payload: 'Hello', compress: true } as const;
    // The first message for a while stands alone; the third refers to the second.
    expect(await framesOf([hello, hello, hello])).to.deep.equal(
      hex('c1 07 f248cdc9c90700  c1 07 f248cdc9c90700  c1 05 f200110000'),
    );
    const alone = { extensions: 'permessage-deflate; server_no_context_takeover' };
    expect(await framesOf([hello, hello], alone)).to.deep.equal(hex('c1 07 f248cdc9c90700  c1 07 f248cdc9c90700'));
  });

  it('does not compress messages under the threshold, except with compress: true', async () => {
    const short = 'a'.repeat(127);
    const long = 'a'.repeat(128);
    expect((await framesOf([short]))[0]).to.equal(0x81);
    expect((await framesOf([long]))[0]).to.equal(0xc1);
    expect((await framesOf(['\u00e9'.repeat(64)]))[0]).to.equal(0xc1);
    expect((await framesOf([Buffer.alloc(128)]))[0]).to.equal(0xc2);
    expect((await framesOf([{ opcode: 'text', payload: short, compress: true }]))[0]).to.equal(0xc1);
    expect((await framesOf([{ opcode: 'text', payload: long, compress: false }]))[0]).to.equal(0x81);
    expect(await framesOf([{ opcode: 'text', payload: '', compress: true }])).to.deep.equal(hex('c1 01 00'));
  });

  it('does not compress control frames and fragments', async () => {
    const long = Buffer.alloc(125, 'a');
    const [ping, first, last] = [
      { opcode: 'ping', payload: long },
      { opcode: 'text', payload: 'a'.repeat(500), fin: false },
      { opcode: 'continuation', payload: 'a'.repeat(500) },
    ] as const;
    const frames = await framesOf([ping, first, last]);
    const { items } = await readAll(Readable.from([frames]).pipe(new Deframer({ role: 'client' })));
    expect(items).to.deep.equal([ping, 'a'.repeat(1000)]);
  });

  it('sends messages that do not become smaller uncompressed, later without trying, and the peer understands them', async () => {
    const noise = Array.from({ length: 40 }, () => randomBytes(500));
    const text = 'the same text again and again, '.repeat(10);
    const messages: (string | Buffer)[] = [text, ...noise, text, noise[0] as Buffer, text];
    const frames = await framesOf(messages);
    const { items } = await readAll(
      Readable.from([frames]).pipe(new Deframer({ role: 'client', extensions: 'permessage-deflate' })),
    );
    expect(items).to.deep.equal(messages);
    // 4 bytes of header for each, and not one more.
    expect(frames.length).to.be.below(41 * 504 + 3 * 60);
  });

  it('does not let a small message overtake a large one', async () => {
    const messages = ['a'.repeat(400_000), 'b'.repeat(200), 'c'.repeat(300_000), 'd'];
    const frames = await framesOf(messages);
    const { items } = await readAll(
      Readable.from(chunksOf(frames, 100)).pipe(new Deframer({ role: 'client', extensions: 'permessage-deflate' })),
    );
    expect(items).to.deep.equal(messages);
  });

  it('does not change the messages of the program', async () => {
    const message = Buffer.alloc(1000, 'abc');
    await framesOf([message]);
    expect(message).to.deep.equal(Buffer.alloc(1000, 'abc'));
  });

  it('decompresses messages that were all compressed with one context', async () => {
    const deflate = createDeflateRaw();
    const frames: Buffer[] = [];
    const messages = Array.from({ length: 200 }, (_, i) =>
      JSON.stringify({ i, text: 'some text that repeats itself'.repeat(i % 50) }),
    );
    for (const message of messages) {
      deflate.write(message);
      await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
      const payload = deflate.read().subarray(0, -4);
      const header =
        payload.length < 126
          ? Buffer.of(0xc1, payload.length)
          : Buffer.of(0xc1, 126, payload.length >> 8, payload.length);
      frames.push(header, payload);
    }
    deflate.close();
    for (const idleRelease of [0, 30_000]) {
      const deframer = new Deframer({
        role: 'client',
        extensions: 'permessage-deflate',
        perMessageDeflate: { idleRelease },
      });
      // An object for each frame: between them the event loop turns, and idle engines go.
      const { items } = await readAll(Readable.from(frames).pipe(deframer));
      expect(items).to.deep.equal(messages);
    }
  });
});

describe('A WebSocket with permessage-deflate', () => {
  it('has the agreed parameters in `extensions`', () => {
    const [server, client] = createPair({
      perMessageDeflate: { clientMaxWindowBits: 10, serverNoContextTakeover: true },
    });
    const expected = 'permessage-deflate; server_no_context_takeover; client_max_window_bits=10';
    expect([server.extensions, client.extensions]).to.deep.equal([expected, expected]);
    server.abort();
    client.abort();
  });

  for (const perMessageDeflate of [true, { serverNoContextTakeover: true, clientNoContextTakeover: true }]) {
    it(`echoes everything in order with ${JSON.stringify(perMessageDeflate)}, and closes after it`, async () => {
      const [server, client] = createPair({ perMessageDeflate });
      server.pipe(server);
      const messages = Array.from({ length: 60 }, (_, i) => sample(i * 31 + 5));
      messages.splice(20, 0, 'large '.repeat(100_000), 'small', 'large again '.repeat(50_000));
      for (const message of messages) client.write(message);
      client.end();
      expect(await client.toArray()).to.deep.equal(messages);
      expect(await server.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
    });
  }

  it('sends pings and pongs while a large message is being compressed', async () => {
    const [server, client] = createPair({ perMessageDeflate: true });
    const received: string[] = [];
    client.on('ping', () => received.push('ping'));
    client.on('message', (message) => received.push(`${message.length}`));
    server.write('a'.repeat(1_000_000));
    const pong = server.ping();
    server.write('b');
    expect(server.bufferedAmount).to.be.at.least(1_000_000);
    server.close(1000);
    await client.whenClosed();
    await pong;
    expect(received).to.deep.equal(['ping', '1000000', '1']);
  });

  it('can be destroyed while a large message is being compressed', async () => {
    const [server, client] = createPair({ perMessageDeflate: true });
    client.on('error', () => {});
    server.write('a'.repeat(1_000_000));
    server.abort();
    await Promise.all([server.whenClosed(), client.whenClosed()]);
  });

  it('lets the program choose for each message', async () => {
    const [server, client] = createPair({ perMessageDeflate: true });
    const text = 'a'.repeat(1000);
    server.sendTextMessage(text, { compress: false });
    server.sendTextMessage(Buffer.from(text), { compress: true });
    server.sendBinaryMessage(text, { compress: false }, (error) => expect(error ?? undefined).to.equal(undefined));
    server.end();
    expect(await client.toArray()).to.deep.equal([text, text, Buffer.from(text)]);
    const misuse = thrownBy(() => server.sendTextMessage(text, { compress: 1 } as unknown as { compress: boolean }));
    expect(misuse.message).to.include('option compress must be a boolean');
  });

  it('closes with 1009 when a decompressed message is too large', async () => {
    const [server, client] = createPair({ perMessageDeflate: true, maxMessageSize: 1000 });
    server.on('error', () => {});
    client.on('error', () => {});
    client.write(Buffer.alloc(100_000));
    await client.whenClosed();
    expect(client.closeCode).to.equal(1009);
  });

  const offer = { extensions: 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits' };

  it('is negotiated in the opening handshake, for the whole server or for one connection', async () => {
    await using server = await listen((_, response) => response.webSocket?.connect().end(), {
      perMessageDeflate: true,
    });
    using client = await RawClient.connect(server.port);
    client.write(openingRequest(offer));
    expect((await client.head()).headers.get('sec-websocket-extensions')).to.equal('permessage-deflate');

    const perMessageDeflate = { clientMaxWindowBits: 9 };
    await using other = await listen((_, response) => response.webSocket?.connect({ perMessageDeflate }).end());
    using second = await RawClient.connect(other.port);
    second.write(openingRequest(offer));
    expect((await second.head()).headers.get('sec-websocket-extensions')).to.equal(
      'permessage-deflate; client_max_window_bits=9',
    );
  });

  it('is not used with a client that did not offer it, or by a server without the option', async () => {
    for (const [changes, options] of [
      [{}, { perMessageDeflate: true }],
      [offer, {}],
    ] as const) {
      await using server = await listen((_, response) => response.webSocket?.connect().end('a'.repeat(1000)), options);
      using client = await RawClient.connect(server.port);
      client.write(openingRequest(changes));
      expect((await client.head()).headers.has('sec-websocket-extensions')).to.equal(false);
      await client.until(() => client.received.length > 1000);
      expect(client.received[0]).to.equal(0x81);
    }
  });

  it('closes with 1007 on bytes that cannot be decompressed, and reports the error', async () => {
    const errors: Error[] = [];
    await using server = await listen(
      (_, response) => response.webSocket?.connect().on('error', (error) => errors.push(error)),
      { perMessageDeflate: true },
    );
    using client = await RawClient.open(server.port, offer);
    client.write(wire('c1 03 | ffffff', 'client').bytes);
    await client.until(() => client.received.length >= 4);
    expect(client.received).to.deep.equal(hex('88 02 03ef'));
    expect(errors.map((error) => (error as WebSocketError).code)).to.deep.equal(['WS_ERR_INVALID_COMPRESSION']);
  });

  it('names an invalid setting in its error', async () => {
    for (const [settings, complaint] of [
      [1, 'perMessageDeflate must be a boolean'],
      [{ level: 10 }, 'perMessageDeflate.level must be an integer from 0 to 9, not 10'],
      [{ serverMaxWindowBits: 7 }, 'perMessageDeflate.serverMaxWindowBits must be'],
      [{ clientMaxWindowBits: '10' }, 'perMessageDeflate.clientMaxWindowBits must be'],
      [{ threshold: -1 }, 'perMessageDeflate.threshold must be'],
      [{ idleRelease: Number.POSITIVE_INFINITY }, 'perMessageDeflate.idleRelease must be'],
      [
        { serverNoContextTakeOver: true },
        'unknown option perMessageDeflate.serverNoContextTakeOver; did you mean perMessageDeflate.serverNoContextTakeover?',
      ],
      [JSON.parse('{"__proto__": true}'), 'unknown option perMessageDeflate.__proto__'],
    ]) {
      const error = thrownBy(() => createPair({ perMessageDeflate: settings }));
      expect([error.code, error.message]).to.deep.equal([
        'WS_ERR_INVALID_ARGUMENT',
        error.message.includes(complaint) ? error.message : complaint,
      ]);
    }
  });
});
