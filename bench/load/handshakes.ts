import { once } from 'node:events';
import { repeat } from './connections';
import { createRequest } from './frames';
import { dropSocket, openSocket } from './http1';

const closeRequest = createRequest(Buffer.from([0x03, 0xe8]), { kind: 'text', compressed: false });
closeRequest[0] = 0x88;
const closeReply = Buffer.from([0x88, 0x02, 0x03, 0xe8]);

/** Opens and closes connections, each with a whole close handshake. */
export async function openAndClose(port: number, count: number): Promise<void> {
  await repeat(count, async () => {
    const socket = await openSocket(port, false);
    socket.write(closeRequest);
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    if (!bytes.equals(closeReply)) throw new Error(`A Close was answered with ${bytes.toString('hex')}`);
    await dropSocket(socket);
  });
}
