import type { PoolClient } from "pg";
import { coalesce, type Decision, type KnownState, type PutRow } from "../coalesce.ts";
import type { Incoming, PageCommit } from "../page.ts";
import { heldUntil } from "./held.ts";
import { escaped } from "./texts.ts";

interface KnownRow {
  readonly id: string;
  /** Row versions and other numbers of 64 bits are texts. */
  readonly seq: string | null;
  readonly removal: boolean;
  readonly version: string | null;
  readonly has_content: boolean;
  readonly generation: string;
  readonly replay: boolean;
  readonly begun: boolean;
  readonly seen: string | null;
  readonly claimed_key: string | null;
  readonly holds: boolean | null;
  readonly written_version: string | null;
  readonly written_generation: string;
  readonly departed: boolean;
  readonly is_dead: boolean;
  readonly dead_version: string | null;
  readonly dead_generation: string;
}

/** A record and what is decided of it. */
interface Decided {
  readonly incoming: Incoming;
  readonly id: string;
  readonly row: KnownRow | undefined;
  readonly decision: Decision;
}

type OfKind<K extends Decision["kind"]> = Decided & { readonly decision: Extract<Decision, { kind: K }> };

/**
 * Takes what a reader found into `pending`, `dead` and `written`, in a transaction of its own. What is known is asked for
 * all records at once, and what is decided is done for all of a kind at once.
 */
export class Intake {
  readonly #client: PoolClient;
  readonly #page: PageCommit;
  readonly #now: string;
  readonly #fingerprint: (text: string) => string;
  /** The rows that left, and their keys. */
  readonly #left = new Map<string, { readonly key: string; readonly wasHeld: boolean }>();

  /** @param now by the store's clock */
  constructor(client: PoolClient, page: PageCommit, now: string, fingerprint: (text: string) => string) {
    this.#client = client;
    this.#page = page;
    this.#now = now;
    this.#fingerprint = fingerprint;
  }

  /** @returns how many now wait or were refused */
  async commit(): Promise<number> {
    const { records, checkpoint } = this.#page;
    await this.#client.query("UPDATE counters SET read = read + $2 WHERE mapping = $1", [
      checkpoint.mapping,
      records.length,
    ]);
    let taken = 0;
    for (const layer of layersOf(records)) taken += await this.#take(layer);
    // What else the page tells of those who may have a key next is known by now.
    await this.#passOn();
    return taken;
  }

  get #mapping(): string {
    return this.#page.checkpoint.mapping;
  }

  /** @param layer no two of one record. @returns how many now wait or were refused */
  async #take(layer: readonly Incoming[]): Promise<number> {
    const { checkpoint, replay, stage, release } = this.#page;
    const { generation } = checkpoint;
    const ids = layer.map(({ id }) => escaped(id));
    const { rows } = await this.#client.query<KnownRow>("SELECT * FROM known_of($1, $2)", [this.#mapping, ids]);
    const known = new Map(rows.map((row) => [row.id, row]));
    const reading = { generation, replay, stage, goesOn: release === undefined };
    const decided = layer.map((incoming): Decided => {
      const id = escaped(incoming.id);
      const row = known.get(id);
      return { incoming, id, row, decision: coalesce(incoming, row === undefined ? {} : stateOf(row), reading) };
    });
    await this.#see(decided);
    await this.#keep(decided);
    const puts = decided.filter((one): one is OfKind<"Put"> => one.decision.kind === "Put");
    await this.#insert(puts.filter(({ row }) => row?.seq == null));
    await this.#replace(puts.filter(({ row }) => row?.seq != null));
    const drops = decided.filter((one): one is OfKind<"Drop"> => one.decision.kind === "Drop");
    await this.#drop(drops);
    const burials = decided.filter((one): one is OfKind<"Bury"> => one.decision.kind === "Bury");
    await this.#bury(burials);
    return puts.length + burials.length;
  }

  async #see(decided: readonly Decided[]): Promise<void> {
    const { generation } = this.#page.checkpoint;
    const isToSee = ({ incoming, row }: Decided) =>
      incoming.kind !== "Delete" && row?.seen != null && Number(row.seen) < generation;
    await this.#each(decided.filter(isToSee), "UPDATE written SET seen = $3 WHERE mapping = $1 AND id = ANY ($2)", [
      generation,
    ]);
  }

  async #keep(decided: readonly Decided[]): Promise<void> {
    const { generation } = this.#page.checkpoint;
    const kept = decided.filter(({ decision }) => decision.kind === "Keep");
    await this.#each(
      kept.filter(({ row }) => row?.seq != null),
      `UPDATE pending SET generation = $3, revision = revision + (NOT replay AND $4)::int, replay = replay OR $4
       WHERE mapping = $1 AND id = ANY ($2)`,
      [generation, this.#page.replay],
    );
    await this.#each(
      kept.filter(({ incoming, row }) => row?.is_dead && incoming.kind !== "Delete"),
      "UPDATE dead SET generation = $3 WHERE mapping = $1 AND id = ANY ($2)",
      [generation],
    );
    await this.#each(
      decided.filter(({ decision: { kind }, row }) => row?.is_dead && kind !== "Keep" && kind !== "Bury"),
      "DELETE FROM dead WHERE mapping = $1 AND id = ANY ($2)",
    );
  }

  async #insert(puts: readonly OfKind<"Put">[]): Promise<void> {
    await this.#put(
      puts,
      `INSERT INTO pending (mapping, id, operation, version, target_key, payload, held, inferred, fingerprint,
         generation, replay, bulk, first_read_at, ready_at)
       SELECT $1, p.id, p.operation, p.version, p.target_key, p.payload, p.held, p.operation = 1, p.fingerprint,
         $9, $10, $11, $12, $12 FROM put p ORDER BY p.n`,
      [this.#now],
    );
  }

  async #replace(puts: readonly OfKind<"Put">[]): Promise<void> {
    await this.#put(
      puts,
      `UPDATE pending q SET operation = p.operation, version = p.version, target_key = p.target_key,
         payload = p.payload, held = p.held, inferred = p.operation = 1,
         fingerprint = CASE WHEN q.fingerprint IS NOT NULL THEN p.fingerprint END,
         generation = $9, replay = q.replay OR $10, bulk = q.bulk AND $11,
         ready_at = CASE WHEN q.parked THEN q.first_read_at ELSE q.ready_at END, parked = false,
         revision = q.revision + 1
       FROM put p WHERE q.mapping = $1 AND q.id = p.id`,
    );
  }

  async #put(puts: readonly OfKind<"Put">[], sql: string, more: readonly unknown[] = []): Promise<void> {
    if (puts.length === 0) return;
    const { checkpoint, replay, stage } = this.#page;
    const contents = puts.map(({ incoming, decision }) => this.#contentOf(incoming, decision.row));
    await this.#client.query(
      `WITH put AS (SELECT * FROM unnest($2::text[], $3::smallint[], $4::bigint[], $5::text[], $6::text[],
         $7::smallint[], $8::text[])
         WITH ORDINALITY AS put (id, operation, version, target_key, payload, held, fingerprint, n)) ${sql}`,
      [
        this.#mapping,
        puts.map(({ id }) => id),
        puts.map(({ decision }) => (decision.row.operation === "Delete" ? 1 : 0)),
        puts.map(({ decision }) => decision.row.version?.toString() ?? null),
        contents.map((content) => content?.targetKey ?? null),
        contents.map((content) => content?.payload ?? null),
        puts.map(({ decision }) => heldUntil[decision.row.held ?? "none"]),
        contents.map((content) => content?.fingerprint ?? null),
        checkpoint.generation,
        replay,
        stage === "Snapshot",
        ...more,
      ],
    );
  }

  #contentOf(incoming: Incoming, row: PutRow) {
    if (!row.withContent || incoming.kind !== "Upsert" || incoming.content === undefined) return undefined;
    const { targetKey, payload } = incoming.content;
    const fingerprint = this.#page.listed ? this.#fingerprint(targetKey) : null;
    return { targetKey: escaped(targetKey), payload, fingerprint };
  }

  async #drop(drops: readonly OfKind<"Drop">[]): Promise<void> {
    if (drops.length === 0) return;
    const left = drops.map(({ decision, incoming, row }) =>
      decision.left && row?.written_version != null && incoming.kind !== "Delete" ? String(incoming.version) : null,
    );
    await this.#client.query(
      `SELECT drop_record($1, d.id, d.version, d.why) FROM
         (SELECT * FROM unnest($2::text[], $3::bigint[], $4::text[])
           WITH ORDINALITY AS d (id, version, why, n) ORDER BY n) d`,
      [
        this.#mapping,
        drops.map(({ id }) => id),
        left,
        drops.map(({ incoming }) => (incoming.kind === "Delete" ? "Gone" : "FilteredOut")),
      ],
    );
    for (const [index, { id, row }] of drops.entries()) {
      if (left[index] === null || row?.claimed_key == null) continue;
      this.#left.set(id, { key: row.claimed_key, wasHeld: row.holds === true });
    }
  }

  async #passOn(): Promise<void> {
    if (this.#left.size === 0) return;
    const left = [...this.#left.values()];
    await this.#client.query(
      `SELECT pass_on($1, l.id, l.key, l.was_held, $5) FROM
         (SELECT * FROM unnest($2::text[], $3::text[], $4::boolean[])
           WITH ORDINALITY AS l (id, key, was_held, n) ORDER BY n) l`,
      [
        this.#mapping,
        [...this.#left.keys()],
        left.map(({ key }) => key),
        left.map(({ wasHeld }) => wasHeld),
        this.#now,
      ],
    );
  }

  async #bury(burials: readonly OfKind<"Bury">[]): Promise<void> {
    if (burials.length === 0) return;
    await this.#client.query(
      `SELECT bury_record($1, d.id, d.version, $6, d.reason, d.message) FROM
         (SELECT * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[])
           WITH ORDINALITY AS d (id, version, reason, message, n) ORDER BY n) d`,
      [
        this.#mapping,
        burials.map(({ id }) => id),
        burials.map(({ incoming }) => (incoming.kind === "Delete" ? null : String(incoming.version))),
        burials.map(({ decision }) => escaped(decision.refusal.reason)),
        burials.map(({ decision }) => escaped(decision.refusal.message)),
        this.#page.checkpoint.generation,
      ],
    );
  }

  async #each(decided: readonly Decided[], sql: string, values: readonly unknown[] = []): Promise<void> {
    if (decided.length === 0) return;
    await this.#client.query(sql, [this.#mapping, decided.map(({ id }) => id), ...values]);
  }
}

/** A record may be told twice on a page: the second time it is known by the first. */
function layersOf(records: readonly Incoming[]): readonly (readonly Incoming[])[] {
  const layers: Incoming[][] = [];
  const times = new Map<string, number>();
  for (const incoming of records) {
    const time = times.get(incoming.id) ?? 0;
    times.set(incoming.id, time + 1);
    const layer = layers[time] ?? [];
    layers[time] = layer;
    layer.push(incoming);
  }
  return layers;
}

function stateOf(row: KnownRow): KnownState {
  return {
    ...(row.seq === null
      ? {}
      : {
          pending: {
            operation: row.removal ? "Delete" : "Upsert",
            ...version(row.version),
            hasContent: row.has_content,
            generation: Number(row.generation),
            replay: row.replay,
            begun: row.begun,
          },
        }),
    ...(row.written_version === null
      ? {}
      : {
          written: {
            version: BigInt(row.written_version),
            generation: Number(row.written_generation),
            left: row.departed,
          },
        }),
    ...(row.is_dead ? { dead: { ...version(row.dead_version), generation: Number(row.dead_generation) } } : {}),
  };
}

function version(text: string | null): { version?: bigint } {
  return text === null ? {} : { version: BigInt(text) };
}
