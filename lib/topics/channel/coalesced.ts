/**
 * Calls for the same key, one at a time: those that are made while one is under way share the next one. So each call gets an answer to a
 * question that was asked after it, and however many calls there are, few questions are.
 */
export class Coalesced<T> {
  readonly #ask: (key: string) => Promise<T>;
  readonly #running = new Map<string, Promise<T>>();
  readonly #next = new Map<string, Promise<T>>();

  constructor(ask: (key: string) => Promise<T>) {
    this.#ask = ask;
  }

  run(key: string): Promise<T> {
    const running = this.#running.get(key);
    if (running === undefined) return this.#start(key);
    let next = this.#next.get(key);
    if (next === undefined) {
      const start = () => {
        this.#next.delete(key);
        return this.#start(key);
      };
      next = running.then(start, start);
      this.#next.set(key, next);
    }
    return next;
  }

  #start(key: string): Promise<T> {
    const answer = this.#ask(key);
    this.#running.set(key, answer);
    const end = () => this.#running.delete(key);
    answer.then(end, end);
    return answer;
  }
}
