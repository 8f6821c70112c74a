import { once } from 'node:events';
import { Http2ServerResponse, type OutgoingHttpHeaders } from 'node:http2';
import { Readable } from 'node:stream';
import { mock } from 'node:test';
import { createGzip } from 'node:zlib';
import { expect } from 'chai';
import { connect, type WebSocket, type WebSocketError } from '../../lib/webSocketHandler';
import { clientFrame } from '../support/http';
import { ask, extendedConnect, type Http2Handler, listenHttp2, openSession } from '../support/http2';
import { dataFrame, errorCodes, openingFrame, RawHttp2 } from '../support/http2Frames';
import { passUntil } from '../support/mockedTime';

type Hook = (response: Http2ServerResponse) => void;

const setStatus = (response: Http2ServerResponse, statusCode: number) => {
  response.statusCode = statusCode;
};

const setHeaders = (response: Http2ServerResponse, headers: Record<string, string>) => {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
};

/** As decorators of JavaScript see it. */
type WriteHead = (this: Http2ServerResponse, ...parameters: unknown[]) => Http2ServerResponse;

function decorateWriteHead(response: Http2ServerResponse, decorate: (writeHead: WriteHead) => WriteHead): void {
  response.writeHead = decorate(response.writeHead as WriteHead) as typeof response.writeHead;
}

/** Calls the hook inside of writeHead(), and sends the status that it has set, as the package on-headers does. */
function onHeaders(response: Http2ServerResponse, hook: Hook): void {
  decorateWriteHead(response, (writeHead) => (statusCode) => {
    setStatus(response, statusCode as number);
    hook(response);
    return writeHead.call(response, response.statusCode);
  });
}

/** Compresses the response, as the package compression does. */
function compress(response: Http2ServerResponse): void {
  const { write, end } = response;
  onHeaders(response, () => {
    const gzip = createGzip();
    response.setHeader('Content-Encoding', 'gzip');
    response.removeHeader('Content-Length');
    gzip.on('data', (bytes: Buffer) => write.call(response, bytes, 'latin1'));
    gzip.on('end', () => (end as () => void).call(response));
    response.end = (() => {
      gzip.end();
      return response;
    }) as typeof end;
  });
}

/** What middleware does before connect(). */
const middleware: Record<string, Hook> = {
  'changes statusCode in writeHead()': (response) => onHeaders(response, () => setStatus(response, 404)),
  'sets statusCode 204 in writeHead()': (response) => onHeaders(response, () => setStatus(response, 204)),
  'passes writeHead() on with a status of its own': (response) =>
    decorateWriteHead(response, (writeHead) => () => writeHead.call(response, 500)),
  'does not pass writeHead() on': (response) => decorateWriteHead(response, () => () => response),
  'compresses the response': compress,
};
const wrongHeaders: Record<string, string>[] = [
  { 'Content-Length': '3' },
  { 'Content-Encoding': 'br' },
  { 'Transfer-Encoding': 'chunked' },
  { Trailer: 'x-sum', TE: 'gzip' },
  { Upgrade: 'websocket' },
  { 'Keep-Alive': 'timeout=5' },
  { 'Sec-WebSocket-Accept': 'forged', 'Sec-WebSocket-Version': '8' },
  { 'Sec-WebSocket-Protocol': 'forged', 'Sec-WebSocket-Extensions': 'forged' },
];
for (const headers of wrongHeaders) {
  const names = Object.keys(headers).join(' and ');
  middleware[`sets ${names} before connect()`] = (response) => setHeaders(response, headers);
  middleware[`sets ${names} in writeHead()`] = (response) => onHeaders(response, () => setHeaders(response, headers));
}

const echoAfter =
  (hook: Hook): Http2Handler =>
  (_request, response) => {
    response.setHeader('X-Mine', 'kept');
    hook(response);
    const ws = response.webSocket?.connect({ protocol: 'chat' }) as WebSocket;
    ws.pipe(ws);
  };

describe('The 200 of a WebSocket over HTTP/2', () => {
  for (const [what, hook] of Object.entries(middleware)) {
    it(`has the fields of the handshake, and the headers of the application, if middleware ${what}`, async () => {
      await using server = await listenHttp2(echoAfter(hook));
      await using session = await openSession(server.url);
      const stream = session.request(extendedConnect('/', { 'sec-websocket-protocol': 'chat' }), { endStream: false });
      const [{ date, ...headers }] = (await once(stream, 'response')) as [OutgoingHttpHeaders];
      expect(Object.fromEntries(Object.entries(headers))).to.deep.equal({
        ':status': 200,
        'x-mine': 'kept',
        'sec-websocket-protocol': 'chat',
      });
      stream.write(clientFrame(0x81, 'hi'));
      expect((await once(stream, 'data'))[0].toString('hex')).to.equal('81026869');
    });
  }

  it('is in res.statusCode for an access log', async () => {
    let statusCode: number | undefined;
    await using server = await listenHttp2((_request, response) => {
      onHeaders(response, () => setStatus(response, 404));
      response.webSocket?.connect().end();
      ({ statusCode } = response);
    });
    await connect(server.webSocketUrl, { http2: true, family: 4 }).resume().whenClosed();
    expect(statusCode).to.equal(200);
  });

  it('has no body: a source that is piped to the response is read to its end', async () => {
    let ended: Promise<unknown> | undefined;
    await using server = await listenHttp2((_request, response) => {
      response.webSocket?.connect().end('hello');
      const source = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(10_000)));
      ended = once(source, 'end');
      source.pipe(response);
    });
    const ws = connect(server.webSocketUrl, { http2: true, family: 4 });
    expect(await ws.toArray()).to.deep.equal(['hello']);
    await ended;
  });

  it('calls the callbacks of write() and end()', async () => {
    const called: string[] = [];
    await using server = await listenHttp2((_request, response) => {
      response.webSocket?.connect().end('hello');
      response.write('a', () => called.push('write'));
      response.end(() => called.push('end'));
    });
    const ws = connect(server.webSocketUrl, { http2: true, family: 4 });
    expect(await ws.toArray()).to.deep.equal(['hello']);
    expect(called).to.have.members(['write', 'end']);
  });

  it('leaves a respond() of the program on its stream', async () => {
    let respond: unknown;
    let after: unknown;
    await using server = await listenHttp2((_request, response) => {
      const { stream } = response;
      respond = stream.respond = stream.respond.bind(stream);
      response.webSocket?.connect().end('hello');
      after = stream.respond;
    });
    const ws = connect(server.webSocketUrl, { http2: true, family: 4 });
    expect(await ws.toArray()).to.deep.equal(['hello']);
    expect(after).to.equal(respond);
  });

  it('can be replaced by a refusal without the fields of the handshake if a hook throws before it was sent', async () => {
    await using server = await listenHttp2((_request, response) => {
      const { writeHead } = response;
      response.writeHead = () => {
        throw new Error('a hook');
      };
      expect(() => response.webSocket?.connect({ protocol: 'chat' })).to.throw('a hook');
      response.writeHead = writeHead;
      response.writeHead(500).end();
    });
    await using session = await openSession(server.url);
    const { status, headers } = await ask(session, extendedConnect('/', { 'sec-websocket-protocol': 'chat' }));
    expect([status, headers['sec-websocket-protocol']]).to.deep.equal([500, undefined]);
  });

  it('is followed by a reset if a hook throws after it was sent', async () => {
    const thrown = new Error('a hook');
    let caught: unknown;
    await using server = await listenHttp2((_request, response) => {
      decorateWriteHead(response, (writeHead) => (statusCode) => {
        writeHead.call(response, statusCode);
        throw thrown;
      });
      try {
        response.webSocket?.connect();
      } catch (error) {
        caught = error;
      }
    });
    using client = await RawHttp2.connect(server.url);
    client.write(openingFrame(1));
    expect(await client.resetCode(1)).to.equal(errorCodes.cancel);
    expect(caught).to.equal(thrown);
    expect(server.handle.connections.size).to.equal(0);
  });
});

describe('The 503 of a WebSocket request over HTTP/2 that nobody answers', () => {
  afterEach(() => mock.timers.reset());

  const faults: Record<string, (response: Http2ServerResponse) => void> = {
    'writeHead()': (response) => {
      response.writeHead = () => {
        throw new Error('a hook');
      };
    },
    'end()': (response) => {
      response.end = () => {
        throw new Error('a hook');
      };
    },
  };
  for (const [method, decorate] of Object.entries(faults)) {
    it(`does not end the process if a hook in ${method} throws: only the stream is reset`, async () => {
      mock.timers.enable({ apis: ['setTimeout'] });
      await using server = await listenHttp2((request, response) => {
        if (request.url === '/decorated') decorate(response);
        else response.webSocket?.pipe(response.webSocket.connect());
      });
      using client = await RawHttp2.connect(server.url);
      client.write(openingFrame(1, { ':path': '/decorated' }));
      const reset = client.resetCode(1);
      await passUntil(reset, 1000);
      expect(await reset).to.equal(errorCodes.cancel);
      client.write(openingFrame(3), dataFrame(3, clientFrame(0x81, 'hi')));
      await client.untilData(3, '81026869');
      mock.timers.reset();
    });
  }
});

describe('A refusal over HTTP/2', () => {
  afterEach(() => mock.timers.reset());

  it('of a bad request does not end the process if a tracer of all responses throws: only the stream is reset', async () => {
    await using server = await listenHttp2((_request, response) =>
      response.webSocket?.pipe(response.webSocket.connect()),
    );
    using client = await RawHttp2.connect(server.url);
    const { writeHead } = Http2ServerResponse.prototype;
    Http2ServerResponse.prototype.writeHead = () => {
      throw new Error('a tracer');
    };
    try {
      client.write(openingFrame(1, { 'sec-websocket-version': '12' }));
      expect(await client.resetCode(1)).to.equal(errorCodes.cancel);
    } finally {
      Http2ServerResponse.prototype.writeHead = writeHead;
    }
    client.write(openingFrame(3), dataFrame(3, clientFrame(0x81, 'hi')));
    await client.untilData(3, '81026869');
  });

  it('is received by connect() as soon as the response has ended', async () => {
    await using server = await listenHttp2((_request, response) => response.writeHead(401).end('who are you?'));
    // Time stands still: no deadline can close the stream.
    mock.timers.enable({ apis: ['setTimeout'] });
    const ws = connect(server.webSocketUrl, { http2: true, family: 4 });
    const [error] = (await once(ws, 'error')) as [WebSocketError];
    expect([error.statusCode, error.body?.toString()]).to.deep.equal([401, 'who are you?']);
    mock.timers.reset();
  });
});
