import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { PassThrough, Readable, Transform } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { DialResult, Transport } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { createPair } from '../../lib/pair';
import { WebSocket } from '../../lib/websocket/webSocket';
import { FakeByteStream } from '../support/fakeByteStream';
import { FakeOpening } from '../support/fakeOpening';
import { collect } from '../support/garbage';
import { openWebSocket } from '../support/openWebSocket';
import { rawFrame } from '../support/rawPeer';
import { thrownBy } from '../support/thrown';
import { catching } from '../support/uncaught';
import { VirtualTime } from '../support/virtualTime';

const abnormal = { code: 1006, reason: '', wasClean: false };

/** Collects the errors of callbacks and events. */
class Errors {
  readonly all: WebSocketError[] = [];
  readonly note = (error?: Error | null): void => {
    if (error != null) this.all.push(error as WebSocketError);
  };

  get codes(): string[] {
    return this.all.map(({ code }) => code);
  }
}

/** Waits for 'close', also if 'error' is emitted before. */
function closeOf(ws: WebSocket): Promise<void> {
  return new Promise((resolve) => void ws.on('close', resolve));
}

/** Waits until the peer's Close frame was received. */
async function closedByPeer(ws: { readonly closeCode: number | undefined }): Promise<void> {
  while (ws.closeCode === undefined) await turn();
  await turn();
}

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

  for (const end of ['destroy', 'abort'] as const) {
    it(`is given up at ${end}() before connect()`, async () => {
      const opening = new FakeOpening();
      const ws = new WebSocket({ role: 'server', opening });
      ws[end]();
      expect(opening.abandoned).to.equal(1);
      expect(await ws.whenClosed()).to.deep.equal(abnormal);
      expect(ws.errored).to.equal(null);
      expect(thrownBy(() => ws.connect()).code).to.equal('WS_ERR_NOT_OPEN');
    });
  }

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

  it('keeps nothing of the handshake when it is open, with keepRequest: false', async () => {
    const open = async () => {
      const opening = new FakeOpening();
      const ws = new WebSocket({ role: 'server', opening, options: { keepRequest: false } });
      await once(ws.connect(), 'open');
      return { ws, request: new WeakRef(opening.request) };
    };
    const { ws, request } = await open();
    await turn();
    collect();
    expect(request.deref()).to.equal(undefined);
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

  it('has sent and received nothing, and has no close code, before it is open', () => {
    const ws = new WebSocket({ role: 'server', opening: new FakeOpening() });
    expect([ws.closeCode, ws.closeReason, ws.wasClean]).to.deep.equal([undefined, '', false]);
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

  it('has the subprotocol that the server has chosen', () => {
    const [server, client] = createPair({ protocol: 'chat', heartbeat: false });
    expect([server.protocol, client.protocol, client.transport]).to.deep.equal(['chat', 'chat', 'pair']);
    client.abort();
  });

  it('resets a transport that opens after it was destroyed', () => {
    const stream = new PassThrough();
    let result: DialResult | undefined;
    const ws = new WebSocket({
      role: 'client',
      dial(given) {
        result = given;
        return () => {};
      },
    });
    ws.destroy();
    const agreement = { transport: 'http1', version: '13', protocol: '', extensions: '' } as const;
    result?.opened({ stream, head: Buffer.alloc(0) }, agreement);
    expect(stream.destroyed).to.equal(true);
  });
});

describe('A WebSocket that reads messages as streams', () => {
  it('delivers a message while it is being received, and fails it when the WebSocket is destroyed', async () => {
    for (const failure of [undefined, new Error('enough')]) {
      const [server, client] = createPair({ messages: 'stream', heartbeat: false });
      for (const ws of [server, client]) ws.on('error', () => {});
      const source = new PassThrough({ encoding: 'utf8' });
      client.write(source);
      source.write('half of a');
      const [message] = await once(server, 'message');
      expect([message.binary, ...(await once(message, 'data'))]).to.deep.equal([false, 'half of a']);
      const failed = once(message, 'error');
      server.destroy(failure);
      const [error] = await failed;
      if (failure === undefined) expect(error).to.have.property('code', 'WS_ERR_ABORTED');
      else expect(error).to.equal(failure);
      client.abort();
    }
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

  for (const end of ['destroy', 'abort'] as const) {
    it(`tells the server once, with the outcome, when the connection has ended, and then emits 'close', after ${end}()`, async () => {
      const opening = new FakeOpening();
      const events: unknown[] = [];
      const closed = (webSocket: unknown, outcome: object) => events.push(['closed', webSocket, outcome]);
      const ws = new WebSocket({ role: 'server', opening, closed });
      ws.on('close', () => events.push('close'));
      ws.connect()[end]();
      await once(ws, 'close');
      expect(events).to.deep.equal([['closed', ws, abnormal], 'close']);
    });
  }

  it('closes with 1001 as a client that has sent everything, and with 1011 while a message waits', async () => {
    for (const [waits, code] of [[false, 1001] as const, [true, 1011] as const]) {
      const [server, client] = createPair({ heartbeat: false });
      server.on('error', () => {}).resume();
      if (waits) client.cork();
      client.write('text');
      client.destroy();
      expect((await server.whenClosed()).code).to.equal(code);
    }
  });

  it("does not emit 'drain' any more, though it was due in the same tick", async () => {
    const [server, client] = createPair({ heartbeat: false, highWaterMark: { messages: 1 } });
    client.on('error', () => {});
    let drains = 0;
    server.on('drain', () => drains++);
    server.cork();
    expect(server.write('waits')).to.equal(false);
    server.uncork();
    server.abort();
    await turn();
    expect(drains).to.equal(0);
  });

  it("emits 'drain' after a late write only for a loop, which may wait for it", async () => {
    const drainsOf = async (ws: WebSocket) => {
      let drains = 0;
      ws.on('drain', () => drains++).abort();
      ws.write('late');
      await turn();
      return drains;
    };
    const [server, client] = createPair({ heartbeat: false });
    client.on('error', () => {}).write('text');
    for await (const _message of server) {
      expect(await drainsOf(server)).to.equal(1);
      break;
    }
    const [other, itsPeer] = createPair({ heartbeat: false });
    itsPeer.on('error', () => {});
    expect(await drainsOf(other)).to.equal(0);
  });
});

describe('A WebSocket whose writable side has ended', () => {
  it('takes nothing more from a stream that is piped into it, though messages still wait', () => {
    const [server, client] = createPair({ heartbeat: false });
    client.on('error', () => {});
    const feed = new PassThrough({ objectMode: true });
    const unpiped: unknown[] = [];
    server.on('unpipe', (source) => unpiped.push(source));
    feed.pipe(server);
    server.write(new PassThrough());
    server.end();
    expect(unpiped).to.deep.equal([feed]);
    server.abort();
  });
});

describe('A WebSocket whose peer has closed', () => {
  it('does not end the writable side before a program that has paused has read, and may have answered', async () => {
    const [server, client] = createPair({ heartbeat: false });
    const received: unknown[] = [];
    client.on('message', (message) => received.push(message));
    server.on('message', (message) => server.write(`answer to ${message}`)).pause();
    server.write('hello');
    client.end('question');
    await closedByPeer(server);
    expect(server.writableEnded).to.equal(false);
    server.resume();
    await once(client, 'close');
    expect(received).to.deep.equal(['hello', 'answer to question']);
  });

  it('ends the writable side of a program that only writes, also if its first message is not sent yet', async () => {
    const [server, client] = createPair({ heartbeat: false });
    const received: unknown[] = [];
    client.on('message', (message) => received.push(message));
    const source = new PassThrough({ encoding: 'utf8' });
    server.write(source);
    client.end('unread');
    await closedByPeer(server);
    expect(server.writableEnded).to.equal(true);
    source.end('the only message');
    expect(await client.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: true });
    expect(received).to.deep.equal(['the only message']);
    server.abort();
  });

  it('fails with WS_ERR_CLOSE_TIMEOUT if a message is not sent in time', async () => {
    using time = new VirtualTime();
    time.start();
    const [server, client] = createPair({ heartbeat: false, closeTimeout: 1000 });
    const errors = new Errors();
    const source = new PassThrough();
    server.on('error', errors.note).resume().write(source, errors.note);
    client.resume().end();
    await time.passUntil(closeOf(server), 100);
    expect(errors.codes).to.deep.equal(['WS_ERR_CLOSE_TIMEOUT', 'WS_ERR_CLOSE_TIMEOUT']);
    for (const { message } of errors.all) expect(message).to.include('answered before everything was sent');
    expect(source.destroyed).to.equal(true);
  });

  it('fails with WS_ERR_CLOSE_TIMEOUT if a chain of streams does not end in time', async () => {
    using time = new VirtualTime();
    time.start();
    const [server, client] = createPair({ heartbeat: false, closeTimeout: 1000 });
    const errors = new Errors();
    server.on('error', errors.note);
    server.pipe(new Transform({ objectMode: true, flush() {} })).pipe(server);
    client.resume().end();
    await time.passUntil(closeOf(server), 100);
    expect(errors.codes).to.deep.equal(['WS_ERR_CLOSE_TIMEOUT']);
    expect(errors.all[0]?.message).to.include('answered before the program had ended');
  });

  /** The Close frame 1000 of a client. */
  const closeFrame = rawFrame(0x88, Buffer.of(1000 >> 8, 1000 & 255), 'client');

  it('fails with WS_ERR_CONNECTION_LOST if the connection ends while a message waits to be sent', async () => {
    const stream = new FakeByteStream();
    const ws = openWebSocket('server', { stream, head: Buffer.alloc(0) }, { options: { heartbeat: false } });
    const errors = new Errors();
    ws.on('error', errors.note).resume();
    ws.write('fills the byte stream');
    await turn();
    ws.write('waits', errors.note);
    stream.push(closeFrame);
    stream.push(null);
    await once(ws, 'end');
    stream.destroy();
    await closeOf(ws);
    expect(errors.codes).to.deep.equal(['WS_ERR_CONNECTION_LOST', 'WS_ERR_CONNECTION_LOST']);
    for (const { message } of errors.all) expect(message).to.include('before everything was sent');
    expect(await ws.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: false });
  });

  it('does not fail for a chain of streams that the program itself has ended too early, though the Close frame was never answered', async () => {
    using time = new VirtualTime();
    time.start();
    // An HTTP/2 stream that the peer has reset accepts no more bytes, and may close late.
    const stream = Object.assign(new FakeByteStream(), { aborted: false });
    const options = { heartbeat: false, closeTimeout: 1000 } as const;
    const ws = openWebSocket('server', { stream, head: Buffer.alloc(0) }, { options });
    const errors = new Errors();
    ws.on('error', errors.note);
    const slow = new Transform({
      objectMode: true,
      highWaterMark: 1,
      transform: (message, _encoding, done) => void setTimeout(done, 400, null, message),
    });
    ws.pipe(slow).pipe(ws);
    const frames = ['one', 'two', 'three', 'four'].map((text) => rawFrame(0x81, Buffer.from(text), 'client'));
    stream.push(Buffer.concat([...frames, closeFrame]));
    await closedByPeer(ws);
    stream.emit('aborted');
    ws.end();
    await time.passUntil(closeOf(ws), 100);
    expect(errors.all).to.deep.equal([]);
    expect(await ws.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: false });
  });

  it('does not fail if the connection ends before the Close frame is answered, and everything was sent', async () => {
    const stream = new FakeByteStream();
    const options = { heartbeat: false, allowHalfOpen: true } as const;
    const ws = openWebSocket('server', { stream, head: Buffer.alloc(0) }, { options });
    ws.resume();
    stream.push(closeFrame);
    stream.push(null);
    await once(ws, 'end');
    stream.destroy();
    await once(stream, 'close');
    ws.end();
    await once(ws, 'close');
    expect(await ws.whenClosed()).to.deep.equal({ code: 1000, reason: '', wasClean: false });
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
    await closeOf(server);
    expect(errors.slice(2)).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
  });
});

describe('A WebSocket whose connection is lost while a message waits to be sent', () => {
  it('delivers all messages that were received to a slow reader, and then fails', async () => {
    const stream = new FakeByteStream();
    const options = { heartbeat: false, highWaterMark: { messages: 1 } } as const;
    const ws = openWebSocket('server', { stream, head: Buffer.alloc(0) }, { options });
    ws.cork();
    ws.write('waits');
    const texts = ['one', 'two', 'three'];
    stream.push(Buffer.concat(texts.map((text) => rawFrame(0x81, Buffer.from(text), 'client'))));
    await once(ws, 'readable');
    stream.destroy();
    await once(stream, 'close');
    const received: unknown[] = [];
    const read = async () => {
      for await (const message of ws) {
        received.push(message);
        await turn();
      }
    };
    const error = await read().catch((reason) => reason);
    expect(received).to.deep.equal(texts);
    expect(error).to.have.property('code', 'WS_ERR_CONNECTION_LOST');
  });
});

describe('A WebSocket that nobody reads', () => {
  /** A server's WebSocket with these unread messages, and an end of the connection. */
  async function unread(...messages: readonly string[]) {
    const [server, client] = createPair({ heartbeat: false, closeTimeout: 1000 });
    const errors = new Errors();
    server.on('error', errors.note);
    client.on('error', () => {});
    for (const message of messages) await new Promise<unknown>((resolve) => client.write(message, resolve));
    const lose = async () => {
      client.abort();
      await server.whenClosed();
    };
    return { server, errors, lose };
  }

  it('fails closeTimeout after its connection is lost', async () => {
    using time = new VirtualTime();
    time.start();
    const { server, errors, lose } = await unread('unread');
    await lose();
    await time.pass(900, 100);
    expect(server.destroyed).to.equal(false);
    await time.pass(200, 100);
    expect([server.destroyed, errors.codes]).to.deep.equal([true, ['WS_ERR_CONNECTION_LOST']]);
  });

  it('has closeTimeout again after each message that the program has read', async () => {
    using time = new VirtualTime();
    time.start();
    const { server, errors, lose } = await unread('one', 'two', 'three');
    await lose();
    const received: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      await time.pass(600, 100);
      server.once('message', (message) => received.push(message));
      await turn();
    }
    await turn();
    expect([received, errors.codes]).to.deep.equal([['one', 'two', 'three'], ['WS_ERR_CONNECTION_LOST']]);
  });

  it('leaves no timer behind when it is destroyed', async () => {
    using time = new VirtualTime();
    time.start();
    const { server, lose } = await unread('unread');
    await lose();
    expect(time.delays).to.deep.equal([1000]);
    server.destroy();
    expect(time.delays).to.deep.equal([]);
  });

  it('stays open while its connection is, also if its last listener was removed', async () => {
    using time = new VirtualTime();
    time.start();
    const { server } = await unread('one', 'two');
    await once(server, 'message');
    await time.pass(1200, 100);
    expect(server.destroyed).to.equal(false);
    server.abort();
  });
});

describe("A client's WebSocket without an 'error' listener", () => {
  it('throws the error of a lost connection, as every stream of Node', async () => {
    const caught = await catching(async () => {
      const [server, client] = createPair({ heartbeat: false });
      server.abort();
      await client.whenClosed();
      await turn();
    });
    expect(caught.map((error) => (error as WebSocketError).code)).to.deep.equal(['WS_ERR_CONNECTION_LOST']);
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

  it('does not throw the error of a write after the peer has closed, with which the program destroys it', async () => {
    let server: WebSocket | undefined;
    const caught = await catching(async () => {
      const [ws, client] = createPair({ heartbeat: false });
      server = ws;
      client.on('error', () => {}).end();
      // A message that is not sent yet, so that the WebSocket is not closed when the late message is written.
      ws.write(new PassThrough());
      await once(ws.resume(), 'end');
      await turn();
      ws.write('late', (error) => ws.destroy(error as Error));
      await client.whenClosed();
    });
    expect(server?.errored).to.have.property('code', 'WS_ERR_NOT_OPEN');
    expect(caught).to.deep.equal([]);
  });

  it('does not throw the error of a memory budget, and closes with 1013', async () => {
    const caught = await catching(async () => {
      const [server, client] = createPair({ heartbeat: false });
      client.on('error', () => {}).resume();
      server._core.fail(new WebSocketError('WS_ERR_MEMORY_BUDGET'));
      expect((await client.whenClosed()).code).to.equal(1013);
    });
    expect(caught).to.deep.equal([]);
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
      await Promise.all([server.whenClosed(), closeOf(client)]);
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

  it('have no error of a connection that ends cleanly', async () => {
    const [server, client] = createPair({ heartbeat: false });
    const events = await published(async () => {
      for (const ws of [server, client]) ws.resume();
      client.end();
      await Promise.all([once(server, 'close'), once(client, 'close')]);
    });
    expect(events.map(([name]) => name)).to.have.members(['open', 'open', 'close', 'close']);
  });
});
