import { pipeline, Transform } from 'node:stream';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Message, WebSocket } from '../lib/webSocketHandler';

const graphemes = new Intl.Segmenter();

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What can be done with a message. A step that returns undefined drops it. */
const steps: Readonly<Record<string, (message: Message) => Message | undefined | Promise<Message>>> = {
  json: (message) => (isJson(message.toString()) ? message : undefined),
  upper: (message) => message.toString().toUpperCase(),
  reverse: (message) => [...graphemes.segment(message.toString())].reduceRight((all, { segment }) => all + segment, ''),
  gzip: promisify<Message, Buffer>(gzip),
};

/** What a step has done with a message: the time in milliseconds, and the bytes before and after, undefined if it was dropped. */
interface Report {
  readonly step: string;
  readonly took: number;
  readonly before: number;
  readonly after: number | undefined;
}

/** Makes an ordinary object-mode Transform of a step. */
function transform(step: string, report: (report: Report) => void): Transform {
  return new Transform({
    objectMode: true,
    async transform(message: Message, _encoding, done) {
      const started = performance.now();
      try {
        const result = await steps[step]?.(message);
        const after = result === undefined ? undefined : Buffer.byteLength(result);
        report({ step, took: performance.now() - started, before: Buffer.byteLength(message), after });
        if (result !== undefined) this.push(result);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

/** Pipes messages through the steps that the query names, `?step=upper&step=gzip`, and back. Reports are JSON, and follow each step. */
export function transforms(ws: WebSocket, query: URLSearchParams): void {
  const names = query.getAll('step').filter((name) => Object.hasOwn(steps, name));
  ws.connect();
  const report = (each: Report) => ws.write(JSON.stringify(each));
  const result = new Transform({
    objectMode: true,
    // Bytes are sent as they are; text as JSON, to be told from the reports.
    transform: (message: Message, _encoding, done) =>
      done(null, typeof message === 'string' ? JSON.stringify({ result: message }) : message),
  });
  // The browser has left or an error has ended the chain: pipeline() has destroyed all of it.
  pipeline([ws, ...names.map((name) => transform(name, report)), result, ws], (error) => {
    if (error) console.log(`The chain has ended: ${error.message}`);
  });
}
