/** Work that must not overlap: of the same name, one after the other, in the order of asking. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** @param name undefined: there is nothing to wait for */
  async take<T>(name: string | undefined, work: () => Promise<T>): Promise<T> {
    if (name === undefined) return work();
    const before = this.#last.get(name);
    // How the one before ended is told to whoever asked for it.
    const mine = Promise.resolve(before).then(work, work);
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }
}
