import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { Transport } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { createPair } from '../../lib/pair';
import { WebSocket } from '../../lib/websocket/webSocket';
import { FakeOpening } from '../support/fakeOpening';
import { thrownBy } from '../support/thrown';
import { catching } from '../support/uncaught';

const abnormal = { code: 1006, reason: '', wasClean: false };

describe('The WebSocket of a request', () => {
  it('closes with 1006 when the request is refused, and cannot be connected any more', async () => {
    const opening = new FakeOpening();
    const ws = new WebSocket({ role: 'server', opening });
    opening.unaccepted({ refused: true });
    expect(ws.destroyed).to.equal(true);
    expect(await ws.whenClosed()).to.deep.equal(abnormal);
    expect(thrownBy(() => ws.connect()).code).to.equal('WS_ERR_NOT_OPEN');
    expect(opening.abandoned).to.equal(0);
  });

  it('can be connected after the client has left, and then has the outcome of its connection', async () => {
    const opening = new FakeOpening();
    const ws = new WebSocket({ role: 'server', opening });
    opening.unaccepted({ refused: false });
    expect([ws.destroyed, ws.closeCode]).to.deep.equal([false, 1006]);
    ws.connect();
    expect(ws.closeCode).to.equal(undefined);
    opening.unaccepted({ refused: true });
    expect([ws.destroyed, ws.closeCode]).to.deep.equal([false, undefined]);
    ws.abort();
    expect(await ws.whenClosed()).to.deep.equal(abnormal);
  });

  it('is given up when it is destroyed before connect()', async () => {
    const opening = new FakeOpening();
    const ws = new WebSocket({ role: 'server', opening });
    ws.destroy();
    expect(opening.abandoned).to.equal(1);
    expect(await ws.whenClosed()).to.deep.equal(abnormal);
    expect(thrownBy(() => ws.connect()).code).to.equal('WS_ERR_NOT_OPEN');
  });

  it("emits 'start' before its response is made, and 'open' in a later tick", async () => {
    const opening = new FakeOpening();
    const ws = new WebSocket({ role: 'server', opening });
    const events: unknown[] = [];
    ws.on('start', () => events.push(['start', opening.acceptance])).on('open', () => events.push('open'));
    ws.connect({ highWaterMark: { messages: 3 } });
    expect(events).to.deep.equal([['start', undefined]]);
    expect([ws.readableHighWaterMark, ws.writableHighWaterMark]).to.deep.equal([3, 3]);
    await once(ws, 'open');
    ws.abort();
  });

  it("does not emit 'open' after it was destroyed in the same turn", async () => {
    const ws = new WebSocket({ role: 'server', opening: new FakeOpening() });
    const events: string[] = [];
    ws.on('open', () => events.push('open'));
    ws.connect().abort();
    await turn();
    expect(events).to.deep.equal([]);
  });

  it('forgets its request after the event with keepRequest: false', async () => {
    const opening = new FakeOpening();
    const ws = new WebSocket({ role: 'server', opening, options: { keepRequest: false } });
    const seen: unknown[] = [];
    ws.on('open', () => seen.push(ws.request));
    ws.connect();
    await turn();
    expect([seen, ws.request]).to.deep.equal([[opening.request], undefined]);
    ws.abort();
  });

  it('resets a transport that opens after it was destroyed, and reports the end to the server', () => {
    let resets = 0;
    for (const reset of [undefined, () => resets++]) {
      const opening = new FakeOpening();
      const closed: unknown[] = [];
      const ws = new WebSocket({ role: 'server', opening, closed: (...given) => closed.push(given) });
      let open: ((transport: Transport) => void) | undefined;
      opening.accept = (_acceptance, opened) => {
        open = opened;
      };
      ws.connect().destroy();
      open?.({ stream: opening.stream, head: Buffer.alloc(0), reset });
      expect(opening.stream.destroyed).to.equal(reset === undefined);
      expect(closed).to.deep.equal([[ws, abnormal]]);
    }
    expect(resets).to.equal(1);
  });
  it('has sent and received nothing before it is open', () => {
    const ws = new WebSocket({ role: 'server', opening: new FakeOpening() });
    expect(new Set(Object.values(ws.counters))).to.deep.equal(new Set([0]));
    expect(ws.counters).to.include({ messagesReceived: 0, messagesSent: 0, bytesSent: 0 });
  });
});

describe('The WebSocket of a client', () => {
  it('fails with the error of its handshake', async () => {
    const refused = new WebSocketError('WS_ERR_HANDSHAKE_REFUSED');
    const ws = new WebSocket({
      role: 'client',
      dial({ failed }) {
        setImmediate(failed, refused);
        return () => {};
      },
    });
    const errors: unknown[] = [];
    ws.on('error', (error) => errors.push(error));
    expect(await ws.whenClosed()).to.deep.equal(abnormal);
    await turn();
    expect(errors).to.deep.equal([refused]);
  });
});

describe('A WebSocket that is destroyed', () => {
  it('is unpiped, leaves its groups, and fails messages that wait and those written later', async () => {
    const [server, client] = createPair({ heartbeat: false });
    client.on('error', () => {});
    const sink = new PassThrough({ objectMode: true });
    const unpiped: unknown[] = [];
    sink.on('unpipe', (source) => unpiped.push(source));
    server.pipe(sink);
    const group = new Set([server]);
    server._core.closing.groups.add(group as Set<never>);
    const codes: unknown[] = [];
    const note = (error?: Error | null) => void codes.push((error as WebSocketError | undefined)?.code);
    server.cork();
    server.write('waits', note);
    server.destroy();
    expect(server.write('late', note)).to.equal(false);
    await server.whenClosed();
    expect([unpiped, group.size]).to.deep.equal([[server], 0]);
    expect(codes).to.deep.equal(['WS_ERR_NOT_OPEN', 'WS_ERR_NOT_OPEN']);
  });

  it("tells the server once, with the outcome, when the connection has ended, and then emits 'close'", async () => {
    const opening = new FakeOpening();
    const events: unknown[] = [];
    const closed = (webSocket: unknown, outcome: object) => events.push(['closed', webSocket, outcome]);
    const ws = new WebSocket({ role: 'server', opening, closed });
    ws.on('close', () => events.push('close'));
    ws.connect().abort();
    await once(ws, 'close');
    expect(events).to.deep.equal([['closed', ws, abnormal], 'close']);
  });
});

describe('A WebSocket whose connection is lost before its messages are read', () => {
  it('refuses writes, keeps the messages for a reader, and then fails', async () => {
    const [server, client] = createPair({ heartbeat: false });
    const errors: unknown[] = [];
    const note = (error?: Error | null) => void errors.push((error as WebSocketError | undefined)?.code);
    server.on('error', note);
    await new Promise<unknown>((resolve) => client.write('unread', resolve));
    server.cork();
    server.write('waits', note);
    client.abort();
    expect(await server.whenClosed()).to.deep.equal(abnormal);
    expect([server.destroyed, server.writableLength]).to.deep.equal([false, 0]);
    expect(server.write('late', note)).to.equal(false);
    await turn();
    expect(errors).to.deep.equal(['WS_ERR_NOT_OPEN', 'WS_ERR_NOT_OPEN']);
    expect(server.read()).to.equal('unread');
    await new Promise((resolve) => server.on('close', resolve));
    expect(errors.slice(2)).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
  });
});

describe("A server's WebSocket without an 'error' listener", () => {
  const codesOf = (caught: readonly unknown[]) => caught.map((error) => (error as WebSocketError).code);

  const write = (message: unknown) =>
    catching(async () => {
      const [server, client] = createPair({ heartbeat: false });
      client.on('error', () => {}).resume();
      server.write(message as never);
      await Promise.all([server.whenClosed(), client.whenClosed()]);
    });

  it('throws the error of a value that the program has written and that is no message', async () => {
    expect(codesOf(await write({}))).to.deep.equal(['WS_ERR_INVALID_ARGUMENT']);
  });

  it('does not throw the error of a source, whose pieces may be those of a peer', async () => {
    expect(await write(Readable.from([{}]))).to.deep.equal([]);
  });
});

describe('A WebSocket of a version without binary messages', () => {
  it('fails the write only, by its callback or else by an event, and does not throw on a server', async () => {
    const [server, client] = createPair({ version: 'draft75', heartbeat: false });
    const errors: unknown[] = [];
    const note = (error?: Error | null) => void errors.push((error as WebSocketError).code);
    expect(server.write(Buffer.from('bytes'), note)).to.equal(true);
    server.write(Buffer.from('bytes'));
    client.on('error', note).write(Buffer.from('bytes'));
    expect(errors).to.deep.equal([]);
    await turn();
    expect(errors).to.deep.equal(['WS_ERR_UNSUPPORTED', 'WS_ERR_UNSUPPORTED']);
    expect([server.destroyed, client.destroyed]).to.deep.equal([false, false]);
    server.abort();
  });
});

describe('The diagnostics channels of a WebSocket', () => {
  /** The messages of all channels while something is done, each with the name of its channel. */
  async function published(work: () => Promise<unknown>): Promise<[name: string, message: object][]> {
    const all: [string, object][] = [];
    const names = ['open', 'message-sent', 'message-received', 'error', 'close'].map(
      (name) => `node-websocket-handler:${name}`,
    );
    const note = (message: unknown, name: string | symbol) =>
      void all.push([String(name).split(':')[1] as string, message as object]);
    for (const name of names) subscribe(name, note);
    try {
      await work();
    } finally {
      for (const name of names) unsubscribe(name, note);
    }
    return all;
  }

  it('have its events, with their details', async () => {
    const [server, client] = createPair({ heartbeat: false });
    const failure = new Error('enough');
    server.on('error', () => {});
    client.on('error', () => {}).resume();
    const events = await published(async () => {
      client.write('hello');
      await once(server, 'message');
      server.destroy(failure);
      await Promise.all([server.whenClosed(), new Promise((resolve) => client.on('close', resolve))]);
    });
    const of = (ws: WebSocket) =>
      events
        .filter(([, message]) => (message as { webSocket: unknown }).webSocket === ws)
        .map(([name, { webSocket, ...details }]: [string, { webSocket?: unknown }]) => [name, details]);
    expect(of(server).slice(0, 3)).to.deep.equal([
      ['open', {}],
      ['message-received', { message: 'hello' }],
      ['error', { error: failure }],
    ]);
    expect(of(server)[3]?.[0]).to.equal('close');
    expect(of(client).map(([name]) => name)).to.have.members(['open', 'message-sent', 'error', 'close']);
    expect(of(client).find(([name]) => name === 'close')).to.deep.equal([
      'close',
      { code: 1011, reason: '', wasClean: true },
    ]);
  });
});
