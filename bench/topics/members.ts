import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type WebSocket } from '../../lib/webSocketHandler';

/** How a server packs a message, and what a member must send to become one. */
export interface Dialect {
  readonly path: string;
  pack(text: string): string;
  /** undefined if it is not a message of a member. */
  unpack(text: string): string | undefined;
  join(ws: WebSocket): Promise<void>;
}

export const plain: Dialect = {
  path: '/',
  pack: (text) => text,
  unpack: (text) => text,
  join: async () => {},
};

/** The protocol of Engine.IO 4 with that of Socket.IO 5 in it: only what is needed here. */
export const socketIo: Dialect = {
  path: '/socket.io/?EIO=4&transport=websocket',
  pack: (text) => `42${JSON.stringify(['m', text])}`,
  unpack: (text) => (text.startsWith('42') ? (JSON.parse(text.slice(2)) as string[])[1] : undefined),
  async join(ws) {
    ws.on('data', (message) => {
      if (`${message}` === '2') ws.write('3');
    });
    // Its handshake, and the answer to ours.
    await once(ws, 'data');
    const joined = once(ws, 'data');
    ws.write('40');
    await joined;
  },
};

/** Milliseconds from sending a message to receiving it. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** Members of a topic, connected to several servers. Each message has the time at which it was sent. */
export class Members {
  /** Milliseconds from sending to receiving, of each delivery while latencies are measured. */
  #latencies: number[] | undefined;
  #deliveries = 0;
  readonly #all: readonly WebSocket[];
  readonly #dialect: Dialect;
  readonly #padding: string;
  #received: () => void = () => {};
  /** The time of the only message that is counted, until all members are live. */
  #probe: string | undefined;

  private constructor(all: readonly WebSocket[], dialect: Dialect, size: number) {
    this.#all = all;
    this.#dialect = dialect;
    this.#padding = 'x'.repeat(size - 20);
    for (const ws of all) ws.on('data', (message) => this.#take(`${message}`));
  }

  static async join(ports: readonly number[], count: number, dialect: Dialect, size: number): Promise<Members> {
    const all = await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const ws = connect(`ws://127.0.0.1:${ports[i % ports.length]}${dialect.path}`);
        await once(ws, 'open');
        await dialect.join(ws);
        return ws;
      }),
    );
    const members = new Members(all, dialect, size);
    await members.#areLive();
    return members;
  }

  /**
   * Resolves when all get what is sent over one of them. A server whose members have just joined may not have asked its broker yet: they miss
   * what another one publishes meanwhile.
   */
  async #areLive(): Promise<void> {
    do {
      this.#deliveries = 0;
      this.#probe = this.send(0);
      await Promise.race([this.delivered(1), delay(50)]);
    } while (this.#deliveries < this.#all.length);
    this.#probe = undefined;
    this.#deliveries = 0;
  }

  /** Sends a message over the member with this number, and returns its time. */
  send(member: number): string {
    const stamp = performance.now().toFixed(3).padStart(19, '0');
    this.#all[member % this.#all.length]?.write(this.#dialect.pack(`${stamp} ${this.#padding}`));
    return stamp;
  }

  /** Resolves when this many messages have been delivered to all members. */
  async delivered(messages: number): Promise<void> {
    const target = messages * this.#all.length;
    await new Promise<void>((resolve) => {
      const check = () => {
        if (this.#deliveries >= target) resolve();
      };
      this.#received = check;
      check();
    });
    this.#received = () => {};
  }

  /** Sends messages, at most `window` of them not delivered to all members. */
  async flood(count: number, window: number): Promise<void> {
    const before = this.#deliveries / this.#all.length;
    for (let sent = 0; sent < count; sent++) {
      if (sent >= window) await this.delivered(before + sent - window + 1);
      this.send(sent);
    }
    await this.delivered(before + count);
  }

  /** Sends messages, one in each `pause` milliseconds. */
  async latency(count: number, pause: number): Promise<Latency> {
    const before = this.#deliveries / this.#all.length;
    const latencies: number[] = [];
    this.#latencies = latencies;
    for (let i = 0; i < count; i++) {
      const paused = delay(pause);
      this.send(i);
      await paused;
    }
    await this.delivered(before + count);
    this.#latencies = undefined;
    latencies.sort((one, other) => one - other);
    const at = (part: number) =>
      latencies[Math.min(latencies.length - 1, Math.floor(part * latencies.length))] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99) };
  }

  leave(): void {
    for (const ws of this.#all) ws.destroy();
  }

  #take(message: string): void {
    const text = this.#dialect.unpack(message);
    if (text === undefined || (this.#probe !== undefined && !text.startsWith(this.#probe))) return;
    this.#deliveries++;
    this.#latencies?.push(performance.now() - Number(text.slice(0, 19)));
    this.#received();
  }
}
