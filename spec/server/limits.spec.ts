import { once } from 'node:events';
import { expect } from 'chai';
import { connect, type ServerOptions, type WebSocket } from '../../lib/webSocketHandler';
import { failureOf } from '../support/failure';
import { clientFrame, listen, RawClient } from '../support/http';
import { listenHttp2 } from '../support/http2';

/** A server that accepts all, over each transport, and how a client opens a WebSocket there. */
const transports = {
  async 'HTTP/1.1'(options: ServerOptions) {
    const accepted: WebSocket[] = [];
    const server = await listen((_, { webSocket }) => {
      if (webSocket !== undefined) accepted.push(webSocket.connect());
    }, options);
    return { server, accepted, open: (path = '/') => connect(`ws://127.0.0.1:${server.port}${path}`) };
  },
  async 'HTTP/2'(options: ServerOptions) {
    const accepted: WebSocket[] = [];
    const server = await listenHttp2((_, { webSocket }) => {
      if (webSocket !== undefined) accepted.push(webSocket.connect());
    }, options);
    return { server, accepted, open: (path = '/') => connect(`${server.webSocketUrl}${path}`, { http2: true }) };
  },
};

for (const [transport, start] of Object.entries(transports)) {
  describe(`The limits of a server over ${transport}`, () => {
    it('maxConnections: further requests get 503, until a connection ends', async () => {
      const { server, open } = await start({ maxConnections: 2 });
      await using _ = server;
      const first = open();
      const second = open();
      await Promise.all([once(first, 'open'), once(second, 'open')]);
      const refused = await failureOf(open());
      expect(refused).to.include({ code: 'WS_ERR_HANDSHAKE_REFUSED', statusCode: 503 });
      expect(refused.headers?.['retry-after']).to.equal('10');
      expect(server.handle.counters.refused).to.equal(1);
      first.resume().end();
      await first.whenClosed();
      await once(open(), 'open');
    });

    it('maxConnections: a request that the application refuses leaves its place', async () => {
      const { server, open } = await start({
        maxConnections: 1,
        origins: () => false,
      });
      await using _ = server;
      for (let i = 0; i < 3; i++) expect(await failureOf(open())).to.include({ statusCode: 403 });
    });

    it('maxConnectionsPerAddress: further requests get 429', async () => {
      const { server, open } = await start({ maxConnectionsPerAddress: 1 });
      await using _ = server;
      const ws = open();
      await once(ws, 'open');
      expect(await failureOf(open())).to.include({ statusCode: 429 });
      ws.resume().end();
      await ws.whenClosed();
      await once(open(), 'open');
    });

    it('maxConnectionsPerAddress: counts by the name that a function returns', async () => {
      const { server, open } = await start({
        maxConnectionsPerAddress: { limit: 1, addressOf: ({ url }) => url },
      });
      await using _ = server;
      await Promise.all([once(open('/ada'), 'open'), once(open('/bob'), 'open')]);
      expect(await failureOf(open('/ada'))).to.include({ statusCode: 429 });
    });

    it('memoryBudget: closes with 1013 the connection whose peer does not read, and no other', async () => {
      const { server, accepted, open } = await start({
        memoryBudget: 1024 * 1024,
        maxBufferedAmount: Number.POSITIVE_INFINITY,
      });
      await using _ = server;
      const greedy = open();
      const modest = open();
      await Promise.all([once(greedy, 'open'), once(modest, 'open')]);
      const closings = accepted.map((ws) => once(ws, 'error'));
      // Nobody reads `greedy`, so what is written to it waits here.
      const heavy = accepted[0] as WebSocket;
      const piece = Buffer.alloc(256 * 1024);
      // More than the buffers of the operating system take.
      while (heavy.bufferedAmount < 64 * 1024 * 1024) heavy.write(piece, () => {});
      const [error] = await Promise.race(closings);
      expect(error).to.include({ code: 'WS_ERR_MEMORY_BUDGET' });
      expect(heavy.destroyed).to.equal(true);
      expect(accepted[1]?.destroyed).to.equal(false);
      accepted[1]?.write('still here');
      expect((await once(modest, 'message'))[0]).to.equal('still here');
      greedy.on('error', () => {}).abort();
      modest.abort();
    });
  });
}

describe('memoryBudget', () => {
  it('counts messages that have been received in part, and the peer gets 1013', async () => {
    const accepted: WebSocket[] = [];
    await using server = await listen(
      (_, { webSocket }) => {
        if (webSocket !== undefined) accepted.push(webSocket.connect().resume());
      },
      { memoryBudget: 100_000 },
    );
    using client = await RawClient.open(server.port);
    // The first fragment of a text message; the rest never comes.
    client.write(clientFrame(0x01, 'a'.repeat(60_000)));
    client.write(clientFrame(0x00, 'a'.repeat(60_000)));
    await client.until(() => client.received.length >= 4);
    expect(client.received[0]).to.equal(0x88);
    expect(client.received.readUInt16BE(2)).to.equal(1013);
    await Promise.all(accepted.map((ws) => ws.whenClosed()));
  });

  it('leaves ordinary requests their answers while connections are paused and closed', async () => {
    await using server = await listen(
      ({ url }, response) => {
        response.webSocket?.connect().resume();
        if (response.webSocket === undefined) response.end(`the answer to ${url}`);
      },
      { memoryBudget: 100_000 },
    );
    using client = await RawClient.open(server.port);
    client.write(clientFrame(0x01, 'a'.repeat(60_000)));
    client.write(clientFrame(0x00, 'a'.repeat(60_000)));
    const closed = client.until(() => client.ended);
    const answer = async () => (await fetch(`http://127.0.0.1:${server.port}/page`)).text();
    expect(await answer()).to.equal('the answer to /page');
    await closed;
    expect(await answer()).to.equal('the answer to /page');
  });
});

describe('Limits of a server', () => {
  for (const [name, value] of [
    ['maxConnections', -1],
    ['maxConnections', '10'],
    ['maxConnectionsPerAddress', 1.5],
    ['maxConnectionsPerAddress', { limit: 10, addressOf: '127.0.0.1' }],
    ['memoryBudget', 0],
    ['maxMessageRate', 0],
    ['maxLifetime', true],
  ] as const)
    it(`refuses ${name}: ${JSON.stringify(value)}`, async () => {
      const error = await listen(() => {}, { [name]: value } as ServerOptions).then(
        () => undefined,
        (reason) => reason,
      );
      expect(error).to.include({ code: 'WS_ERR_INVALID_ARGUMENT' });
      expect(error.message).to.include(`option ${name}`);
    });
});
