import { once } from 'node:events';
import { Agent } from 'node:http';
import { createSecureServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect as connectTcp, type LookupFunction, type Server } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { constants, deflateRawSync } from 'node:zlib';
import { expect } from 'chai';
import { type ClientOptions, configureServer, connect, MessageStream } from '../lib/webSocketHandler';
import { createCertificate } from './support/certificate';
import { failureOf } from './support/failure';
import { retainedBytes } from './support/garbage';
import { listen } from './support/http';
import { RawPeer, rawFrame } from './support/rawPeer';
import { rawServer, switching } from './support/rawServer';
import { thrownBy } from './support/thrown';
import { catching } from './support/uncaught';

/** Servers that are made to harm a client: what they can make it keep is bounded, and it ends with an error. */

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

function clientFor(options: ConstructorParameters<typeof RawPeer>[1] = {}): RawPeer {
  const peer = new RawPeer('client', options);
  peer.webSocket.on('error', () => {}).resume();
  return peer;
}

async function drained(peer: RawPeer): Promise<void> {
  if (peer.stream.writableNeedDrain) await once(peer.stream, 'drain');
  else await turn();
}

/** A message of zeros, compressed as RFC 7692 §7.2.1 says. */
function bomb(size: number): Buffer {
  const compressed = deflateRawSync(Buffer.alloc(size), { finishFlush: constants.Z_SYNC_FLUSH, level: 9 });
  return compressed.subarray(0, -4);
}

async function closeCodeFrom(peer: RawPeer): Promise<number | undefined> {
  const frames = await peer.ended();
  return frames.find(({ first }) => first === 0x88)?.payload.readUInt16BE(0);
}

describe('A server', () => {
  it('that sends 600,000 pings and reads no answer costs a client the memory of one pong', async () => {
    const peer = clientFor({ reads: false });
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => rawFrame(0x89, Buffer.alloc(100, 'p'), 'server')));
    const before = await retainedBytes();
    for (let i = 0; i < 60; i++) {
      peer.write(pings);
      await drained(peer);
    }
    expect((await retainedBytes()) - before).to.be.below(3 * mebibyte);
    peer.webSocket.abort();
  });

  it('that sends a million fragments, empty ones and ones of a byte, costs a client the memory of their bytes', async () => {
    const peer = clientFor({ maxMessageSize: mebibyte });
    const pair = [rawFrame(0x00, Buffer.alloc(0), 'server'), rawFrame(0x00, Buffer.of(1), 'server')];
    const fragments = Buffer.concat(Array.from({ length: 5000 }, () => pair).flat());
    const before = await retainedBytes();
    peer.send(0x02);
    for (let i = 0; i < 100; i++) {
      peer.write(fragments);
      await drained(peer);
    }
    expect((await retainedBytes()) - before).to.be.below(2.5 * mebibyte);
    peer.webSocket.abort();
  });

  for (const [what, length, code] of [
    ['2^63', 2n ** 63n, 1002],
    ['2^63 - 1', 2n ** 63n - 1n, 1009],
    ['2^53', 2n ** 53n, 1009],
    ['2^32', 2n ** 32n, 1009],
  ] as const) {
    it(`that announces a message of ${what} bytes gets ${code} from a client`, async () => {
      const peer = clientFor();
      const header = Buffer.from('827f0000000000000000', 'hex');
      header.writeBigUInt64BE(length, 2);
      peer.write(header);
      expect(await closeCodeFrom(peer)).to.equal(code);
    });
  }

  it('that sends one pong several times, and pongs whose payloads are names of properties, changes nothing', async () => {
    const peer = clientFor();
    for (const payload of ['__proto__', 'constructor', 'toString', '', '1']) {
      for (let i = 0; i < 3; i++) peer.send(0x8a, payload);
      const ping = peer.webSocket.ping(payload);
      await peer.until(() => peer.frames.at(-1)?.first === 0x89);
      expect(peer.frames.pop()?.payload.toString()).to.equal(payload);
      for (let i = 0; i < 3; i++) peer.send(0x8a, payload);
      expect(await ping).to.be.a('number');
    }
    peer.webSocket.abort();
  });

  for (const messages of ['whole', 'stream'] as const) {
    it(`that sends a compressed message of 256 KiB for 256 MiB gets 1009 at the limit (messages: ${messages})`, async () => {
      const compressed = bomb(256 * mebibyte);
      expect(compressed.length).to.be.below(300 * kibibyte);
      const peer = clientFor({
        extensions: 'permessage-deflate',
        maxMessageSize: mebibyte,
        ...(messages === 'stream' && { messages }),
      });
      peer.webSocket.on('data', (message: unknown) => {
        if (message instanceof MessageStream) message.on('error', () => {}).resume();
      });
      const before = process.memoryUsage().arrayBuffers;
      let most = 0;
      const caught = await catching(async () => {
        peer.send(0xc2, compressed);
        const closed = peer.webSocket.whenClosed().then(() => true);
        while (!(await Promise.race([closed, turn(false)]))) {
          most = Math.max(most, process.memoryUsage().arrayBuffers - before);
        }
        // What zlib still does on its threads would report its error in a later turn.
        for (let i = 0; i < 20; i++) await turn();
      });
      expect(await closeCodeFrom(peer)).to.equal(1009);
      expect(caught).to.deep.equal([]);
      expect(most).to.be.below(8 * mebibyte);
    });
  }

  it('that sends a message above the limit gets 1009 however the client has made its connection', async () => {
    const certificate = createCertificate();
    const secure = createHttp2Server({ ...certificate, allowHTTP1: true }, (_request, response) => {
      response.webSocket
        ?.connect()
        .on('error', () => {})
        .write(Buffer.alloc(2000));
    });
    configureServer(secure as never);
    await once(secure.listen(0, '127.0.0.1'), 'listening');
    await using plain = await listen((_request, response) => {
      response.webSocket
        ?.connect()
        .on('error', () => {})
        .write(Buffer.alloc(2000));
    });
    const { port } = secure.address() as AddressInfo;
    const agent = new Agent({ keepAlive: true });
    const ways: [url: string, options: ClientOptions][] = [
      [`ws://127.0.0.1:${plain.port}`, {}],
      [`ws://127.0.0.1:${plain.port}`, { agent }],
      [`ws://127.0.0.1:${plain.port}`, { createConnection: () => connectTcp(plain.port, '127.0.0.1') }],
      [`wss://127.0.0.1:${port}`, { ca: certificate.cert }],
      [`wss://127.0.0.1:${port}`, { ca: certificate.cert, http2: true }],
      [`wss://127.0.0.1:${port}`, { ca: certificate.cert, http2: true, perMessageDeflate: false }],
    ];
    for (const [url, options] of ways) {
      const ws = connect(url, { ...options, maxMessageSize: 1000 }).resume();
      const [error] = (await once(ws, 'error')) as [NodeJS.ErrnoException];
      expect(error.code).to.equal('WS_ERR_MESSAGE_TOO_BIG');
      await ws.whenClosed();
    }
    agent.destroy();
    secure.close();
    await once(secure, 'close');
  });

  for (const parameters of ['server_max_window_bits=1000', 'server_max_window_bits=-1', 'client_max_window_bits=0']) {
    it(`that answers ${parameters} fails the handshake of a client, and nothing is thrown`, async () => {
      const caught = await catching(async () => {
        await using server = await rawServer((head, socket) =>
          socket.write(switching(head, `Sec-WebSocket-Extensions: permessage-deflate; ${parameters}`)),
        );
        const error = await failureOf(connect(`ws://127.0.0.1:${server.port}/`));
        expect(error.code).to.equal('WS_ERR_INVALID_HANDSHAKE');
      });
      expect(caught).to.deep.equal([]);
    });
  }
});

describe('A client', () => {
  describe('whose server has a certificate for another name', () => {
    const certificate = createCertificate();
    const listener = () => {
      throw new Error('The request was sent to a server with a certificate for another name');
    };

    for (const [name, create, options] of [
      ['HTTP/1.1', () => createHttpsServer(certificate, listener), {}],
      ['HTTP/2', () => createHttp2Server(certificate, listener), { http2: true }],
    ] as const) {
      it(`fails over ${name} before it has sent its request`, async () => {
        const server: Server = create();
        await once(server.listen(0, '127.0.0.1'), 'listening');
        const { port } = server.address() as AddressInfo;
        const lookup: LookupFunction = (_host, { all }, done) =>
          all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
        // The authority is trusted; only the name is wrong.
        const ws = connect(`wss://elsewhere.example:${port}/`, { ...options, ca: certificate.cert, lookup });
        const error = await failureOf(ws);
        expect(error.code).to.equal('WS_ERR_CONNECTION_FAILED');
        expect((error.cause as NodeJS.ErrnoException).code).to.equal('ERR_TLS_CERT_ALTNAME_INVALID');
        server.close();
        await once(server, 'close');
      });
    }
  });

  it('sends no line break that its options have: each is refused at once', () => {
    const split = 'a\r\nX-Injected: 1';
    for (const options of [
      { protocols: [split] },
      { origin: split },
      { headers: { 'X-Any': split } },
      { headers: { [split]: 'a' } },
      { headers: { Upgrade: split } },
      { headers: { Connection: split } },
    ]) {
      const error = thrownBy(() => connect('ws://127.0.0.1:1/', options as ClientOptions));
      expect(error.code, JSON.stringify(options)).to.equal('WS_ERR_INVALID_ARGUMENT');
    }
    // In a URL, it is part of no header: the parser removes it (WHATWG URL, basic URL parser).
    expect(new URL('ws://127.0.0.1/a\r\nb').pathname).to.equal('/ab');
  });
});
