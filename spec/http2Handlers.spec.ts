import { EventEmitter, once } from 'node:events';
import type { Http2ServerResponse } from 'node:http2';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import type { WebSocket } from '../lib/webSocketHandler';
import { clientFrame } from './support/http';
import { ask, extendedConnect, type Http2Answer, listenHttp2, openSession } from './support/http2';
import { dataFrame, errorCodes, openingFrame, RawHttp2, resetFrame, types } from './support/http2Frames';

/** Applications over HTTP/2 that are late, undecided, or in two minds about whether a response is a WebSocket. */

async function askOnce(url: string): Promise<Http2Answer> {
  await using session = await openSession(url);
  return await ask(session, extendedConnect('/'));
}

describe('A handler of an extended CONNECT', () => {
  for (const [name, code] of Object.entries(errorCodes)) {
    for (const event of ['aborted', 'close']) {
      it(`gets a lost connection from connect() if the client has left (${name}) before '${event}'`, async () => {
        const news = new EventEmitter();
        await using server = await listenHttp2((_, { stream, webSocket }) => {
          stream.once(event, () => news.emit('connected', webSocket?.connect()));
          news.emit('asked');
        });
        using client = await RawHttp2.connect(server.url);
        const [asked, connected] = [once(news, 'asked'), once(news, 'connected')];
        client.write(openingFrame(1));
        await asked;
        client.write(resetFrame(1, code));
        const [ws] = (await connected) as [WebSocket];
        ws.write('into the void');
        expect(await ws.whenClosed()).to.deep.equal({ code: 1006, reason: '', wasClean: false });
        expect(ws.errored).to.include({ code: 'WS_ERR_CONNECTION_LOST' });
        expect(server.handle.connections.size).to.equal(0);
        // Nothing of it is left to make trouble for others.
        await client.roundTrip();
        expect(client.ended).to.equal(false);
      });
    }
  }

  it('can answer in another way after its header hook has thrown', async () => {
    await using server = await listenHttp2((_, response) => {
      const { writeHead } = response;
      response.writeHead = () => {
        response.writeHead = writeHead;
        throw new Error('a hook');
      };
      expect(() => response.webSocket?.connect()).to.throw('a hook');
      response.writeHead(500).end('sorry');
    });
    expect(await askOnce(server.url)).to.include({ status: 500, body: 'sorry' });
  });

  it('gets WS_ERR_RESPONSE_STARTED when it answers twice', async () => {
    const errors: unknown[] = [];
    await using server = await listenHttp2((_, response) => {
      response.writeHead(404).end('nothing here');
      try {
        response.webSocket?.connect();
      } catch (error) {
        errors.push(error);
      }
    });
    expect(await askOnce(server.url)).to.include({ status: 404, body: 'nothing here' });
    expect(errors[0]).to.include({ code: 'WS_ERR_RESPONSE_STARTED' });
  });

  it("is not called if a 'stream' listener has answered", async () => {
    await using server = await listenHttp2(() => expect.fail('it was asked'));
    server.server.prependListener('stream', (stream) => stream.respond({ ':status': 204 }, { endStream: true }));
    expect(await askOnce(server.url)).to.include({ status: 204 });
    expect(server.handle.connections.size).to.equal(0);
  });

  it('that does not answer in time gets a lost connection from connect() after the 503', async () => {
    let response!: Http2ServerResponse;
    await using server = await listenHttp2(
      (_, one) => {
        response = one;
      },
      { handshakeTimeout: 20 },
    );
    expect(await askOnce(server.url)).to.include({ status: 503 });
    expect(await response.webSocket?.connect().whenClosed()).to.include({ code: 1006 });
  });

  for (const [what, handler] of [
    ['does not answer', () => {}],
    ['answers with more', (_: unknown, response: Http2ServerResponse) => response.end('a'.repeat(100_000))],
  ] as const) {
    it(`that ${what} is aborted by a reset if the client takes no bytes`, async () => {
      await using server = await listenHttp2(handler, { handshakeTimeout: 20 });
      using client = await RawHttp2.connect(server.url, { initialWindowSize: 0 });
      client.write(openingFrame(1));
      expect(await client.resetCode(1)).to.equal(errorCodes.cancel);
      expect(client.data(1)).to.have.lengthOf(0);
    });
  }
});

describe('A response that has become a WebSocket', () => {
  for (const [what, act] of [
    ['ended', (response: Http2ServerResponse) => response.end()],
    ['ended with a body', (response: Http2ServerResponse) => response.end('body')],
    ['written to', (response: Http2ServerResponse) => response.write('body')],
    ['fed from a stream', (response: Http2ServerResponse) => Readable.from(['body']).pipe(response)],
    ['destroyed', (response: Http2ServerResponse) => (response as unknown as { destroy(): void }).destroy()],
  ] as const) {
    it(`can be ${what} by middleware without an effect on the WebSocket`, async () => {
      await using server = await listenHttp2((_, response) => {
        const ws = response.webSocket?.connect();
        ws?.pipe(ws);
        act(response);
        setImmediate(() => act(response));
      });
      using client = await RawHttp2.connect(server.url);
      client.write(openingFrame(1));
      await client.frame(types.headers, 1);
      await client.roundTrip();
      client.write(dataFrame(1, clientFrame(0x81, 'well?')));
      await client.untilData(1, '81 05 77656c6c3f');
      expect(client.data(1)).to.have.lengthOf(7);
    });
  }
});
