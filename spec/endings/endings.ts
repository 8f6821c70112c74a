import { Dice } from '../support/vectors';
import { VirtualTime } from '../support/virtualTime';
import { ends } from './ends';
import { readers } from './readers';
import { type TransportKind, transportKinds } from './rigs';
import { type Case, impossible, titleOf } from './rules';
import { runCase } from './runCase';
import { writers } from './writers';

/**
 * Which cases run: a tenth of them, chosen by the seed; `ENDINGS=all` runs all, and `ENDINGS='a part of a title'` those whose titles
 * have it. `SEED` repeats the choice of a run and the moments at which its connections end.
 */
const { ENDINGS = '', SEED } = process.env;

const seed = SEED === undefined ? 1 + Math.floor(Math.random() * 1_000_000) : Number(SEED);

/** How many connections are open at the same time. */
const concurrency = 40;

/** A number of its own for each case and seed, so that it does not matter which others run. */
function diceFor(title: string): Dice {
  let hash = seed;
  for (const character of title) hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
  return new Dice(hash >>> 0);
}

function isChosen(title: string, dice: Dice): boolean {
  const tenth = dice.roll(10) === 0;
  if (ENDINGS === 'all') return true;
  return ENDINGS === '' ? tenth : title.includes(ENDINGS);
}

interface Chosen {
  readonly one: Case;
  readonly title: string;
  readonly dice: Dice;
}

function chosen(cases: readonly Case[]): Chosen[] {
  return cases.flatMap((one) => {
    const title = titleOf(one);
    const dice = diceFor(title);
    return isChosen(title, dice) && impossible(one) === undefined ? [{ one, title, dice }] : [];
  });
}

/** The cases that stand in one spec. */
interface Group {
  readonly title: string;
  readonly cases: readonly Chosen[];
  /** What differed, case by case; settled when the last of them has run. */
  readonly failures: Promise<string[]>;
  done(failures: string[]): void;
}

function groupsOf(transport: TransportKind): Group[] {
  const roles = ['server', 'client'] as const;
  return ends
    .flatMap((end) => roles.map((role) => ({ end, role })))
    .map(({ end, role }) => {
      const all = readers.flatMap((reader) => writers.map((writer) => ({ end, reader, writer, role, transport })));
      let done: Group['done'] = () => {};
      const failures = new Promise<string[]>((resolve) => {
        done = resolve;
      });
      return { title: `Ending by ${end.name}, ${role} over ${transport}`, cases: chosen(all), failures, done };
    })
    .filter(({ cases }) => cases.length > 0);
}

/** Runs the cases of all groups side by side, those of the first group first. */
async function runAll(groups: readonly Group[], time: VirtualTime): Promise<void> {
  const results = groups.map((group) => ({ group, left: group.cases.length, failures: [] as string[] }));
  const waiting = results.flatMap((result) => result.group.cases.map((chosenCase) => ({ result, ...chosenCase })));
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { one, title, dice, result } = next;
      const wrong = await runCase(one, dice, time).catch((error) => [`the case itself failed: ${error?.stack}`]);
      if (wrong.length > 0) result.failures.push(`${title}:\n    ${wrong.join('\n    ')}`);
      if (--result.left === 0) result.group.done(result.failures);
    }
  };
  await time.passUntil(Promise.all(Array.from({ length: concurrency }, work)));
}

/** Catches what nobody does, in place of Mocha, which would hold the spec responsible that it waits for. */
class UncaughtErrors {
  /** Those of which it cannot be told to which case they belong. */
  readonly errors: string[] = [];
  readonly #time: VirtualTime;
  readonly #before = new Map<string, NodeJS.UncaughtExceptionListener[]>();
  readonly #listener = (error: unknown) => {
    const { owner } = this.#time;
    if (owner !== undefined) owner.threw(error);
    else this.errors.push((error as Error)?.stack ?? String(error));
  };

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  catch(): void {
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      this.#before.set(event, process.listeners(event as 'uncaughtException'));
      process.removeAllListeners(event).on(event, this.#listener);
    }
  }

  restore(): void {
    for (const [event, listeners] of this.#before) {
      process.removeAllListeners(event);
      for (const listener of listeners) process.on(event, listener);
    }
  }
}

if (ENDINGS !== '' && transportKinds.every((transport) => groupsOf(transport).length === 0))
  throw new Error(
    `ENDINGS must be 'all' or a part of the title of a case; no title has ${JSON.stringify(ENDINGS)} in it`,
  );

/** Specs for all ends over one transport. Their cases run side by side; each spec waits for its own. */
export function describeEndings(transport: TransportKind): void {
  const groups = groupsOf(transport);
  if (groups.length === 0) return;
  describe(`The ends of a WebSocket over ${transport} (ENDINGS=${ENDINGS || "'a tenth'"} SEED=${seed})`, () => {
    const time = new VirtualTime();
    const uncaught = new UncaughtErrors(time);
    let run: Promise<void> | undefined;

    before(() => {
      time.start();
      uncaught.catch();
      const restore = () => {
        uncaught.restore();
        time[Symbol.dispose]();
      };
      run = runAll(groups, time).finally(restore);
    });

    // The next to replace timers must find the real ones.
    after(function () {
      this.timeout(600_000);
      return run;
    });

    for (const { title, cases, failures } of groups) {
      it(`${title}: settles according to the rules, with every reader and writer`, async function () {
        this.timeout(600_000);
        const all = await failures;
        if (all.length === 0) return;
        throw new Error(`SEED=${seed}: ${all.length} of ${cases.length} cases differ\n  ${all.join('\n  ')}`);
      });
    }

    it(`Ending in any of these ways over ${transport}: causes no uncaught exception or unhandled rejection`, async () => {
      await Promise.all(groups.map(({ failures }) => failures));
      if (uncaught.errors.length > 0) throw new Error(`SEED=${seed}: ${uncaught.errors.join('\n')}`);
    });
  });
}
