import { deflateRawSync, inflateRawSync, constants as zlib } from 'node:zlib';
import { expect } from 'chai';
import { isSendableCloseCode } from '../lib/closeCodes';
import type { Role } from '../lib/contracts';
import { type RawFrame, RawPeer, rawFrame } from './support/rawPeer';
import { chunksOf, peerOf } from './support/vectors';

/**
 * An echo, `ws.pipe(ws)`, as seen by a peer that sends good and bad frames, section by section in the order in which the
 * public test suites of the protocol go through RFC 6455 and RFC 7692. Every case runs in both roles, and with its bytes in
 * one chunk, one by one, and in odd pieces.
 */

/** The first byte of a frame, and its payload. */
type Frame = readonly [first: number, payload?: string | Buffer];

const text = 0x81;
const binary = 0x82;
const ping = 0x89;
const pong = 0x8a;
const close = 0x88;
const textStart = 0x01;
const more = 0x00;
const last = 0x80;

interface Case {
  readonly name: string;
  readonly sends: readonly Frame[];
  /** What comes back before the Close. Default: nothing. */
  readonly gets?: readonly Frame[];
  /** The code that the connection is closed with; undefined for a Close without one. */
  readonly closes: number | undefined;
}

const closeBody = (code: number | undefined, reason = '') =>
  code === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.of(code >> 8, code & 255), Buffer.from(reason)]);

const normalClose: Frame = [close, closeBody(1000)];

/** What is echoed, and then closed by the peer. */
const good = (name: string, sends: readonly Frame[], gets: readonly Frame[]): Case => ({
  name,
  sends: [...sends, normalClose],
  gets,
  closes: 1000,
});

/** What fails the connection; nothing behind it counts. */
const bad = (name: string, code: number, sends: readonly Frame[], gets: readonly Frame[] = []): Case => ({
  name,
  sends: [...sends, [ping, 'too late'], [text, 'too late']],
  gets,
  closes: code,
});

const filler = (length: number) => Buffer.alloc(length, 'The quick brown fox. ');

const framing: Case[] = [0, 1, 125, 126, 127, 128, 65535, 65536].flatMap((length) => [
  good(`1.1 a text of ${length} bytes`, [[text, filler(length)]], [[text, filler(length)]]),
  good(`1.2 a binary message of ${length} bytes`, [[binary, filler(length)]], [[binary, filler(length)]]),
]);

const tenPings: Frame[] = Array.from({ length: 10 }, (_, i) => [ping, `ping ${i}`]);

const pings: Case[] = [
  good('2.1 a ping without payload', [[ping]], [[pong]]),
  good('2.2 a ping with text', [[ping, 'Hello']], [[pong, 'Hello']]),
  good(
    '2.3 a ping with bytes',
    [[ping, Buffer.from('00fffefdfcfb00ff', 'hex')]],
    [[pong, Buffer.from('00fffefdfcfb00ff', 'hex')]],
  ),
  good('2.4 a ping with 125 bytes', [[ping, filler(125)]], [[pong, filler(125)]]),
  bad('2.5 a ping with 126 bytes', 1002, [[ping, filler(126)]]),
  good('2.7 a pong that nobody asked for', [[pong]], []),
  good('2.8 the same with payload', [[pong, 'unsolicited']], []),
  good(
    '2.9 a pong, and then a ping',
    [
      [pong, 'unsolicited'],
      [ping, 'Hello'],
    ],
    [[pong, 'Hello']],
  ),
  good(
    '2.10 ten pings',
    tenPings,
    tenPings.map(([, payload]) => [pong, payload ?? '']),
  ),
];

const reservedBits: Case[] = [1, 2, 3, 4, 5, 6, 7].flatMap((bits) => [
  bad(`3.${bits} a text with the reserved bits ${bits}`, 1002, [[text | (bits << 4), 'Hello']]),
  bad(
    `3.${bits} the same behind a good text`,
    1002,
    [
      [text, 'Hello'],
      [text | (bits << 4), '*'],
    ],
    [[text, 'Hello']],
  ),
  bad(`3.${bits} a ping with the reserved bits ${bits}`, 1002, [[ping | (bits << 4), 'Hello']]),
  bad(`3.${bits} a Close with the reserved bits ${bits}`, 1002, [[close | (bits << 4), closeBody(1000)]]),
]);

const opcodes: Case[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
  bad(`4 the reserved opcode ${opcode}`, 1002, [[0x80 | opcode]]),
  bad(
    `4 the same with payload, behind a good text`,
    1002,
    [
      [text, 'Hello'],
      [0x80 | opcode, 'payload'],
    ],
    [[text, 'Hello']],
  ),
  bad(`4 the same in fragments`, 1002, [[opcode, 'payload']]),
]);

const fragmentation: Case[] = [
  bad('5.1 a ping in two fragments', 1002, [
    [0x09, 'fragment 1'],
    [last, 'fragment 2'],
  ]),
  bad('5.2 a pong in two fragments', 1002, [
    [0x0a, 'fragment 1'],
    [last, 'fragment 2'],
  ]),
  good(
    '5.3 a text in two fragments',
    [
      [textStart, 'one'],
      [last, 'two'],
    ],
    [[text, 'onetwo']],
  ),
  good(
    '5.6 a text in two fragments with a ping between',
    [
      [textStart, 'one'],
      [ping, 'ping'],
      [last, 'two'],
    ],
    [
      [pong, 'ping'],
      [text, 'onetwo'],
    ],
  ),
  bad('5.9 a continuation of nothing', 1002, [[last, 'non-continuation']]),
  bad('5.10 the same before a good text', 1002, [
    [last, 'non-continuation'],
    [text, 'Hello'],
  ]),
  bad('5.12 an unfinished continuation of nothing', 1002, [
    [more, 'non-continuation'],
    [text, 'Hello'],
  ]),
  bad(
    '5.15 a message in fragments, and a continuation of nothing',
    1002,
    [
      [textStart, 'one'],
      [last, 'two'],
      [more, 'three'],
      [textStart, 'four'],
      [last, 'five'],
    ],
    [[text, 'onetwo']],
  ),
  bad('5.16 again and again a continuation of nothing', 1002, [
    [more, 'fragment 1'],
    [textStart, 'fragment 2'],
    [last, 'fragment 3'],
  ]),
  bad('5.18 a text inside a text', 1002, [
    [textStart, 'one'],
    [text, 'two'],
  ]),
  good(
    '5.19 five fragments with pings between',
    [
      [textStart, 'fragment1'],
      [more, 'fragment2'],
      [ping, 'pongme 1!'],
      [more, 'fragment3'],
      [ping, 'pongme 2!'],
      [more, 'fragment4'],
      [last, 'fragment5'],
    ],
    [
      [pong, 'pongme 1!'],
      [pong, 'pongme 2!'],
      [text, 'fragment1fragment2fragment3fragment4fragment5'],
    ],
  ),
  good('5 fragments without payload', [[textStart], [more], [last]], [[text]]),
  good('5 the same with a payload in the middle', [[textStart], [more, 'middle'], [last]], [[text, 'middle']]),
];

const hex = (digits: string) => Buffer.from(digits.replaceAll(' ', ''), 'hex');

const goodTexts = [
  ...['ceba e1bdb9 cf83 cebc ceb5', '00', 'c280', 'e0a080', 'f0908080', '7f', 'dfbf', 'efbfbf', 'f48fbfbf', 'ed9fbf'],
  ...[
    'ee8080',
    'efbfbd',
    'efbfbe',
    'f09fbfbe',
    'f0af bfbf',
    'f3bfbfbf',
    '48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d3821 21',
  ],
];

const badTexts = [
  ...[
    'ceba e1bdb9 cf83 cebc ceb5 eda080 656469746564',
    'f8 88808080',
    'fc84 80808080',
    'f7bfbfbf',
    'fbbfbfbfbf',
    'fdbfbfbfbfbf',
  ],
  ...[
    'f4908080',
    '80',
    'bf',
    '80bf',
    '80bf80bf80bf',
    'c020',
    'c120',
    'df20',
    'e02020',
    'ef2020',
    'f0202020',
    'f820202020',
  ],
  ...[
    'c0',
    'e080',
    'f08080',
    'f8808080',
    'df',
    'efbf',
    'f7bfbf',
    'c0e080f08080',
    'fe',
    'ff',
    'fefeffff',
    'c0af',
    'e080af',
  ],
  ...[
    'f08080af',
    'c1bf',
    'e09fbf',
    'f08fbfbf',
    'c080',
    'e08080',
    'f0808080',
    'eda080',
    'edafbf',
    'edb080',
    'edbfbf',
    'eda080edb080',
  ],
  ...['edafbfedbfbf', 'ceba e1bdb9 cf83 cebc ce'],
];

const utf8: Case[] = [
  ...goodTexts.flatMap((digits) => [
    good(`6 the text ${digits}`, [[text, hex(digits)]], [[text, hex(digits)]]),
    good(`6 the same, each byte in a fragment of its own`, inFragments(hex(digits)), [[text, hex(digits)]]),
  ]),
  ...badTexts.flatMap((digits) => [
    bad(`6 the text ${digits}, which is no UTF-8`, 1007, [[text, hex(digits)]]),
    bad(`6 the same, each byte in a fragment of its own`, 1007, inFragments(hex(digits))),
    bad(
      `6 the same behind a good text`,
      1007,
      [
        [text, 'Hello'],
        [text, hex(digits)],
      ],
      [[text, 'Hello']],
    ),
  ]),
];

function inFragments(bytes: Buffer): Frame[] {
  return [...bytes].map((byte, i) => {
    const first = i === 0 ? textStart : more;
    return [i === bytes.length - 1 ? first | 0x80 : first, Buffer.of(byte)];
  });
}

const closing: Case[] = [
  { name: '7.1.1 a Close behind a text', sends: [[text, 'Hello'], normalClose], gets: [[text, 'Hello']], closes: 1000 },
  { name: '7.1.2 two Closes', sends: [normalClose, normalClose], closes: 1000 },
  { name: '7.1.3 a ping behind the Close', sends: [normalClose, [ping, 'late']], closes: 1000 },
  { name: '7.1.4 a text behind the Close', sends: [normalClose, [text, 'late']], closes: 1000 },
  {
    name: '7.1.5 a Close inside a message',
    sends: [[textStart, 'fragment1'], normalClose, [last, 'fragment2']],
    closes: 1000,
  },
  {
    name: '7.1.6 a large message, a Close, a ping',
    sends: [[text, filler(256 * 1024)], normalClose, [ping]],
    gets: [[text, filler(256 * 1024)]],
    closes: 1000,
  },
  { name: '7.3.1 a Close without a body', sends: [[close]], closes: undefined },
  { name: '7.3.2 a Close with one byte', sends: [[close, Buffer.of(3)]], closes: 1002 },
  { name: '7.3.3 a Close with a code', sends: [[close, closeBody(1000)]], closes: 1000 },
  { name: '7.3.4 a Close with a reason', sends: [[close, closeBody(1000, 'Hello World!')]], closes: 1000 },
  {
    name: '7.3.5 a Close with a reason of 123 bytes',
    sends: [[close, closeBody(1000, 'x'.repeat(123))]],
    closes: 1000,
  },
  {
    name: '7.3.6 a Close with a reason of 124 bytes',
    sends: [[close, closeBody(1000, 'x'.repeat(124))]],
    closes: 1002,
  },
  {
    name: '7.5.1 a Close whose reason is no UTF-8',
    sends: [[close, Buffer.concat([closeBody(1000), hex('cebae1bdb9cf83cebcceb5eda080656469746564')])]],
    closes: 1007,
  },
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map((code) => ({
    name: `7.7 a Close with ${code}`,
    sends: [[close, closeBody(code)]] as Frame[],
    closes: code,
  })),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) => ({
    name: `7.9 a Close with ${code}, which must not be sent`,
    sends: [[close, closeBody(code)]] as Frame[],
    closes: 1002,
  })),
];

/** How long vectors are cut: a byte at a time would take minutes. */
const pieces = (bytes: Buffer) => (bytes.length < 4000 ? [bytes.length, 1, 7] : [bytes.length, 997]);

async function converse(role: Role, sends: readonly Frame[], size: number, extensions = ''): Promise<RawFrame[]> {
  const peer = new RawPeer(role, { maxMessageSize: 16 * 1024 * 1024, extensions });
  const { webSocket } = peer;
  webSocket.on('error', () => {});
  webSocket.pipe(webSocket);
  const bytes = Buffer.concat(
    sends.map(([first, payload = '']) => rawFrame(first, Buffer.from(payload as Buffer), peerOf(role))),
  );
  for (const chunk of chunksOf(bytes, size)) peer.write(chunk);
  return peer.ended();
}

const show = ({ first, payload }: RawFrame) =>
  `${first.toString(16).padStart(2, '0')} ${payload.length} ${payload.toString('hex', 0, 40)}`;

for (const role of ['server', 'client'] as const) {
  describe(`An echo as ${role} answers`, () => {
    const cases = [framing, pings, reservedBits, opcodes, fragmentation, utf8, closing].flat();
    for (const { name, sends, gets = [], closes } of cases) {
      it(name, async () => {
        const expected = [...gets, [close, closeBody(closes)] as const].map(([first, payload = '']) => ({
          first,
          payload: Buffer.from(payload as Buffer),
        }));
        const all = Buffer.concat(
          sends.map(([first, payload = '']) => rawFrame(first, Buffer.from(payload as Buffer), peerOf(role))),
        );
        for (const size of pieces(all)) {
          const frames = await converse(role, sends, size);
          expect(frames.map(show), `in pieces of ${size} bytes`).to.deep.equal(expected.map(show));
        }
      });
    }

    it('6.4 a text at its first invalid byte, although its frame has not ended', async () => {
      for (const [start, impossible] of [
        ['cebae1bdb9cf83cebcceb5', 'f490'],
        ['cebae1bdb9cf83cebcceb5', 'eda0'],
        ['61', 'c0'],
        ['61', 'e080'],
        ['61', 'f08f'],
      ] as const) {
        for (const fragmented of [false, true]) {
          const peer = new RawPeer(role);
          peer.webSocket.on('error', () => {}).resume();
          const frame = rawFrame(text, Buffer.concat([hex(start), hex(impossible), filler(100)]), peerOf(role));
          const good = frame.subarray(0, frame.length - 100 - 1);
          if (fragmented) peer.send(textStart, hex(start));
          peer.write(
            fragmented
              ? rawFrame(more, Buffer.concat([hex(impossible), filler(100)]), peerOf(role)).subarray(0, -100 - 1)
              : good,
          );
          await new Promise((resolve) => setImmediate(resolve));
          expect(peer.frames, 'before it').to.deep.equal([]);
          peer.write(
            fragmented
              ? rawFrame(more, Buffer.concat([hex(impossible), filler(100)]), peerOf(role)).subarray(-101, -100)
              : frame.subarray(-101, -100),
          );
          const frames = await peer.ended();
          expect(frames.map(show), `${start} ${impossible}`).to.deep.equal([
            show({ first: close, payload: closeBody(1007) }),
          ]);
        }
      }
    });

    for (const size of [64, 256, 1024, 4096, 16384].map((kib) => kib * 1024)) {
      it(`9 messages of ${size / 1024} KiB, whole and in fragments`, async () => {
        const payload = filler(size);
        for (const [first, fragment] of [
          [text, size],
          [binary, size],
          [textStart, size / 16],
          [textStart, 4096],
        ] as const) {
          const sends: Frame[] = [];
          for (let at = 0; at < size; at += fragment) {
            const start = at === 0 ? first & 0x7f : more;
            sends.push([at + fragment >= size ? start | 0x80 : start, payload.subarray(at, at + fragment)]);
          }
          const [echo, ...rest] = await converse(role, [...sends, normalClose], 65536);
          expect(echo?.first).to.equal(0x80 | (first & 0x0f));
          expect(echo?.payload.equals(payload)).to.equal(true);
          expect(rest.map(show)).to.deep.equal([show({ first: close, payload: closeBody(1000) })]);
        }
      });
    }
  });
}

describe('An echo with permessage-deflate', () => {
  const documents = (length: number) => {
    const json = JSON.stringify(
      Array.from({ length: 40 }, (_, i) => ({ id: i * 7919, name: `item ${i}`, open: i % 3 === 0 })),
    );
    return Array.from({ length: 20 }, (_, i) =>
      Buffer.from((json.slice(i) + json.repeat(length / json.length)).slice(0, length)),
    );
  };

  const agreements = [
    'permessage-deflate',
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    'permessage-deflate; server_max_window_bits=9; client_max_window_bits=9',
    'permessage-deflate; server_max_window_bits=15; client_max_window_bits=15',
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9',
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; client_max_window_bits=15',
  ];

  for (const [number, extensions] of agreements.entries()) {
    for (const role of ['server', 'client'] as const) {
      for (const length of [16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072]) {
        for (const fragment of length < 8192 ? [length] : [length, 256]) {
          it(`13.${number + 1} as ${role}: ${length} bytes, in fragments of ${fragment}, ${extensions}`, async () => {
            const messages = documents(length);
            const sends = messages.flatMap((message, i) => {
              const payload = deflateRawSync(message, { windowBits: 9, finishFlush: zlib.Z_SYNC_FLUSH }).subarray(
                0,
                -4,
              );
              const kind = i % 2 === 0 ? 0x41 : 0x42;
              return [...chunksOf(payload, fragment)].map(
                (part, at, parts): Frame => [(at === 0 ? kind : 0) | (at === parts.length - 1 ? 0x80 : 0), part],
              );
            });
            const frames = await converse(role, [...sends, normalClose], 10_000, extensions);
            expect(show(frames.pop() as RawFrame)).to.equal(show({ first: close, payload: closeBody(1000) }));
            expect(decompressed(frames).map(String)).to.deep.equal(messages.map(String));
          });
        }
      }
    }
  }

  /** What the frames say: each may refer to those before it that were compressed. */
  function decompressed(frames: readonly RawFrame[]): Buffer[] {
    let window = Buffer.alloc(0);
    return frames.map(({ first, payload }) => {
      if ((first & 0x40) === 0) return payload;
      const input = Buffer.concat([payload, hex('0000ffff')]);
      const message = inflateRawSync(input, {
        finishFlush: zlib.Z_SYNC_FLUSH,
        ...(window.length > 0 && { dictionary: window }),
      });
      window = Buffer.concat([window, message]).subarray(-32768);
      return message;
    });
  }
});

describe('The close codes', () => {
  it('that may be sent are those of the registry, and those for applications', () => {
    const sendable = Array.from({ length: 5001 }, (_, code) => code).filter(isSendableCloseCode);
    const listed = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    expect(sendable).to.deep.equal([...listed, ...Array.from({ length: 2000 }, (_, i) => 3000 + i)]);
  });
});
