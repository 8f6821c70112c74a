import { once } from 'node:events';
import { type Agent, request, type Server } from 'node:http';
import { createSecureServer as createHttp2Server, connect as openSession } from 'node:http2';
import { createServer as createSecureServer, Agent as SecureAgent } from 'node:https';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { Context } from 'mocha';
import { SocksProxyAgent } from 'socks-proxy-agent';
import { connect, type Message } from '../lib/webSocketHandler';
import { createCertificate } from './support/certificate';
import { failureOf } from './support/failure';
import { type Handler, listen, serve, type TestServer } from './support/http';
import { echoListener, serveOurs } from './support/ourServer';
import { accepting, freePort, Program } from './support/program';
import { microsocks, need, tinyproxy } from './support/tools';

/** A proxy in a process of its own, which tells in its log where it connects to. */
interface Proxy {
  readonly port: number;
  /** The lines of its log so far. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

async function startTinyproxy(context: Context): Promise<Proxy> {
  const path = need(tinyproxy, context);
  const port = await freePort();
  const configuration = `
    Port ${port}
    Listen 127.0.0.1
    Timeout 60
    LogLevel Connect`;
  const program = await Program.start([path, '-d', '-c', 'tinyproxy.conf'], { 'tinyproxy.conf': configuration });
  const log = readLines(program.child.stdout);
  await accepting(port, program);
  return { port, log, stop: () => program.stop() };
}

async function startMicrosocks(context: Context): Promise<Proxy> {
  const path = need(microsocks, context);
  const port = await freePort();
  // It has its log where others have their complaints.
  const program = await Program.start(['/bin/sh', '-c', `exec ${path} -i 127.0.0.1 -p ${port} 2>&1`], {});
  const log = readLines(program.child.stdout);
  await accepting(port, program);
  return { port, log, stop: () => program.stop() };
}

function readLines(stream: NodeJS.ReadableStream): string[] {
  const lines: string[] = [];
  createInterface(stream).on('line', (line) => lines.push(line));
  return lines;
}

const echo: Handler = (_request, response) => {
  const ws = response.webSocket?.connect();
  if (ws) ws.pipe(ws);
  else response.writeHead(426).end('only WebSockets');
};

describe('A client behind a proxy', () => {
  const certificate = createCertificate();
  let httpProxy: Proxy;
  let socksProxy: Proxy;
  let plain: TestServer;
  let secure: TestServer;

  before(async function () {
    httpProxy = await startTinyproxy(this);
    socksProxy = await startMicrosocks(this);
    plain = await listen(echo);
    secure = await serve(createSecureServer(certificate, echo as never) as unknown as Server);
  });

  after(async () => {
    await Promise.all([httpProxy?.stop(), socksProxy?.stop()]);
    await plain?.[Symbol.asyncDispose]();
    await secure?.[Symbol.asyncDispose]();
  });

  /** Has a conversation through an agent, and returns what came back. */
  async function converse(url: string, agent: Agent): Promise<Message[]> {
    const ws = connect(url, { agent, ca: certificate.cert });
    const sent = ['hello', Buffer.alloc(300_000, 'x'), ''];
    for (const message of sent) ws.write(message);
    const echoes: Message[] = [];
    for await (const message of ws) if (echoes.push(message) === sent.length) ws.end();
    expect((await ws.whenClosed()).wasClean).to.equal(true);
    expect(echoes).to.deep.equal(sent);
    return echoes;
  }

  const agents: readonly (readonly [name: string, proxy: () => Proxy, agent: (proxy: Proxy) => Agent])[] = [
    ['https-proxy-agent', () => httpProxy, ({ port }) => new HttpsProxyAgent(`http://127.0.0.1:${port}`)],
    ['socks-proxy-agent', () => socksProxy, ({ port }) => new SocksProxyAgent(`socks5h://127.0.0.1:${port}`)],
  ];

  for (const [name, proxyOf, createAgent] of agents) {
    it(`goes through it with ${name}, plain and with TLS`, async () => {
      const proxy = proxyOf();
      for (const url of [`ws://localhost:${plain.port}/`, `wss://localhost:${secure.port}/`]) {
        await converse(url, createAgent(proxy));
        const target = new URL(url).host;
        expect(proxy.log.filter((line) => line.includes(target))).not.to.deep.equal([]);
      }
    });

    it(`gets an error if no server listens behind ${name}, and the refusal of a server`, async () => {
      const agent = createAgent(proxyOf());
      const unreachable = connect(`ws://127.0.0.1:${await freePort()}/`, { agent });
      expect((await failureOf(unreachable)).code).to.be.oneOf(['WS_ERR_CONNECTION_FAILED', 'WS_ERR_HANDSHAKE_REFUSED']);
      const refused = connect(`ws://localhost:${plain.port}/`, {
        agent,
        version: '13',
        headers: { Origin: 'http://a.example', Cookie: 'a=b' },
      });
      expect(await failureOf(refused)).to.include({ code: 'WS_ERR_HANDSHAKE_REFUSED', statusCode: 403 });
    });
  }

  it('goes through it over HTTP/2, with its own session', async () => {
    await using server = await serveOurs(createHttp2Server(certificate), echoListener());
    const path = `localhost:${server.port}`;
    const tunnel = request({ host: '127.0.0.1', port: httpProxy.port, method: 'CONNECT', path }).end();
    const [, socket] = (await once(tunnel, 'connect')) as [unknown, Socket];
    const session = openSession(`https://${path}`, {
      createConnection: () =>
        connectTls({ socket, servername: 'localhost', ca: certificate.cert, ALPNProtocols: ['h2'] }),
    });
    const ws = connect(`wss://${path}/transport`, { http2: session });
    expect(await once(ws, 'data')).to.deep.equal(['http2']);
    ws.end();
    expect((await ws.whenClosed()).wasClean).to.equal(true);
    session.close();
    await once(session, 'close');
    expect(httpProxy.log.filter((line) => line.includes(path))).not.to.deep.equal([]);
  });

  it('closes the connection to the proxy when it is aborted while connecting', async () => {
    const agent = new HttpsProxyAgent(`http://127.0.0.1:${httpProxy.port}`);
    await using silent = await listen(() => {});
    const abort = new AbortController();
    const ws = connect(`ws://localhost:${silent.port}/`, { agent, signal: abort.signal });
    const [, socket] = await once(silent.server, 'upgrade');
    const gone = once(socket, 'close');
    abort.abort();
    expect((await failureOf(ws)).code).to.equal('WS_ERR_ABORTED');
    await gone;
  });

  // Node's own way to a proxy, since Node 24. It makes tunnels for TLS only.
  if (Number.parseInt(process.versions.node, 10) >= 24) {
    it("goes through it with Node's own agent", async () => {
      const proxyEnv = { HTTPS_PROXY: `http://127.0.0.1:${httpProxy.port}` };
      await converse(`wss://localhost:${secure.port}/`, new SecureAgent({ proxyEnv } as object));
      expect(httpProxy.log.filter((line) => line.includes(`CONNECT localhost:${secure.port}`))).not.to.deep.equal([]);
    });
  }
});
