import { once } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';
import { deflateRawSync } from 'node:zlib';
import { connect, reconnecting, type WebSocket } from '../../lib/webSocketHandler';
import { frame } from '../../spec/endings/rawEnd';
import { RawClient } from '../../spec/support/http';
import type { ServerProcess } from './serverProcess';
import { percentile, slope } from './statistics';

/** How large a soak is. */
export interface Size {
  /** 1 for all of it, 0.1 for a tenth. */
  readonly part: number;
  readonly seconds: number;
}

/** The figures of a scenario, in words, and what is wrong with them. */
export interface Result {
  readonly figures: string;
  readonly wrong: readonly string[];
}

export type Scenario = (server: ServerProcess, size: Size) => Promise<Result>;

const mebibyte = 1024 * 1024;
const options = { perMessageDeflate: false } as const;
const inMebibytes = (bytes: number) => `${(bytes / mebibyte).toFixed(1)} MiB`;

/** Opens connections, some at a time: the queue of a listening socket is finite. */
async function openMany(count: number, url: string): Promise<WebSocket[]> {
  const all: WebSocket[] = [];
  while (all.length < count) {
    const some = Array.from({ length: Math.min(200, count - all.length) }, () => connect(url, options));
    await Promise.all(some.map((ws) => once(ws, 'open')));
    all.push(...some);
  }
  return all;
}

/** Does work so many times, some at a time. */
async function times(count: number, atOnce: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Idle and busy connections for a long time: no error, memory that does not grow, replies in time. */
const held: Scenario = async (server, { part, seconds }) => {
  const idle = await openMany(Math.round(10_000 * part), server.url);
  const busy = await openMany(Math.round(2000 * part), server.url);
  const delays: number[] = [];
  const failures: string[] = [];
  let over = false;
  for (const ws of [...idle, ...busy]) ws.on('error', (error: Error) => failures.push(error.message));
  const talk = async (ws: WebSocket) => {
    await after(Math.random() * 1000);
    while (!over && !ws.destroyed) {
      const sent = performance.now();
      const text = `${sent} ${'x'.repeat(100)}`;
      ws.write(text);
      const [reply] = await once(ws, 'message');
      if (reply !== text) failures.push('another reply');
      delays.push(performance.now() - sent);
      await after(1000);
    }
  };
  const talks = busy.map(talk);
  const points: [number, number][] = [];
  const late: number[] = [];
  const began = performance.now();
  while (performance.now() - began < seconds * 1000) {
    await after(Math.min(10_000, seconds * 50));
    const { retained, delay } = await server.measure();
    points.push([(performance.now() - began) / 60_000, retained]);
    late.push(delay);
  }
  over = true;
  await Promise.all(talks);
  for (const ws of [...idle, ...busy]) ws.end();
  await Promise.all([...idle, ...busy].map((ws) => ws.whenClosed()));
  await server.settle(0);
  // What is made in the first quarter, such as compiled code, is no growth.
  const { value, interval } = slope(points.slice(Math.floor(points.length / 4)));
  const growth = `${inMebibytes(value)} ± ${inMebibytes(interval)} a minute`;
  const figures =
    `${idle.length} idle and ${busy.length} busy for ${seconds} s, ${delays.length} replies: p99 ${percentile(delays, 0.99).toFixed(1)} ms, ` +
    `memory ${growth}, event loop p99 ${Math.max(...late).toFixed(1)} ms late, ${failures.length} errors`;
  const wrong = failures.length > 0 ? [`errors: ${[...new Set(failures)].join(', ')}`] : [];
  // A short run begins with code that is compiled, and buffers that grow to their size.
  if (value - interval > (seconds < 300 ? 10 : 1) * mebibyte) wrong.push(`memory grows by ${growth}`);
  return { figures, wrong };
};

/** All connections are lost at once, and all clients come back. */
const storm: Scenario = async (server, { part }) => {
  const count = Math.round(5000 * part);
  const stop = new AbortController();
  let opened = 0;
  let returned: () => void = () => {};
  const client = async () => {
    const connections = reconnecting(server.url, { ...options, initialDelay: 1000, signal: stop.signal });
    try {
      for await (const ws of connections) {
        if (++opened === count || opened === 2 * count) returned();
        ws.on('error', () => {});
        await ws.resume().whenClosed();
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
  };
  const all = () =>
    new Promise<void>((resolve) => {
      returned = resolve;
    });
  const first = all();
  const clients = Array.from({ length: count }, client);
  await first;
  const second = all();
  const began = performance.now();
  await server.ask('drop all');
  await second;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  stop.abort();
  await Promise.all(clients);
  await server.settle(0);
  return { figures: `${count} connections cut at once: all were back after ${seconds} s`, wrong: [] };
};

/** The server is replaced twice while clients send: what was acknowledged is stored, and everything is acknowledged in the end. */
const deploy: Scenario = async (server, { part }) => {
  const count = Math.round(500 * part);
  const each = 100;
  /** Sends what is not acknowledged, until the connection ends or all is acknowledged; returns how many messages are. */
  const sendOn = async (ws: WebSocket, i: number, acknowledged: number): Promise<number> => {
    let next = acknowledged;
    try {
      ws.write(`store ${i} ${next}`);
      for await (const message of ws) {
        if (message === `store ${i} ${next}`) next++;
        if (next === each) break;
        await after(10 + Math.random() * 20);
        if (ws.writable) ws.write(`store ${i} ${next}`);
      }
    } catch {
      // The connection was lost: it is sent again on the next one.
    }
    return next;
  };
  const client = async (i: number) => {
    let next = 0;
    for await (const ws of reconnecting(() => server.url, { ...options, initialDelay: 100 })) {
      next = await sendOn(ws, i, next);
      if (next === each) return;
    }
    throw new Error(`client ${i} has ended after ${next} messages`);
  };
  const clients = Array.from({ length: count }, (_, i) => client(i));
  await after(500);
  const first = await server.ask<{ dropped: number; stored: string[] }>('deploy');
  await after(300);
  await server.ask('deploy');
  await Promise.all(clients);
  const { stored } = await server.ask<{ stored: string[] }>('deploy');
  const missing = count * each - stored.length;
  return {
    figures: `${count} clients, ${count * each} messages, 2 deploys: ${stored.length} stored, ${first.dropped} connections dropped`,
    wrong: missing === 0 ? [] : [`${missing} messages are missing`],
  };
};

/** The code of the Close frame among small frames, such as the pings to a client that waits for its turn; 1006 without one. */
function closeCodeIn(bytes: Buffer): number {
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0x88) at += 2 + (bytes[at + 1] as number);
  return at + 4 <= bytes.length ? bytes.readUInt16BE(at + 2) : 1006;
}

/** Messages of some bytes that become 100 MiB. */
const bombs: Scenario = async (server, { part }) => {
  const count = 100 * Math.round(10 * part);
  const before = await server.measure();
  const bomb = deflateRawSync(Buffer.alloc(100 * mebibyte), { finishFlush: 2 }).subarray(0, 60_000);
  const codes = new Map<number, number>();
  const offer = { more: 'Sec-WebSocket-Extensions: permessage-deflate' };
  const clients: RawClient[] = [];
  while (clients.length < count)
    clients.push(
      ...(await Promise.all(Array.from({ length: Math.min(100, count) }, () => RawClient.open(server.port, offer)))),
    );
  let worst = 0;
  let over = false;
  const watching = (async () => {
    while (!over) {
      worst = Math.max(worst, await server.ask<number>('glance'));
      await after(50);
    }
  })();
  const bytes = frame(0xc2, bomb, 'client');
  await Promise.all(
    clients.map(async (client) => {
      client.write(bytes);
      await client.end();
      const code = closeCodeIn(client.received);
      codes.set(code, (codes.get(code) ?? 0) + 1);
      client.socket.destroy();
    }),
  );
  over = true;
  await watching;
  const { retained } = await server.settle(0);
  const wrong = codes.get(1009) === count ? [] : [`the codes are ${[...codes].join('; ')}`];
  const growth = retained - before.retained;
  if (growth > 16 * mebibyte) wrong.push(`${inMebibytes(growth)} are kept`);
  return {
    figures: `${count} bombs of 60 KB for 100 MiB at once: ${codes.get(1009)} closed with 1009, at most ${inMebibytes(worst - before.rss)} more, ${inMebibytes(growth)} kept`,
    wrong,
  };
};

/** Connections that end at any stage. */
const aborts: Scenario = async (server, { part }) => {
  const count = Math.round(100_000 * part);
  const abortOne = async (i: number) => {
    const ws = connect(server.url, options);
    ws.on('error', () => {});
    if (i % 3 === 0) await once(ws, 'open').catch(() => {});
    else if (i % 3 === 1) await new Promise<void>((resolve) => setImmediate(resolve));
    ws.abort();
    await ws.whenClosed();
  };
  // The first ones compile code.
  await times(Math.min(2000, count), 50, abortOne);
  const before = await server.settle(0);
  await times(count, 50, abortOne);
  const { retained } = await server.settle(0);
  const growth = retained - before.retained;
  return {
    figures: `${count} connects and aborts: ${inMebibytes(growth)} kept`,
    wrong: growth > 8 * mebibyte ? [`${inMebibytes(growth)} are kept`] : [],
  };
};

export const scenarios: Readonly<Record<string, Scenario>> = { held, storm, deploy, bombs, aborts };
