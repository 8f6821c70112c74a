import type { RedisConnection } from './redisClients';
import { isWithoutScript } from './redisErrors';
import type { RedisLink } from './redisLink';
import { arrivalScript, publishScript, readScript, type Script } from './scripts';

/** The default of proto-max-bulk-len, for servers that do not tell. */
const usualBulkLength = 512 * 1024 * 1024;

/** Runs scripts, and notices by them that the server is not the one that it was. */
export class RedisScripts {
  readonly #link: RedisLink;
  readonly #keys: readonly string[];
  #arrival: Promise<void> | undefined;
  #arriving = false;
  /** The largest argument of a command in bytes; undefined before the first contact. */
  maxBulkLength: number | undefined;

  /**
   * @param runKey the key with the identity of the server that was used last
   * @param floorKey the key with the least epoch that topics may have
   */
  constructor(link: RedisLink, runKey: string, floorKey: string) {
    this.#link = link;
    this.#keys = [runKey, floorKey];
  }

  /**
   * Resolves with the reply of a script. Calls keep their order.
   * @param check called before the script is sent, when the limits of the server are known
   */
  async run(
    { sha }: Script,
    keys: readonly string[],
    parameters: readonly (string | Buffer)[],
    check?: () => void,
  ): Promise<unknown> {
    const { commands } = await this.#link.connections();
    if (this.#arrival === undefined) this.#arrive(commands);
    // Calls that come while the server is being examined wait behind those that have caused it.
    await this.#arrival;
    check?.();
    const command = ['EVALSHA', sha, `${keys.length}`, ...keys, ...parameters];
    try {
      return await commands.send(...command);
    } catch (error) {
      // The script was not run, so it can be sent again.
      if (!isWithoutScript(error)) throw error;
    }
    if (!this.#arriving) this.#arrive(commands);
    await this.#arrival;
    return commands.send(...command);
  }

  #arrive(commands: RedisConnection): void {
    this.#arriving = true;
    const arrival = this.#examine(commands).finally(() => {
      this.#arriving = false;
    });
    this.#arrival = arrival;
    arrival.catch(() => {
      if (this.#arrival === arrival) this.#arrival = undefined;
    });
  }

  async #examine(commands: RedisConnection): Promise<void> {
    const limit = commands.send('CONFIG', 'GET', 'proto-max-bulk-len').catch(() => undefined);
    await commands.send('EVAL', arrivalScript, `${this.#keys.length}`, ...this.#keys);
    await Promise.all([publishScript, readScript].map(({ text }) => commands.send('SCRIPT', 'LOAD', text)));
    this.maxBulkLength = toBulkLength(await limit);
  }
}

/** A client may return the pair as an array, an object or a Map, depending on the version of the protocol. */
function toBulkLength(reply: unknown): number {
  const values = reply instanceof Map ? [...reply.values()] : Object.values((reply ?? {}) as object);
  const length = Number(`${values.at(-1)}`);
  return Number.isSafeInteger(length) && length > 0 ? length : usualBulkLength;
}
