import { SyncDeflater, SyncInflater } from '../../lib/extensions/zlibEngines';

/** Counts the engines of zlib that have been used since it was made and that are not closed: each holds memory of zlib. */
export class EnginesInUse implements Disposable {
  readonly #engines = new Set<object>();
  readonly #restore: (() => void)[] = [];

  constructor() {
    const used = (engine: object) => void this.#engines.add(engine);
    const closed = (engine: object) => void this.#engines.delete(engine);
    this.#watch(SyncDeflater.prototype, 'deflate', used);
    this.#watch(SyncDeflater.prototype, 'close', closed);
    this.#watch(SyncInflater.prototype, 'inflateSome', used);
    this.#watch(SyncInflater.prototype, 'close', closed);
  }

  get count(): number {
    return this.#engines.size;
  }

  #watch(prototype: object, name: string, note: (engine: object) => void): void {
    const methods = prototype as Record<string, (this: object, ...parameters: never[]) => unknown>;
    const original = methods[name] as (typeof methods)[string];
    methods[name] = function (...parameters) {
      note(this);
      return original.apply(this, parameters);
    };
    this.#restore.push(() => {
      methods[name] = original;
    });
  }

  [Symbol.dispose](): void {
    for (const restore of this.#restore) restore();
  }
}
