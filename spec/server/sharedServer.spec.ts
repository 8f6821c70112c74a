import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { mock } from 'node:test';
import { expect } from 'chai';
import { WebSocketServer as Ws } from 'ws';
import {
  type ClientOptions,
  type HttpServer as ConfigurableServer,
  configureServer,
  connect,
  type HttpRequest,
  type HttpResponse,
  type WebSocket,
} from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { ask, clientFrame, openingRequest, RawClient } from '../support/http';
import { openSession } from '../support/http2';
import { openingFrame, RawHttp2 } from '../support/http2Frames';

const certificate = createCertificate();

/** Tells ordinary requests to upgrade, and echoes the messages of WebSockets. */
function application(_request: HttpRequest, response: HttpResponse): void {
  if (response.webSocket === undefined)
    return void (response as unknown as { writeHead(c: number): typeof response }).writeHead(426).end();
  response.webSocket.pipe(response.webSocket.connect());
}

type Any = ConfigurableServer & Server & Pick<HttpServer, 'listenerCount'>;

const kinds: Record<string, { create(): Any; scheme: string; http2: boolean }> = {
  http: { create: () => createServer(application), scheme: 'ws', http2: false },
  https: { create: () => createHttpsServer(certificate, application), scheme: 'wss', http2: false },
  http2: { create: () => createHttp2Server(application as never), scheme: 'ws', http2: true },
  'http2 with allowHTTP1': {
    create: () => createSecureServer({ ...certificate, allowHTTP1: true }, application as never),
    scheme: 'wss',
    http2: false,
  },
};

/** Listens on a free port, and closes behind the spec. */
async function listening(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Everything of a server that a library can leave traces in. */
function traces(server: Any) {
  return {
    listeners: ['upgrade', 'connect', 'stream', 'request', 'session', 'connection'].map((event) =>
      server.listeners(event),
    ),
    shouldUpgradeCallback: Object.getOwnPropertyDescriptor(server, 'shouldUpgradeCallback'),
  };
}

async function echoed(ws: WebSocket): Promise<unknown> {
  ws.end('hello');
  const [message] = await once(ws, 'data');
  await ws.whenClosed();
  return message;
}

describe('handle.close()', () => {
  for (const [name, { create, scheme, http2 }] of Object.entries(kinds)) {
    describe(`on a server of ${name}`, () => {
      const open = (port: number) =>
        connect(`${scheme}://localhost:${port}`, { http2, family: 4, ca: certificate.cert } as ClientOptions);

      it('removes everything of the library from the server when it resolves', async () => {
        const server = create();
        const before = traces(server);
        await configureServer(server).close();
        expect(traces(server)).to.deep.equal(before);
      });

      it('lets the server be configured again any number of times', async () => {
        const server = create();
        await using running = await listening(server);
        for (let i = 0; i < 3; i++) {
          const handle = configureServer(server);
          expect(await echoed(open(running.port))).to.equal('hello');
          await handle.close();
        }
      });

      it('gives the requests to a new configuration at once', async () => {
        const server = create();
        await using running = await listening(server);
        const first = configureServer(server);
        const old = open(running.port).resume();
        await once(old, 'open');
        const closing = first.close();
        const second = configureServer(server);
        expect(await echoed(open(running.port))).to.equal('hello');
        expect(second.counters.opened).to.equal(1);
        expect(await closing).to.deep.equal({ closed: 1, dropped: 0, refused: 0 });
        expect(await echoed(open(running.port))).to.equal('hello');
        await second.close();
      });

      afterEach(() => mock.restoreAll());

      it('refuses new requests with 503 until it resolves', async () => {
        const server = create();
        await using running = await listening(server);
        const handle = configureServer(server);
        const old = open(running.port);
        await once(old, 'open');
        // The connection stays open, and the handle closing, until the client ends it.
        mock.method(Math, 'random', () => 0.5);
        const closing = handle.close({ spread: 20_000 });
        const [error] = await once(open(running.port), 'error');
        expect(error).to.include({ code: 'WS_ERR_HANDSHAKE_REFUSED', statusCode: 503 });
        old.resume().end();
        expect(await closing).to.deep.equal({ closed: 1, dropped: 0, refused: 1 });
      });
    });
  }

  it('gives the upgrade requests back to the server of the ws package', async () => {
    const server = createServer(application);
    await using running = await listening(server);
    await configureServer(server).close();
    const other = new Ws({ server });
    other.on('connection', (socket) => socket.on('message', (message) => socket.send(`ws: ${message}`)));
    expect(await echoed(connect(`ws://127.0.0.1:${running.port}`))).to.equal('ws: hello');
    other.close();
  });

  it('makes upgrade requests ordinary requests again', async () => {
    const server = createServer(application);
    await using running = await listening(server);
    await configureServer(server).close();
    expect((await ask(running.port, openingRequest({ connection: 'Connection: close, Upgrade' }))).statusCode).to.equal(
      426,
    );
  });

  it('announces to new HTTP/2 sessions that there are no WebSockets', async () => {
    const server = createHttp2Server(application as never);
    await using running = await listening(server);
    await configureServer(server).close();
    await using session = await openSession(`http://localhost:${running.port}`);
    expect(session.remoteSettings.enableConnectProtocol).to.equal(false);
  });

  it('does not change the other configurations of the server', async () => {
    const server = createServer(application);
    await using running = await listening(server);
    const first = configureServer(server, { filter: ({ url }) => url === '/one' });
    const second = configureServer(server, { filter: ({ url }) => url === '/two' });
    await first.close();
    expect(await echoed(connect(`ws://127.0.0.1:${running.port}/two`))).to.equal('hello');
    await second.close();
  });

  it('keeps a function of another library that wraps shouldUpgradeCallback', async () => {
    const server = createServer(application) as unknown as ConfigurableServer;
    const handle = configureServer(server);
    const ours = server.shouldUpgradeCallback;
    const theirs = (request: never) => ours?.call(server, request) === true;
    server.shouldUpgradeCallback = theirs;
    await handle.close();
    expect(server.shouldUpgradeCallback).to.equal(theirs);
    const request = { headers: { upgrade: 'websocket', connection: 'Upgrade' } };
    expect(theirs(request as never)).to.equal(false);
    server.on('upgrade', () => {});
    expect(theirs(request as never)).to.equal(true);
  });
});

describe('configureServer() on a server that has shouldUpgradeCallback', () => {
  const upgradeTo = (url: string) => ({ url, headers: { upgrade: 'websocket', connection: 'Upgrade' } }) as never;

  it('asks it for the requests that a handler takes, and puts it back when it is closed', async () => {
    const server = createServer(application) as unknown as ConfigurableServer;
    const before = ({ url }: { url: string }) => url === '/chat';
    server.shouldUpgradeCallback = before as never;
    const handle = configureServer(server);
    expect(['/chat', '/other'].map((url) => server.shouldUpgradeCallback?.(upgradeTo(url)))).to.deep.equal([
      true,
      false,
    ]);
    await handle.close();
    expect(server.shouldUpgradeCallback).to.equal(before);
  });

  it("lets a request whose filter throws go to 'upgrade', where it can be answered", async () => {
    const server = createServer(application) as unknown as ConfigurableServer;
    const filter = () => {
      throw new Error('a mistake in the filter');
    };
    const handle = configureServer(server, { filter });
    expect(server.shouldUpgradeCallback?.(upgradeTo('/chat'))).to.equal(true);
    await handle.close();
  });
});

describe('configureServer() on a server of http2 with allowHTTP1', () => {
  it('defines shouldUpgradeCallback, which Node 22.21.0 calls and does not define', async () => {
    const server = createSecureServer({ ...certificate, allowHTTP1: true }) as unknown as ConfigurableServer;
    Reflect.deleteProperty(server, 'shouldUpgradeCallback');
    const handle = configureServer(server, { filter: ({ url }) => url === '/chat' });
    const asked = (url: string) =>
      server.shouldUpgradeCallback?.({ url, headers: { upgrade: 'websocket', connection: 'Upgrade' } } as never);
    expect([asked('/chat'), asked('/other')]).to.deep.equal([true, false]);
    server.on('upgrade', () => {});
    expect(asked('/other')).to.equal(true);
    await handle.close();
    expect(Object.hasOwn(server, 'shouldUpgradeCallback')).to.equal(false);
  });
});

describe("A server with another 'upgrade' listener", () => {
  /** Collects the warnings of this library until the spec is over. */
  function collectWarnings() {
    const warnings: (Error & { code?: string; detail?: string })[] = [];
    const collect = (warning: Error) => void (warning.name === 'WebSocketWarning' && warnings.push(warning));
    process.on('warning', collect);
    return { warnings, [Symbol.dispose]: () => void process.removeListener('warning', collect) };
  }

  it('makes configureServer() emit one warning if there is no filter', async () => {
    using collected = collectWarnings();
    const server = createServer(application);
    server.on('upgrade', () => {});
    await using running = await listening(server);
    const handle = configureServer(server);
    for (let i = 0; i < 2; i++) {
      using client = await RawClient.open(running.port);
      client.write(clientFrame(0x88, ''));
      await client.end();
    }
    expect(collected.warnings.map(({ code }) => code)).to.deep.equal(['WS_WARN_NO_FILTER']);
    expect(collected.warnings[0]?.message).to.match(/without the option filter.*another 'upgrade' listener/);
    expect(collected.warnings[0]?.detail).to.match(/configureServer\(server, { filter:/);
    await handle.close();
  });

  it('makes configureServer() emit no warning if there is a filter or the listener was removed', async () => {
    using collected = collectWarnings();
    const server = createServer(application);
    const other = () => {};
    server.on('upgrade', other);
    await using running = await listening(server);
    const filtered = configureServer(server, { filter: () => true });
    (await RawClient.open(running.port)).socket.destroy();
    await filtered.close();
    server.removeListener('upgrade', other);
    const alone = configureServer(server);
    (await RawClient.open(running.port)).socket.destroy();
    await alone.close();
    expect(collected.warnings).to.deep.equal([]);
  });

  it('passes to it the requests that the filter declines', async () => {
    const server = createServer(application);
    const handle = configureServer(server, { filter: ({ url }) => url === '/ours' });
    const other = new Ws({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      if (request.url === '/theirs') other.handleUpgrade(request, socket, head, (ws) => ws.send('theirs'));
    });
    await using running = await listening(server);
    const theirs = connect(`ws://127.0.0.1:${running.port}/theirs`);
    expect((await once(theirs, 'data'))[0]).to.equal('theirs');
    expect(await echoed(connect(`ws://127.0.0.1:${running.port}/ours`))).to.equal('hello');
    theirs.abort();
    await handle.close();
    other.close();
  });

  for (const [what, app] of [
    ['an application', application],
    ['no application', undefined],
  ] as const) {
    it(`and ${what} resets over HTTP/2 with HTTP_1_1_REQUIRED what the filter declines`, async () => {
      const server = createHttp2Server();
      if (app !== undefined) server.on('request', app as never);
      server.on('upgrade', () => {});
      const handle = configureServer(server, { filter: () => false });
      await using running = await listening(server);
      using client = await RawHttp2.connect(`http://localhost:${running.port}`);
      client.write(openingFrame(1));
      expect(await client.resetCode(1)).to.equal(0x0d);
      await client.roundTrip();
      await handle.close();
    });
  }

  it('makes connect() with http2: true use HTTP/1.1', async () => {
    const server = createSecureServer({ ...certificate, allowHTTP1: true }, application as never);
    const handle = configureServer(server as ConfigurableServer, { filter: ({ url }) => url === '/ours' });
    const other = new Ws({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      if (request.url === '/theirs') other.handleUpgrade(request, socket, head, (ws) => ws.send('theirs'));
    });
    await using running = await listening(server);
    const options = { http2: true, family: 4, ca: certificate.cert } as const;
    const theirs = connect(`wss://localhost:${running.port}/theirs`, options);
    expect((await once(theirs, 'data'))[0]).to.equal('theirs');
    expect(theirs.transport).to.equal('http1');
    const ours = connect(`wss://localhost:${running.port}/ours`, options);
    expect([await echoed(ours), ours.transport]).to.deep.equal(['hello', 'http2']);
    theirs.abort();
    other.close();
    await handle.close();
  });
});
