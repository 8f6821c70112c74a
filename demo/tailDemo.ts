import { subscribe } from 'node:diagnostics_channel';
import { on } from 'node:events';
import { createWriteStream, rmSync, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import split2 from 'split2';
import type { WebSocket } from '../lib/webSocketHandler';

const logFile = join(tmpdir(), `node-websocket-handler-demo-${process.pid}.log`);
const log = createWriteStream(logFile);
process.once('exit', () => rmSync(logFile, { force: true }));
log.on('error', ({ message }) => console.error(`No log: ${message}`));

// The log of this server: what the diagnostics channels of the library publish.
for (const event of ['open', 'message-received', 'close']) {
  subscribe(`node-websocket-handler:${event}`, (details) => {
    const { webSocket, code = '' } = details as { webSocket: WebSocket; code?: number };
    log.write(`${new Date().toISOString()} ${webSocket.request?.url ?? ''} ${event} ${code}\n`);
  });
}

/** Reads a file from its beginning, and goes on when it grows. */
async function* follow(path: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  await using file = await open(path);
  const changes = on(watch(path, { signal }), 'change', { signal });
  do {
    for (;;) {
      const { bytesRead, buffer } = await file.read();
      if (bytesRead === 0) break;
      yield buffer.subarray(0, bytesRead);
    }
  } while (!(await changes.next()).done);
}

/** Sends the lines of the log that contain the text in the query. A slow browser slows the reading of the file. */
export function tail(ws: WebSocket, query: URLSearchParams): void {
  const text = query.get('filter') ?? '';
  const left = new AbortController();
  ws.once('close', () => left.abort());
  ws.connect();
  const matching = split2((line: string) => (line.includes(text) ? line : undefined));
  pipeline(Readable.from(follow(logFile, left.signal)), matching, ws, (error) => {
    if (error && ws.closeCode === 1006) console.log(`The reader of the log was lost: ${error.message}`);
  });
}
