import type { Http2ServerResponse } from 'node:http2';
import { expect } from 'chai';
import { clientFrame } from './support/http';
import { ask, extendedConnect, type Http2Handler, listenHttp2, openSession } from './support/http2';
import {
  dataFrame,
  errorCodes,
  flags,
  frame,
  headerBlock,
  headersFrame,
  openingFields,
  openingFrame,
  RawHttp2,
  resetFrame,
  types,
} from './support/http2Frames';

/** Requests over HTTP/2 that are no good ones, or that change their mind (RFC 8441, RFC 9113). */

const echo: Http2Handler = (_, response) => {
  const ws = response.webSocket?.connect();
  if (ws === undefined) response.writeHead(200).end('ordinary');
  else ws.pipe(ws);
};

/** The server is as well as it was before. */
async function expectServing(url: string): Promise<void> {
  await using session = await openSession(url);
  expect(await ask(session, { ':path': '/' })).to.include({ status: 200, body: 'ordinary' });
  using client = await RawHttp2.connect(url);
  client.write(openingFrame(1));
  expect(await client.status(1)).to.equal(200);
  client.write(dataFrame(1, clientFrame(0x81, 'well?')));
  await client.untilData(1, '81 05 77656c6c3f');
}

describe('An extended CONNECT', () => {
  it('with a Sec-WebSocket-Key and without an origin is accepted', async () => {
    await using server = await listenHttp2(echo);
    using client = await RawHttp2.connect(server.url);
    client.write(openingFrame(1, { 'sec-websocket-key': 'not even base64' }));
    expect(await client.status(1)).to.equal(200);
  });

  for (const [what, changes, status, headers = {}] of [
    ['without a version', { 'sec-websocket-version': undefined }, 400, { 'sec-websocket-version': '13' }],
    ['of a malformed version', { 'sec-websocket-version': '013' }, 400, { 'sec-websocket-version': '13' }],
    ['of a future version', { 'sec-websocket-version': '14' }, 400, { 'sec-websocket-version': '13' }],
    ['of a draft that needs an upgrade', { 'sec-websocket-version': '0' }, 400, { 'sec-websocket-version': '13' }],
    ['with two equal subprotocols', { 'sec-websocket-protocol': 'a, a' }, 400],
    ['with a subprotocol that is no token', { 'sec-websocket-protocol': 'a b' }, 400],
    ['with an unclosed quote', { 'sec-websocket-extensions': 'a; b="c' }, 400],
    ['of a foreign page, with cookies', { origin: 'http://evil.example', cookie: 'a=b' }, 403],
    ['of a page without an origin of its own, with cookies', { origin: 'null', cookie: 'a=b' }, 403],
    ['with a port that is no number', { ':authority': 'example.org:http' }, 400],
    ['with half an address for its authority', { ':authority': '[::' }, 400],
    ['with a body', { 'content-length': '5' }, 400],
    ['to another protocol', { ':protocol': 'connect-udp' }, 405],
  ] as const) {
    it(`${what} is answered with ${status} and without upgrade headers`, async () => {
      const seen: string[] = [];
      await using server = await listenHttp2((request, response) => {
        seen.push(request.url);
        echo(request, response);
      });
      await using session = await openSession(server.url);
      const answer = await ask(session, extendedConnect('/', changes));
      expect(answer.status).to.equal(status);
      expect(answer.headers).to.include(headers).and.not.have.any.keys('upgrade', 'connection');
      expect(seen).to.deep.equal([]);
      await expectServing(server.url);
    });
  }

  for (const [what, changes] of [
    ['without a scheme', { ':scheme': undefined }],
    ['without a path', { ':path': undefined }],
    ['without an authority', { ':authority': undefined }],
    ['with a Host in place of an authority', { ':authority': undefined, host: 'example.org' }],
    ['that is a GET', { ':method': 'GET' }],
    ['with an Upgrade', { upgrade: 'websocket' }],
    ['with a Connection', { connection: 'upgrade' }],
    ['with a name in capitals', { Cookie: 'a=b' }],
    ['with a pseudo-header of its own', { ':websocket': 'yes' }],
  ] as const) {
    it(`${what} is malformed (RFC 9113 §8.1.1): its stream is reset and the next one is accepted`, async () => {
      await using server = await listenHttp2(echo);
      using client = await RawHttp2.connect(server.url);
      client.write(openingFrame(1, changes), openingFrame(3));
      expect(await client.resetCode(1)).to.equal(errorCodes.protocolError);
      expect(await client.status(3)).to.equal(200);
      expect(server.handle.connections.size).to.equal(1);
    });
  }

  it('with a line break in a value reaches the application without that header', async () => {
    const cookies: unknown[] = [];
    await using server = await listenHttp2((request, response) => {
      cookies.push(request.headers.cookie);
      echo(request, response);
    });
    using client = await RawHttp2.connect(server.url);
    client.write(openingFrame(1, { cookie: 'a=b\r\nx: y' }));
    expect(await client.status(1)).to.equal(200);
    expect(cookies).to.deep.equal([undefined]);
  });

  it('that ends its stream is refused', async () => {
    await using server = await listenHttp2(echo);
    using client = await RawHttp2.connect(server.url);
    client.write(headersFrame(1, openingFields(), flags.endHeaders | flags.endStream));
    expect(await client.status(1)).to.equal(400);
    await expectServing(server.url);
  });

  it('without a protocol is answered with 405, as Node does', async () => {
    await using server = await listenHttp2(echo);
    await using session = await openSession(server.url);
    expect(await ask(session, { ':method': 'CONNECT', ':authority': 'example.org:22' })).to.include({
      status: 405,
    });
    await expectServing(server.url);
  });

  it('with more headers than the server accepts is refused by Node', async () => {
    await using server = await listenHttp2(echo);
    using client = await RawHttp2.connect(server.url);
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x-${i}`, 'a']));
    client.write(openingFrame(1, many), openingFrame(3));
    await client.resetCode(1);
    expect(await client.status(3)).to.equal(200);
    expect(server.handle.connections.size).to.equal(1);
  });

  it('whose headers never end only ends the session of its client', async () => {
    await using server = await listenHttp2(echo);
    using client = await RawHttp2.connect(server.url);
    client.write(headersFrame(1, openingFields(), flags.none));
    const more = headerBlock(Array.from({ length: 100 }, (_, i) => [`x-${i}`, 'a'.repeat(100)]));
    for (let i = 0; i < 100 && !client.ended; i++) client.write(frame(types.continuation, flags.none, 1, more));
    await client.end();
    expect(server.handle.connections.size).to.equal(0);
    await expectServing(server.url);
  });

  it('gets its frames that arrive before the 200 answered after it', async () => {
    let waiting: Http2ServerResponse | undefined;
    await using server = await listenHttp2((_, response) => {
      waiting = response;
    });
    using client = await RawHttp2.connect(server.url);
    const frames = Array.from({ length: 100 }, (_, i) => clientFrame(0x81, `message ${i}`));
    client.write(openingFrame(1), ...frames.map((bytes) => dataFrame(1, bytes)));
    await client.roundTrip();
    echo(waiting?.req as never, waiting as Http2ServerResponse);
    await client.untilData(1, Buffer.from('message 99').toString('hex'));
    expect(client.data(1)).to.have.lengthOf(10 * 11 + 90 * 12);
  });

  it('has its frames discarded when they arrive before a refusal', async () => {
    await using server = await listenHttp2((_, response) => void response.writeHead(404).end());
    using client = await RawHttp2.connect(server.url);
    for (let stream = 1; stream < 400; stream += 2) {
      client.write(
        openingFrame(stream),
        dataFrame(stream, Buffer.alloc(16_000)),
        dataFrame(stream, Buffer.alloc(16_000)),
      );
      // Also those that are on their way when the answer comes.
      expect(await client.status(stream)).to.equal(404);
      client.write(dataFrame(stream, Buffer.alloc(16_000)));
    }
    // The session's own window was not used up by what nobody reads.
    client.write(openingFrame(401));
    expect(await client.status(401)).to.equal(404);
  });

  it('ends the session if its client sends frames after the end of its stream (RFC 9113 §5.1)', async () => {
    await using server = await listenHttp2(echo);
    using client = await RawHttp2.connect(server.url);
    client.write(openingFrame(1), dataFrame(1, clientFrame(0x81, 'all'), flags.endStream));
    client.write(dataFrame(1, clientFrame(0x81, 'more')));
    expect((await client.frame(types.goaway, 0)).payload.readUInt32BE(4)).to.equal(errorCodes.streamClosed);
    await expectServing(server.url);
  });

  it('is not answered if its client sends frames after it has reset the stream', async () => {
    await using server = await listenHttp2(echo);
    using client = await RawHttp2.connect(server.url);
    client.write(openingFrame(1), resetFrame(1), dataFrame(1, clientFrame(0x81, 'more')), openingFrame(3));
    expect(await client.status(3)).to.equal(200);
    expect(server.handle.connections.size).to.equal(1);
  });

  it('to a server without an application is answered with 404', async () => {
    await using server = await listenHttp2(undefined);
    using client = await RawHttp2.connect(server.url);
    client.write(openingFrame(1));
    expect(await client.status(1)).to.equal(404);
    await client.frame(types.resetStream, 1);
  });

  it('to a server without an application can be reset with an error', async () => {
    await using server = await listenHttp2(undefined);
    using client = await RawHttp2.connect(server.url);
    client.write(openingFrame(1), resetFrame(1, errorCodes.internalError), openingFrame(3));
    expect(await client.status(3)).to.equal(404);
    client.write(resetFrame(3, errorCodes.internalError));
    await client.roundTrip();
  });
});
