import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { mock } from 'node:test';
import { expect } from 'chai';
import {
  type AnyWebSocket,
  type CloseSummary,
  configureServer,
  connect,
  type WebSocket,
  type WebSocketError,
} from '../../lib/webSocketHandler';
import { ask, clientFrame, type Handler, listen, openingRequest, RawClient } from '../support/http';
import { run, stopPrograms } from '../support/runClient';
import { thrownBy } from '../support/thrown';

/** Reads what comes and says nothing. */
const listener: Handler = (_request, response) => response.webSocket?.connect().resume();

const urlOf = ({ port }: { port: number }) => `ws://127.0.0.1:${port}/`;

/** A client's answer to Close 1001. */
const goingAway = clientFrame(0x88, Buffer.from([3, 233]));

/** A client that answers the Close when it comes. */
async function politeClient(port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  client.socket.once('data', () => client.write(goingAway));
  return client;
}

describe('A server that shuts down', () => {
  it('resolves with the numbers of closed, dropped and refused connections', async () => {
    await using server = await listen(listener);
    using _one = await politeClient(server.port);
    using _other = await politeClient(server.port);
    using rude = await RawClient.open(server.port);
    const closing = server.handle.close();
    expect((await ask(server.port, openingRequest())).statusCode).to.equal(503);
    rude.socket.destroy();
    expect(await closing).to.deep.equal({ closed: 2, dropped: 1, refused: 1 });
  });

  it('resolves with zeros without connections', async () => {
    const handle = configureServer(createServer());
    const summary: CloseSummary = await handle.close();
    expect(summary).to.deep.equal({ closed: 0, dropped: 0, refused: 0 });
  });

  it('returns the same promise for every call of close()', async () => {
    await using server = await listen(listener);
    using client = await politeClient(server.port);
    const closing = server.handle.close({ code: 1012 });
    expect(server.handle.close({ code: 4000, spread: 100 })).to.equal(closing);
    await closing;
    expect(server.handle.close()).to.equal(closing);
    expect(client.received.toString('hex')).to.equal('880203f4');
  });

  it('sends written messages before the Close frame', async () => {
    const large = 'x'.repeat(100_000);
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      for (let i = 0; i < 20; i++) ws?.write(`${i} ${large}`);
      ws?.resume();
      void server.handle.close();
    });
    const client = connect(urlOf(server));
    const messages = (await client.toArray()) as string[];
    expect(messages.map((message) => Number.parseInt(message, 10))).to.deep.equal(
      Array.from({ length: 20 }, (_, i) => i),
    );
    expect(client.closeCode).to.equal(1001);
  });

  it('closes connections that are accepted meanwhile with the same code and reason after their first messages', async () => {
    let accept = () => {};
    await using server = await listen((_request, response) => {
      accept = () => response.webSocket?.connect().resume().write('hi');
    });
    using early = await RawClient.connect(server.port);
    early.write(openingRequest());
    await once(server.server, 'upgrade');
    void server.handle.close({ code: 1012, reason: 'deploy' });
    accept();
    await early.head();
    expect(await early.take(14)).to.equal(`81026869880803f4${Buffer.from('deploy').toString('hex')}`);
  });

  it('drops connections that are accepted after the deadline at once', async () => {
    let accept = () => {};
    await using server = await listen((request, response) => {
      const go = () => response.webSocket?.connect().resume();
      if (request.url === '/late') accept = go;
      else go();
    });
    using silent = await RawClient.open(server.port);
    using late = await RawClient.connect(server.port);
    late.write(openingRequest({ start: 'GET /late HTTP/1.1' }));
    await once(server.server, 'upgrade');
    const closing = server.handle.close({ timeout: 20 });
    const [ws] = server.handle.connections;
    void ws?.whenClosed().then(() => accept());
    await closing;
    await silent.end();
    await late.end();
    expect(late.received.toString('latin1')).to.match(/^HTTP\/1.1 101.*\r\n\r\n$/s);
  });

  it('only fails the later writes of a program that goes on writing', async () => {
    await using server = await listen(listener);
    using client = await politeClient(server.port);
    const [ws] = server.handle.connections;
    const closing = server.handle.close();
    expect(ws?.write('the program knows nothing of it')).to.equal(false);
    const errors = await Promise.all([
      new Promise((done) => ws?.write('nor of what becomes of it', done)),
      new Promise((done) => ws?.sendBinaryMessage(Buffer.from('or of this'), done)),
      new Promise((done) => ws?.end('and it has its own goodbye', done as () => void)),
    ]);
    expect(errors.map((error) => (error as WebSocketError).code)).to.deep.equal(Array(3).fill('WS_ERR_NOT_OPEN'));
    expect(await closing).to.deep.equal({ closed: 1, dropped: 0, refused: 0 });
    expect(await ws?.whenClosed()).to.deep.equal({ code: 1001, reason: '', wasClean: true });
    await client.end();
    expect(client.received.toString('hex')).to.equal('880203e9');
  });

  it('fails a pipeline that has not ended when the Close frame was sent', async () => {
    let over: Promise<unknown> | undefined;
    const source = new PassThrough({ objectMode: true });
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect() as WebSocket;
      over = pipeline(source, ws.resume()).catch((error) => error.code);
    });
    using _client = await politeClient(server.port);
    const closing = server.handle.close();
    source.write('there is more to come');
    expect(await closing).to.deep.equal({ closed: 1, dropped: 0, refused: 0 });
    expect(await over).to.equal('ERR_STREAM_PREMATURE_CLOSE');
  });

  it('does not change connections that the program has ended itself', async () => {
    await using server = await listen((_request, response) => response.webSocket?.connect().resume().close(4000));
    using client = await RawClient.open(server.port);
    const closing = server.handle.close();
    expect(await client.take(4)).to.equal('88020fa0');
    client.write(clientFrame(0x88, Buffer.from([15, 160])));
    expect(await closing).to.deep.equal({ closed: 1, dropped: 0, refused: 0 });
  });

  it('can be closed with await using', async () => {
    await using server = await listen(listener);
    using client = await politeClient(server.port);
    {
      await using _handle = server.handle;
    }
    expect(server.handle.connections.size).to.equal(0);
    expect(client.received.toString('hex')).to.equal('880203e9');
  });

  const mistakes: Record<string, [options: object, complaint: RegExp]> = {
    'a code that cannot be sent': [{ code: 1006 }, /option code must be a close code: .*, not 1006/],
    'a reason that is too long': [{ reason: 'x'.repeat(124) }, /option reason must be a string of at most 123 bytes/],
    'a negative timeout': [{ timeout: -1 }, /option timeout must be milliseconds from 0 to 2147483647, not -1/],
    'a spread that is no number': [
      { spread: '5s' },
      /option spread must be milliseconds from 0 to 2147483647, not '5s'/,
    ],
    'a spread beyond the timeout': [
      { spread: 101, timeout: 100 },
      /option spread must be at most timeout, 100, not 101/,
    ],
    'a spread beyond the default timeout': [{ spread: 20_001 }, /spread must be at most timeout, 20000, not 20001/],
    'no options object': [null as never, /options must be an object/],
  };
  for (const [what, [options, complaint]] of Object.entries(mistakes)) {
    it(`refuses ${what} and stays open`, async () => {
      await using server = await listen(listener);
      const error = thrownBy(() => void server.handle.close(options));
      expect([error.code, complaint.test(error.message)]).to.deep.equal(['WS_ERR_INVALID_ARGUMENT', true]);
      using client = await RawClient.open(server.port);
      expect(client.ended).to.equal(false);
    });
  }
});

describe('The spread of a shutdown', () => {
  afterEach(() => {
    mock.timers.reset();
    mock.restoreAll();
  });

  /** As if chance had these numbers for the next connections. */
  function chance(...numbers: number[]): void {
    mock.timers.enable({ apis: ['setTimeout'] });
    mock.method(Math, 'random', () => numbers.shift() ?? 0);
  }

  const isClosing = (ws: AnyWebSocket) => ws.writableEnded;

  it('closes each connection at a different time', async () => {
    await using server = await listen(listener);
    using _first = await politeClient(server.port);
    using _second = await politeClient(server.port);
    using _third = await politeClient(server.port);
    const open = [...server.handle.connections];
    chance(0.5, 0.1, 0.999);
    const closing = server.handle.close({ spread: 1000 });
    expect(open.map(isClosing)).to.deep.equal([false, false, false]);
    mock.timers.tick(100);
    expect(open.map(isClosing)).to.deep.equal([false, true, false]);
    mock.timers.tick(400);
    expect(open.map(isClosing)).to.deep.equal([true, true, false]);
    mock.timers.tick(499);
    expect(open.map(isClosing)).to.deep.equal([true, true, true]);
    expect(await closing).to.deep.equal({ closed: 3, dropped: 0, refused: 0 });
  });

  it('serves a connection until it is closed', async () => {
    await using server = await listen((_request, response) => {
      const ws = response.webSocket?.connect();
      ws?.pipe(ws);
    });
    using client = await RawClient.open(server.port);
    chance(0.5);
    const closing = server.handle.close({ spread: 1000 });
    client.write(clientFrame(0x81, 'hi'));
    expect(await client.take(4)).to.equal('81026869');
    mock.timers.tick(500);
    expect(await client.take(4)).to.equal('880203e9');
    client.write(goingAway);
    await closing;
  });

  it('ends early without a timer when every connection has closed', async () => {
    await using server = await listen(listener);
    using client = await RawClient.open(server.port);
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const closing = server.handle.close({ spread: 20_000 });
    expect(timers()).to.equal(before + 2);
    client.write(clientFrame(0x88, Buffer.from([3, 232])));
    expect(await closing).to.deep.equal({ closed: 1, dropped: 0, refused: 0 });
    expect(timers()).to.equal(before);
  });

  it('does not move the deadline, which is counted from the call', async () => {
    await using server = await listen(listener);
    using silent = await RawClient.open(server.port);
    chance(0.999);
    const closing = server.handle.close({ spread: 1000, timeout: 1000 });
    mock.timers.tick(999);
    expect(await silent.take(4)).to.equal('880203e9');
    mock.timers.tick(1);
    expect(await closing).to.deep.equal({ closed: 0, dropped: 1, refused: 0 });
  });
});

describe('A process that handles SIGTERM', () => {
  afterEach(stopPrograms);

  /** A server as a user has it, up to the lines of docs/api.md about its end. */
  const server = `
    const { createServer } = require('node:http');
    const { configureServer } = require('./lib/webSocketHandler');
    const server = createServer((request, response) => response.webSocket.connect().resume());
    const handle = configureServer(server);
    server.on('close', () => console.log('closed'));
    server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
  `;

  it('closes its clients with 1001 and exits with code 0, as docs/api.md shows', async function () {
    this.timeout(60_000);
    const documentation = readFileSync(join(__dirname, '../../docs/api.md'), 'utf8');
    const [, example] = /\n## Shutting down\n.*?```js\n(.*?)```/s.exec(documentation) ?? [];
    const program = run([process.execPath, '-r', 'ts-node/register', '-e', server + example]);
    await program.until(({ output }) => output.includes('\n'));
    const port = Number(/port (\d+)/.exec(program.output.toString())?.[1]);
    const clients = [1, 2, 3].map(() => connect(urlOf({ port })).resume());
    await Promise.all(clients.map((client) => once(client, 'open')));
    program.kill('SIGTERM');
    const outcomes = await Promise.all(clients.map((ws) => ws.whenClosed()));
    expect(outcomes).to.deep.equal(Array(3).fill({ code: 1001, reason: '', wasClean: true }));
    expect(await program.ending).to.deep.equal({ code: 0, output: `port ${port}\nclosed\n`, complaints: '' });
  });
});
