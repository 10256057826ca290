import type { PoolClient } from "pg";
import { StoreOutage } from "../errors.ts";
import type { Checkpoint, FilePages, PageCommit, PageResult, StoredFile } from "../interface.ts";
import type { Database } from "./connection.ts";
import { heldUntil, Intake } from "./intake.ts";
import type { Readings } from "./readings.ts";
import { escaped, unescaped } from "./texts.ts";

const rowsPerPart = 2000;

/** Where the reading of each mapping stands, and what goes with it in one transaction: of who has the reading alone. */
export class Mappings {
  readonly #database: Database;
  readonly #readings: Readings;
  readonly #fingerprint: (text: string) => string;
  /** The newest of each mapping that this process knows. */
  readonly #generations = new Map<string, number>();

  constructor(database: Database, readings: Readings, fingerprint: (text: string) => string) {
    this.#database = database;
    this.#readings = readings;
    this.#fingerprint = fingerprint;
  }

  generationOf(mapping: string): number | undefined {
    return this.#generations.get(mapping);
  }

  async all(): Promise<readonly Checkpoint[]> {
    const rows = await this.#database.query<{ state: string }>("SELECT state FROM checkpoint ORDER BY mapping");
    const checkpoints = rows.map(({ state }) => JSON.parse(state) as Checkpoint); // Written by #put alone.
    for (const { mapping, generation } of checkpoints) this.#generations.set(mapping, generation);
    return checkpoints;
  }

  save(checkpoint: Checkpoint): Promise<void> {
    return this.#reading(checkpoint.mapping, (client) => this.#put(client, checkpoint));
  }

  async beginGeneration(checkpoint: Checkpoint): Promise<void> {
    const { mapping } = checkpoint;
    // In parts, so that no transaction is long, and before the checkpoint: a key is right in every generation, and what was
    // found to be absent is looked for again.
    await this.#removeAll("absent", mapping);
    for (let after = "0"; ; ) {
      const last = await this.#reading(mapping, async (client) => {
        const { rows } = await client.query<{ last: string | null }>("SELECT to_keys($1, $2, $3, $4) AS last", [
          mapping,
          this.#readings.numberOf(mapping),
          after,
          rowsPerPart,
        ]);
        const found = rows[0]?.last ?? undefined;
        if (found === undefined) await this.#put(client, checkpoint);
        return found;
      });
      if (last === undefined) return;
      after = last;
    }
  }

  async drop(mapping: string): Promise<void> {
    // In parts, so that no transaction is long. The checkpoint goes last, and says from the first that what is left of the
    // mapping is of no use: an interrupted drop is done again, also when the mapping is back by then.
    await this.#reading(mapping, async (client) => {
      const { rows } = await client.query<{ state: string }>("SELECT state FROM checkpoint WHERE mapping = $1", [
        mapping,
      ]);
      const [row] = rows;
      if (row !== undefined) await this.#put(client, { ...JSON.parse(row.state), mappingHash: "" });
    });
    for (const table of ["pending", "written", "dead", "links", "absent", "listed"] as const) {
      await this.#removeAll(table, mapping);
    }
    await this.#reading(mapping, async (client) => {
      await client.query("DELETE FROM checkpoint WHERE mapping = $1", [mapping]);
      await client.query("DELETE FROM counters WHERE mapping = $1", [mapping]);
    });
    this.#generations.delete(mapping);
  }

  commitPage(page: PageCommit): Promise<PageResult> {
    return this.#reading(page.checkpoint.mapping, async (client, now) => {
      await this.#put(client, page.checkpoint);
      return new Intake(client, page, now, (text) => this.#fingerprint(text)).commit();
    });
  }

  async files(): Promise<readonly StoredFile[]> {
    const rows = await this.#database.query<{ name: string; progress: string }>("SELECT * FROM files ORDER BY name");
    return rows.map(({ name, progress }) => ({ name: unescaped(name), progress: unescaped(progress) }));
  }

  commitFile({ name, progress }: StoredFile, pages: FilePages): Promise<void> {
    return this.#reading(pages[0].checkpoint.mapping, async (client, now) => {
      for (const page of pages) {
        await this.#put(client, page.checkpoint);
        await new Intake(client, page, now, (text) => this.#fingerprint(text)).commit();
      }
      await client.query(
        "INSERT INTO files VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET progress = excluded.progress",
        [escaped(name), escaped(progress)],
      );
    });
  }

  commitListing(checkpoint: Checkpoint, targetKeys: readonly string[]): Promise<void> {
    const fingerprints = targetKeys.map((key) => this.#fingerprint(key));
    return this.#reading(checkpoint.mapping, async (client) => {
      await this.#put(client, checkpoint);
      await client.query("INSERT INTO listed SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING", [
        checkpoint.mapping,
        fingerprints,
      ]);
    });
  }

  forgetListing(mapping: string): Promise<void> {
    return this.#removeAll("listed", mapping);
  }

  async countUnseen(mapping: string, generation: number): Promise<number> {
    let unseen = 0;
    for (let after: string | null = ""; after !== null; ) {
      const [part]: { next: string | null; unseen: string }[] = await this.#database.query(
        "SELECT * FROM unseen_part($1, $2, $3)",
        [mapping, generation, after],
      );
      unseen += Number(part?.unseen ?? 0);
      after = part?.next ?? null;
    }
    return unseen;
  }

  releaseWithheld(mapping: string): Promise<void> {
    return this.#reading(mapping, async (client) => {
      await client.query(
        "UPDATE pending SET held = 0 WHERE mapping = $1 AND held <> 0 AND held = ANY ($2) AND inferred",
        [mapping, [heldUntil.Round, heldUntil.Snapshot]],
      );
    });
  }

  async sweep(mapping: string, generation: number, remove: boolean, after: string): Promise<string | undefined> {
    const number = this.#readings.numberOf(mapping);
    const rows = await this.#database
      .query<{ next: string | null }>("SELECT sweep_part($1, $2, $3, $4, $5) AS next", [
        mapping,
        number,
        generation,
        remove,
        after,
      ])
      .catch((error: unknown) => this.#taken(mapping, error));
    return rows[0]?.next ?? undefined;
  }

  /** A transaction of who reads the mapping, and refused to all others. */
  async #reading<T>(mapping: string, work: (client: PoolClient, now: string) => Promise<T>): Promise<T> {
    const number = this.#readings.numberOf(mapping);
    return this.#database
      .transaction(async (client) => {
        const { rows } = await client.query<{ now: string }>("SELECT enter_as_reader($1, $2) AS now", [
          mapping,
          number,
        ]);
        return work(client, String(rows[0]?.now));
      })
      .catch((error: unknown) => this.#taken(mapping, error));
  }

  #taken(mapping: string, error: unknown): never {
    if (!(error instanceof Error) || !("code" in error) || error.code !== "IW001") throw error;
    this.#readings.lost(mapping);
    throw new StoreOutage("ReadingTaken", `another process of the workflow reads ${mapping} now`, error);
  }

  async #put(client: PoolClient, checkpoint: Checkpoint): Promise<void> {
    const { mapping, generation, delta, snapshot, checks } = checkpoint;
    const isLoading = delta === undefined || (snapshot?.purpose ?? "Replay") !== "Replay";
    await client.query("SELECT put_checkpoint($1, $2, $3, $4, $5)", [
      mapping,
      generation,
      isLoading,
      checks?.epoch ?? null,
      JSON.stringify(checkpoint),
    ]);
    this.#generations.set(mapping, generation);
  }

  /** In parts, so that no transaction is long. */
  async #removeAll(
    table: "pending" | "written" | "dead" | "links" | "absent" | "listed",
    mapping: string,
  ): Promise<void> {
    const part = `SELECT ctid FROM ${table} WHERE mapping = $1 LIMIT $2`;
    const remove = () =>
      this.#reading(
        mapping,
        async (client) =>
          (await client.query(`DELETE FROM ${table} WHERE ctid = ANY (ARRAY (${part}))`, [mapping, rowsPerPart]))
            .rowCount,
      );
    while ((await remove()) !== 0);
  }
}
