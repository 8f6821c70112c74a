import { once } from 'node:events';
import { Duplex, Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableWritablePair } from 'node:stream/web';
import { BroadcastStream, type Message, type MessageStream } from '../../lib/webSocketHandler';
import { settled } from './readers';
import { labelOf, ownText, type Scene, type Settled } from './scene';

/** A way to write to a WebSocket. */
export interface Writer {
  readonly name: string;
  /**
   * What it does with what is read: nothing; or it is a chain from the WebSocket back to it, which ends it; or it is such a chain
   * and takes longer for that than half of `closeTimeout`.
   */
  readonly chain?: 'in time' | 'too slow';
  /** Whether it has no end of its own. */
  readonly endless?: boolean;
  /** Whether its promise tells that the WebSocket has ended before its own end. */
  readonly learnsEnd?: boolean;
  /** Whether it reads by a loop. */
  readonly isLoop?: boolean;
  start(scene: Scene): Promise<Settled>;
}

const untilClose = (scene: Scene) => scene.closed.then((): Settled => 'done');

/** The pause of a feed before this message: at some moments nothing of it waits to be sent. */
async function pause(scene: Scene, i: number): Promise<void> {
  for (let turns = 0; turns <= i % 3; turns++) await scene.turn();
}

/** Messages until the end of time, one in each few turns of the event loop. */
function feed(scene: Scene): Readable {
  async function* messages() {
    for (let i = 0; ; i++) {
      await pause(scene, i);
      yield ownText(i);
    }
  }
  const stream = Readable.from(messages(), { highWaterMark: 2 });
  stream.on('error', () => {});
  scene.whenClosed(() => {
    // Time for the library, and for Node, to unpipe it.
    setImmediate(() => stream.destroy());
  });
  return stream;
}

const echoOf = (text: string) => `echo of ${labelOf(text)}|${'z'.repeat(1000)}`;

/** The message, noted if the reader of the scene does not do that. */
async function take(scene: Scene, message: Message | MessageStream): Promise<string> {
  return scene.writerNotes ? await scene.take(message) : String(message);
}

function echo(scene: Scene, delay: number): Transform {
  const stream = new Transform({
    objectMode: true,
    // One at a time: what waits for it waits in the WebSocket.
    highWaterMark: 1,
    async transform(message: Message | MessageStream, _encoding, done) {
      const text = await take(scene, message);
      await scene.after(delay);
      done(null, echoOf(text));
    },
  });
  stream.on('error', () => {});
  return scene.foreign('the transform', stream);
}

async function chainBack(scene: Scene, delay: number): Promise<Settled> {
  scene.ws.pipe(echo(scene, delay)).pipe(scene.ws);
  await scene.closed;
  // It still has a message in hand, and one behind it.
  await scene.after(3 * delay + 50);
  return 'done';
}

/** Waits as programs do: for 'drain', or for the end. */
async function drained(scene: Scene): Promise<void> {
  if (scene.over) return;
  await new Promise<void>((resolve) => {
    const settle = () => {
      scene.ws.off('drain', settle);
      resolve();
    };
    scene.ws.on('drain', settle);
    scene.whenClosed(settle);
  });
}

/** Writes on for some turns after 'close', as a program does that looks at nothing. */
async function loop(scene: Scene, patient: boolean): Promise<Settled> {
  for (let i = 0, late = 0; i < 60 && late < 3; i++) {
    if (scene.over) late++;
    if (!scene.write(ownText(i), `own ${i}`) && patient) await drained(scene);
    if (i % 3 === 0) await scene.turn();
  }
  return 'done';
}

export const writers: readonly Writer[] = [
  { name: 'nobody', start: untilClose },
  { name: "a loop without 'drain'", start: (scene) => loop(scene, false) },
  { name: "a loop with 'drain'", start: (scene) => loop(scene, true) },
  {
    name: 'a feed that is piped in',
    endless: true,
    async start(scene) {
      const source = feed(scene);
      scene.foreign('the feed', source).pipe(scene.ws);
      await scene.closed;
      return 'done';
    },
  },
  {
    name: 'a feed by pipeline',
    endless: true,
    learnsEnd: true,
    start: (scene) => settled(pipeline(feed(scene), scene.ws)),
  },
  {
    name: 'a chain back',
    chain: 'in time',
    start: (scene) => chainBack(scene, 5),
  },
  {
    name: 'a slow chain back',
    chain: 'too slow',
    start: (scene) => chainBack(scene, 300),
  },
  {
    name: 'pipeline through a generator and back',
    chain: 'in time',
    isLoop: true,
    learnsEnd: true,
    start(scene) {
      async function* echoes(messages: AsyncIterable<Message | MessageStream>) {
        for await (const message of messages) {
          const text = await take(scene, message);
          await scene.turn();
          yield echoOf(text);
        }
      }
      return settled(pipeline(scene.ws, echoes, scene.ws));
    },
  },
  {
    name: 'a chain back of web streams',
    chain: 'in time',
    learnsEnd: true,
    start(scene) {
      const { readable, writable } = Duplex.toWeb(scene.ws) as ReadableWritablePair;
      const echoes = new TransformStream({
        async transform(message, controller) {
          const text = await take(scene, message);
          controller.enqueue(echoOf(text));
        },
      });
      return settled(readable.pipeThrough(echoes).pipeTo(writable));
    },
  },
  {
    name: 'a streamed message',
    async start(scene) {
      let ends = 0;
      async function* pieces() {
        try {
          for (let i = 0; i < 6; i++) {
            yield i === 0 ? 'streamed|' : 'piece '.repeat(500);
            await scene.after(15);
          }
        } finally {
          ends++;
        }
      }
      scene.write('before|', 'before');
      scene.write(pieces(), 'streamed');
      scene.write('behind|', 'behind');
      await scene.closed;
      await scene.after(100);
      if (ends !== 1) scene.faults.push(`the source of the message was ended ${ends} times`);
      return 'done';
    },
  },
  {
    name: 'a web stream',
    endless: true,
    learnsEnd: true,
    start(scene) {
      let i = 0;
      let cancels = 0;
      const source = new ReadableStream<string>({
        async pull(controller) {
          await pause(scene, i);
          controller.enqueue(ownText(i++));
        },
        cancel() {
          cancels++;
        },
      });
      const result = settled(source.pipeTo(Writable.toWeb(scene.ws as Writable)));
      return result.then((end) => {
        if (cancels !== 1) scene.faults.push(`the web stream was cancelled ${cancels} times`);
        return end;
      });
    },
  },
  {
    name: 'a broadcast',
    async start(scene) {
      const all = new BroadcastStream();
      all.add(scene.ws as never);
      for (let i = 0; i < 60 && !scene.over; i++) {
        if (!all.write(ownText(i))) await once(all, 'drain');
        await scene.turn();
      }
      await scene.closed;
      await scene.turn();
      if (all.members.size > 0) scene.faults.push('the WebSocket is still a member of the BroadcastStream');
      return 'done';
    },
  },
];
