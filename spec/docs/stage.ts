import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Transform, Writable } from 'node:stream';
import { expect } from 'chai';
import Router from 'router';
import { createPair, type Message, type ServerOptions, type WebSocket } from '../../lib/webSocketHandler';
import type { Trial } from '../support/describeBlocks';
import { listen, type TestServer } from '../support/http';

/** A console whose lines a spec can wait for, whatever method has printed them. */
export class RecordingConsole {
  readonly lines: unknown[][] = [];
  readonly #news = new EventEmitter();

  readonly log = (...values: unknown[]) => this.#add(values);
  readonly warn = (...values: unknown[]) => this.#add(values);
  readonly error = (...values: unknown[]) => this.#add(values);

  /** Takes the oldest line that was not taken yet, as soon as there is one. */
  async next(): Promise<unknown[]> {
    while (this.lines.length === 0) await once(this.#news, 'line');
    return this.lines.shift() as unknown[];
  }

  #add(values: unknown[]): void {
    this.lines.push(values);
    this.#news.emit('line');
  }
}

/** Takes the next message that a WebSocket delivers. */
export async function nextMessage(ws: WebSocket): Promise<Message> {
  const [message] = await once(ws, 'data');
  return message;
}

/** A Transform that changes each text message to upper case. */
export function upperCase(): Transform {
  return new Transform({
    objectMode: true,
    transform: (message, _encoding, done) => done(null, String(message).toUpperCase()),
  });
}

/** A Writable that keeps what is written to it. */
export function collect(): { readonly all: Message[]; readonly sink: Writable } {
  const all: Message[] = [];
  const sink = new Writable({
    objectMode: true,
    write(message, _encoding, done) {
      all.push(message);
      done();
    },
  });
  return { all, sink };
}

/** The answer of an open pair: what the peer receives until the end, and how it ends. */
export async function withPeer(
  use: (ws: WebSocket) => unknown,
  ...messages: readonly Message[]
): Promise<{ readonly received: Message[]; readonly code: number | undefined }> {
  const [ws, peer] = createPair();
  for (const message of messages) peer.write(message);
  const used = use(ws);
  const received: Message[] = [];
  peer.on('data', (message: Message) => {
    received.push(message);
    if (received.length === messages.length) peer.end();
  });
  peer.on('error', () => {});
  const { code } = await peer.whenClosed();
  await used;
  return { received, code };
}

type Application = ReturnType<typeof Router>;

/**
 * An application that routes as Express does, because it has the router of Express, with `res.status()` and `res.json()`. The package of
 * Express itself is installed for `spec/integrations` only.
 */
export async function expressLike(
  options: ServerOptions = {},
): Promise<{ readonly app: Application; readonly server: TestServer }> {
  const app = Router();
  app.use((_req, res, next) => {
    Object.assign(res, {
      status(code: number) {
        res.statusCode = code;
        return res;
      },
      json: (value: unknown) => res.end(JSON.stringify(value)),
      send: (value: string) => res.end(value),
    });
    next();
  });
  const server = await listen((req, res) => {
    app(req, res, (error) => {
      res.statusCode = error === undefined || error === null ? 404 : 500;
      res.end(error === undefined || error === null ? '' : String(error));
    });
  }, options);
  return { app, server };
}

/** For a block that the trial of the block before it runs as well. */
export const runAbove: Trial = () => {};

/**
 * For a block that another spec runs, because it needs programs or packages that are not always there.
 * @param spec its path, whose text has the heading of the block
 */
export function runElsewhere(spec: string): Trial {
  return ({ heading }) => {
    expect(readFileSync(join(__dirname, '..', '..', spec), 'utf8')).to.include(heading);
  };
}
