import type { Work } from '../work';
import type { Audience } from './audience';

/** One of the connections sends some messages, and the next when all of them have received those. */
export function sendBroadcasts(audience: Audience, { inFlight }: Work): void {
  const { listeners, messages } = audience;
  const awaited = listeners.length * inFlight;
  let received = 0;
  let sent = 0;
  const send = () => {
    const next = Array.from({ length: inFlight }, () => messages.requests[sent++ % messages.requests.length] as Buffer);
    listeners[0]?.stream.write(Buffer.concat(next));
  };
  for (const listener of listeners) {
    listener.onReplies = (count) => {
      received += count;
      if (received < awaited || !audience.active) return;
      received = 0;
      send();
    };
  }
  send();
}
