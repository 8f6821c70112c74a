import { fork } from 'node:child_process';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import type { WebSocket } from '../lib/webSocketHandler';
import { createFlood, figures, produce } from './flood';

const flood = createFlood();

/** Sends what the source yields. The pipeline asks the source for no more than the browser reads. */
export function backpressure(ws: WebSocket): void {
  ws.connect();
  flood.readers.add(ws);
  pipeline(Readable.from(produce(flood)), ws, () => {
    // An error is the way that a reader leaves: it closes in the middle of a stream that has no end.
    flood.readers.delete(ws);
  });
}

/** The port of the server that sends the same with the ws package. It runs in a process of its own, which has its own memory. */
let portOfTheOther: Promise<number> | undefined;

function startTheOther(): Promise<number> {
  const child = fork(join(__dirname, 'withoutBackpressure.ts'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (port) => {
      // It ends with this process, and does not keep it alive.
      child.unref();
      child.channel?.unref();
      resolve(Number(port));
    });
    child.once('exit', (code) => {
      portOfTheOther = undefined;
      reject(new Error(`It has ended with code ${code}`));
    });
  });
}

/** Sends the port of the other server, and then what this one does, five times a second. */
export async function backpressureFigures(ws: WebSocket): Promise<void> {
  ws.connect();
  try {
    portOfTheOther ??= startTheOther();
    ws.write(JSON.stringify({ portOfTheOther: await portOfTheOther }));
  } catch (error) {
    console.error('There is no server to compare with:', error);
  }
  pipeline(Readable.from(figures(flood)), ws, () => {
    // The page was left.
  });
}
