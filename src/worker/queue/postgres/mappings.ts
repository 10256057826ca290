import type { PoolClient } from "pg";
import type { Checkpoint } from "../checkpoint.ts";
import type { NoticeCommit } from "../contacts.ts";
import type { FilePages, PageCommit, PageResult, StoredFile } from "../page.ts";
import type { Database } from "./connection.ts";
import { isMany, letGo, letGoInParts, releaseInferred } from "./held.ts";
import { Intake } from "./intake.ts";
import { takeNotices } from "./notices.ts";
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
        const sql = "SELECT to_keys($1, $2, $3) AS last";
        const { rows } = await client.query<{ last: string | null }>(sql, [mapping, after, rowsPerPart]);
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
    for (const table of ["pending", "written", "dead", "links", "absent", "listed", "agreements"] as const) {
      await this.#removeAll(table, mapping);
    }
    await this.#reading(mapping, async (client) => {
      await client.query("DELETE FROM checkpoint WHERE mapping = $1", [mapping]);
      await client.query("DELETE FROM counters WHERE mapping = $1", [mapping]);
    });
    this.#generations.delete(mapping);
  }

  async commitPage(page: PageCommit): Promise<PageResult> {
    const { checkpoint, stage, release } = page;
    const { taken, withheld } = await this.#reading(checkpoint.mapping, async (client, now) => {
      const isTooMuch = release !== undefined && (await isMany(client, page));
      // Of a round, the next one's end does what is left undone here; of a table, nothing would: its checkpoint waits.
      if (!isTooMuch || stage === "Round") await this.#put(client, checkpoint);
      const taken = await this.#takeRecords(client, page, now);
      return isTooMuch ? { taken } : { taken, withheld: await letGo(client, page) };
    });
    if (withheld !== undefined) return { taken, withheld };
    const kept = await letGoInParts((work) => this.#reading(checkpoint.mapping, work), page);
    if (stage === "Snapshot") await this.save(checkpoint);
    return { taken, withheld: kept };
  }

  async files(): Promise<readonly StoredFile[]> {
    const rows = await this.#database.query<{ name: string; progress: string }>("SELECT * FROM files ORDER BY name");
    return rows.map(({ name, progress }) => ({ name: unescaped(name), progress: unescaped(progress) }));
  }

  commitFile(file: StoredFile, pages: FilePages): Promise<void> {
    return this.#reading(pages[0].checkpoint.mapping, async (client, now) => {
      for (const page of pages) await this.#take(client, page, now);
      await putFile(client, file);
    });
  }

  /** See StoredContacts. */
  tell(commit: NoticeCommit): Promise<void> {
    const { mapping, checkpoint, file } = commit;
    return this.#reading(mapping, async (client, now) => {
      await takeNotices(client, commit, now);
      if (checkpoint !== undefined) await this.#put(client, checkpoint);
      if (file === undefined) return;
      await this.#take(client, file.refused, now);
      await putFile(client, file.progress);
    });
  }

  /** See StoredContacts. */
  forgetFiles(mapping: string): Promise<void> {
    return this.#reading(mapping, async (client) => {
      await client.query("DELETE FROM files");
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
    return releaseInferred((work) => this.#reading(mapping, work), mapping);
  }

  sweep(mapping: string, generation: number, remove: boolean, after: string): Promise<string | undefined> {
    return this.#reading(mapping, async (client, now) => {
      const sql = "SELECT sweep_part($1, $2, $3, $4, $5) AS next";
      const { rows } = await client.query<{ next: string | null }>(sql, [mapping, generation, remove, after, now]);
      return rows[0]?.next ?? undefined;
    });
  }

  #reading<T>(mapping: string, work: (client: PoolClient, now: string) => Promise<T>): Promise<T> {
    return this.#readings.transaction(mapping, work);
  }

  async #take(client: PoolClient, page: PageCommit, now: string): Promise<void> {
    await this.#put(client, page.checkpoint);
    await this.#takeRecords(client, page, now);
  }

  /** @returns how many now wait or were refused */
  #takeRecords(client: PoolClient, page: PageCommit, now: string): Promise<number> {
    return new Intake(client, page, now, (text) => this.#fingerprint(text)).commit();
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
    table: "pending" | "written" | "dead" | "links" | "absent" | "listed" | "agreements",
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

async function putFile(client: PoolClient, { name, progress }: StoredFile): Promise<void> {
  await client.query(
    "INSERT INTO files VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET progress = excluded.progress",
    [escaped(name), escaped(progress)],
  );
}
