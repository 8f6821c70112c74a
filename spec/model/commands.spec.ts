import fc from 'fast-check';
import type { AnyWebSocket } from '../../lib/webSocketHandler';
import { type Connection, open, type TransportKind, transportKinds } from '../endings/rigs';
import { violations } from '../support/invariants';
import { LeftListeners } from '../support/leftListeners';
import { ObservedEnd } from '../support/observedEnd';
import { seeds } from '../support/seeds';
import { VirtualTime } from '../support/virtualTime';
import { type ActionName, Actor, actionNames, actions, isPossible } from './actions';

/** How long the end may take, in virtual milliseconds. */
const patience = 20_000;

const options = { closeTimeout: 1000, heartbeat: { interval: 5000, timeout: 1000 }, sendTimeout: 1000 } as const;

/** What the model knows of an end: whether its program has something piped. */
interface EndModel {
  pipes: number;
}

interface Model {
  readonly server: EndModel;
  readonly client: EndModel;
}

interface Real {
  readonly server: Actor;
  readonly client: Actor;
}

type Name = keyof Real;

/** One action of one end. */
class Act implements fc.AsyncCommand<Model, Real> {
  readonly #who: Name;
  readonly #name: ActionName;

  constructor(who: Name, name: ActionName) {
    this.#who = who;
    this.#name = name;
  }

  check(model: Model): boolean {
    return this.#name !== 'unpipe' || model[this.#who].pipes > 0;
  }

  async run(model: Model, real: Real): Promise<void> {
    const actor = real[this.#who];
    const end = model[this.#who];
    if (!isPossible(this.#name, actor, end.pipes > 0)) return;
    if (this.#name === 'pipe') end.pipes++;
    if (this.#name === 'unpipe') end.pipes--;
    await actions[this.#name](actor);
  }

  toString(): string {
    return `${this.#who}: ${this.#name}`;
  }
}

/** Lets both ends, and the network, do what they can in some turns of the event loop. */
class Wait implements fc.AsyncCommand<Model, Real> {
  readonly #turns: number;

  constructor(turns: number) {
    this.#turns = turns;
  }

  check(): boolean {
    return true;
  }

  async run(): Promise<void> {
    for (let i = 0; i < this.#turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  toString(): string {
    return `${this.#turns} turns`;
  }
}

const commands = fc.commands(
  [
    fc
      .tuple(fc.constantFrom<Name>('server', 'client'), fc.constantFrom(...actionNames))
      .map(([who, name]) => new Act(who, name)),
    fc.integer({ min: 1, max: 10 }).map((turns) => new Wait(turns)),
  ],
  { maxCommands: 25 },
);

/** The client under test has a signal, the server a handle. */
async function connected(transport: TransportKind, abort: AbortController, role: Name): Promise<Connection> {
  const signal = role === 'client' && transport !== 'pair' ? abort.signal : undefined;
  return open({ transport, role, rawPeer: false, options, peerOptions: options, signal });
}

function actorsOf({ ws, peer, handle }: Connection, role: Name, abort: AbortController): Real {
  const closeServer = () => void handle?.close({ timeout: 500 });
  const actor = (name: Name) => {
    const own = (name === role ? ws : peer) as AnyWebSocket;
    const isServer = name === 'server';
    return new Actor(new ObservedEnd(name, own), isServer ? undefined : abort, isServer ? closeServer : undefined);
  };
  return { server: actor('server'), client: actor('client') };
}

async function converse(
  transport: TransportKind,
  role: Name,
  list: Iterable<fc.AsyncCommand<Model, Real>>,
  time: VirtualTime,
): Promise<void> {
  const abort = new AbortController();
  const signals = new LeftListeners();
  signals.watch('the signal', abort.signal);
  await using connection = await connected(transport, abort, role);
  const real = actorsOf(connection, role, abort);
  const { server, client } = real;
  for (const { end } of [server, client]) end.read();
  await fc.asyncModelRun(() => ({ model: { server: { pipes: 0 }, client: { pipes: 0 } }, real }), list);
  for (const actor of [server, client]) actor.finish();
  const late = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error('it hangs')), patience).unref();
  });
  await Promise.race([Promise.all([server.end.over, client.end.over]), late]);
  // Callbacks of writes after 'close' come a tick later.
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  const wrong = [
    ...violations({ end: server.end, peer: client.end }),
    ...violations({ end: client.end, peer: server.end }),
  ];
  const left = connection.handle?.connections.size ?? 0;
  if (left > 0) wrong.push(`${left} connections are in the handle`);
  wrong.push(...connection.listeners.found, ...signals.found);
  const timers = time.delays.filter((delay) => delay !== patience);
  if (timers.length > 0) wrong.push(`timers are left, of ${timers.join(', ')} ms`);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
}

async function checkCommands(transport: TransportKind, seed: number, runs: number): Promise<void> {
  const property = fc.asyncProperty(fc.constantFrom<Name>('server', 'client'), commands, async (role, list) => {
    const time = new VirtualTime();
    time.start();
    try {
      const work = converse(transport, role, list, time);
      await time.passUntil(work, 20);
      await work;
    } finally {
      time[Symbol.dispose]();
    }
  });
  await fc.assert(property, { seed, numRuns: runs });
}

describe('Commands to both ends of a connection, chosen and shrunk by fast-check', () => {
  for (const transport of transportKinds) {
    it(`keep the invariants over ${transport}`, async function () {
      this.timeout(600_000);
      for (const seed of seeds(1, 10)) await checkCommands(transport, seed, transport === 'pair' ? 100 : 25);
    });
  }
});
