import { Duplex, PassThrough, type Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import {
  noteDerivedStreams,
  noteOperators,
  overrideGetters,
  overrideListenerMethods,
  ownListener,
  removeProgramListeners,
} from '../../lib/nodeStreams/duplexOverrides';
import { BroadcastStream, byteStream, createPair, reconnecting, type WebSocket } from '../../lib/webSocketHandler';
import { listen as listenHttp } from '../support/http';
import { inVirtualTime } from '../support/virtually';

/** A class of its own for each spec, whose prototype can be changed. */
const newClass = () =>
  class FakeStream extends Duplex {
    override _read(): void {}
  };

const listener = () => {};

describe('overrideListenerMethods()', () => {
  function rig() {
    const Stream = newClass();
    const changes: (readonly [stream: Duplex, count: number])[] = [];
    overrideListenerMethods(Stream.prototype, (stream) => changes.push([stream, stream.listenerCount('message')]));
    return { stream: new Stream(), changes };
  }

  it("is called after each method that adds or removes a 'message' listener", () => {
    for (const add of ['on', 'addListener', 'once', 'prependListener', 'prependOnceListener'] as const) {
      const { stream, changes } = rig();
      expect(stream[add]('message', listener)).to.equal(stream);
      expect(changes).to.deep.equal([[stream, 1]]);
    }
    for (const remove of ['off', 'removeListener'] as const) {
      const { stream, changes } = rig();
      stream.on('message', listener);
      expect(stream[remove]('message', listener)).to.equal(stream);
      expect(changes.at(-1)).to.deep.equal([stream, 0]);
    }
  });

  it('calls back when a once() listener has been called', () => {
    const { stream, changes } = rig();
    stream.once('message', listener);
    stream.emit('message', 'a');
    expect(changes.map(([, count]) => count)).to.deep.equal([1, 0]);
  });

  it("calls back for 'data', which starts the flow as in Node, and for no other event", () => {
    const { stream, changes } = rig();
    stream.on('error', listener).on('close', listener).off('close', listener);
    expect(changes).to.deep.equal([]);
    stream.on('data', listener);
    expect([changes.length, stream.readableFlowing]).to.deep.equal([1, true]);
  });

  it('lets a program replace the methods, as those of every stream', () => {
    const { stream, changes } = rig();
    const replaced = () => stream;
    for (const name of ['on', 'addListener', 'prependListener', 'off', 'removeListener'] as const) {
      stream[name] = replaced;
      expect(stream[name]).to.equal(replaced);
      expect(Object.getOwnPropertyDescriptor(Object.getPrototypeOf(stream), name)?.configurable).to.equal(true);
    }
    stream.on('message', listener);
    expect(changes).to.deep.equal([]);
  });

  it('does not change other streams', () => {
    const { changes } = rig();
    new Duplex().on('message', listener);
    expect(changes).to.deep.equal([]);
  });
});

describe('overrideGetters()', () => {
  it("returns the value of the getter instead of Node's own property", () => {
    const Stream = newClass();
    overrideGetters(Stream.prototype, { readableHighWaterMark: (stream) => [stream.readableLength, 'messages'] });
    const stream = new Stream();
    expect(stream.readableHighWaterMark).to.deep.equal([0, 'messages']);
    expect(new Duplex({ readableHighWaterMark: 5 }).readableHighWaterMark).to.equal(5);
  });

  it('can override a property again', () => {
    const Stream = newClass();
    for (const value of ['first', 'second']) overrideGetters(Stream.prototype, { readableLength: () => value });
    expect(new Stream().readableLength).to.equal('second');
  });
});

describe('noteOperators()', () => {
  const names = ['map', 'filter', 'flatMap', 'take', 'drop'] as const;

  it('calls the callback when an operator is applied, and returns the result of Node', async () => {
    for (const name of names) {
      const Stream = newClass();
      const noted: Duplex[] = [];
      noteOperators(Stream.prototype, (stream) => noted.push(stream));
      const stream = new Stream({ objectMode: true });
      stream.push('a');
      stream.push(null);
      const operator = stream[name] as (this: Duplex, parameter: unknown) => Duplex;
      const isCount = name === 'take' || name === 'drop';
      const result = operator.call(stream, isCount ? 1 : (message: string) => [message]);
      expect(noted).to.deep.equal([stream]);
      expect((await result.toArray()).flat()).to.deep.equal(name === 'drop' ? [] : ['a']);
    }
  });

  it('does not call the callback for operators that read to the end themselves', async () => {
    const Stream = newClass();
    noteOperators(Stream.prototype, () => expect.fail('It was noted'));
    const stream = new Stream({ objectMode: true });
    stream.push(null);
    expect(await stream.toArray()).to.deep.equal([]);
  });
});

describe('noteDerivedStreams()', () => {
  it('calls the callback with each stream that Node makes of the stream, and of streams that it has made', () => {
    const Stream = newClass();
    const noted: [stream: Duplex, derived: Readable][] = [];
    noteDerivedStreams(Stream.prototype, (stream, derived) => noted.push([stream, derived]));
    const stream = new Stream({ objectMode: true });
    const mapped = stream.map((message) => message);
    const filtered = mapped.filter(() => true);
    const composed = stream.compose(new PassThrough({ objectMode: true }));
    expect(noted).to.have.lengthOf(3);
    for (const [index, derived] of [mapped, filtered, composed].entries()) {
      expect(noted[index]?.[0]).to.equal(stream);
      expect(noted[index]?.[1]).to.equal(derived);
    }
  });

  it('adds no operator that the Node of the program does not have', () => {
    const withoutOperators = {} as Readable;
    noteDerivedStreams(withoutOperators, () => {});
    expect('map' in withoutOperators).to.equal(false);
  });

  it('lets a program replace an operator, as a method of every stream', () => {
    const Stream = newClass();
    for (const note of [noteOperators, noteDerivedStreams]) note(Stream.prototype, () => expect.fail('It was noted'));
    const stream = new Stream();
    stream.map = () => stream;
    expect(stream.map((message) => message)).to.equal(stream);
    expect(Object.getOwnPropertyDescriptor(Stream.prototype, 'map')?.configurable).to.equal(true);
  });
});

describe('removeProgramListeners()', () => {
  it('keeps the listeners of the library, also those that are called once', () => {
    const stream = new (newClass())();
    for (const own of [ownListener(() => {}), listener]) stream.on('pong', own).once('close', own);
    removeProgramListeners(stream, undefined);
    expect([stream.listenerCount('pong'), stream.listenerCount('close')]).to.deep.equal([1, 1]);
  });
});

describe('WebSocket.removeAllListeners()', () => {
  const listen = (ws: WebSocket) => {
    for (const event of ['message', 'data', 'end', 'close', 'error', 'pong'] as const) ws.on(event, () => {});
    ws.once('close', () => {});
  };

  it('removes the listeners of the program for one event, and keeps those for others', () => {
    const [ws, peer] = createPair();
    peer.on('error', () => {});
    const before = ws.listenerCount('close');
    listen(ws);
    ws.removeAllListeners('close');
    expect([ws.listenerCount('close'), ws.listenerCount('pong')]).to.deep.equal([before, 1]);
    ws.abort();
  });

  it('removes all listeners of the program without an argument', () => {
    const [ws, peer] = createPair();
    peer.on('error', () => {});
    const before = ws.eventNames().map((event) => [event, ws.listenerCount(event)]);
    listen(ws);
    ws.removeAllListeners();
    expect(ws.eventNames().map((event) => [event, ws.listenerCount(event)])).to.deep.equal(before);
    ws.abort();
  });

  for (const stream of ['WebSocket', 'byte stream'] as const) {
    it(`leaves the ${stream} able to end when it is called while messages are read`, () =>
      inVirtualTime(async (time) => {
        const [server, client] = createPair({ closeTimeout: 20_000 });
        const readable: Duplex = stream === 'WebSocket' ? server : byteStream(server);
        client.resume();
        client.write('first');
        client.write('last');
        client.end();
        readable.on('data', () => {});
        for (let i = 0; i < 3; i++) await turn();
        readable.removeAllListeners();
        readable.resume();
        expect(await client.whenClosed()).to.include({ code: 1000, wasClean: true });
        expect(time.now).to.be.below(5000);
      }));
  }

  it('leaves a WebSocket its membership in a room, which it leaves when it closes', async () => {
    const [server, client] = createPair();
    const room = new BroadcastStream();
    room.add(server);
    server.removeAllListeners().resume();
    client.on('error', () => {});
    client.close();
    await server.whenClosed();
    await turn();
    expect(room.members.size).to.equal(0);
    room.destroy();
  });

  it('does not stop reconnecting()', async () => {
    await using server = await listenHttp((_request, response) => response.webSocket?.connect().close(1012));
    let connections = 0;
    for await (const ws of reconnecting(`ws://127.0.0.1:${server.port}/`, { initialDelay: 1, maxDelay: 1 })) {
      ws.removeAllListeners();
      if (++connections === 3) break;
      ws.resume().on('error', () => {});
    }
    expect(connections).to.equal(3);
  });
});
