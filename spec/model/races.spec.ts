import fc, { type Scheduler } from 'fast-check';
import { violations } from '../support/invariants';
import { ObservedEnd } from '../support/observedEnd';
import { openWebSocket } from '../support/openWebSocket';
import { seeds } from '../support/seeds';
import { VirtualTime } from '../support/virtualTime';
import { type ActionName, Actor, actionNames, actions, isPossible } from './actions';
import { opcodesOf, ScheduledLink } from './scheduledLink';

/** A network is needed for these. */
const names = actionNames.filter((name) => name !== 'close the server' && name !== 'abort the signal');

/** How long a deadline may take, in virtual milliseconds; all of them together are less. */
const patience = 20_000;

const options = { closeTimeout: 1000, heartbeat: false, sendTimeout: 1000 } as const;

/** How an end reads: by 'message', or by a loop that is left after some messages. */
type Reading = 'message' | number;

interface Script {
  readonly reading: Reading;
  readonly steps: readonly ActionName[];
}

const script = fc.record<Script>({
  reading: fc.oneof(
    { weight: 3, arbitrary: fc.constant('message' as const) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 5 }) },
  ),
  steps: fc.array(fc.constantFrom(...names), { maxLength: 12 }),
});

function begin(actor: Actor, { reading }: Script): void {
  if (reading === 'message') actor.end.read();
  else void actor.end.loop(reading);
}

/** The steps that one end takes, each when the scheduler says so. */
function play(actor: Actor, { reading, steps }: Script, scheduler: Scheduler): Promise<unknown> {
  const usable = steps.filter((name) => reading === 'message' || !/pause|resume|pipe/.test(name));
  const tasks = usable.map((name) => ({
    label: `${actor.end.name}: ${name}`,
    builder: async () => {
      if (isPossible(name, actor, actor.sinks.length > 0)) actions[name](actor);
    },
  }));
  return tasks.length === 0 ? Promise.resolve() : scheduler.scheduleSequence(tasks).task;
}

/** Lets scheduled tasks run, and real turns of the event loop between them, until the work is done. */
async function runTasks(scheduler: Scheduler, work: Promise<unknown>): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  work.then(end, end);
  while (!over) {
    if (scheduler.count() > 0) await scheduler.waitOne();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

async function race(scheduler: Scheduler, server: Script, client: Script, time: VirtualTime): Promise<void> {
  const link = new ScheduledLink(scheduler);
  const actors = (['server', 'client'] as const).map((role) => {
    const transport = { stream: link[role], head: Buffer.alloc(0) };
    return new Actor(new ObservedEnd(role, openWebSocket(role, transport, { options })));
  }) as [Actor, Actor];
  const scripts = [server, client] as const;
  actors.forEach((actor, i) => {
    begin(actor, scripts[i] as Script);
  });
  const over = (async () => {
    await Promise.all(actors.map((actor, i) => play(actor, scripts[i] as Script, scheduler)));
    for (const actor of actors) actor.finish();
    await Promise.all(actors.map(({ end }) => end.over));
  })();
  const late = new Promise<never>((_resolve, reject) => {
    setTimeout(() => reject(new Error('it hangs')), patience).unref();
  });
  await Promise.all([Promise.race([over, late]), runTasks(scheduler, over)]);
  // Callbacks of writes after 'close' come a tick later.
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  check(actors, link, time);
}

function check([server, client]: [Actor, Actor], link: ScheduledLink, time: VirtualTime): void {
  const wrong = [
    ...violations({ end: server.end, peer: client.end, opcodes: opcodesOf(link.server.sent) }),
    ...violations({ end: client.end, peer: server.end, opcodes: opcodesOf(link.client.sent) }),
  ];
  const timers = [...time.active].filter(({ delay }) => delay < patience);
  if (timers.length > 0) wrong.push(`${timers.length} timers are left: ${timers.map(({ delay }) => delay).join(', ')}`);
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
}

/** As many runs as there are seeds: SEED=4711 repeats the run of one, whose report also has the path to its smallest form. */
async function checkRaces(seed: number, runs: number): Promise<void> {
  const property = fc.asyncProperty(fc.scheduler(), script, script, async (scheduler, server, client) => {
    const time = new VirtualTime();
    time.start();
    try {
      const work = race(scheduler, server, client, time);
      await time.passUntil(work, 50);
      await work;
    } finally {
      time[Symbol.dispose]();
    }
  });
  await fc.assert(property, { seed, numRuns: runs });
}

describe('Two WebSockets on a link whose deliveries a scheduler orders', () => {
  it('keep the invariants, whatever their programs do and in whatever order it happens', async function () {
    this.timeout(600_000);
    for (const seed of seeds(1, 20)) await checkRaces(seed, 100);
  });
});
