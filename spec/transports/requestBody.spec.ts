import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { expect } from 'chai';
import type { HttpRequest, HttpResponse, WebSocket } from '../../lib/webSocketHandler';
import { clientFrame, listen, openingRequest, RawClient } from '../support/http';
import { listenHttp2 } from '../support/http2';
import { dataFrame, openingFrame, RawHttp2 } from '../support/http2Frames';

/** What body parsers and frameworks do with the body of a request. */
const readers: Record<string, (request: HttpRequest) => Promise<unknown>> = {
  async 'for await'(request) {
    for await (const chunk of request) throw new Error(`There is a chunk: ${chunk}`);
  },
  async "'data' and 'end' listeners"(request) {
    const chunks: unknown[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    await once(request, 'end');
    expect(chunks).to.deep.equal([]);
  },
  async 'text() of node:stream/consumers'(request) {
    expect(await text(request)).to.equal('');
  },
  async 'pipe()'(request) {
    const body = request.pipe(new PassThrough());
    expect(await text(body)).to.equal('');
  },
  async 'resume() and finished()'(request) {
    await finished((request as Readable).resume(), { writable: false });
  },
  async 'pause() and resume()'(request) {
    request.pause();
    await once(request.resume(), 'end');
  },
};

type Handler = (request: HttpRequest, response: HttpResponse) => void;

/** Answers after the body has ended and the first frame has come, and pauses the request afterwards, as raw-body does. */
function echoAfter(read: (request: HttpRequest) => Promise<unknown>): Handler {
  return (request, response) => {
    void read(request).then(() => {
      const ws = response.webSocket?.connect() as WebSocket;
      ws.pipe(ws);
      request.pause();
      request.resume();
    });
  };
}

const first = clientFrame(0x81, 'one');
const second = clientFrame(0x81, 'two');
const echoes = '81036f6e6581 0374776f'.replaceAll(' ', '');

for (const [name, read] of Object.entries(readers)) {
  describe(`The body of a WebSocket request that is read with ${name} before connect()`, () => {
    it('is empty over HTTP/1.1 and ends at once without losing a frame', async () => {
      await using server = await listen(echoAfter(read));
      using client = await RawClient.connect(server.port);
      client.write(openingRequest());
      client.write(first);
      await client.head();
      client.write(second);
      expect(await client.take(10)).to.equal(echoes);
    });

    it('is empty over HTTP/1.1 if the first frame is received with the request', async () => {
      await using server = await listen(echoAfter(read));
      using client = await RawClient.connect(server.port);
      client.write(Buffer.concat([Buffer.from(openingRequest()), first]));
      await client.head();
      client.write(second);
      expect(await client.take(10)).to.equal(echoes);
    });

    it('is empty over HTTP/2 and ends at once without losing a frame', async () => {
      await using server = await listenHttp2(echoAfter(read));
      using client = await RawHttp2.connect(server.url);
      client.write(openingFrame(1), dataFrame(1, first));
      await client.roundTrip();
      client.write(dataFrame(1, second));
      await client.untilData(1, echoes);
      expect(client.data(1).toString('hex')).to.equal(echoes);
    });
  });
}
