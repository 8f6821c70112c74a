/**
 * `npm run torture [-- [--tenth] [conversation ...]]`: runs conversations, counts every call in them that can fail, and runs them again for each of
 * these calls, which then fails. With `--tenth`, a tenth of the calls, others each day. Whatever fails: nothing hangs, nothing is left open, nothing is
 * rejected without a handler, and no message is lost of which neither end is told.
 */
import { violations } from '../../spec/support/invariants';
import { conversations, type Talk } from './conversations';
import { type Fault, Faults, InjectedError } from './faults';
import { instrument, realTimeout } from './instruments';

/** Milliseconds after which a conversation hangs: all deadlines in it together are less. */
const patience = 12_000;

const faults = new Faults();
instrument(faults);

const uncaught: unknown[] = [];
process.on('uncaughtException', (error) => uncaught.push(error));
process.on('unhandledRejection', (error) => uncaught.push(error));

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The resources that keep this process alive, beside its standard streams. */
const resources = () =>
  process.getActiveResourcesInfo().filter((name) => !/^(PipeWrap|TTYWrap|FSReq|TickObject)/.test(name));

/** What is left when a conversation is over; sockets and timers get some time to end. */
async function leftOver(before: number): Promise<string[]> {
  for (let i = 0; i < 200 && resources().length > before; i++) {
    await turn();
    if (i % 10 === 9) await new Promise<void>((resolve) => void realTimeout(resolve, 10));
  }
  const left = resources();
  return left.length > before ? [`left behind: ${left.join(', ')}`] : [];
}

const violationsOf = ({ one, other }: Talk) => [
  ...violations({ end: one, peer: other }),
  ...violations({ end: other, peer: one }),
];

const timedOut = Symbol('timed out');

async function inTime<T>(work: Promise<T>): Promise<T | typeof timedOut> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof timedOut>((resolve) => {
    timer = realTimeout(resolve, patience, timedOut) as unknown as NodeJS.Timeout;
  });
  const result = await Promise.race([work, late]);
  clearTimeout(timer);
  return result;
}

/** Runs a conversation, with one fault or without. Returns what is wrong, in words. */
async function runOnce({ run }: (typeof conversations)[number], fault?: Fault): Promise<string[]> {
  uncaught.length = 0;
  const before = resources().length;
  faults.start(fault);
  const talks = await inTime(run(faults)).catch((error: Error) => error);
  faults.stop();
  if (talks === timedOut) return ['it hangs'];
  const left = await leftOver(before);
  const wrong = talks instanceof Error ? [String(talks.stack)] : talks.flatMap(violationsOf);
  // What a program throws is its own affair, and is to be seen: once.
  const foreign = uncaught.filter((error) => !(fault?.kind.startsWith('program') && error instanceof InjectedError));
  return [...wrong, ...foreign.map((error) => `nobody caught ${(error as Error)?.stack ?? error}`), ...left];
}

interface Sum {
  calls: number;
  notReached: number;
  failed: number;
}

async function torture(
  conversation: (typeof conversations)[number],
  isChosen: (index: number) => boolean,
): Promise<Sum> {
  const sum: Sum = { calls: 0, notReached: 0, failed: 0 };
  const report = (title: string, wrong: readonly string[]) => {
    if (wrong.length === 0) return;
    sum.failed++;
    console.log(`${conversation.name}: ${title}:\n  ${wrong.join('\n  ')}`);
  };
  report('without a fault', await runOnce(conversation));
  const found = [...faults.counts].flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, i): Fault => ({ kind, number: i + 1 })),
  );
  const kinds = [...faults.counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  for (const [index, fault] of found.entries()) {
    if (!isChosen(index)) continue;
    sum.calls++;
    report(`${fault.kind} ${fault.number} fails`, await runOnce(conversation, fault));
    if (!faults.reached) sum.notReached++;
  }
  console.log(
    `${conversation.name}: ${sum.calls} of ${found.length} calls failed (${kinds}); ${sum.failed} runs are wrong`,
  );
  return sum;
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const tenth = wanted.includes('--tenth');
  if (tenth) wanted.splice(wanted.indexOf('--tenth'), 1);
  const day = Math.floor(Date.now() / 86_400_000);
  const started = Date.now();
  const total: Sum = { calls: 0, notReached: 0, failed: 0 };
  for (const conversation of conversations) {
    if (wanted.length > 0 && !wanted.includes(conversation.name)) continue;
    const sum = await torture(conversation, (index) => !tenth || index % 10 === day % 10);
    for (const key of Object.keys(total) as (keyof Sum)[]) total[key] += sum[key];
  }
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(
    `${total.calls} calls failed once each in ${seconds} s (${total.notReached} were not reached again); ${total.failed} runs are wrong`,
  );
  if (total.failed > 0) process.exitCode = 1;
  // Whatever hangs must not keep this process.
  process.exit();
}

void main();
