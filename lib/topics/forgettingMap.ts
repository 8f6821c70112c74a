/** Values by the names of topics. Clients may choose names, so values that are not in use are forgotten when there are many. */
export class ForgettingMap<V extends { readonly isIdle: boolean }> {
  readonly #values = new Map<string, V>();
  readonly #mostIdle: number;
  readonly #forgotten: (value: V) => void;
  #most: number;

  /**
   * @param mostIdle the size up to which nothing is forgotten by itself
   * @param forgotten called for each value that is forgotten
   */
  constructor(mostIdle: number, forgotten: (value: V) => void = () => {}) {
    this.#mostIdle = this.#most = mostIdle;
    this.#forgotten = forgotten;
  }

  get(name: string, make: () => V): V {
    let value = this.#values.get(name);
    if (value === undefined) {
      if (this.#values.size >= this.#most) this.forgetIdle();
      value = make();
      this.#values.set(name, value);
    }
    return value;
  }

  values(): IterableIterator<V> {
    return this.#values.values();
  }

  clear(): void {
    this.#values.clear();
  }

  /** Forgets the values that are not in use. */
  forgetIdle(): void {
    for (const [name, value] of this.#values) {
      if (!value.isIdle) continue;
      this.#values.delete(name);
      this.#forgotten(value);
    }
    // If most are in use, looking at all of them for each new name would take long.
    this.#most = Math.max(this.#mostIdle, 2 * this.#values.size);
  }
}
