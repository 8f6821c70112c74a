/**
 * Runs in a network namespace of its own, over a loopback interface that the parameter makes bad: a server that echoes and a
 * client of ours. It prints what arrived and how both have ended.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { configureServer, connect, type WebSocket } from '../../lib/webSocketHandler';

const { network, messages, size } = JSON.parse(process.argv[2] as string) as {
  network: keyof typeof networks;
  messages: number;
  /** Bytes of a message. */
  size: number;
};

const ip = (...parameters: string[]) => execFileSync('ip', ['link', 'set', 'lo', ...parameters]);

/** What makes the network bad. A function that is returned goes on while the messages are under way. */
const networks = {
  'small packets': () => void ip('mtu', '576'),
  /** 1 KB/s. A packet that is larger than a burst would never get through. */
  'slow link': () => {
    ip('mtu', '576');
    execFileSync('tc', 'qdisc add dev lo root tbf rate 8kbit burst 1600 limit 5000'.split(' '));
  },
  /** Packets are lost, and TCP sends them again. */
  'flapping link': () => async (isOver: () => boolean) => {
    while (!isOver()) {
      ip('down');
      await delay(20);
      ip('up');
      await delay(100);
    }
  },
};

async function main(): Promise<void> {
  ip('up');
  const server = createServer((_request, response) => {
    const ws = response.webSocket?.connect() as WebSocket;
    ws.pipe(ws);
    server.emit('accepted', ws);
  });
  const handle = configureServer(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(server, 'accepted');
  const client = connect(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const [ofServer] = (await accepted) as [WebSocket];
  await once(client, 'open');
  let isOver = false;
  const disturbing = networks[network]()?.(() => isOver);
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  const writing = (async () => {
    for (let i = 0; i < messages; i++) {
      const message = `${i} `.padEnd(size, 'x');
      sent.update(message);
      if (!client.write(message)) await once(client, 'drain');
    }
  })();
  let count = 0;
  client.on('message', (message) => {
    received.update(String(message));
    if (++count === messages) client.end();
  });
  const outcomes = await Promise.all([ofServer.whenClosed(), client.whenClosed()]);
  await writing;
  isOver = true;
  await disturbing;
  const intact = sent.digest('hex') === received.digest('hex');
  console.log(JSON.stringify({ count, intact, clean: outcomes.map(({ wasClean }) => wasClean) }));
  // Nothing is left that would keep the process alive.
  server.close();
  await handle.close();
}

main();
