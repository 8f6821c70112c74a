/**
 * Questions by key, of which one at a time is under way: all that are asked meanwhile share the next one. So each gets an answer to a question
 * that was asked after it, and however many ask the same at the same time, the broker hears it twice.
 */
export class Coalesced<T> {
  readonly #running = new Map<string, Promise<T>>();
  readonly #next = new Map<string, Promise<T>>();

  /** @param ask asks the question; not called if another `ask` for the same key is called in its place */
  run(key: string, ask: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running === undefined) return this.#start(key, ask);
    let next = this.#next.get(key);
    if (next === undefined) {
      const start = () => {
        this.#next.delete(key);
        return this.#start(key, ask);
      };
      next = running.then(start, start);
      this.#next.set(key, next);
    }
    return next;
  }

  #start(key: string, ask: () => Promise<T>): Promise<T> {
    const answer = ask();
    this.#running.set(key, answer);
    const end = () => this.#running.delete(key);
    answer.then(end, end);
    return answer;
  }
}
