import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { isPipedToSelf, pipeToSelf, unpipeFromSelf } from '../../lib/nodeStreams/selfPipe';

/** Both have the pipe of Node, or ours. */
const pipes: Readonly<Record<string, (stream: Duplex) => void>> = {
  Node: (stream) => stream.pipe(stream),
  ours: pipeToSelf,
};

/** What the program sees of a stream: the chunks that it writes, its events, and the listeners that are left. */
class Observed {
  readonly seen: string[] = [];
  readonly stream: Duplex;
  /** Callbacks of the writes that have not finished. */
  readonly writes: (() => void)[] = [];

  constructor() {
    const writes = this.writes;
    this.stream = new Duplex({
      objectMode: true,
      writableHighWaterMark: 3,
      read() {},
      write: (chunk, _encoding, done) => {
        this.seen.push(`write ${chunk}`);
        writes.push(done);
      },
    });
    // Node's unpipe() does not know of our pipe, as a WebSocket does.
    const { unpipe } = this.stream;
    this.stream.unpipe = (destination) => {
      if (isPipedToSelf(this.stream)) unpipeFromSelf(this.stream);
      return unpipe.call(this.stream, destination);
    };
    for (const event of ['pipe', 'unpipe', 'pause', 'resume', 'drain', 'end', 'finish', 'close'])
      this.stream.on(event, () => this.seen.push(event));
  }

  /** Lets all writes finish that have been made. */
  async finishWrites(): Promise<void> {
    for (const done of this.writes.splice(0)) done();
    await turn();
  }

  get listeners(): string[] {
    return ['data', 'end', 'close', 'finish', 'drain', 'error'].map(
      (event) => `${event} ${this.stream.listenerCount(event)}`,
    );
  }
}

type Course = (observed: Observed, pipe: (stream: Duplex) => void) => Promise<unknown>;

const courses: Readonly<Record<string, Course>> = {
  async 'chunks, and the end of both sides'(observed, pipe) {
    const { stream } = observed;
    pipe(stream);
    for (const chunk of ['a', 'b', null]) stream.push(chunk);
    for (let i = 0; i < 4; i++) await observed.finishWrites();
  },
  async "backpressure: it goes on at 'drain'"(observed, pipe) {
    const { stream } = observed;
    pipe(stream);
    for (let i = 0; i < 9; i++) stream.push(`${i}`);
    for (let i = 0; i < 6; i++) await observed.finishWrites();
  },
  async "a writable side that waits for 'drain' already"(observed, pipe) {
    const { stream } = observed;
    for (let i = 0; i < 3; i++) stream.write(`written ${i}`);
    stream.push('a');
    pipe(stream);
    for (let i = 0; i < 6; i++) await observed.finishWrites();
  },
  async 'a program that pauses and resumes'(observed, pipe) {
    const { stream } = observed;
    pipe(stream);
    await turn();
    stream.pause();
    stream.push('a');
    await observed.finishWrites();
    stream.resume();
    for (let i = 0; i < 2; i++) await observed.finishWrites();
  },
  async 'unpipe() of this destination, and a pipe again'(observed, pipe) {
    const { stream } = observed;
    pipe(stream);
    stream.unpipe(stream);
    stream.push('a');
    await observed.finishWrites();
    pipe(stream);
    for (let i = 0; i < 2; i++) await observed.finishWrites();
  },
  async 'unpipe() of all, while it waits'(observed, pipe) {
    const { stream } = observed;
    pipe(stream);
    for (let i = 0; i < 4; i++) stream.push(`${i}`);
    await turn();
    stream.unpipe();
    for (let i = 0; i < 6; i++) await observed.finishWrites();
  },
  async 'a writable side that the program ends: it reads no more'(observed, pipe) {
    const { stream } = observed;
    pipe(stream);
    stream.end();
    await observed.finishWrites();
    stream.push('a');
    await observed.finishWrites();
  },
  async 'a pipe after the end'(observed, pipe) {
    const { stream } = observed;
    stream.push(null);
    stream.resume();
    await turn();
    pipe(stream);
    for (let i = 0; i < 2; i++) await observed.finishWrites();
  },
  async 'a destruction'(observed, pipe) {
    const { stream } = observed;
    pipe(stream);
    stream.destroy();
    await turn();
  },
  async "an error, with an 'error' listener"(observed, pipe) {
    const { stream, seen } = observed;
    pipe(stream);
    stream.on('error', (error) => seen.push(error.message));
    stream.destroy(new Error('broken'));
    await turn();
  },
  async "an error that a program emits, with an 'error' listener"(observed, pipe) {
    const { stream, seen } = observed;
    pipe(stream);
    stream.on('error', (error) => seen.push(error.message));
    stream.emit('error', new Error('broken'));
    await turn();
  },
  async "an error that a program emits, without an 'error' listener"(observed, pipe) {
    const { stream, seen } = observed;
    pipe(stream);
    stream.emit('error', new Error('broken'));
    stream.on('error', (error) => seen.push(error.message));
    await turn();
  },
};

describe('pipeToSelf()', () => {
  for (const [name, course] of Object.entries(courses)) {
    it(`does what Node's pipe() of a stream to itself does: ${name}`, async () => {
      const results: unknown[] = [];
      for (const pipe of Object.values(pipes)) {
        const observed = new Observed();
        await course(observed, pipe);
        const { destroyed, readableFlowing, writableEnded } = observed.stream;
        results.push({ seen: observed.seen, listeners: observed.listeners, destroyed, readableFlowing, writableEnded });
      }
      expect(results[1]).to.deep.equal(results[0]);
    });
  }

  it("throws an error that nobody but the pipe listens for, as Node's pipe() does", async () => {
    for (const pipe of Object.values(pipes)) {
      const { stream } = new Observed();
      pipe(stream);
      stream.on('error', () => {});
      stream.destroy(new Error('broken'));
      await turn();
      stream.removeAllListeners('error');
      pipe(stream);
      expect(() => stream.emit('error', new Error('broken'))).to.throw('broken');
    }
  });

  it('makes no function for a stream', () => {
    const [first, second] = [new Observed().stream, new Observed().stream];
    for (const stream of [first, second]) pipeToSelf(stream);
    for (const event of ['data', 'close', 'error'])
      expect(first.rawListeners(event).at(-1)).to.equal(second.rawListeners(event).at(-1));
  });
});
