import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import type { DataFrame } from '../../lib/contracts';
import { WebSocketError } from '../../lib/errors';
import { hixie76 } from '../../lib/versions/hixie76';
import { rfc6455 } from '../../lib/versions/rfc6455';
import { isMessageSource, type MessageSource, OutgoingSource } from '../../lib/websocket/messageSources';
import { catching } from '../support/uncaught';

const fragments = { capabilities: rfc6455.capabilities, maxMessageSize: 100 };
const whole = { capabilities: hixie76.capabilities, maxMessageSize: 10 };

/** A receiver of fragments. It takes the next one when `takeNext()` is called, or, if it is `eager`, at once. */
class FakeReceiver {
  readonly frames: DataFrame[] = [];
  readonly done: (WebSocketError | undefined)[] = [];
  eager = true;
  #sent: (() => void) | undefined;

  send(source: OutgoingSource, rules = fragments): void {
    source.send(
      (frame, sent) => {
        this.frames.push(frame);
        if (this.eager) sent();
        else this.#sent = sent;
      },
      rules,
      (error) => this.done.push(error),
    );
  }

  takeNext(): void {
    this.#sent?.();
  }

  /** The payloads of the fragments, and a full stop for the one that ends the message. */
  get text(): string {
    return this.frames.map(({ payload, fin }) => `${payload}${fin ? '.' : ''}`).join('|');
  }

  get codes(): (string | undefined)[] {
    return this.done.map((error) => error?.code);
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await turn();
}

async function sent(source: MessageSource, rules = fragments): Promise<FakeReceiver> {
  const receiver = new FakeReceiver();
  receiver.send(new OutgoingSource(source), rules);
  await turns();
  return receiver;
}

/** Yields its pieces, then never settles, and notes how often it is told to stop. */
class EndlessSource implements AsyncIterable<string> {
  returns = 0;
  nexts = 0;
  readonly #pieces: string[];

  constructor(...pieces: string[]) {
    this.#pieces = pieces;
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: async () => {
        this.nexts++;
        const value = this.#pieces.shift();
        return value === undefined ? new Promise(() => {}) : { done: false, value };
      },
      return: async () => {
        this.returns++;
        return { done: true, value: undefined };
      },
    };
  }
}

const stopped = () => new WebSocketError('WS_ERR_CONNECTION_LOST');

describe('isMessageSource()', () => {
  it('accepts a Readable, a web ReadableStream and an async iterable, and nothing else', () => {
    for (const source of [Readable.from([]), new ReadableStream(), new EndlessSource()])
      expect(isMessageSource(source)).to.equal(true);
    for (const other of ['text', Buffer.alloc(1), ['a'], null, undefined, {}, 5])
      expect(isMessageSource(other)).to.equal(false);
  });
});

describe('OutgoingSource.send()', () => {
  it('sends each piece as a fragment, and an empty one that ends the message', async () => {
    const { frames, done } = await sent(Readable.from(['one', '', 'two']));
    expect(frames).to.deep.equal([
      { opcode: 'text', fin: false, payload: 'one' },
      { opcode: 'continuation', fin: false, payload: 'two' },
      { opcode: 'continuation', fin: true, payload: '' },
    ]);
    expect(done).to.deep.equal([undefined]);
  });

  it('sends bytes as a binary message, and no pieces as an empty one', async () => {
    expect((await sent(Readable.from([Buffer.of(1)]))).frames[0]?.opcode).to.equal('binary');
    expect((await sent(Readable.from([]))).frames).to.deep.equal([{ opcode: 'binary', fin: true, payload: '' }]);
  });

  it('sends a source without pieces as text if its property `binary` is false', async () => {
    const source = Object.assign(Readable.from([]), { binary: false });
    expect((await sent(source)).frames).to.deep.equal([{ opcode: 'text', fin: true, payload: '' }]);
  });

  it('accepts only pieces of the type that the property `binary` of the source names', async () => {
    for (const [binary, piece] of [
      [true, 'text'],
      [false, Buffer.of(1)],
    ] as const) {
      const source = Object.assign(Readable.from([piece]), { binary });
      expect((await sent(source)).codes).to.deep.equal(['WS_ERR_INVALID_ARGUMENT']);
    }
  });

  it('keeps a half of a surrogate pair only until the other half has been read', async () => {
    expect((await sent(Readable.from(['\ud800', '\udc00', 'b']))).text).to.equal('\ud800\udc00|b|.');
    expect((await sent(Readable.from(['a\udbff', '\udfff', 'b']))).text).to.equal('a|\udbff\udfff|b|.');
    expect((await sent(Readable.from(['a\ud800']), whole)).text).to.equal('a\ud800');
  });

  it('sends the halves of a surrogate pair in one fragment', async () => {
    expect((await sent(Readable.from(['a\ud83d', '\ude00b\ud83d']))).text).to.equal('a|\ud83d\ude00b|\ud83d.');
  });

  it('reads the next piece when the last one was sent', async () => {
    const source = new EndlessSource('a', 'b');
    const receiver = new FakeReceiver();
    receiver.eager = false;
    receiver.send(new OutgoingSource(source));
    await turns();
    expect([source.nexts, receiver.text]).to.deep.equal([1, 'a']);
    receiver.takeNext();
    await turns();
    expect([source.nexts, receiver.text]).to.deep.equal([2, 'a|b']);
  });

  it('collects the pieces for a version without fragments, up to maxMessageSize', async () => {
    expect((await sent(Readable.from(['one', 'two']), whole)).frames).to.deep.equal([
      { opcode: 'text', payload: 'onetwo' },
    ]);
    expect((await sent(Readable.from(['12345', '67890']), whole)).text).to.equal('1234567890');
    const { frames, codes, done } = await sent(Readable.from(['12345', '678901']), whole);
    expect([frames, codes]).to.deep.equal([[], ['WS_ERR_MESSAGE_TOO_BIG']]);
    expect(done[0]?.message).to.match(/maxMessageSize, 10 bytes/);
  });

  it('sends no pieces as an empty text in a version without binary messages', async () => {
    expect((await sent(Readable.from([]), whole)).frames).to.deep.equal([{ opcode: 'text', payload: '' }]);
  });

  it('collects bytes for a version without fragments that has binary messages', async () => {
    const rules = { ...whole, capabilities: { ...hixie76.capabilities, binary: true } };
    const { frames } = await sent(Readable.from([Buffer.of(1), Buffer.of(2, 3)]), rules);
    expect(frames).to.deep.equal([{ opcode: 'binary', payload: Buffer.of(1, 2, 3) }]);
    expect((await sent(Readable.from([]), rules)).frames).to.deep.equal([{ opcode: 'binary', payload: Buffer.of() }]);
  });

  it('fails with the error of a fragment that cannot be sent', async () => {
    const done: unknown[] = [];
    const source = new EndlessSource('a', 'b');
    const lost = stopped();
    new OutgoingSource(source).send(
      (_frame, sent) => sent(lost),
      fragments,
      (error) => done.push(error),
    );
    await turns();
    expect([done, source.returns]).to.deep.equal([[lost], 1]);
  });

  it('fails with WS_ERR_UNSUPPORTED for bytes in a version without binary messages', async () => {
    const { done } = await sent(Readable.from([Buffer.of(1)]), whole);
    expect(done[0]?.code).to.equal('WS_ERR_UNSUPPORTED');
    expect(done[0]?.message).to.match(/no binary messages/);
  });

  it('fails with WS_ERR_SOURCE_FAILED, and the cause, if the source fails', async () => {
    const cause = new Error('disk');
    const failing: MessageSource[] = [
      new Readable({ read: () => {}, objectMode: true }).destroy(cause),
      new ReadableStream({ start: (controller) => controller.error(cause) }),
      (async function* () {
        yield 'a';
        throw cause;
      })(),
    ];
    for (const source of failing) {
      const { done } = await sent(source);
      expect(done.map((error) => [error?.code, error?.cause])).to.deep.equal([['WS_ERR_SOURCE_FAILED', cause]]);
    }
  });

  it('fails with WS_ERR_SOURCE_FAILED also if the source fails with undefined', async () => {
    const source = new ReadableStream({ start: (controller) => controller.error(undefined) });
    expect((await sent(source)).codes).to.deep.equal(['WS_ERR_SOURCE_FAILED']);
  });

  it('fails with WS_ERR_SOURCE_FAILED if the source cannot be read at all', async () => {
    const locked = new ReadableStream();
    locked.getReader();
    expect((await sent(locked)).codes).to.deep.equal(['WS_ERR_SOURCE_FAILED']);
  });

  it('fails with WS_ERR_INVALID_ARGUMENT for a piece of another type, and cancels the source', async () => {
    const reasons: WebSocketError[] = [];
    const source = new ReadableStream({
      start(controller) {
        controller.enqueue('text');
        controller.enqueue(Buffer.of(1));
      },
      cancel: (reason) => void reasons.push(reason),
    });
    const { codes, text } = await sent(source);
    expect([codes, text]).to.deep.equal([['WS_ERR_INVALID_ARGUMENT'], 'text']);
    expect(reasons.map(({ code }) => code)).to.deep.equal(['WS_ERR_INVALID_ARGUMENT']);
  });

  it('says which pieces it accepts', async () => {
    const errors = await Promise.all(
      [['a', Buffer.of(1)], [Buffer.of(1), 'a'], [5]].map((pieces) => sent(Readable.from(pieces))),
    );
    expect(errors.map(({ codes }) => codes)).to.deep.equal(Array(3).fill(['WS_ERR_INVALID_ARGUMENT']));
    const [text, binary, number] = errors.map(({ done }) => done[0]?.message);
    expect(text).to.match(/text message must be a string, not /);
    expect(binary).to.match(/binary message must be a Buffer, .* not /);
    expect(number).to.match(/must be a Buffer, .* not 5/);
  });

  it('lets an exception of the callback end the process, as that of a listener, also after a failure', async () => {
    const thrown = new Error('of the program');
    const caught = await catching(async () => {
      for (const source of [Readable.from(['a']), Readable.from([5])])
        new OutgoingSource(source).send(
          (_frame, sent) => sent(),
          fragments,
          () => {
            throw thrown;
          },
        );
      await turns();
    });
    expect(caught).to.deep.equal([thrown, thrown]);
  });

  it('does not let a Node stream that fails before it is sent end the process', async () => {
    const cause = new Error('disk');
    const source = new Readable({ read() {} });
    const outgoing = new OutgoingSource(source);
    source.destroy(cause);
    await turns();
    const receiver = new FakeReceiver();
    receiver.send(outgoing);
    await turns();
    expect(receiver.done.map((error) => [error?.code, error?.cause])).to.deep.equal([['WS_ERR_SOURCE_FAILED', cause]]);
  });
});

describe('OutgoingSource.stop()', () => {
  it('calls the callback once and at once, although next() never settles, and calls return() once', async () => {
    const source = new EndlessSource('a');
    const receiver = new FakeReceiver();
    const outgoing = new OutgoingSource(source);
    receiver.send(outgoing);
    await turns();
    outgoing.stop(stopped());
    expect([receiver.codes, source.returns]).to.deep.equal([['WS_ERR_CONNECTION_LOST'], 1]);
    outgoing.stop(stopped());
    await turns();
    expect([receiver.codes, source.returns]).to.deep.equal([['WS_ERR_CONNECTION_LOST'], 1]);
  });

  it('destroys a Readable with the error', async () => {
    const source = new Readable({ read() {} });
    const receiver = new FakeReceiver();
    const outgoing = new OutgoingSource(source);
    receiver.send(outgoing);
    await turns();
    const error = stopped();
    outgoing.stop(error);
    await turns();
    expect([source.destroyed, source.errored, receiver.done]).to.deep.equal([true, error, [error]]);
  });

  it('cancels a web stream once, and does not send the end of the message', async () => {
    const reasons: unknown[] = [];
    const receiver = new FakeReceiver();
    const outgoing = new OutgoingSource(new ReadableStream({ cancel: (reason) => void reasons.push(reason) }));
    receiver.send(outgoing);
    await turns();
    const error = stopped();
    outgoing.stop(error);
    await turns();
    expect([reasons, receiver.done, receiver.frames]).to.deep.equal([[error], [error], []]);
  });

  it('sends no more fragments, also if the source yields more pieces', async () => {
    let give!: (piece: string) => void;
    const receiver = new FakeReceiver();
    const outgoing = new OutgoingSource(
      (async function* () {
        yield new Promise<string>((resolve) => {
          give = resolve;
        });
      })(),
    );
    receiver.send(outgoing);
    await turns();
    outgoing.stop(stopped());
    give('too late');
    await turns();
    expect([receiver.frames, receiver.codes]).to.deep.equal([[], ['WS_ERR_CONNECTION_LOST']]);
  });

  it('reads no more pieces when the waiting fragment is sent later', async () => {
    const source = new EndlessSource('a', 'b');
    const receiver = new FakeReceiver();
    receiver.eager = false;
    const outgoing = new OutgoingSource(source);
    receiver.send(outgoing);
    await turns();
    outgoing.stop(stopped());
    receiver.takeNext();
    await turns();
    expect([source.nexts, receiver.text, receiver.codes]).to.deep.equal([1, 'a', ['WS_ERR_CONNECTION_LOST']]);
  });

  it('stops a source that is not being sent yet', async () => {
    const source = new EndlessSource();
    new OutgoingSource(source).stop(stopped());
    expect([source.nexts, source.returns]).to.deep.equal([0, 1]);
  });

  it('does not cancel a source that has ended or failed by itself', async () => {
    for (const [next, code] of [
      [async () => ({ done: true as const, value: undefined }), 'WS_ERR_CONNECTION_LOST'],
      [() => Promise.reject(new Error('disk')), 'WS_ERR_SOURCE_FAILED'],
    ] as const) {
      let returns = 0;
      const source = {
        [Symbol.asyncIterator]: () => ({ next, return: async () => ({ done: true as const, value: returns++ }) }),
      };
      const outgoing = new OutgoingSource(source);
      const receiver = new FakeReceiver();
      receiver.eager = false;
      receiver.send(outgoing);
      await turns();
      outgoing.stop(stopped());
      expect([returns, receiver.codes]).to.deep.equal([0, [code]]);
    }
  });

  it('calls return() of an iterable that has only some methods of a Node stream', () => {
    const method = () => expect.fail('it is no Node stream');
    for (const methods of [
      { on: method },
      { destroy: method },
      { on: method, destroy: true },
      { on: true, destroy: method },
    ]) {
      const source = Object.assign(new EndlessSource(), methods);
      new OutgoingSource(source).stop(stopped());
      expect(source.returns).to.equal(1);
    }
  });

  it('does not throw if cancelling the source fails', async () => {
    const locked = new ReadableStream();
    locked.getReader();
    const iterable = (iterator: Partial<AsyncIterator<string>>) =>
      ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), ...iterator }) }) as AsyncIterable<string>;
    const fail = () => {
      throw new Error('no');
    };
    const sources: MessageSource[] = [
      locked,
      new ReadableStream({ cancel: fail }),
      iterable({}),
      iterable({ return: fail }),
      iterable({ return: () => Promise.reject(new Error('no')) }),
      { [Symbol.asyncIterator]: fail },
    ];
    const unhandled: unknown[] = [];
    const note = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', note);
    for (const source of sources) new OutgoingSource(source).stop(stopped());
    await turns();
    process.removeListener('unhandledRejection', note);
    expect(unhandled).to.deep.equal([]);
  });
});
