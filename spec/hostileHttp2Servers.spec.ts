import { once } from 'node:events';
import { expect } from 'chai';
import { type ClientOptions, connect, type WebSocket } from '../lib/webSocketHandler';
import { failureOf } from './support/failure';
import { forgetsSessions } from './support/forgottenSessions';
import {
  dataFrame,
  errorCodes,
  flags,
  frame,
  goawayFrame,
  headerBlock,
  headersFrame,
  type RawHttp2,
  type RawHttp2Server,
  rawHttp2Server,
  resetFrame,
  settingsFrame,
  types,
  uint32,
} from './support/http2Frames';
import { rawFrame } from './support/rawPeer';
import { switching } from './support/rawServer';
import { hex } from './support/vectors';

/** Servers that a client over HTTP/2 must not trust (RFC 8441, RFC 9113). */

type Fields = Record<string, string>;

function answerFrame(stream: number, fields: Fields, flag: number = flags.endHeaders): Buffer {
  return headersFrame(stream, Object.entries({ ':status': '200', ...fields }), flag);
}

/** Speaks HTTP/1.1 where that is asked for, and otherwise has its say when it is asked for a WebSocket on a stream. */
async function serve(peer: RawHttp2, answer: (stream: number) => unknown, values = {}): Promise<void> {
  peer.write(settingsFrame({ enableConnectProtocol: 1, ...values }));
  for (let stream = 1; ; stream += 2) {
    await peer.frame(types.headers, stream);
    answer(stream);
  }
}

/** A server that answers every request in the same way. */
function answering(answer: (peer: RawHttp2, stream: number) => unknown, values = {}): Promise<RawHttp2Server> {
  return rawHttp2Server((peer) => void serve(peer, (stream) => answer(peer, stream), values).catch(() => {}));
}

/** A server for HTTP/1.1, if it is asked for it; what it does otherwise is given. */
function fallingBack(speak: (peer: RawHttp2) => unknown): Promise<RawHttp2Server> {
  return rawHttp2Server(async (peer, index) => {
    if (index === 0) speak(peer);
    else {
      await peer.until(() => peer.otherProtocol.includes('\r\n\r\n'));
      peer.write(Buffer.from(switching(peer.otherProtocol)), hex('88 02 03e8'));
      peer.socket.end();
    }
  });
}

function open({ url }: RawHttp2Server, options: ClientOptions = {}): WebSocket {
  return connect(url, { http2: true, handshakeTimeout: 4000, ...options });
}

/** Waits until the client has left every connection. */
async function left({ peers }: RawHttp2Server): Promise<void> {
  for (const peer of peers) await peer.end();
}

describe('A client over HTTP/2', () => {
  for (const [what, speak] of [
    ['does not take extended CONNECTs', (peer) => peer.write(settingsFrame())],
    ['says so outright', (peer) => peer.write(settingsFrame({ enableConnectProtocol: 0 }))],
    ['speaks another protocol', (peer) => peer.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))],
    ['speaks of the weather', (peer) => peer.write(Buffer.alloc(100, 'rain'))],
    ['hangs up', ({ socket }) => void socket.destroy()],
    ['ends the connection', ({ socket }) => void socket.end()],
    ['resets the connection', (peer) => peer.frame(types.settings, 0).then(() => peer.socket.resetAndDestroy())],
    ['goes away before its settings', (peer) => peer.write(goawayFrame(0))],
    ['goes away with an error', (peer) => peer.write(goawayFrame(0, errorCodes.internalError))],
    ['allows no streams', (peer) => peer.write(settingsFrame({ enableConnectProtocol: 1, maxConcurrentStreams: 0 }))],
  ] as readonly (readonly [string, (peer: RawHttp2) => unknown])[]) {
    it(`whose server ${what} uses HTTP/1.1`, async () => {
      await using server = await fallingBack(speak);
      const ws = open(server);
      expect(await ws.resume().whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
      expect(ws.transport).to.equal('http1');
      await left(server);
      expect(server.peers).to.have.lengthOf(2);
    });
  }

  for (const [what, code, answer] of [
    ['switches protocols', 'WS_ERR_CONNECTION_FAILED', (stream) => answerFrame(stream, { ':status': '101' })],
    ['answers without a status', 'WS_ERR_CONNECTION_FAILED', (stream) => headersFrame(stream, [['a', 'b']])],
    [
      'agrees on a foreign subprotocol',
      'WS_ERR_INVALID_HANDSHAKE',
      (stream) => answerFrame(stream, { 'sec-websocket-protocol': 'c' }),
    ],
    [
      'agrees on two subprotocols',
      'WS_ERR_INVALID_HANDSHAKE',
      (stream) => answerFrame(stream, { 'sec-websocket-protocol': 'a, b' }),
    ],
    [
      'agrees on no extension of ours',
      'WS_ERR_INVALID_HANDSHAKE',
      (stream) => answerFrame(stream, { 'sec-websocket-extensions': 'x' }),
    ],
    [
      'agrees on an extension twice',
      'WS_ERR_INVALID_HANDSHAKE',
      (stream) => {
        const extension = ['sec-websocket-extensions', 'permessage-deflate'] as const;
        return headersFrame(stream, [[':status', '200'], extension, extension]);
      },
    ],
    ['resets the stream', 'WS_ERR_CONNECTION_FAILED', (stream) => resetFrame(stream, errorCodes.none)],
    ['cancels the stream', 'WS_ERR_CONNECTION_FAILED', (stream) => resetFrame(stream, errorCodes.cancel)],
    ['breaks the stream', 'WS_ERR_CONNECTION_FAILED', (stream) => resetFrame(stream, errorCodes.internalError)],
    [
      'refuses the first stream of a session',
      'WS_ERR_CONNECTION_FAILED',
      (stream) => resetFrame(stream, errorCodes.refused),
    ],
    ['goes away', 'WS_ERR_CONNECTION_FAILED', () => goawayFrame(0)],
    ['goes away with an error', 'WS_ERR_CONNECTION_FAILED', () => goawayFrame(0, errorCodes.internalError)],
    ['has wrong settings', 'WS_ERR_CONNECTION_FAILED', () => settingsFrame({ initialWindowSize: 2 ** 31 })],
    [
      'promises what nobody has asked for',
      'WS_ERR_CONNECTION_FAILED',
      (stream) =>
        frame(
          types.pushPromise,
          flags.endHeaders,
          stream,
          Buffer.concat([
            uint32(2),
            headerBlock([
              [':method', 'GET'],
              [':scheme', 'http'],
              [':path', '/'],
              [':authority', 'a'],
            ]),
          ]),
        ),
    ],
  ] as readonly (readonly [string, string, (stream: number) => Buffer])[]) {
    it(`whose server ${what} fails with ${code} and leaves no session behind`, async () => {
      await using server = await answering((peer, stream) => peer.write(answer(stream)));
      const { code: found } = await failureOf(open(server, { protocols: ['a', 'b'] }));
      const mayBeForgotten = forgetsSessions && what === 'has wrong settings';
      expect(found).to.be.oneOf(mayBeForgotten ? [code, 'WS_ERR_HANDSHAKE_TIMEOUT'] : [code]);
      await left(server);
      expect(server.peers).to.have.lengthOf(1);
    });
  }

  for (const [what, answer] of [
    [
      'has a refusal without end',
      (stream) => [
        answerFrame(stream, { ':status': '401' }),
        ...Array.from({ length: 12 }, () => dataFrame(stream, Buffer.alloc(6000, 'no'))),
      ],
    ],
    [
      'has a refusal that is cut off',
      (stream) => [answerFrame(stream, { ':status': '401' }), dataFrame(stream, Buffer.from('no')), resetFrame(stream)],
    ],
    [
      'has a refusal without a body',
      (stream) => [answerFrame(stream, { ':status': '401' }, flags.endHeaders | flags.endStream)],
    ],
    [
      'has a refusal that stalls',
      (stream) => [answerFrame(stream, { ':status': '401' }), dataFrame(stream, Buffer.from('no'))],
    ],
  ] as readonly (readonly [string, (stream: number) => Buffer[]])[]) {
    it(`whose server ${what} fails with the part of the refusal that was received`, async () => {
      await using server = await answering((peer, stream) => peer.write(...answer(stream)));
      const error = await failureOf(open(server, { handshakeTimeout: 200 }));
      expect(error).to.include({ code: 'WS_ERR_HANDSHAKE_REFUSED', statusCode: 401 });
      expect(error.body?.length).to.be.oneOf([0, 2, 64 * 1024]);
      await left(server);
    });
  }

  for (const [what, code, answer] of [
    [
      'ends the stream with its answer',
      'WS_ERR_CONNECTION_LOST',
      (stream) => answerFrame(stream, {}, flags.endHeaders | flags.endStream),
    ],
    [
      'has no content',
      'WS_ERR_CONNECTION_LOST',
      (stream) => answerFrame(stream, { ':status': '204' }, flags.endHeaders | flags.endStream),
    ],
    [
      'masks its frames',
      'WS_ERR_MASK_FORBIDDEN',
      (stream) =>
        Buffer.concat([answerFrame(stream, {}), dataFrame(stream, rawFrame(0x81, Buffer.from('a'), 'client'))]),
    ],
    [
      'resets the stream',
      'WS_ERR_CONNECTION_LOST',
      (stream) => Buffer.concat([answerFrame(stream, {}), resetFrame(stream, errorCodes.none)]),
    ],
    [
      'cancels the stream',
      'WS_ERR_CONNECTION_LOST',
      (stream) => Buffer.concat([answerFrame(stream, {}), resetFrame(stream)]),
    ],
    [
      'refuses the stream too late',
      'WS_ERR_CONNECTION_LOST',
      (stream) => Buffer.concat([answerFrame(stream, {}), resetFrame(stream, errorCodes.refused)]),
    ],
    [
      'goes away with an error',
      'WS_ERR_CONNECTION_LOST',
      (stream) => Buffer.concat([answerFrame(stream, {}), goawayFrame(stream, errorCodes.internalError)]),
    ],
  ] as readonly (readonly [string, string, (stream: number) => Buffer])[]) {
    it(`whose server accepts, and ${what}, ends with ${code}`, async () => {
      await using server = await answering((peer, stream) => peer.write(answer(stream)));
      const ws = open(server, { closeTimeout: 100 });
      const [error] = await once(ws.resume(), 'close').then(
        () => [ws.errored],
        (cause) => [cause],
      );
      expect(error).to.include({ code });
      expect(ws.transport).to.equal('http2');
      await left(server);
    });
  }
});
