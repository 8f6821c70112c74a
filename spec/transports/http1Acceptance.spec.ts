import { once } from 'node:events';
import { createServer, type Server, ServerResponse } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { ask, clientFrame, type Handler, listen, openingRequest, RawClient, serve } from '../support/http';

/** The frame that echoes the text "hi". */
const hi = '81026869';
const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** Calls a listener inside `writeHead()`, as the package on-headers does, which sessions, compression and tracing use. */
function onHeaders(response: ServerResponse, listener: (this: ServerResponse) => void): void {
  const { writeHead } = response;
  let fired = false;
  response.writeHead = function (this: ServerResponse, ...parameters: unknown[]) {
    const [statusCode] = parameters as [number];
    const fields = parameters.find((parameter) => typeof parameter === 'object') ?? {};
    for (const [name, value] of Object.entries(fields as object)) this.setHeader(name, value);
    this.statusCode = statusCode;
    if (!fired) {
      fired = true;
      listener.call(this);
    }
    const rest = this.statusCode === statusCode ? parameters.slice(1, 2) : [];
    return writeHead.apply(this, [this.statusCode, ...rest] as unknown as Parameters<typeof writeHead>);
  } as typeof writeHead;
}

/** Replaces `writeHead()` by a hook that calls on with other parameters. */
function passOn(response: ServerResponse, ...parameters: unknown[]): void {
  const { writeHead } = response;
  response.writeHead = function (this: ServerResponse) {
    return writeHead.apply(this, parameters as Parameters<typeof writeHead>);
  } as typeof writeHead;
}

/** Holds the body back and sends other bytes for it, as the package compression does. */
function compress(response: ServerResponse): void {
  const { write, end } = response;
  onHeaders(response, function () {
    this.removeHeader('Content-Length');
    this.setHeader('Content-Encoding', 'br');
    this.setHeader('Vary', 'Accept-Encoding');
  });
  response.write = (() => true) as typeof response.write;
  response.end = ((): ServerResponse => {
    setImmediate(() => {
      write.call(response, Buffer.from([0x3b]), 'latin1', () => {});
      (end as () => void).call(response);
    });
    return response;
  }) as typeof response.end;
}

const echo: Handler = (_request, { webSocket }) => {
  const ws = webSocket?.connect();
  ws?.pipe(ws);
};

/** Opens a WebSocket whose handler runs after this middleware, checks its 101, and that an echo and nothing else comes. */
async function expectOpen(
  middleware: (response: ServerResponse) => void,
  handler: Handler = echo,
): Promise<Map<string, string>> {
  await using server = await listen((request, response) => {
    response.setHeader('X-App', 'kept');
    middleware(response);
    handler(request, response);
  });
  using client = await RawClient.connect(server.port);
  client.write(openingRequest());
  const { statusCode, headers } = await client.head();
  expect(statusCode).to.equal(101);
  expect(headers.get('upgrade')).to.equal('websocket');
  expect(headers.get('connection')).to.equal('Upgrade');
  expect(headers.get('sec-websocket-accept')).to.equal(accept);
  const others = ['content-length', 'transfer-encoding', 'keep-alive', 'content-encoding', 'trailer', 'te'];
  const handshake = ['sec-websocket-protocol', 'sec-websocket-extensions', 'sec-websocket-version'];
  expect([...headers.keys()].filter((name) => [...others, ...handshake].includes(name))).to.deep.equal([]);
  expect(headers.get('x-app')).to.equal('kept');
  for (let i = 0; i < 5; i++) await turn();
  client.write(clientFrame(0x81, 'hi'));
  expect(await client.take(4)).to.equal(hi);
  client.write(clientFrame(0x88, Buffer.from([3, 232])));
  expect(await client.take(4)).to.equal('880203e8');
  return headers;
}

describe('The 101 of a WebSocket request', () => {
  const changes: Record<string, (response: ServerResponse) => void> = {
    'sets Connection': (response) => response.setHeader('Connection', 'keep-alive'),
    'removes Connection': (response) => response.removeHeader('Connection'),
    'sets Upgrade': (response) => response.setHeader('Upgrade', 'h2c'),
    'removes Upgrade': (response) => response.removeHeader('Upgrade'),
    'sets Content-Length': (response) => response.setHeader('Content-Length', 5),
    'sets Transfer-Encoding': (response) => response.setHeader('Transfer-Encoding', 'chunked'),
    'sets Keep-Alive': (response) => response.setHeader('Keep-Alive', 'timeout=5'),
    'sets Content-Encoding': (response) => response.setHeader('Content-Encoding', 'br'),
    'sets Trailer': (response) => response.setHeader('Trailer', 'X-Sum'),
    'sets Sec-WebSocket-Accept': (response) => response.setHeader('sec-websocket-accept', 'x'),
    'removes Sec-WebSocket-Accept': (response) => response.removeHeader('Sec-WebSocket-Accept'),
    'sets Sec-WebSocket-Protocol': (response) => response.setHeader('Sec-WebSocket-Protocol', 'chat'),
    'sets Sec-WebSocket-Extensions': (response) => response.setHeader('Sec-WebSocket-Extensions', 'permessage-deflate'),
    'sets Sec-WebSocket-Version': (response) => response.setHeader('Sec-WebSocket-Version', '12'),
    'sets statusCode': (response) => {
      response.statusCode = 500;
    },
    'sets statusMessage': (response) => {
      response.statusMessage = 'Fine';
    },
    'removes all headers but one': (response) => {
      for (const name of response.getHeaderNames()) if (name !== 'x-app') response.removeHeader(name);
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`has the fields of the handshake when a hook in writeHead() ${what}`, async () => {
      await expectOpen((response) => onHeaders(response, () => change(response)));
    });

    it(`has the fields of the handshake when middleware ${what} before connect()`, async () => {
      await expectOpen(change);
    });
  }

  it('has the fields of the handshake with middleware that compresses every response', async () => {
    const headers = await expectOpen(compress);
    expect(headers.get('vary')).to.equal('Accept-Encoding');
  });

  const wrong = { Connection: 'close', 'Content-Length': '5', 'X-Given': 'too' };
  const calls: Record<string, unknown[]> = {
    'another status': [200],
    'an object with headers': [101, wrong],
    'a reason and an object with headers': [200, 'OK', wrong],
    'an array with headers': [101, Object.entries(wrong).flat()],
  };
  for (const [what, parameters] of Object.entries(calls)) {
    it(`has the fields of the handshake when a hook calls writeHead() with ${what}`, async () => {
      const headers = await expectOpen((response) => passOn(response, ...parameters));
      if (parameters.length > 1) expect(headers.get('x-given')).to.equal('too');
    });
  }

  it('keeps all cookies that a hook gives to writeHead() in an array', async () => {
    const cookies = ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'];
    const headers = await expectOpen((response) => passOn(response, 101, cookies));
    expect(headers.get('set-cookie')).to.equal('a=1, b=2');
  });

  it('is sent when a hook does not call the original writeHead()', async () => {
    await expectOpen((response) => {
      response.writeHead = () => response;
    });
  });

  it('is sent once when a hook in writeHead() ends the response', async () => {
    await expectOpen((response) => onHeaders(response, () => void response.end('no')));
  });

  it('is seen by hooks with its status and its headers', async () => {
    let seen: unknown;
    await expectOpen((response) =>
      onHeaders(response, () => {
        seen = [response.statusCode, response.getHeader('Upgrade'), response.getHeader('Sec-WebSocket-Accept')];
      }),
    );
    expect(seen).to.deep.equal([101, 'websocket', accept]);
  });

  it('begins with the three lines that clients of draft75 compare, also if a hook adds headers', async () => {
    await using server = await listen(
      (_request, response) => {
        response.setHeader('X-App', 'kept');
        onHeaders(response, () => {
          response.removeHeader('Upgrade');
          response.setHeader('WebSocket-Protocol', 'chat');
        });
        response.webSocket?.connect().resume();
      },
      { versions: ['draft75'] },
    );
    using client = await RawClient.connect(server.port);
    client.write(openingRequest({ key: undefined, version: undefined, origin: 'Origin: http://example.org' }));
    await client.until(() => client.received.includes('\r\n\r\n'));
    const lines = client.received.toString().split('\r\n');
    expect(lines.slice(0, 3)).to.deep.equal([
      'HTTP/1.1 101 Web Socket Protocol Handshake',
      'Upgrade: WebSocket',
      'Connection: Upgrade',
    ]);
    expect(lines).to.include('X-App: kept');
    expect(lines.filter((line) => line.startsWith('WebSocket-Protocol'))).to.deep.equal([]);
  });

  const throwing: Record<string, (response: ServerResponse) => void> = {
    'behind the writeHead() below it': (response) => {
      const { writeHead } = response;
      response.writeHead = function (this: ServerResponse, ...parameters: unknown[]) {
        writeHead.apply(this, parameters as Parameters<typeof writeHead>);
        throw new Error('a hook failed');
      } as typeof writeHead;
    },
    'in end()': (response) => {
      response.end = () => {
        throw new Error('a hook failed');
      };
    },
  };
  for (const [where, middleware] of Object.entries(throwing)) {
    it(`is not followed by a half-open WebSocket when a hook throws ${where}: the connection is closed`, async () => {
      let outcome: unknown;
      let thrown: unknown;
      await using server = await listen(async (_request, response) => {
        middleware(response);
        const ws = response.webSocket;
        try {
          ws?.connect();
        } catch (error) {
          thrown = error;
        }
        outcome = await ws?.whenClosed();
      });
      using client = await RawClient.connect(server.port);
      client.write(openingRequest());
      await client.end();
      expect(thrown).to.have.property('message', 'a hook failed');
      await turn();
      expect(outcome).to.deep.equal({ code: 1006, reason: '', wasClean: false });
      expect(server.handle.connections.size).to.equal(0);
      expect(server.handle.counters.refused).to.equal(0);
    });
  }

  it('does not change the headers when a hook throws before it is written', async () => {
    await using server = await listen((_request, response) => {
      response.setHeader('Upgrade', 'mine');
      const { writeHead } = response;
      response.writeHead = () => {
        throw new Error('a hook failed');
      };
      expect(() => response.webSocket?.connect()).to.throw('a hook failed');
      expect(response.headersSent).to.equal(false);
      expect(response.statusCode).to.equal(200);
      response.writeHead = writeHead;
      response.writeHead(418).end();
    });
    const { statusCode, headers } = await ask(server.port, openingRequest());
    expect(statusCode).to.equal(418);
    expect(headers.get('upgrade')).to.equal('mine');
    expect(headers.has('sec-websocket-accept')).to.equal(false);
    expect(headers.has('date')).to.equal(true);
  });
});

describe('The response of a WebSocket that was accepted', () => {
  const uses: Record<string, (response: ServerResponse) => void> = {
    destroyed: (response) => void response.destroy(),
    'destroyed with an error': (response) => void response.destroy(new Error('of the framework')),
    'ended with a body': (response) => void response.end('a body'),
    'ended twice': (response) => void response.end().end('a body'),
    'written to': (response) => void response.write('a body'),
  };
  for (const [what, use] of Object.entries(uses)) {
    it(`can be ${what} in the turn of connect() without an effect on the WebSocket`, async () => {
      await expectOpen(
        () => {},
        (request, response) => {
          echo(request, response);
          use(response);
        },
      );
    });

    it(`can be ${what} later without an effect on the WebSocket`, async () => {
      await expectOpen(
        () => {},
        async (request, response) => {
          echo(request, response);
          await turn();
          use(response);
        },
      );
    });
  }

  it('calls the callbacks of write() and end()', async () => {
    const called: string[] = [];
    await expectOpen(
      () => {},
      (request, response) => {
        echo(request, response);
        response.write('a', () => called.push('write'));
        response.end('b', () => called.push('end'));
        response.end(() => called.push('end again'));
      },
    );
    expect(called).to.have.members(['write', 'end', 'end again']);
  });

  it('can be destroyed before connect(), which destroys the connection', async () => {
    await using server = await listen((_request, response) => void response.destroy());
    using client = await RawClient.connect(server.port);
    client.write(openingRequest());
    await client.end();
    expect(client.received.length).to.equal(0);
  });
});

describe('A response of the library', () => {
  const hooks: Record<string, (response: ServerResponse) => void> = {
    'writeHead()': (response) => {
      response.writeHead = () => {
        throw new Error('a hook failed');
      };
    },
    'end()': (response) => {
      response.end = () => {
        throw new Error('a hook failed');
      };
    },
  };
  for (const [method, decorate] of Object.entries(hooks)) {
    it(`after handshakeTimeout does not end the process when a hook in ${method} throws: the connection is closed`, async () => {
      let refused = 0;
      await using server = await listen(
        async (_request, response) => {
          decorate(response);
          await once(response, 'close');
          refused = server.handle.counters.refused;
        },
        { handshakeTimeout: 20 },
      );
      using client = await RawClient.connect(server.port);
      client.write(openingRequest());
      await client.end();
      expect(refused).to.equal(0);
      expect(server.handle.connections.size).to.equal(0);
    });
  }

  it('after handshakeTimeout does not keep the connection when middleware never ends it', async () => {
    await using server = await listen(
      (_request, response) => {
        response.end = () => response;
      },
      { handshakeTimeout: 20 },
    );
    using client = await RawClient.connect(server.port);
    client.write(openingRequest());
    await client.end();
    expect(server.handle.connections.size).to.equal(0);
  });

  const traced: Record<string, { server: () => Server; request: string }> = {
    'to a bad request': { server: () => createServer(echo), request: openingRequest({ key: undefined }) },
    'of a server without an application': { server: () => createServer(), request: openingRequest() },
  };
  for (const [what, { server: create, request }] of Object.entries(traced)) {
    it(`${what} does not end the process when a tracer of all responses throws`, async () => {
      await using server = await serve(create());
      const { writeHead } = ServerResponse.prototype;
      ServerResponse.prototype.writeHead = () => {
        throw new Error('a tracer failed');
      };
      try {
        using client = await RawClient.connect(server.port);
        client.write(request);
        await client.end();
        expect(client.received.length).to.equal(0);
      } finally {
        ServerResponse.prototype.writeHead = writeHead;
      }
    });
  }

  it('has a Content-Length, because some proxies corrupt bodies in chunks', async () => {
    await using server = await listen(() => {}, { handshakeTimeout: 20 });
    for (const changes of [
      { key: undefined },
      { version: undefined },
      { origin: 'Origin: http://a', cookie: 'Cookie: a' },
      {},
    ]) {
      const { statusCode, headers, body } = await ask(server.port, openingRequest(changes));
      expect(statusCode).to.be.at.least(400);
      expect(headers.get('content-length')).to.equal(String(body.length));
      expect(headers.has('transfer-encoding')).to.equal(false);
    }
  });

  it('of a server without an application has a Content-Length too', async () => {
    await using server = await serve(createServer());
    const { headers } = await ask(server.port, openingRequest());
    expect(headers.get('content-length')).to.equal('0');
  });
});
