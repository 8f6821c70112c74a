import type { Work } from '../work';
import type { Audience, Listener } from './audience';

/** Keeps the same number of messages on the way on every connection. */
export function sendEchoes(audience: Audience, { inFlight }: Work): void {
  for (const listener of audience.listeners) {
    const send = createSender(audience, listener, inFlight);
    listener.onReplies = (count) => {
      if (audience.active) send(count);
    };
    send(inFlight);
  }
}

/** Sends so many messages, in one write. */
function createSender({ messages }: Audience, { stream }: Listener, most: number): (count: number) => void {
  const { requests } = messages;
  const [first] = requests as [Buffer];
  if (requests.length === 1) {
    const batch = Buffer.concat(Array.from({ length: most }, () => first));
    return (count) => stream.write(batch.subarray(0, count * first.length));
  }
  let sent = 0;
  return (count) =>
    stream.write(Buffer.concat(Array.from({ length: count }, () => requests[sent++ % requests.length] as Buffer)));
}

/** Sends one message on every connection, and waits for the answers. */
export async function echoOnce({ listeners, messages }: Audience): Promise<void> {
  const [request] = messages.requests as [Buffer];
  const echoes = listeners.map((listener) => {
    const echoed = new Promise<void>((resolve) => {
      listener.onReplies = () => resolve();
    });
    listener.stream.write(request);
    return echoed;
  });
  await Promise.all(echoes);
}
