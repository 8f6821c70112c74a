/**
 * The load generator, in a process of its own: bare sockets that send frames made beforehand and compare what comes back, so that it
 * costs a fraction of any server. It does what its parent asks for.
 */
import type { Address, Work } from '../work';
import { Audience } from './audience';
import { sendBroadcasts } from './broadcasts';
import { echoOnce, sendEchoes } from './echoes';
import { openAndClose } from './handshakes';
import { type Latencies, measureLatencies } from './latency';
import { echoAndLeave } from './shortLived';

let audience: Audience;

/** What a parent can ask for. */
const tasks = {
  async open(address: Address, work: Work): Promise<void> {
    audience = await Audience.open(address, work);
  },
  async sendEchoes(work: Work): Promise<void> {
    sendEchoes(audience, work);
  },
  async echoOnce(): Promise<void> {
    await echoOnce(audience);
  },
  async sendBroadcasts(work: Work): Promise<void> {
    sendBroadcasts(audience, work);
  },
  async count(): Promise<{ messages: number; bytes: number }> {
    return audience.count();
  },
  async measureLatencies(perSecond: number, milliseconds: number): Promise<Latencies> {
    return measureLatencies(audience, perSecond, milliseconds);
  },
  async openAndClose({ port }: Address, count: number): Promise<void> {
    await openAndClose(port, count);
  },
  async echoAndLeave({ port }: Address, work: Work): Promise<void> {
    await echoAndLeave(port, work);
  },
  async close(): Promise<void> {
    await audience.close();
  },
};

export type LoadTasks = typeof tasks;

interface Request {
  readonly task: keyof LoadTasks;
  readonly parameters: never[];
}

function fail(error: unknown): void {
  process.send?.({ failure: (error as Error).message }, () => process.exit(1));
}

process.on('uncaughtException', fail);
process.on('disconnect', () => process.exit());
process.on('message', ({ task, parameters }: Request) => {
  const work = tasks[task] as (...parameters: never[]) => Promise<unknown>;
  work(...parameters).then((answer) => process.send?.({ answer: answer ?? null }, () => {}), fail);
});
process.send?.({ answer: 'ready' });
