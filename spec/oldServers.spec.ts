import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { connect, type Version } from '../lib/webSocketHandler';
import { hex } from './support/vectors';

/** Servers of 2010 by hand, from what the drafts say of the wire: our client must be what they expect. */

interface OldClient {
  readonly head: string;
  /** What came behind the head. */
  readonly rest: Buffer;
}

/** Accepts one connection and reads its request, and this many bytes behind it. */
async function acceptOne(tail: number): Promise<{ url: string; client: Promise<OldClient & { socket: Socket }> }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = (async () => {
    const [socket] = (await once(server, 'connection')) as [Socket];
    server.close();
    let received = Buffer.alloc(0);
    let end = -1;
    while (end === -1 || received.length < end + 4 + tail) {
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      received = Buffer.concat([received, bytes]);
      end = received.indexOf('\r\n\r\n');
    }
    return { socket, head: received.toString('latin1', 0, end + 4), rest: received.subarray(end + 4) };
  })();
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/demo?x=1`, client };
}

const header = (head: string, name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(head)?.[1];

function numberIn(key: string | undefined): Buffer {
  const digits = (key?.match(/\d/g) ?? []).join('');
  const spaces = (key?.match(/ /g) ?? []).length;
  const number = BigInt(digits) / BigInt(spaces);
  expect(number * BigInt(spaces), key).to.equal(BigInt(digits));
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Number(number));
  return bytes;
}

function answer76({ head, rest }: OldClient): Buffer {
  const lines = [
    'HTTP/1.1 101 WebSocket Protocol Handshake',
    'Upgrade: WebSocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Origin: ${header(head, 'Origin')}`,
    `Sec-WebSocket-Location: ws://${header(head, 'Host')}/demo?x=1`,
    `Sec-WebSocket-Protocol: ${header(head, 'Sec-WebSocket-Protocol')}`,
  ];
  const numbers = ['Sec-WebSocket-Key1', 'Sec-WebSocket-Key2'].map((name) => numberIn(header(head, name)));
  const reply = createHash('md5')
    .update(Buffer.concat([...numbers, rest.subarray(0, 8)]))
    .digest();
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), reply]);
}

function answer75({ head }: OldClient): Buffer {
  const lines = [
    'HTTP/1.1 101 Web Socket Protocol Handshake',
    'Upgrade: WebSocket',
    'Connection: Upgrade',
    `WebSocket-Origin: ${header(head, 'Origin')}`,
    `WebSocket-Location: ws://${header(head, 'Host')}/demo?x=1`,
    `WebSocket-Protocol: ${header(head, 'WebSocket-Protocol')}`,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
}

interface Conversation {
  readonly version: Version;
  readonly tail: number;
  readonly answer: (client: OldClient) => Buffer;
  /** The server's greeting, "hi". */
  readonly greeting: string;
  /** What the client is to send for "Grüße" and its end. */
  readonly expected: string;
  /** What the server answers to that. */
  readonly farewell: string;
}

const conversations: readonly Conversation[] = [
  {
    version: 'draft76',
    tail: 8,
    answer: answer76,
    greeting: '00 6869 ff',
    expected: '00 4772c3bcc39f65 ff  ff 00',
    farewell: 'ff 00',
  },
  {
    version: 'draft03',
    tail: 8,
    answer: answer76,
    greeting: '84 01 68  02 00  00 01 69',
    expected: `03 00  04 07 4772c3bcc39f65  01 16 ${Buffer.from('node-websocket-handler').toString('hex')}`,
    farewell: `01 16 ${Buffer.from('node-websocket-handler').toString('hex')}`,
  },
  {
    version: 'draft75',
    tail: 0,
    answer: answer75,
    greeting: '00 6869 ff',
    expected: '00 4772c3bcc39f65 ff',
    farewell: '',
  },
];

for (const { version, tail, answer, greeting, expected, farewell } of conversations) {
  describe(`A client of ${version}`, () => {
    for (const pieces of ['in one piece', 'byte by byte']) {
      it(`opens, reads, writes and closes as the draft says, with an answer ${pieces}`, async () => {
        const { url, client } = await acceptOne(tail);
        const ws = connect(url, { version, protocols: ['sample'], origin: 'http://example.com' });
        const { socket, ...old } = await client;
        expect(old.head).to.match(/^GET \/demo\?x=1 HTTP\/1\.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n/);
        expect(old.head).to.include('\r\nOrigin: http://example.com\r\n');
        expect(old.rest).to.have.lengthOf(tail);
        const received: Buffer[] = [];
        socket.on('data', (bytes) => received.push(bytes));
        const bytes = Buffer.concat([answer(old), hex(greeting)]);
        const read = once(ws, 'data');
        if (pieces === 'in one piece') socket.write(bytes);
        else for (const byte of bytes) socket.write(Buffer.of(byte));
        expect(await read).to.deep.equal(['hi']);
        expect(ws.protocol).to.equal('sample');
        ws.end('Grüße');
        while (Buffer.concat(received).length < hex(expected).length) await once(socket, 'data');
        expect(Buffer.concat(received)).to.deep.equal(hex(expected));
        socket.end(hex(farewell));
        expect(await ws.whenClosed()).to.deep.equal({ code: 1005, reason: '', wasClean: true });
      });
    }
  });
}
