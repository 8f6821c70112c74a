import { expect } from 'chai';
import type { Context } from 'mocha';
import { Topics } from '../../../lib/topics';
import { type Engine, startNats, startRedis } from '../../support/engines';
import { accepting, freePort, Program } from '../../support/program';
import { haproxy, need } from '../../support/tools';
import { startOf } from '../troubles';
import { Client } from './client';
import { Cutter } from './cutter';
import { type EngineName, history, type OpenDriver, openDriver } from './drivers';
import { Publishers } from './publishers';
import { ServerProcess } from './serverProcess';

/** One of this many clients connects through the proxy that cuts. */
const uncut = 4;
const clientsOfTopic = 10;

/** HAProxy ends the connections of a server that does not answer, so that their clients go to another one. */
const configuration = (port: number, servers: readonly ServerProcess[], connections: number) => `
  global
    maxconn ${connections}
  defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    timeout check 3s
    timeout tunnel 1h
    retries 3
    option redispatch
  frontend clients
    bind 127.0.0.1:${port}
    default_backend servers
  backend servers
    balance leastconn
    option httpchk GET /health
    default-server check inter 1s fall 3 rise 1 on-marked-down shutdown-sessions
    ${servers.map((server, i) => `server server${i} 127.0.0.1:${server.port}`).join('\n    ')}
`;

/** Ends something that was started. */
type Step = () => Promise<unknown>;

/** The last one first. */
async function endAll(started: readonly Step[]): Promise<void> {
  for (const end of started.toReversed()) await end();
}

/** What was accounted for. */
export interface Account {
  readonly messages: number;
  readonly deliveries: number;
  /** How often clients were told that they go on without a gap. */
  readonly resumptions: number;
}

/** Two servers on one broker, HAProxy in front of them, clients that resume, and publishers that never stop. */
export class Arena {
  readonly engine: Engine;
  readonly servers: readonly [ServerProcess, ServerProcess];
  readonly clients: readonly Client[];
  readonly cutter: Cutter;
  readonly #driver: OpenDriver;
  readonly #started: Step[];
  readonly #topics: Topics;
  readonly #publishers: Publishers;
  #rounds = 0;

  private constructor(
    parts: Pick<Arena, 'engine' | 'servers' | 'clients' | 'cutter'>,
    driver: OpenDriver,
    started: Step[],
  ) {
    ({ engine: this.engine, servers: this.servers, clients: this.clients, cutter: this.cutter } = parts);
    this.#driver = driver;
    this.#started = started;
    this.#topics = new Topics({ broker: driver.driver, history, initialDelay: 50, maxDelay: 500 });
    this.#publishers = new Publishers(
      this.#topics,
      [...new Set(parts.clients.map(({ topic }) => topic))],
      parts.clients.length / 200,
    );
  }

  /** @param scale 1 for 200 clients */
  static async start(name: EngineName, scale: number, context: Context): Promise<Arena> {
    // What was started is ended if something after it cannot be started.
    const started: Step[] = [];
    try {
      return await Arena.#start(name, scale, context, started);
    } catch (error) {
      await endAll(started);
      throw error;
    }
  }

  static async #start(name: EngineName, scale: number, context: Context, started: Step[]): Promise<Arena> {
    const path = need(haproxy, context);
    const engine = await (name === 'nats' ? startNats(context) : startRedis(context));
    started.push(() => engine.dispose());
    const start = async () => {
      const server = await ServerProcess.start(name, engine.port);
      started.push(() => server.end('SIGTERM'));
      return server;
    };
    const servers = await Promise.all([start(), start()]);
    const port = await freePort();
    const count = 200 * scale;
    // It tells of each server that is away.
    const command = ['/bin/sh', '-c', `exec ${path} -db -f haproxy.cfg >/dev/null 2>&1`];
    const balancer = await Program.start(command, { 'haproxy.cfg': configuration(port, servers, 2 * count) });
    started.push(() => balancer.stop());
    await accepting(port, balancer);
    const cutter = await Cutter.start(port);
    started.push(() => cutter.close());
    const clients = Array.from(
      { length: count },
      (_, i) => new Client(i % uncut === 0 ? cutter.port : port, `topic-${Math.floor(i / clientsOfTopic)}`),
    );
    started.push(async () => void (await Promise.all(clients.map((client) => client.stop()))));
    await Promise.all(clients.map((client) => client.start()));
    const driver = await openDriver(name, engine.port);
    started.push(() => driver.close());
    return new Arena({ engine, servers, clients, cutter }, driver, started);
  }

  /** Resolves when every client has received a message that was published after this call. */
  async settle(): Promise<void> {
    const data = `round ${++this.#rounds}`;
    const all = this.clients.map((client) => client.reached(data));
    await this.#publishers.publishToAll(data);
    await Promise.all(all);
  }

  /** Stops the load, and compares what each client has received with the log of the broker. */
  async account(): Promise<Account> {
    await this.#publishers.stop();
    await this.settle();
    const broker = this.#driver.driver({ history });
    let messages = 0;
    let deliveries = 0;
    for (const [topic, acknowledged] of this.#publishers.acknowledged) {
      const { first, last } = await broker.bounds(topic);
      const all = broker.read(topic, await startOf(broker, topic), new AbortController().signal);
      const log: { readonly id: string; readonly data: string }[] = [];
      for await (const { id, data } of all) {
        log.push({ id, data: `${data}` });
        if (id.endsWith(`:${last}`)) break;
      }
      expect(first).to.be.at.most(last);
      messages += log.length;
      expect(
        new Map(log.map(({ id, data }) => [data, id])),
        'each message is in the log once, under its id',
      ).to.deep.equal(acknowledged);
      expect(log).to.have.lengthOf(acknowledged.size);
      for (const client of this.clients) {
        if (client.topic !== topic) continue;
        expect(client.losses, 'nothing was lost').to.deep.equal([]);
        expect(client.received, 'each message once, and in order').to.deep.equal(log);
        deliveries += client.received.length;
      }
    }
    await broker.close();
    const resumptions = this.clients.reduce((sum, client) => sum + client.resumptions, 0);
    return { messages, deliveries, resumptions };
  }

  async close(): Promise<void> {
    for (const server of this.servers) server.signal('SIGCONT');
    await this.#publishers.stop();
    await this.#topics.close();
    await endAll(this.#started);
  }
}
