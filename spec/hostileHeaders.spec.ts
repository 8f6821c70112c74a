import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect } from 'chai';
import { redirected } from '../lib/client/redirects';
import { isHost, isSameOrigin, parseExtensions } from '../lib/codec/headers';
import type { OpeningRequest } from '../lib/contracts';
import { answerExtensions, verifyExtensions } from '../lib/extensions';
import { negotiate } from '../lib/server/negotiation';
import { checkRepeated, checkUpgradeAnswer } from '../lib/versions/clientAnswers';
import {
  type ClientOptions,
  connect,
  isWebSocketRequest,
  reconnecting,
  type ServerOptions,
  type WebSocketError,
} from '../lib/webSocketHandler';
import { failureOf } from './support/failure';
import { growth, linear } from './support/growth';
import { ask, type Handler, openingRequest, RawClient, serve, type TestServer } from './support/http';
import { lines, type RawServer, rawServer, switching } from './support/rawServer';
import { thrownBy } from './support/thrown';

/** Every header that the library reads, with names that objects have, and with ten thousand elements. */

const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
const many = 10_000;

/** Different tokens. */
const tokens = (count: number) => Array.from({ length: count }, (_, i) => `t${i}`);

const cookie = 'Cookie: session=1';

describe('A header of an opening request', () => {
  let server: TestServer;
  /** What the application has seen of the last request. */
  let protocols: readonly string[];
  let url: string | undefined;

  const handler: Handler = (request, response) => {
    const ws = response.webSocket;
    url = request.url;
    if (ws === undefined) return void response.writeHead(426, { Connection: 'close' }).end();
    protocols = ws.protocols;
    const protocol = protocols.at(-1);
    ws.connect(protocol === undefined ? {} : { protocol }).resume();
  };
  const listening = (options: ServerOptions = {}) =>
    serve(createServer({ maxHeaderSize: 4 * 1024 * 1024 }, handler), { perMessageDeflate: true, ...options });

  before(async () => {
    server = await listening();
  });
  after(() => server[Symbol.asyncDispose]());

  async function answerTo(changes: Record<string, string>, { port } = server) {
    using client = await RawClient.connect(port);
    client.write(openingRequest(changes));
    return await client.head();
  }

  for (const name of names) {
    it(`may have the name or the value ${name}, as any other`, async () => {
      const accepted: Record<string, string>[] = [
        { upgrade: `Upgrade: ${name}, websocket` },
        { connection: `Connection: ${name}, Upgrade` },
        { host: `Host: ${name}` },
        { host: `Host: ${name}`, origin: `Origin: https://${name.toLowerCase()}`, cookie },
        { more: `${name}: ${name}` },
        { origin: `Origin: ${name}` },
        { more: `Sec-WebSocket-Draft: ${name}` },
        { more: `Sec-WebSocket-Extensions: ${name}; ${name}; ${name}=${name}; ${name}="${name}"` },
        { more: `Sec-WebSocket-Extensions: permessage-deflate; ${name}, permessage-deflate; ${name}=1` },
      ];
      for (const changes of accepted) {
        const { statusCode, headers } = await answerTo(changes);
        expect([statusCode, headers.get('sec-websocket-extensions')], JSON.stringify(changes)).to.deep.equal([
          101,
          undefined,
        ]);
      }
      const chosen = await answerTo({ more: `Sec-WebSocket-Protocol: a, ${name}` });
      expect([chosen.statusCode, chosen.headers.get('sec-websocket-protocol')]).to.deep.equal([101, name]);
      expect(protocols).to.deep.equal(['a', name]);
    });

    it(`with the value ${name} is refused where it is wrong`, async () => {
      const refused: [changes: Record<string, string>, status: number][] = [
        [{ upgrade: `Upgrade: ${name}` }, 426],
        [{ connection: `Connection: ${name}` }, 426],
        [{ version: `Sec-WebSocket-Version: ${name}` }, 400],
        [{ key: `Sec-WebSocket-Key: ${name}` }, 400],
        [{ origin: `Origin: ${name}`, cookie }, 403],
        [{ more: `Sec-WebSocket-Protocol: ${name}, ${name}` }, 400],
      ];
      for (const [changes, status] of refused)
        expect((await answerTo(changes)).statusCode, JSON.stringify(changes)).to.equal(status);
      await using listed = await listening({ origins: ['https://app.example'] });
      expect((await answerTo({ origin: `Origin: ${name}` }, listed)).statusCode).to.equal(403);
    });
  }

  it('may have ten thousand tokens or parameters: the answer is the right one', async () => {
    const list = tokens(many).join(', ');
    const parameters = tokens(many).join('; ');
    const offers = Array(many).fill('permessage-deflate; server_max_window_bits=16').join(', ');
    const status = async (changes: Record<string, string>) => (await answerTo(changes)).statusCode;
    expect(await status({ upgrade: `Upgrade: ${list}, websocket` })).to.equal(101);
    expect(await status({ upgrade: `Upgrade: ${list}` })).to.equal(426);
    expect(await status({ connection: `Connection: ${list}, Upgrade` })).to.equal(101);
    expect(await status({ version: `Sec-WebSocket-Version: ${list}, 13` })).to.equal(400);
    expect(await status({ version: `Sec-WebSocket-Version: ${Array(many).fill('13').join()}` })).to.equal(400);
    expect(await status({ more: `Sec-WebSocket-Protocol: ${list}, t0` })).to.equal(400);
    expect(await status({ origin: `Origin: https://${'a.'.repeat(many)}example`, cookie })).to.equal(403);
    expect(await status({ host: `Host: ${'a.'.repeat(many)}example` })).to.equal(101);

    const chosen = await answerTo({ more: `Sec-WebSocket-Protocol: ${list}` });
    expect([chosen.statusCode, chosen.headers.get('sec-websocket-protocol')]).to.deep.equal([101, `t${many - 1}`]);
    expect(protocols).to.have.lengthOf(many);
    for (const [offered, answered] of [
      [`${list}, permessage-deflate`, 'permessage-deflate'],
      [`${offers}, permessage-deflate`, 'permessage-deflate'],
      [`x; ${parameters}, permessage-deflate`, 'permessage-deflate'],
      [`permessage-deflate; ${parameters}`, undefined],
      [`permessage-deflate; x="${'\\a'.repeat(many)}"`, undefined],
    ] as const) {
      const { statusCode, headers } = await answerTo({ more: `Sec-WebSocket-Extensions: ${offered}` });
      expect([statusCode, headers.get('sec-websocket-extensions')]).to.deep.equal([101, answered]);
    }
    expect(url).to.equal('/chat');
  });

  it('is limited by Node to 16 KiB, together with all others: 431', async () => {
    await using usual = await serve(createServer(handler));
    const list = tokens(many).join();
    expect((await ask(usual.port, openingRequest({ more: `X: ${list}` }))).statusCode).to.equal(431);
  });

  const request = (headers: Record<string, string>, authority = 'example.org') =>
    ({
      request: { headers: { 'sec-websocket-version': '13', ...headers } },
      authority,
      versions: ['13'],
    }) as unknown as OpeningRequest;
  const refusalOf = (headers: Record<string, string>, options: ServerOptions = {}) =>
    thrownBy(() => negotiate(request(headers), options));

  const works: Readonly<Record<string, (size: number) => () => unknown>> = {
    'Upgrade and Connection': (size) => {
      const list = tokens(size).join(', ');
      const headers = { upgrade: `${list}, websocket`, connection: `${list}, upgrade` };
      return () => expect(isWebSocketRequest({ headers })).to.equal(true);
    },
    'Connection, of commas and spaces': (size) => {
      const headers = { upgrade: 'websocket', connection: ' ,\t'.repeat(size) };
      return () => expect(isWebSocketRequest({ headers })).to.equal(false);
    },
    'Sec-WebSocket-Protocol': (size) => {
      const opening = request({ 'sec-websocket-protocol': tokens(size).join(', ') });
      return () => expect(negotiate(opening, {}).protocols).to.have.lengthOf(size);
    },
    'Sec-WebSocket-Extensions, with many offers': (size) => {
      const offers = Array(size).fill('permessage-deflate; server_max_window_bits=16').join(', ');
      const opening = request({ 'sec-websocket-extensions': offers });
      return () =>
        expect(answerExtensions(negotiate(opening, {}).extensions, { perMessageDeflate: true })).to.equal('');
    },
    'Sec-WebSocket-Extensions, with many parameters': (size) => {
      const value = `permessage-deflate; ${tokens(size).join('; ')}`;
      return () => expect(answerExtensions(parseExtensions(value) ?? [], { perMessageDeflate: true })).to.equal('');
    },
    'Sec-WebSocket-Extensions, with many escapes': (size) => {
      const values = [`a; b="${'\\c'.repeat(size)}`, `a; b="${'\\\\"'.repeat(size)}`, `a; b="${'\\'.repeat(size)}"`];
      return () => expect(values.map(parseExtensions)).to.deep.equal([undefined, undefined, undefined]);
    },
    'Sec-WebSocket-Version': (size) => {
      const version = tokens(size).join(', ');
      return () => expect(refusalOf({ 'sec-websocket-version': version }).statusCode).to.equal(400);
    },
    'Sec-WebSocket-Version, of digits': (size) => {
      const version = '1'.repeat(size);
      return () => expect(refusalOf({ 'sec-websocket-version': version }).statusCode).to.equal(400);
    },
    'Origin, that of another host': (size) => {
      const origin = `https://${'a.'.repeat(size)}example`;
      return () => expect(refusalOf({ origin, cookie: 'a=1' }).statusCode).to.equal(403);
    },
    'Origin, beside a long list of the option origins': (size) => {
      const origins = tokens(size).map((name) => `https://${name}.example`);
      return () => expect(refusalOf({ origin: 'https://evil.example' }, { origins }).statusCode).to.equal(403);
    },
    Host: (size) => {
      const hosts = [
        `${'a.'.repeat(size)}a`,
        `${'%61'.repeat(size)}%`,
        `[${'::'.repeat(size)}`,
        `a:${'1'.repeat(size)}a`,
      ];
      return () => expect(hosts.map(isHost)).to.deep.equal([true, false, false, false]);
    },
    'Host, as a part of an origin': (size) => {
      // 20 KB, more than Node lets pass by default. For hundreds of kilobytes, Node's URL has steps in its time.
      const host = `${'a.'.repeat(size / 10)}a`;
      return () => expect(isSameOrigin(`https://${host}`, host)).to.be.a('boolean');
    },
  };
  for (const [name, prepare] of Object.entries(works)) {
    it(`is read in linear time: ${name}`, async () => {
      expect(await growth(10 * many, prepare)).to.be.below(linear);
    });
  }
});

/** A server whose first answer is this. */
function answering(answer: (head: string) => string): Promise<RawServer> {
  return rawServer((head, socket) => socket.end(answer(head)));
}

describe('A header of the answer to a client', () => {
  const options: ClientOptions = { protocols: ['a'], maxHeaderSize: 8 * 1024 * 1024 };

  async function failureFor(answer: (head: string) => string, more: ClientOptions = {}): Promise<WebSocketError> {
    await using server = await answering(answer);
    return await failureOf(connect(`ws://127.0.0.1:${server.port}/`, { ...options, ...more }));
  }

  for (const name of names) {
    it(`may have the name or the value ${name}, as any other`, async () => {
      await using server = await rawServer((head, socket) =>
        socket.write(switching(head, `Sec-WebSocket-Protocol: ${name}`, `${name}: ${name}`, `Set-Cookie: ${name}`)),
      );
      const ws = connect(`ws://127.0.0.1:${server.port}/`, { protocols: ['a', name] }).resume();
      await once(ws, 'open');
      expect(ws.protocol).to.equal(name);
      ws.abort();
      await ws.whenClosed();
    });

    it(`with the value ${name} is refused where it is wrong`, async () => {
      for (const line of [
        `Sec-WebSocket-Protocol: ${name}`,
        `Sec-WebSocket-Extensions: ${name}`,
        `Sec-WebSocket-Extensions: permessage-deflate; ${name}`,
        `Sec-WebSocket-Extensions: permessage-deflate; ${name}=${name}`,
      ]) {
        const { code } = await failureFor((head) => switching(head, line));
        expect(code, line).to.equal('WS_ERR_INVALID_HANDSHAKE');
      }
      for (const line of [`Sec-WebSocket-Version: ${name}`, `Retry-After: ${name}`, `Location: ${name}:a`]) {
        const { code, statusCode } = await failureFor(() => lines('HTTP/1.1 426 Upgrade Required', line), {
          versions: ['13', '8'],
        });
        expect([code, statusCode], line).to.deep.equal(['WS_ERR_HANDSHAKE_REFUSED', 426]);
      }
      // A scheme has no underscore, so `__proto__:a` is a path, which redirects to itself.
      const redirect = () => lines('HTTP/1.1 302 Found', `Location: ${name}:a`);
      const { message } = await failureFor(redirect, { followRedirects: true });
      const why = name.includes('_') ? 'redirects' : 'its Location is no URL with the scheme ws, wss, http or https';
      expect(message).to.include(why);
    });
  }

  it('may have ten thousand elements: the client fails, or finds the one that it needs', async () => {
    const list = tokens(many).join(', ');
    for (const line of [
      `Connection: ${list}`,
      `Sec-WebSocket-Protocol: ${list}`,
      `Sec-WebSocket-Extensions: ${list}`,
      `Sec-WebSocket-Extensions: permessage-deflate; ${tokens(many).join('; ')}`,
      `Sec-WebSocket-Extensions: ${Array(many).fill('permessage-deflate').join()}`,
    ]) {
      const answer = (head: string) => {
        const good = switching(head, line);
        return line.startsWith('Connection') ? good.replace('Connection: Upgrade\r\n', '') : good;
      };
      expect((await failureFor(answer)).code, line.slice(0, 40)).to.equal('WS_ERR_INVALID_HANDSHAKE');
    }
    const { headers } = await failureFor(() =>
      lines('HTTP/1.1 403 Forbidden', ...tokens(900).map((name) => `Set-Cookie: ${name}=1`)),
    );
    expect(headers?.['set-cookie']).to.have.lengthOf(900);
  });

  it('with ten thousand versions is searched for one of the program', async () => {
    const asked: (string | undefined)[] = [];
    await using server = await rawServer((head, socket) => {
      asked.push(/sec-websocket-version: (.*)\r\n/i.exec(head)?.[1]);
      const versions = `${tokens(many).join(', ')}, 8`;
      socket.end(lines('HTTP/1.1 426 Upgrade Required', `Sec-WebSocket-Version: ${versions}`));
    });
    const ws = connect(`ws://127.0.0.1:${server.port}/`, { ...options, versions: ['13', '8'] });
    expect((await failureOf(ws)).statusCode).to.equal(426);
    expect(asked).to.deep.equal(['13', '8']);
  });

  for (const [what, value] of [
    ['a number of 10,000 digits', '9'.repeat(many)],
    ['10,000 tokens', tokens(many).join()],
    ['a negative number', '-1'],
    ['a date in the year 275760', 'Sat, 13 Sep 275760 00:00:00 GMT'],
  ] as const) {
    it(`lets reconnecting() wait for maxDelay at the most if Retry-After is ${what}`, async () => {
      let requests = 0;
      await using server = await rawServer((_head, socket) => {
        requests++;
        socket.end(lines('HTTP/1.1 503 Service Unavailable', `Retry-After: ${value}`));
      });
      const url = `ws://127.0.0.1:${server.port}/`;
      const attempts = reconnecting(url, { ...options, initialDelay: 1, maxDelay: 5, maxAttempts: 3 });
      const error = await attempts.next().catch((cause) => cause);
      expect([error.statusCode, requests]).to.deep.equal([503, 3]);
    });
  }

  const target = { location: new URL('ws://localhost/'), headers: {}, requestOptions: {} };
  const works: Readonly<Record<string, (size: number) => () => unknown>> = {
    'Upgrade and Connection': (size) => {
      const headers = { upgrade: 'websocket', connection: `${tokens(size).join(', ')}, upgrade` };
      return () => checkUpgradeAnswer({ headers });
    },
    'Sec-WebSocket-Protocol': (size) => {
      const headers = { 'sec-websocket-protocol': tokens(size).join(', ') };
      return () =>
        expect(thrownBy(() => checkRepeated({ headers }, 'Sec-WebSocket-Protocol', 'a')).message).to.be.a('string');
    },
    'Sec-WebSocket-Extensions': (size) => {
      const values = [
        tokens(size).join(', '),
        `permessage-deflate; ${tokens(size).join('; ')}`,
        Array(size).fill('permessage-deflate').join(),
      ];
      return () => {
        for (const value of values) thrownBy(() => verifyExtensions(value, { perMessageDeflate: true }));
      };
    },
    Location: (size) => {
      const values = ['a/../'.repeat(size), `//${'a.'.repeat(size)}`, '%41'.repeat(size), '?#'.repeat(size)];
      return () => {
        for (const location of values) {
          // Some are URLs, and some are not.
          try {
            redirected({ statusCode: 302, headers: { location } }, target);
          } catch (error) {
            expect((error as WebSocketError).code).to.equal('WS_ERR_HANDSHAKE_REFUSED');
          }
        }
      };
    },
  };
  for (const [name, prepare] of Object.entries(works)) {
    it(`is read in linear time: ${name}`, async () => {
      expect(await growth(10 * many, prepare)).to.be.below(linear);
    });
  }

  // Through the whole client, because what reads these headers is a part of it.
  const received: Readonly<Record<string, (size: number) => string>> = {
    'Sec-WebSocket-Version': (size) => `Sec-WebSocket-Version: ${tokens(size).join(', ')}`,
    'Set-Cookie': (size) => `Set-Cookie: ${tokens(size).join('=1; ')}`,
    'Retry-After': (size) => `Retry-After: ${'1'.repeat(size * 8)}`,
  };
  for (const [name, line] of Object.entries(received)) {
    it(`is read in linear time: ${name}`, async () => {
      const answers = new Map(
        [many / 100, many * 10].map((size) => [size, lines('HTTP/1.1 400 Bad Request', line(size))]),
      );
      let current = '';
      await using server = await answering(() => current);
      const prepare = (size: number) => async () => {
        current = answers.get(size) ?? '';
        const ws = connect(`ws://127.0.0.1:${server.port}/`, { ...options, versions: ['13', '8'] });
        expect((await failureOf(ws)).statusCode).to.equal(400);
      };
      expect(await growth(10 * many, prepare)).to.be.below(linear);
    });
  }
});

describe('growth()', () => {
  it('finds work that grows with the square', async () => {
    const square = (size: number) => () => {
      let sum = 0;
      for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) sum += i ^ j;
      return sum;
    };
    expect(await growth(5000, square)).to.be.above(linear);
  });
});
