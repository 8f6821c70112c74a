import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Message, MessageStream } from '../../lib/webSocketHandler';
import { nameOf, type Scene, type Settled } from './scene';

/** A way to read a WebSocket. */
export interface Reader {
  readonly name: string;
  /** Whether it takes every message there is; one that leaves early does not, and nobody takes none. */
  readonly takes: 'all' | 'some' | 'nothing';
  readonly messages?: 'stream';
  /** Whether the loop or the stream learns by an error of its own that the WebSocket has failed. */
  readonly learnsErrors?: boolean;
  /** Whether it sees 'end' only when it has taken its time, which is longer than half of `closeTimeout`. */
  readonly slow?: boolean;
  /** Whether an error may overtake messages: the WHATWG's streams drop what is queued when they fail. */
  readonly errorsOvertake?: boolean;
  /** Two loops on one stream would share its messages. */
  readonly isLoop?: boolean;
  /** Whether it works by `pause()`, which has no effect beside a loop. */
  readonly pauses?: boolean;
  /** Settles when it has learnt of the end. */
  start(scene: Scene): Promise<Settled>;
}

/** For those that are told by 'end', 'error' and 'close' alone. */
const untilClose = (scene: Scene) => scene.closed.then((): Settled => 'done');

/** The code of what it was rejected with, if it was. */
export const settled = (promise: Promise<unknown>): Promise<Settled> => promise.then(() => 'done', nameOf);

function sink(scene: Scene): Writable {
  const stream = new Writable({
    objectMode: true,
    // One at a time: what a pipeline that fails drops with the sink has not been given to it.
    highWaterMark: 1,
    write(message: Message, _encoding, done) {
      scene.note(String(message), { late: true });
      process.nextTick(done);
    },
  });
  return stream;
}

export const readers: readonly Reader[] = [
  {
    name: "'message'",
    takes: 'all',
    start(scene) {
      scene.ws.on('message', (message: Message | MessageStream) => void scene.take(message));
      return untilClose(scene);
    },
  },
  {
    name: "'data'",
    takes: 'all',
    start(scene) {
      scene.ws.on('data', (message: Message | MessageStream) => void scene.take(message));
      return untilClose(scene);
    },
  },
  {
    name: 'pipe into a sink',
    takes: 'all',
    start(scene) {
      const target = sink(scene);
      let result: Settled = 'not ended';
      target.on('finish', () => {
        result = 'done';
      });
      scene.ws.pipe(scene.foreign('the sink', target));
      // The sink takes a turn for each message that it holds.
      return scene.closed.then(() => scene.after(400)).then(() => result);
    },
  },
  {
    name: 'pipeline into a sink',
    takes: 'all',
    learnsErrors: true,
    start: (scene) => settled(pipeline(scene.ws, sink(scene))),
  },
  {
    name: 'for await',
    takes: 'all',
    learnsErrors: true,
    isLoop: true,
    start: (scene) =>
      settled(
        (async () => {
          for await (const message of scene.ws) {
            scene.note(String(message));
            await scene.turn();
          }
        })(),
      ),
  },
  {
    name: 'a loop that is left early',
    takes: 'some',
    learnsErrors: true,
    isLoop: true,
    start: (scene) =>
      settled(
        (async () => {
          for await (const message of scene.ws) {
            scene.note(String(message));
            if (scene.received.length < 3) continue;
            scene.leftEarly = true;
            return;
          }
        })(),
      ),
  },
  {
    name: 'a web stream',
    takes: 'all',
    learnsErrors: true,
    errorsOvertake: true,
    start: (scene) =>
      settled(
        (async () => {
          for await (const message of Readable.toWeb(scene.ws as Readable)) scene.note(String(message), { late: true });
        })(),
      ),
  },
  {
    name: 'streamed messages',
    takes: 'all',
    messages: 'stream',
    start(scene) {
      // If a chain reads them, it notes them as well: a message has one reader.
      if (!scene.writerNotes) scene.ws.on('message', (message: Message | MessageStream) => void scene.take(message));
      return untilClose(scene);
    },
  },
  {
    name: "'data', paused and then resumed",
    takes: 'all',
    pauses: true,
    start(scene) {
      scene.ws.on('data', (message) => scene.note(String(message)));
      scene.ws.pause();
      void scene.after(100).then(() => scene.ws.resume());
      return untilClose(scene);
    },
  },
  {
    name: "'data', slowly",
    takes: 'all',
    slow: true,
    pauses: true,
    start(scene) {
      scene.ws.on('data', (message) => {
        scene.note(String(message));
        scene.ws.pause();
        void scene.after(150).then(() => scene.ws.resume());
      });
      return untilClose(scene);
    },
  },
  { name: 'nobody', takes: 'nothing', start: untilClose },
];
