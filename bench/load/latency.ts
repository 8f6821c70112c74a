import type { Audience } from './audience';

export interface Latencies {
  /** Milliseconds from the moment that a message was due until its echo has come: half of them, 99 % and 99.9 % take no longer. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/**
 * Sends at a fixed rate, however long the answers take: who waits for an answer before asking again does not see how long the next would
 * have waited. The loop never sleeps, for a timer is late by as much as is measured here.
 */
export async function measureLatencies(
  audience: Audience,
  perSecond: number,
  milliseconds: number,
): Promise<Latencies> {
  const { listeners, messages } = audience;
  const [request] = messages.requests as [Buffer];
  const due: number[][] = listeners.map(() => []);
  const latencies: number[] = [];
  for (const [index, listener] of listeners.entries()) {
    listener.onReplies = (count) => {
      const now = performance.now();
      for (const sent of due[index]?.splice(0, count) ?? []) latencies.push(now - sent);
    };
  }
  const started = performance.now();
  let sent = 0;
  for (let now = started; now < started + milliseconds; now = performance.now()) {
    for (const last = ((now - started) * perSecond) / 1000; sent < last; sent++) {
      const index = sent % listeners.length;
      due[index]?.push(started + (sent * 1000) / perSecond);
      listeners[index]?.stream.write(request);
    }
    await new Promise(setImmediate);
  }
  const lastCame = performance.now() + 5000;
  while (latencies.length < sent) {
    if (performance.now() > lastCame) throw new Error('An echo has not come');
    await new Promise(setImmediate);
  }
  latencies.sort((a, b) => a - b);
  const percentile = (part: number) => latencies[Math.floor(latencies.length * part)] ?? 0;
  return { p50: percentile(0.5), p99: percentile(0.99), p999: percentile(0.999) };
}
