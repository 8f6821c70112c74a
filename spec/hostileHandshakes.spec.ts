import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { ask, clientFrame, type Handler, listen, openingRequest, RawClient } from './support/http';
import { catching } from './support/uncaught';

/** Opening requests that are made to harm a server: each has an answer, and the server goes on. */

const echo: Handler = (_request, response) => {
  const ws = response.webSocket?.connect();
  if (ws === undefined) response.writeHead(426, { Connection: 'close' }).end();
  else ws.pipe(ws);
};

describe('An opening request', () => {
  for (const upgrade of [
    '',
    ',',
    ' , ,',
    'websocket/13',
    '"websocket"',
    'web socket',
    'WebSocket\t;q=1',
    '\x80\xff',
    'x'.repeat(8000),
  ]) {
    const shown = upgrade.length > 20 ? `${upgrade.length} letters` : JSON.stringify(upgrade);
    it(`whose Upgrade header is ${shown} is an ordinary request to the application`, async () => {
      await using server = await listen(echo);
      const request = Buffer.from(openingRequest({ upgrade: `Upgrade: ${upgrade}` }), 'latin1');
      using client = await RawClient.connect(server.port);
      client.write(request);
      expect((await client.answer()).statusCode).to.equal(426);
    });
  }

  it('with more headers than the server keeps is no WebSocket request, and the server goes on', async () => {
    await using server = await listen(echo);
    server.server.maxHeadersCount = 50;
    const many = Array.from({ length: 60 }, (_, i) => `X-${i}: a`).join('\r\n');
    // Node cuts the headers off, and with them Connection and Upgrade.
    const request = openingRequest({ host: `Host: example.org\r\n${many}` });
    expect((await ask(server.port, request)).statusCode).to.be.within(400, 499);
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x81, 'hi'));
    expect(await client.take(4)).to.equal('81026869');
  });

  it('whose headers never end gets 431 from Node', async () => {
    await using server = await listen(echo);
    const connected = once(server.server, 'connection') as Promise<[Socket]>;
    using client = await RawClient.connect(server.port);
    const [socket] = await connected;
    // Just below the limit of 16 KiB, and above it only when the server has read this: bytes that it leaves unread would reset the connection.
    client.write(`GET / HTTP/1.1\r\nX-Filler: ${'x'.repeat(16_000)}`);
    while (socket.bytesRead < 16_000) await turn();
    client.write('x'.repeat(1000));
    expect((await client.answer()).statusCode).to.equal(431);
  });

  it('that is sent byte by byte is read once, and accepted', async () => {
    let handled = 0;
    await using server = await listen((request, response) => {
      handled++;
      echo(request, response);
    });
    using client = await RawClient.connect(server.port);
    client.socket.setNoDelay(true);
    for (const byte of Buffer.from(openingRequest({ more: `X-Filler: ${'x'.repeat(5000)}` }))) {
      client.write(Buffer.of(byte));
      await turn();
    }
    expect((await client.head()).statusCode).to.equal(101);
    expect(handled).to.equal(1);
  });

  it('with malformed cookies gives them to the application as they were sent', async () => {
    const seen: unknown[] = [];
    await using server = await listen((request, response) => {
      seen.push(request.headers.cookie);
      echo(request, response);
    });
    for (const cookie of ['%', '=', ';;;', 'a=%E0%A4%A', '__proto__=1', '\x80=\xff', `${'a=b; '.repeat(1000)}a`]) {
      using client = await RawClient.connect(server.port);
      client.write(Buffer.from(openingRequest({ cookie: `Cookie: ${cookie}` }), 'latin1'));
      expect((await client.head()).statusCode).to.equal(101);
      expect(seen.pop()).to.equal(cookie);
    }
  });

  it('with the URL of another server as its target reaches the application of this server', async () => {
    const urls: unknown[] = [];
    await using server = await listen((request, response) => {
      urls.push(request.url);
      echo(request, response);
    });
    await using other = await listen(() => urls.push('the other server'));
    for (const target of [`http://127.0.0.1:${other.port}/admin`, '//evil.example/chat', '/../../etc/passwd']) {
      using client = await RawClient.connect(server.port);
      client.write(openingRequest({ start: `GET ${target} HTTP/1.1` }));
      expect((await client.head()).statusCode).to.equal(101);
      expect(urls.splice(0)).to.deep.equal([target]);
    }
  });

  it('that is refused leaves no raw connection behind: a request that follows it is not read', async () => {
    const seen: string[] = [];
    await using server = await listen((request: IncomingMessage, response) => {
      seen.push(String(request.url));
      response.end();
    });
    for (const version of ['14', '777', 'abc']) {
      const { statusCode, body } = await ask(
        server.port,
        `${openingRequest({ version: `Sec-WebSocket-Version: ${version}` })}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`,
      );
      expect(statusCode).to.be.oneOf([400, 426]);
      expect(body.toString()).to.not.include('HTTP/1.1');
    }
    expect(seen).to.deep.equal([]);
  });

  it("leaves the socket with the application's own listeners for 'timeout' and 'error'", async () => {
    const own = { timeout: () => {}, error: () => {} };
    let socket: Socket | undefined;
    await using server = await listen(echo);
    server.server.on('connection', (connection) => {
      socket = connection.on('timeout', own.timeout).on('error', own.error);
    });
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x81, 'hi'));
    expect(await client.take(4)).to.equal('81026869');
    for (const [event, listener] of Object.entries(own)) expect(socket?.listeners(event)).to.include(listener);
  });

  it('has an error listener on its socket in every turn, from the request to the end', async () => {
    const counts: number[] = [];
    const note = (request: IncomingMessage) => counts.push(request.socket.listenerCount('error'));
    await using server = await listen(async (request, response) => {
      note(request);
      await turn();
      note(request);
      const ws = response.webSocket?.connect();
      note(request);
      ws?.resume().on('end', () => note(request));
      await ws?.whenClosed();
      note(request);
    });
    const handled = once(server.server, 'request') as Promise<[IncomingMessage]>;
    using client = await RawClient.open(server.port);
    const [request] = await handled;
    // The byte stream belongs to the WebSocket now, and a reset is an event of it.
    client.socket.resetAndDestroy();
    if (!request.socket.closed) await once(request.socket, 'close').catch(() => {});
    expect(Math.min(...counts)).to.be.at.least(1);
  });
});

describe('A peer of a WebSocket without an error listener', () => {
  const attacks: Readonly<Record<string, (client: RawClient) => void>> = {
    'a frame with the second reserved bit': (client) => client.write(clientFrame(0xa1, 'a')),
    'a frame without a mask': (client) => client.write(Buffer.from('810161', 'hex')),
    'text that is not UTF-8': (client) => client.write(clientFrame(0x81, Buffer.of(0xff))),
    'a Close frame of one byte': (client) => client.write(clientFrame(0x88, 'a')),
    'half a frame and a reset': (client) => {
      client.write(Buffer.of(0x81));
      client.socket.resetAndDestroy();
    },
    'half a message and the end of its byte stream': (client) => {
      client.write(clientFrame(0x01, 'a'));
      client.socket.end();
    },
  };
  for (const [what, attack] of Object.entries(attacks)) {
    it(`that sends ${what} does not end the process, whether its messages are read or not`, async () => {
      for (const reads of [true, false]) {
        const closed: Promise<unknown>[] = [];
        const caught = await catching(async () => {
          await using server = await listen((_request, response) => {
            const ws = response.webSocket?.connect();
            if (ws === undefined) return;
            if (reads) ws.resume();
            closed.push(ws.whenClosed());
          });
          using client = await RawClient.open(server.port);
          attack(client);
          // A program that does not read does not notice; its WebSocket ends with the server.
          if (reads) await closed[0];
        });
        expect(caught).to.deep.equal([]);
        expect(closed).to.have.lengthOf(1);
        expect(await closed[0]).to.have.property('wasClean', false);
      }
    });
  }
});
