import { deflateRawSync } from 'node:zlib';
import type { Role } from '../../lib/contracts';
import { closeFrame, frame } from '../../spec/endings/rawEnd';

/** Inputs to begin with, by target: each the shortest that gets to a place of its own. The fuzzer adds what it finds to `corpus/`. */

const roles: readonly Role[] = ['client', 'server'];

const compressed = (text: string) => deflateRawSync(text, { finishFlush: 2 }).subarray(0, -4);
/** With a final block (BFINAL). */
const final = (text: string) => deflateRawSync(text);

const frames = (sender: Role): Buffer[] => [
  frame(0x81, 'Grüße 👋', sender),
  frame(0x82, Buffer.of(0, 255), sender),
  Buffer.concat([
    frame(0x01, 'a', sender),
    frame(0x89, 'p', sender),
    frame(0x00, '', sender),
    frame(0x80, 'b', sender),
  ]),
  Buffer.concat([frame(0x8a, '', sender), closeFrame(1000, sender), Buffer.from('x')]),
  frame(0x88, Buffer.of(3), sender),
  frame(0x82, Buffer.alloc(200), sender),
  Buffer.concat([Buffer.of(0x82, sender === 'client' ? 0xff : 0x7f, 0, 0, 0, 0, 0, 1, 0, 0)]),
  frame(0xc1, compressed('a message, a message, a message'), sender),
  Buffer.concat([
    frame(0x41, compressed('a message').subarray(0, 3), sender),
    frame(0x80, compressed('a message').subarray(3), sender),
  ]),
  frame(0x83, '', sender),
  frame(0x81, Buffer.of(0xe2, 0x82), sender),
];

const behind = (head: readonly number[], body: Buffer) => Buffer.concat([Buffer.from(head), body]);

function decoderSeeds(): Buffer[] {
  // The first byte is the version, the second the role that reads.
  const modern = roles.flatMap((sender, i) =>
    [0, 1].flatMap((version) => frames(sender).map((bytes) => behind([version, i, 1, 0], bytes))),
  );
  const draft03 = [
    Buffer.from([0x04, 2, 0x68, 0x69]),
    Buffer.from([0x84, 1, 0x68, 0x05, 1, 0x69]),
    Buffer.from([0x01, 0]),
  ];
  const older = [
    Buffer.from('\x00text\xff\x00more\xff', 'latin1'),
    Buffer.from([0xff, 0x00]),
    Buffer.from([0x80, 0x81, 0x01, ...Buffer.alloc(20)]),
    Buffer.from([0x01, 0x68, 0xff]),
  ];
  return [
    ...modern,
    ...draft03.flatMap((bytes) => [behind([3, 0, 1, 0], bytes), behind([3, 1, 1, 0], bytes)]),
    ...older.flatMap((bytes) => [behind([4, 0, 1, 0], bytes), behind([5, 1, 1, 0], bytes)]),
  ];
}

const utf8 = ['plain', 'ü', '€', '👋', '\ufeff\ufffd'].map((text) => behind([1], Buffer.from(text)));
const notUtf8 = [
  [0xc0, 0x80],
  [0xe0, 0x80, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf0, 0x9f],
];

const headerValues: readonly (readonly [kind: number, value: string])[] = [
  [0, 'permessage-deflate; client_max_window_bits; server_max_window_bits=10, x-webkit; a="b\\"c"'],
  [0, 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
  [1, 'permessage-deflate; server_max_window_bits=9'],
  [1, '__proto__; constructor=1'],
  [2, 'chat, superchat ,\tx'],
  [3, '[::1]:8080'],
  [3, 'a%20b:1'],
  [4, '4 @1  46546xW%0l 1 5'],
  [4, 'dGhlIHNhbXBsZSBub25jZQ=='],
  [5, 'dGhlIHNhbXBsZSBub25jZQ==\n1 2\n13'],
];

const answers: readonly string[] = [
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n\x81\x02hi\x88\x02\x03\xe8',
  'HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
  'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n\r\n',
  'HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
  'HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Origin: http://localhost\r\nSec-WebSocket-Location: ws://localhost/\r\n\r\n0123456789abcdef',
  'HTTP/1.1 101\r\n\r\n',
];

/** The frame in a script of the target closeHandshake: a byte that is 31 more than the length, and the bytes. */
const sent = (bytes: Buffer) => behind([31 + bytes.length], bytes);

const scripts = roles.flatMap((sender, role) => [
  behind([role, 0, 12], sent(closeFrame(1000, sender))),
  Buffer.concat([Buffer.of(role, 2, 12), sent(closeFrame(1000, sender)), sent(frame(0x81, 'late', sender))]),
  Buffer.concat([
    Buffer.of(role),
    sent(frame(0x89, 'p', sender)),
    Buffer.of(4, 12),
    sent(closeFrame(undefined, sender)),
  ]),
  Buffer.concat([Buffer.of(role), sent(frame(0x83, '', sender)), Buffer.of(0, 12)]),
  Buffer.of(role, 1, 12, 5),
  Buffer.of(role, 0, 0, 7, 12),
]);

const inflated = [
  compressed('a message, a message'),
  final('a message'),
  Buffer.concat([final('a'), final('b'), compressed('c')]),
];

export const seeds: Readonly<Record<string, readonly Buffer[]>> = {
  decoder: decoderSeeds(),
  utf8: [...utf8, ...notUtf8.map((bytes) => behind([1], Buffer.from(bytes)))],
  headers: headerValues.map(([kind, value]) => behind([kind, 0, 0], Buffer.from(value, 'latin1'))),
  inflate: inflated.flatMap((bytes) => [
    behind([1, 0, 0, 1], bytes),
    behind([0, 1, 0, 0, bytes.length], Buffer.concat([bytes, Buffer.of(1), bytes])),
  ]),
  clientAnswer: answers.flatMap((answer) =>
    [0, 3].map((version) => behind([0, version, 1, 1], Buffer.from(answer, 'latin1'))),
  ),
  closeHandshake: scripts,
  differential: roles.flatMap((sender, role) => frames(sender).map((bytes) => behind([role, 1, 0, 0], bytes))),
};
