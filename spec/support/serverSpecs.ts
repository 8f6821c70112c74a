import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectSocket, type NetConnectOpts, Socket } from 'node:net';
import { type ConnectionOptions, connect as connectSecureSocket } from 'node:tls';
import { expect } from 'chai';
import {
  type ClientOptions,
  connect,
  type Message,
  type TransportName,
  type WebSocket,
} from '../../lib/webSocketHandler';
import { createCertificate } from './certificate';
import { maxMessageSize, type RunningServer, type Startable } from './startable';

const mebibyte = 1024 * 1024;

const messages: readonly Message[] = [
  'Grüße aus Köln',
  Buffer.of(0, 1, 127, 128, 254, 255),
  '',
  Buffer.alloc(0),
  '👋🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇪🇺',
  Buffer.from('not a text'),
  'x'.repeat(70_000),
];

/** Lines of 20 bytes, so that most of the places where a message may be cut are inside of a character. */
const largeText = Array.from({ length: (5 * mebibyte) / 20 }, (_, line) => `${1_000_000 + line} Grüße 👋`).join('');
const largeBinary = randomBytes(5 * mebibyte);

/** Says of a message what must not change, in a line that can be read when it did. */
function summary(message: Message): string {
  const kind = typeof message === 'string' ? 'text' : 'binary';
  const digest = createHash('sha256').update(message).digest('hex').slice(0, 16);
  return `${kind}, ${Buffer.byteLength(message)} bytes, digest ${digest}`;
}

/** Sends all of the messages at once, and ends when their echoes are there. */
async function echoesOf(ws: WebSocket, sent: readonly Message[]): Promise<Message[]> {
  for (const message of sent) ws.write(message);
  const echoes: Message[] = [];
  for await (const message of ws) {
    echoes.push(message);
    if (echoes.length === sent.length) ws.end();
  }
  return echoes;
}

/** Sends each message when the echo of the one before is there. */
async function echoesInTurn(ws: WebSocket, sent: readonly Message[]): Promise<Message[]> {
  const echoes: Message[] = [];
  for (const message of sent) {
    const echo = once(ws, 'data');
    ws.write(message);
    echoes.push((await echo)[0]);
  }
  ws.end();
  await ws.whenClosed();
  return echoes;
}

/** How a server is to be talked to. */
interface Manner {
  /** Over TLS. */
  readonly secure: boolean;
  readonly options?: ClientOptions;
  /** Of our own server behind a proxy: over what it and the client must find themselves to be talking. */
  readonly transports?: { readonly client: TransportName; readonly server: TransportName };
}

/** Our client has every kind of conversation with a server. */
export function talksWithOurClient(
  { name, capabilities, start }: Startable,
  { secure, options: always = {}, transports }: Manner,
): void {
  const protocols = transports ? `: ${transports.client}, then ${transports.server}` : '';
  describe(`Our client and ${name}${secure ? ', over TLS' : ''}${protocols}`, () => {
    let server: RunningServer;

    before(async function () {
      server = await start(this, secure ? createCertificate() : undefined);
    });

    after(async () => {
      await server?.stop();
    });

    function open(path: string, options: ClientOptions = {}): WebSocket {
      const { ca } = server;
      return connect(server.url(path), { family: 4, maxMessageSize, ...(ca && { ca }), ...always, ...options });
    }

    if (transports !== undefined) {
      it(`find themselves talking over ${transports.client}, and our server over ${transports.server}`, async () => {
        const ws = open('/transport');
        const [message] = await once(ws, 'data');
        expect({ client: ws.transport, server: message }).to.deep.equal(transports);
        ws.end();
        expect((await ws.whenClosed()).wasClean).to.equal(true);
      });
    }

    it('echoes text and binary messages, empty ones too, in their order', async () => {
      const ws = open('/');
      expect(await echoesOf(ws, messages)).to.deep.equal(messages);
      expect(await ws.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
    });

    it('echoes 5 MiB of text and 5 MiB of binary', async () => {
      const sent = [largeText, largeBinary];
      const echoes = await (capabilities.bothWays === false ? echoesInTurn : echoesOf)(open('/'), sent);
      expect(echoes.map(summary)).to.deep.equal(sent.map(summary));
    });

    it('answers our ping', async () => {
      const ws = open('/');
      await once(ws, 'open');
      const ponged = once(ws, 'pong');
      expect(await ws.ping('Still there?')).to.be.within(0, 5000);
      expect((await ponged).toString()).to.equal('Still there?');
      ws.end();
      expect((await ws.whenClosed()).wasClean).to.equal(true);
    });

    it('gets our pong to its ping', async () => {
      const ws = open('/ping');
      const pinged = once(ws, 'ping');
      expect((await once(ws, 'data')).toString()).to.equal('pong: Are you there?');
      expect((await pinged).toString()).to.equal('Are you there?');
      ws.end();
      expect((await ws.whenClosed()).wasClean).to.equal(true);
    });

    it('closes with 1000: our stream ends, after its last message', async () => {
      const ws = open('/close?code=1000&reason=Done');
      expect(await ws.toArray()).to.deep.equal(['last words']);
      expect(await ws.whenClosed()).to.deep.equal({ code: 1000, reason: 'Done', wasClean: true });
    });

    it('closes with a code of its own: our stream fails with it, after its last message', async () => {
      const closing = { code: 4321, reason: 'Gute Nacht 🌙' };
      const path = `/close?code=4321&reason=${encodeURIComponent(closing.reason)}`;
      const reported = server.closing(path);
      const ws = open(path);
      const received: Message[] = [];
      const error = await ws.forEach((message) => void received.push(message)).catch((cause) => cause);
      expect(received).to.deep.equal(['last words']);
      expect([error.code, error.closeCode]).to.deep.equal(['WS_ERR_CLOSED_BY_PEER', 4321]);
      expect(error.message).to.include(closing.reason);
      expect([ws.closeCode, ws.closeReason]).to.deep.equal([closing.code, closing.reason]);
      expect(await ws.whenClosed()).to.deep.equal({ ...closing, wasClean: true });
      // Our answer has the code and no reason; the websocket package, which does not read it, reports its own Close.
      expect(await reported).to.have.property('code', 4321);
    });

    it('reads the code and the reason that we close with', async () => {
      const closing = { code: 4567, reason: 'Off to bed 🌙' };
      const reported = server.closing('/?goodbye');
      const ws = open('/?goodbye');
      await once(ws, 'open');
      ws.close(closing.code, closing.reason);
      expect(await ws.toArray()).to.deep.equal([]);
      expect(await ws.whenClosed()).to.deep.equal({ ...capabilities.closeAnswer(closing), wasClean: true });
      expect(await reported).to.deep.equal(closing);
    });

    it('has 200 connections with us at once: each gets its own echo, and a clean end', async () => {
      const paths = Array.from({ length: 200 }, (_, number) => `/?${number}`);
      const reported = Promise.all(paths.map((path) => server.closing(path)));
      const connections = paths.map((path) => open(path));
      await Promise.all(connections.map((ws) => once(ws, 'open')));
      const echoes = await Promise.all(connections.map((ws, number) => echoesOf(ws, [paths[number] as string])));
      expect(echoes).to.deep.equal(paths.map((path) => [path]));
      const outcomes = await Promise.all(connections.map((ws) => ws.whenClosed()));
      expect(outcomes.filter(({ code, wasClean }) => code !== 1000 || !wasClean)).to.deep.equal([]);
      expect((await reported).filter(({ code }) => code !== 1000)).to.deep.equal([]);
    });

    const compressed = capabilities.compression ? 'compresses with us' : 'agrees on no compression';
    it(`${compressed}: small documents on one connection, and 5 MiB`, async () => {
      const documents = Array.from({ length: 100 }, (_, id) => JSON.stringify({ id, text: 'the same '.repeat(50) }));
      const sent = [...documents, largeText, ...documents];
      const size = sent.reduce((sum, message) => sum + Buffer.byteLength(message), 0);
      let socket = new Socket();
      const ws = open('/', {
        createConnection(options) {
          socket = secure
            ? connectSecureSocket(options as ConnectionOptions)
            : connectSocket(options as NetConnectOpts);
          return socket;
        },
      });
      const echoes = await echoesOf(ws, sent);
      expect(echoes.map(summary)).to.deep.equal(sent.map(summary));
      const { bytesWritten, bytesRead } = socket;
      if (capabilities.compression) {
        expect(ws.extensions).to.match(/^permessage-deflate/);
        expect(Math.max(bytesWritten, bytesRead)).to.be.below(size / 4);
      } else {
        expect(ws.extensions).to.equal('');
        expect(Math.min(bytesWritten, bytesRead)).to.be.above(size);
      }
    });
  });
}
