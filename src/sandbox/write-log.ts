/** `api`: a caller of the service's own API; `control`: the control API, standing in for people. */
export type Writer = "api" | "control";

export interface Caller {
  readonly by: Writer;
  /** Of a call to Campaign, on the clock of `performance.now()`, before any fault held it back. */
  readonly arrivedAt?: number;
}

export interface WriteEntry extends Caller {
  /** Grows with every write of the sandbox: writes of both sides have one order. */
  readonly sequence: number;
  /** On the clock of `performance.now()`. */
  readonly landedAt: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly operation: "insert" | "update" | "delete";
  /** What was sent, by field or column. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Dataverse: the row's version since then. */
  readonly version?: number;
}

type Logged = Pick<WriteEntry, "sequence" | "landedAt">;
export type Write = Omit<WriteEntry, keyof Logged>;

/** Counts the writes of both sides. */
export class WriteSequence {
  readonly #monotonic: () => number;
  #last = 0;

  /** @param monotonic milliseconds, as of `performance.now()` */
  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  next(): Logged {
    this.#last += 1;
    return { sequence: this.#last, landedAt: this.#monotonic() };
  }
}

/** Every write of one side, by table or resource and by key: proves that each was done once, and never older after newer. */
export class WriteLog {
  readonly #sequence: WriteSequence;
  readonly #entries = new Map<string, Map<string, WriteEntry[]>>();
  #enabled: boolean;

  constructor(sequence: WriteSequence, enabled: boolean) {
    this.#sequence = sequence;
    this.#enabled = enabled;
  }

  /** Off saves memory where millions of records are written. */
  enable(enabled: boolean): void {
    this.#enabled = enabled;
  }

  add(place: string, key: string, write: Write): void {
    const logged = this.#sequence.next();
    if (!this.#enabled) return;
    const keys = this.#entries.get(place) ?? new Map<string, WriteEntry[]>();
    this.#entries.set(place, keys);
    const entries = keys.get(key) ?? [];
    entries.push({ ...logged, ...write });
    keys.set(key, entries);
  }

  of(place: string, key: string): readonly WriteEntry[] {
    return this.#entries.get(place)?.get(key) ?? [];
  }

  *all(place: string): Generator<{ readonly key: string; readonly entries: readonly WriteEntry[] }> {
    for (const [key, entries] of this.#entries.get(place) ?? []) yield { key, entries };
  }

  clear(): void {
    this.#entries.clear();
  }
}
