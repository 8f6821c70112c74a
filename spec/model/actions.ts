import { Writable } from 'node:stream';
import type { AnyWebSocket } from '../../lib/webSocketHandler';
import type { ObservedEnd } from '../support/observedEnd';

/** An end of a connection, with what its program has at hand. */
export class Actor {
  readonly end: ObservedEnd;
  /** Aborts the connection, if it is a client's and was opened with a signal. */
  readonly abort: AbortController | undefined;
  /** Closes all connections of the server, if it is one of a network. */
  readonly closeServer: (() => void) | undefined;
  readonly sinks: Writable[] = [];
  #writes = 0;
  #corks = 0;

  constructor(end: ObservedEnd, abort?: AbortController, closeServer?: () => void) {
    this.end = end;
    this.abort = abort;
    this.closeServer = closeServer;
  }

  get ws(): AnyWebSocket {
    return this.end.ws;
  }

  write(size: number): void {
    const label = `${this.end.name} ${this.#writes++}`;
    this.end.write(label, `${label}|${'x'.repeat(size)}`);
  }

  cork(): void {
    this.#corks++;
    this.ws.cork();
  }

  uncork(): void {
    if (this.#corks === 0) return;
    this.#corks--;
    this.ws.uncork();
  }

  pipe(): void {
    const sink = new Writable({ objectMode: true, write: (_message, _encoding, done) => setImmediate(done) });
    this.sinks.push(sink);
    this.ws.pipe(sink);
  }

  unpipe(): void {
    const sink = this.sinks.shift();
    if (sink === undefined) return;
    this.ws.unpipe(sink);
    sink.end();
  }

  /** Lets everything come to its end: what was held back goes on, and the writable side ends. */
  finish(): void {
    while (this.#corks > 0) this.uncork();
    while (this.sinks.length > 0) this.unpipe();
    if (this.ws.destroyed) return;
    this.ws.resume();
    this.ws.end();
  }
}

/** What a program, or a network, can do to a connection at any moment. */
export const actions = {
  write: (actor: Actor) => actor.write(10),
  'write much': (actor: Actor) => actor.write(40_000),
  end: (actor: Actor) => actor.ws.end(),
  close: (actor: Actor) => actor.ws.close(4000, 'enough'),
  abort: (actor: Actor) => actor.ws.abort(),
  destroy: (actor: Actor) => actor.ws.destroy(),
  'destroy with an error': (actor: Actor) => actor.ws.destroy(new Error('the program has failed')),
  pause: (actor: Actor) => actor.ws.pause(),
  resume: (actor: Actor) => actor.ws.resume(),
  pipe: (actor: Actor) => actor.pipe(),
  unpipe: (actor: Actor) => actor.unpipe(),
  cork: (actor: Actor) => actor.cork(),
  uncork: (actor: Actor) => actor.uncork(),
  ping: (actor: Actor) => actor.end.ping(),
  'abort the signal': (actor: Actor) => actor.abort?.abort(),
  'close the server': (actor: Actor) => actor.closeServer?.(),
} as const satisfies Record<string, (actor: Actor) => unknown>;

export type ActionName = keyof typeof actions;

export const actionNames = Object.keys(actions) as ActionName[];

/** Whether an action can have an effect. A program that has destroyed its stream uses it no more. */
export function isPossible(name: ActionName, { ws }: Actor, isPiping: boolean): boolean {
  if (ws.destroyed) return name === 'write' || name === 'ping' || name === 'abort the signal';
  // Node has one flow: a loop cannot be paused or piped beside.
  if (name === 'unpipe') return isPiping;
  return true;
}
