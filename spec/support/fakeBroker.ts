import { memoryBroker } from '../../lib/topics';
import type { Broker, BrokerDriver, PublishOptions, TopicMessage } from '../../lib/topics/broker';
import { WebSocketError } from '../../lib/webSocketHandler';

/** A broker in memory that can be taken away, that can lose its messages, and that can lose its answers. */
export interface FakeBroker {
  readonly driver: BrokerDriver;
  /** The calls of `publish()`, `read()` and `bounds()` so far. */
  readonly calls: { publish: number; read: number; bounds: number };
  /** From now on, everything fails with this error, also what is under way. */
  fail(error?: Error): void;
  /** It works again. */
  restore(): void;
  /** It works again, and has lost its messages. */
  restart(): Promise<void>;
  /** The next message is added, but the answer is lost. */
  loseAnswer(): void;
  /** From now on, no call of these functions settles, not even when the broker is closed, until it is restored. */
  hang(...names: readonly ('publish' | 'bounds')[]): void;
}

const never = new Promise<never>(() => {});

const away = () => new WebSocketError('WS_ERR_BROKER_UNAVAILABLE', 'it was taken away');

export function fakeBroker({
  deduplicates = false,
  maxMessageSize = undefined as number | undefined,
} = {}): FakeBroker {
  let memory: Broker | undefined;
  let settings: Parameters<BrokerDriver>[0];
  let failure: Error | undefined;
  let answerIsLost = false;
  let hanging: readonly string[] = [];
  let interrupted = new AbortController();
  const calls = { publish: 0, read: 0, bounds: 0 };
  const keys = new Map<string, string>();
  const check = () => {
    if (failure !== undefined) throw failure;
    return memory as Broker;
  };
  const broker: Broker = {
    guarantees: { ordered: true, durable: false, history: true, deduplicates },
    maxMessageSize,
    async publish(topic: string, data: string | Buffer, options: PublishOptions = {}) {
      calls.publish++;
      if (hanging.includes('publish')) await never;
      const { key } = options;
      const before = key === undefined ? undefined : keys.get(key);
      const id = before ?? (await check().publish(topic, data, options));
      check();
      if (deduplicates && key !== undefined) keys.set(key, id);
      if (!answerIsLost) return id;
      answerIsLost = false;
      throw away();
    },
    async *read(topic: string, after: string, signal: AbortSignal): AsyncGenerator<TopicMessage> {
      calls.read++;
      const own = new AbortController();
      const abort = () => own.abort();
      const signals = [signal, interrupted.signal];
      for (const each of signals) each.addEventListener('abort', abort);
      try {
        yield* check().read(topic, after, own.signal);
      } finally {
        for (const each of signals) each.removeEventListener('abort', abort);
      }
      if (!signal.aborted) check();
    },
    async bounds(topic: string) {
      calls.bounds++;
      if (hanging.includes('bounds')) await never;
      return check().bounds(topic);
    },
    async close() {
      await memory?.close();
    },
  };
  const restore = () => {
    failure = undefined;
    hanging = [];
    interrupted = new AbortController();
  };
  return {
    driver(given) {
      settings = given;
      memory = memoryBroker()(given);
      return broker;
    },
    calls,
    fail(error = away()) {
      failure = error;
      interrupted.abort();
    },
    restore,
    async restart() {
      await memory?.close();
      memory = memoryBroker()(settings);
      restore();
    },
    loseAnswer() {
      answerIsLost = true;
    },
    hang(...names) {
      hanging = names;
    },
  };
}
