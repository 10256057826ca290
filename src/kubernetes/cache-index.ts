/** The values under which an index finds an object; none leaves it out. Must be pure. */
export type IndexFunction<T> = (object: T) => readonly string[];

/** Finds objects by values of theirs. Most values have one object, which then stands there by itself: a set for each is dear. */
export class CacheIndex<T extends object> {
  readonly #valuesOf: IndexFunction<T>;
  readonly #entries = new Map<string, T | Set<T>>();

  constructor(valuesOf: IndexFunction<T>) {
    this.#valuesOf = valuesOf;
  }

  add(object: T): void {
    for (const value of this.#valuesOf(object)) {
      const present = this.#entries.get(value);
      if (present instanceof Set) present.add(object);
      else this.#entries.set(value, present === undefined || present === object ? object : new Set([present, object]));
    }
  }

  /** @param object the very one that was added */
  remove(object: T): void {
    for (const value of this.#valuesOf(object)) {
      const present = this.#entries.get(value);
      if (present instanceof Set) present.delete(object);
      if (present === object || (present instanceof Set && present.size === 0)) this.#entries.delete(value);
    }
  }

  /** In no promised order. */
  get(value: string): T[] {
    const present = this.#entries.get(value);
    if (present === undefined) return [];
    return present instanceof Set ? [...present] : [present];
  }
}
