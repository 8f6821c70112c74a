import { once } from 'node:events';
import type { Work } from '../work';
import { repeat } from './connections';
import { createReply, createRequest } from './frames';
import { dropSocket, openSocket } from './http1';
import { createMessages } from './messages';

/** Messages on one connection, as in the profile `echo-ws-limited` of HttpArena. */
export const messagesEach = 10;

/** Opens connections, gets some messages back on each, one after the other, and drops it. */
export async function echoAndLeave(port: number, work: Work): Promise<void> {
  const [payload] = createMessages(work).answers as [Buffer];
  const frame = { kind: work.kind, compressed: false };
  const request = createRequest(payload, frame);
  const reply = createReply(payload, frame);
  await repeat(work.connections, async () => {
    const socket = await openSocket(port, false);
    for (let i = 0; i < messagesEach; i++) {
      socket.write(request);
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      if (!bytes.equals(reply)) throw new Error(`A reply is not what it must be: ${bytes.toString('hex')}`);
    }
    await dropSocket(socket);
  });
}
