import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { expect } from 'chai';
import { createLogServer, type Entry, follow } from '../../demo/resumeDemo';
import { backoff } from '../../lib/client/backoff';
import {
  configureServer,
  type Message,
  type ReconnectingOptions,
  reconnecting,
  type WebSocket,
  type WebSocketError,
} from '../../lib/webSocketHandler';
import { createCertificate } from '../support/certificate';
import { listen, serve, type TestServer } from '../support/http';
import { rawServer, switching } from '../support/rawServer';
import { rejectionOf } from '../support/rejection';
import { thrownBy } from '../support/thrown';
import { hex } from '../support/vectors';

/** Waits that are too short to notice. */
const quick: ReconnectingOptions = { initialDelay: 1, maxDelay: 2 };

const urlOf = ({ port }: TestServer) => `ws://127.0.0.1:${port}/`;

/** All messages of all connections, and the error behind the last one. */
async function readAll(
  connections: AsyncIterable<WebSocket>,
): Promise<{ messages: Message[]; error?: WebSocketError }> {
  const messages: Message[] = [];
  try {
    for await (const ws of connections) {
      try {
        for await (const message of ws) messages.push(message);
      } catch {
        // The next connection goes on.
      }
    }
    return { messages };
  } catch (error) {
    return { messages, error: error as WebSocketError };
  }
}

describe('reconnecting()', () => {
  it('yields a new open stream after every end that is not clean and ends after a clean end', async () => {
    let connections = 0;
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      ws?.write(`connection ${++connections}`, () => {
        if (connections === 1) ws.abort();
        else if (connections === 2) ws.close(1012, 'restart');
        else if (connections === 3) ws.close(4000);
        else ws.end('goodbye');
      });
    });
    const streams: WebSocket[] = [];
    const messages: Message[] = [];
    for await (const ws of reconnecting(urlOf(server), quick)) {
      streams.push(ws);
      ws.on('message', (message) => messages.push(message));
    }
    expect(new Set(streams).size).to.equal(4);
    // The first message may be lost with its connection: that is what there is to resume from.
    const all = ['connection 1', 'connection 2', 'connection 3', 'connection 4', 'goodbye'];
    expect(messages.slice(-4)).to.deep.equal(all.slice(-4));
    expect(streams.at(-1)?.wasClean).to.equal(true);
  });

  it('throws at once for an invalid URL or option, and in the loop if a function returns one', async () => {
    expect(thrownBy(() => reconnecting('localhost:4080')).message).to.include('did you mean ws://localhost:4080?');
    expect(thrownBy(() => reconnecting('ws://localhost', { maxDelay: -1 })).message).to.include('option maxDelay');
    const first = reconnecting(() => 'localhost:4080').next();
    expect((await rejectionOf(first)).message).to.include('did you mean ws://localhost:4080?');
  });

  it('ends with the exception of a function of the program, as it is', async () => {
    const mistake = new Error('no token');
    const headers = () => Promise.reject(mistake);
    const ended = reconnecting('ws://localhost', { headers }).next();
    expect(await ended.catch((error: unknown) => error)).to.equal(mistake);
  });

  it('calls the functions for the URL and the headers before every connection', async () => {
    const asked: unknown[] = [];
    await using server = await listen((request, response) => {
      asked.push(request.url, request.headers.authorization);
      const ws = response.webSocket?.connect();
      if (asked.length < 6) ws?.abort();
      else ws?.end();
    });
    let attempts = 0;
    const { error } = await readAll(
      reconnecting(async () => `${urlOf(server)}?attempt=${++attempts}`, {
        ...quick,
        headers: () => ({ Authorization: `Bearer ${attempts}` }),
      }),
    );
    expect(error).to.equal(undefined);
    // The headers are made first, so they do not know of this attempt yet.
    const expected = [1, 2, 3].flatMap((attempt) => [`/?attempt=${attempt}`, `Bearer ${attempt - 1}`]);
    expect(asked).to.deep.equal(expected);
  });

  it('tries again while the port is closed', async () => {
    const server = createServer((_request, response) => response.webSocket?.connect().end('here I am'));
    const reserved = await serve(createServer());
    const url = urlOf(reserved);
    await reserved[Symbol.asyncDispose]();
    let failures = 0;
    const retry = (error: Error) => {
      expect(error).to.include({ code: 'WS_ERR_CONNECTION_FAILED' });
      if (++failures === 3) {
        configureServer(server);
        server.listen(reserved.port, '127.0.0.1');
      }
      return true;
    };
    const { messages } = await readAll(reconnecting(url, { ...quick, retry }));
    expect([messages, failures >= 3]).to.deep.equal([['here I am'], true]);
    await once(server.close(), 'close');
  });

  it('throws an error that would occur again and does not try again', async () => {
    for (const [status, code] of [
      [401, 'WS_ERR_HANDSHAKE_REFUSED'],
      [404, 'WS_ERR_HANDSHAKE_REFUSED'],
      [200, 'WS_ERR_HANDSHAKE_REFUSED'],
    ] as const) {
      let requests = 0;
      await using server = await listen((_request, response) => {
        requests++;
        response.writeHead(status).end();
      });
      const { error } = await readAll(reconnecting(urlOf(server), quick));
      expect([error?.code, error?.statusCode, requests]).to.deep.equal([code, status, 1]);
    }
  });

  it('waits for Retry-After, but not longer than maxDelay', async () => {
    let requests = 0;
    await using server = await listen((_request, response) => {
      const [status, after] = [
        [503, '3600'],
        [429, new Date(Date.now() + 3_600_000).toUTCString()],
        [500, 'whenever'],
      ][requests++] ?? [101, ''];
      if (status === 101) response.webSocket?.connect().end('at last');
      else response.writeHead(Number(status), { 'Retry-After': String(after) }).end();
    });
    expect((await readAll(reconnecting(urlOf(server), quick))).messages).to.deep.equal(['at last']);
  });

  it('passes the number of failures in a row to retry()', async () => {
    await using server = await listen((_request, response) => response.webSocket?.connect().abort());
    const counts = async (options: ReconnectingOptions) => {
      const seen: number[] = [];
      const retry = (_error: Error, failures: number) => seen.push(failures) < 4;
      const { error } = await readAll(reconnecting(urlOf(server), { ...options, retry }));
      expect(error?.code).to.equal('WS_ERR_CONNECTION_LOST');
      return seen;
    };
    expect(await counts({ initialDelay: 1, maxDelay: 60_000 })).to.deep.equal([1, 2, 3, 4]);
    expect(await counts({ initialDelay: 0, maxDelay: 0 })).to.deep.equal([1, 1, 1, 1]);
  });

  it('starts the delays again after a connection that delivered a message', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      ws?.write('news', () => ws.close(1011));
    });
    const seen: number[] = [];
    const retry = (_error: Error, failures: number) => seen.push(failures) < 4;
    const { messages, error } = await readAll(reconnecting(urlOf(server), { initialDelay: 1, retry }));
    expect([seen, error?.closeCode]).to.deep.equal([[1, 1, 1, 1], 1011]);
    expect(messages).to.deep.equal(['news', 'news', 'news', 'news']);
  });

  it('connects again after 1001, as after 1012', async () => {
    for (const code of [1001, 1012, 1013, 1011, 4000]) {
      let connections = 0;
      await using server = await listen((_request, response) => {
        const ws = response.webSocket?.connect();
        if (++connections < 3) ws?.close(code, 'back soon');
        else ws?.end('here I am');
      });
      const { messages, error } = await readAll(reconnecting(urlOf(server), quick));
      expect([messages, error, connections], String(code)).to.deep.equal([['here I am'], undefined, 3]);
    }
  });

  it('connects again to a server that shuts down and is configured again', async () => {
    let connections = 0;
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      if (++connections === 1) void server.handle.close();
      else ws?.end('here I am');
    });
    const retry = () => {
      if (connections === 1) configureServer(server.server, { filter: () => true });
      return true;
    };
    const { messages, error } = await readAll(reconnecting(urlOf(server), { ...quick, retry }));
    expect([messages, error, connections]).to.deep.equal([['here I am'], undefined, 2]);
  });

  it('connects again after destroy() of the server', async () => {
    let connections = 0;
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      if (++connections === 1) ws?.write('half of', () => ws.destroy());
      else ws?.end('here I am');
    });
    const { messages, error } = await readAll(reconnecting(urlOf(server), quick));
    expect([messages, error, connections]).to.deep.equal([['half of', 'here I am'], undefined, 2]);
  });

  it('calls retry() after 1001', async () => {
    await using server = await listen((_request, response) => response.webSocket?.connect().close(1001, 'bye'));
    const { error } = await readAll(reconnecting(urlOf(server), { ...quick, retry: () => false }));
    expect([error?.code, error?.closeCode]).to.deep.equal(['WS_ERR_CLOSED_BY_PEER', 1001]);
    expect(error?.message).to.include('close code 1001, "bye"');
  });

  it('ends after 1000, a Close frame without a code and its own 1001', async () => {
    let connections = 0;
    await using server = await listen((_request, response) => {
      connections++;
      response.webSocket?.connect().resume().end();
    });
    await using silent = await listen((_request, response) => {
      connections++;
      response.webSocket?.connect().resume();
    });
    await using bare = await rawServer((head, socket) => {
      connections++;
      socket.end(Buffer.concat([Buffer.from(switching(head)), hex('88 00')]));
    });
    expect(await readAll(reconnecting(urlOf(server), quick))).to.deep.equal({ messages: [] });
    expect(await readAll(reconnecting(`ws://127.0.0.1:${bare.port}/`, quick))).to.deep.equal({ messages: [] });
    for await (const ws of reconnecting(urlOf(silent), quick)) ws.resume().close(1001);
    expect(connections).to.equal(3);
  });

  it('ends with a handshake error that would occur again', async () => {
    for (const code of [1002, 1003, 1007, 1008, 1009, 1010]) {
      let connections = 0;
      await using server = await listen((_request, response) => {
        connections++;
        const ws = response.webSocket?.connect();
        ws?.write('news', () => ws.close(code));
      });
      const { error } = await readAll(reconnecting(urlOf(server), quick));
      expect([error?.code, error?.closeCode, connections]).to.deep.equal(['WS_ERR_CLOSED_BY_PEER', code, 1]);
    }
  });

  it('ends with an error for an untrusted certificate', async () => {
    const certificate = createCertificate();
    let attempts = 0;
    const server = createSecureServer(certificate);
    server.on('tlsClientError', () => attempts++);
    await using running = await serve(server as never);
    const trusting = { ca: certificate.cert, servername: 'other.example' };
    for (const options of [{}, trusting]) {
      attempts = 0;
      const url = `wss://localhost:${running.port}/`;
      const { error } = await readAll(reconnecting(url, { ...quick, ...options, family: 4, maxAttempts: 5 }));
      expect([error?.code, attempts <= 1]).to.deep.equal(['WS_ERR_CONNECTION_FAILED', true]);
      expect((error?.cause as NodeJS.ErrnoException | undefined)?.code).to.match(/SELF_SIGNED|ALTNAME/);
    }
  });

  it('ends with an error if the server asks for a certificate that the client has not', async () => {
    const certificate = createCertificate();
    let attempts = 0;
    const server = createSecureServer({ ...certificate, requestCert: true });
    server.on('tlsClientError', () => attempts++);
    await using running = await serve(server as never);
    const url = `wss://localhost:${running.port}/`;
    const { error } = await readAll(reconnecting(url, { ...quick, ca: certificate.cert, family: 4, maxAttempts: 5 }));
    expect([error?.code, attempts <= 1]).to.deep.equal(['WS_ERR_CONNECTION_FAILED', true]);
    expect((error?.cause as NodeJS.ErrnoException | undefined)?.code).to.match(/ALERT_CERTIFICATE_REQUIRED/);
  });

  it('throws after maxAttempts failures in a row and starts the count again after a success', async () => {
    let requests = 0;
    await using server = await listen((_request, response) => {
      if (++requests !== 3) return void response.writeHead(503).end();
      const ws = response.webSocket?.connect();
      ws?.write('news', () => ws.abort());
    });
    const { error, messages } = await readAll(reconnecting(urlOf(server), { ...quick, maxAttempts: 3 }));
    expect([error?.statusCode, requests, messages]).to.deep.equal([503, 6, ['news']]);
    requests = 3;
    await readAll(reconnecting(urlOf(server), { ...quick, maxAttempts: 1 }));
    expect(requests).to.equal(4);
  });

  it('waits a random time up to a bound that doubles up to maxDelay', () => {
    const { random } = Math;
    try {
      for (const [drawn, expected] of [
        [0, [0, 0, 0, 0]],
        [0.5, [50, 100, 200, 200]],
        [1, [100, 200, 400, 400]],
      ] as const) {
        Math.random = () => drawn;
        expect([1, 2, 3, 50].map((failures) => backoff(failures, 100, 400))).to.deep.equal(expected);
      }
    } finally {
      Math.random = random;
    }
    // By default: up to a second at first, up to half a minute in the end.
    for (let failures = 1; failures < 2000; failures++) {
      expect(backoff(failures))
        .to.be.at.least(0)
        .and.below(Math.min(30_000, 1000 * 2 ** (failures - 1)));
    }
  });

  it('ends when the program leaves the loop, which destroys an open stream', async () => {
    const closed: Promise<unknown>[] = [];
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect().resume();
      closed.push(ws?.whenClosed() ?? expect.fail());
    });
    for await (const _ of reconnecting(urlOf(server), quick)) break;
    for await (const ws of reconnecting(urlOf(server), quick)) {
      ws.end('my last word');
      break;
    }
    const thrown = new Error('in the loop');
    const loop = async () => {
      for await (const _ of reconnecting(urlOf(server), quick)) throw thrown;
    };
    expect(await loop().catch((error) => error)).to.equal(thrown);
    const outcomes = (await Promise.all(closed)) as { code: number }[];
    expect(outcomes.map(({ code }) => code)).to.deep.equal([1001, 1000, 1001]);
  });

  it('ends with a stream that the program has destroyed and throws its error', async () => {
    let connections = 0;
    await using server = await listen((_request, response) => {
      connections++;
      response.webSocket?.connect().resume();
    });
    for await (const ws of reconnecting(urlOf(server), quick)) ws.destroy();
    const fault = new Error('no room on the disk');
    const loop = async () => {
      for await (const ws of reconnecting(urlOf(server), quick)) ws.destroy(fault);
    };
    expect(await loop().catch((error) => error)).to.equal(fault);
    expect(connections).to.equal(2);
  });

  it('is aborted by its signal while it connects, while it waits and while it is open', async () => {
    const reason = new Error('enough');
    await using refusing = await listen((_request, response) => void response.writeHead(503).end());
    await using open = await listen((_request, response) => void response.webSocket?.connect());
    await using silent = await listen(() => {});
    const waiting = new AbortController();
    const slow = { initialDelay: 60_000, maxDelay: 60_000 };
    for (const [server, abort, options] of [
      [silent, new AbortController(), {}],
      [open, new AbortController(), {}],
      [refusing, waiting, { ...slow, retry: () => setImmediate(() => waiting.abort(reason)) !== undefined }],
    ] as const) {
      const reading = readAll(reconnecting(urlOf(server), { ...options, signal: abort.signal }));
      if (server !== refusing) {
        await once(server.server, 'upgrade');
        abort.abort(reason);
      }
      const { error } = await reading;
      expect([error?.code, error?.cause]).to.deep.equal(['WS_ERR_ABORTED', reason]);
    }
  });

  it('throws at once and names the invalid argument', () => {
    for (const [options, complaint] of [
      [{ initialDelay: -1 }, 'initialDelay must be milliseconds'],
      [{ maxDelay: Number.POSITIVE_INFINITY }, 'maxDelay must be milliseconds'],
      [{ retry: 3 }, 'retry must be a function'],
      [{ maxAttempts: 0 }, 'option maxAttempts must be a positive integer, or Infinity, not 0'],
      [{ maxRetries: 5 }, 'unknown option maxRetries; did you mean maxAttempts?'],
      [{ minReconnectionDelay: 5 }, 'did you mean initialDelay?'],
      [{ closeTimeout: -1 }, 'closeTimeout must be'],
      [{ headers: 5 }, 'headers must be'],
      [{ version: '5' }, 'option version must be one of'],
    ] as const) {
      expect(thrownBy(() => reconnecting('ws://localhost/', options as object)).message).to.include(complaint);
    }
  });

  it('loses no message in the demo, which resumes after lost connections', async () => {
    const log = Array.from({ length: 500 }, (_, i) => ({ number: i + 1, text: `entry ${i + 1}` }));
    // Every connection breaks somewhere: one at the first entry, one at the last, others between.
    const breaks = new Set([1, 2, 3, 50, 51, 250, 499, 500]);
    const server = createLogServer(log, ({ number }) => breaks.delete(number));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const received: Entry[] = [];
    const { log: print } = console;
    console.log = () => {};
    try {
      const { port } = server.address() as { port: number };
      await follow(`ws://127.0.0.1:${port}/log`, (entry) => received.push(entry));
    } finally {
      console.log = print;
      await once(server.close(), 'close');
    }
    expect([received, breaks.size]).to.deep.equal([log, 0]);
  });
});
