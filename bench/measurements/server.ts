import * as http from 'node:http';
import { buildOf } from '../builds';
import { type ContenderName, contenders } from '../contenders';
import { BenchProcess, type ProcessOptions } from '../processes';
import type { Settings } from '../scenario';
import { type Address, maxMessageSize, type Work } from '../work';

export interface Memory {
  readonly resident: number;
  readonly heap: number;
}

/** A server on a core of its own. */
export class Server {
  readonly address: Address;
  readonly #process: BenchProcess;

  private constructor(process: BenchProcess, address: Address) {
    this.#process = process;
    this.address = address;
  }

  static async start(name: ContenderName, work: Work, settings: Settings): Promise<Server> {
    return Server.#start(name, work, { core: 'measured', profile: settings.profile, build: buildOf(name, settings) });
  }

  /** One that is not measured, for clients that are. */
  static async startForClients(name: ContenderName, work: Work): Promise<Server> {
    return Server.#start(name, work, { core: 'other' });
  }

  static async #start(
    name: ContenderName,
    { deflate }: Work,
    options: Pick<ProcessOptions, 'core' | 'profile' | 'build'>,
  ): Promise<Server> {
    const { library, style, returns, transport, addon, runtime } = contenders[name];
    const settings = { library, style, options: { deflate, maxMessageSize, transport } };
    const file = 'servers/server.js';
    const [process, port] = await BenchProcess.start<number>({ ...options, file, settings, runtime });
    if (addon !== undefined) await requireAddon(process, addon);
    return new Server(process, { port, returns, transport });
  }

  /** CPU time that it has taken, in µs. */
  async cpu(): Promise<number> {
    return this.#process.ask('cpu');
  }

  async memory(): Promise<Memory> {
    return this.#process.ask('memory');
  }

  async observePauses(): Promise<void> {
    await this.#process.ask('observePauses');
  }

  async pauses(): Promise<number[]> {
    return this.#process.ask('pauses');
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}

/** A library whose native part cannot be loaded does without it and says nothing; its figures would be those of another. */
export async function requireAddon(process: BenchProcess, addon: string): Promise<void> {
  // Newer versions of Node have what bufferutil has, and ws then uses that.
  if (addon === 'bufferutil' && 'websocketUnmask' in http) return;
  const addons = await process.ask<string[]>('addons');
  if (addons.some((file) => file.includes(addon))) return;
  await process.stop();
  throw new Error(`The native code of ${addon} is not in use`);
}
