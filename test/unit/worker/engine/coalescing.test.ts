/**
 * Which fields go out when versions overtake each other in the queue and mappings are edited between runs: a field with
 * `applyUpdates: false` stays as it was inserted, all others end as the row is, and what another mapping wrote is not believed.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import type { Campaign } from "../../../../src/worker/campaign/interface.ts";
import type { Lots } from "./calls.ts";
import { EngineLives } from "./engine-lives.ts";
import { mapping } from "./simulation.ts";
import { SourceWorld, TargetWorld } from "./worlds.ts";

const field = (column: string, name: string, applyUpdates: boolean) => ({ column, field: name, applyUpdates });
const noted = (applyUpdates: boolean): IngressMapping => ({
  ...mapping,
  fields: [...mapping.fields, field("number", "note", applyUpdates)],
});
/** What one workflow's mapping may become from run to run. */
const versions: readonly IngressMapping[] = [
  mapping,
  noted(true),
  noted(false),
  {
    ...noted(true),
    filter: {
      match: "All",
      conditions: [{ column: "number", operator: "NotEquals", value: "2" }],
      deleteUnmatched: true,
    },
  },
];

type Step =
  | { readonly kind: "Put"; readonly record: number; readonly number: string }
  | { readonly kind: "Delete"; readonly record: number }
  | { readonly kind: "ExpireTokens" }
  | { readonly kind: "Run"; readonly version: number; readonly killed: boolean }
  | { readonly kind: "Pass"; readonly steps: number };

const record = fc.integer({ min: 0, max: 4 });
const change: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(record, fc.constantFrom("1", "2", "3"))
      .map(([n, number]) => ({ kind: "Put", record: n, number }) as const),
  },
  { weight: 1, arbitrary: record.map((n) => ({ kind: "Delete", record: n }) as const) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 10 }).map((steps) => ({ kind: "Pass", steps }) as const) },
);
const edit: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: change },
  { weight: 1, arbitrary: fc.constant({ kind: "ExpireTokens" } as const) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: versions.length - 1 }), fc.boolean())
      .map(([version, killed]) => ({ kind: "Run", version, killed }) as const),
  },
);
const delays = fc.array(fc.integer({ min: 0, max: 4000 }), { maxLength: 100 });

class Run {
  readonly lives = new EngineLives();
  readonly source: SourceWorld;
  readonly target: TargetWorld;
  /** The number that each row version had. */
  readonly numbers = new Map<number, string>();
  mapping: IngressMapping;

  constructor(first: IngressMapping, delaysMs: readonly number[]) {
    const left = [...delaysMs];
    const lots: Lots = () => ({ fate: "Done", delayMs: left.shift() ?? 0 });
    this.mapping = first;
    this.source = new SourceWorld(lots, this.lives.clock);
    this.target = new TargetWorld(lots, this.lives.clock, 0);
  }

  async start(): Promise<void> {
    const client = this.target.client();
    const campaign: Campaign = {
      ...client,
      resourceMetadata: async (...args) => {
        const metadata = await client.resourceMetadata(...args);
        const note = { name: "note", type: "string", rawType: "string" } as const;
        return { ...metadata, fields: new Map([...metadata.fields, [note.name, note]]) };
      },
    };
    const settings = { pageSize: 3, parallelism: 2, highWaterRecords: 6, lowWaterRecords: 3 };
    await this.lives.start({ mappings: [this.mapping], dataverse: this.source.client(), campaign, settings });
  }

  async happen(what: Step, count: number): Promise<void> {
    switch (what.kind) {
      case "Put": {
        const id = `id-${what.record}`;
        this.source.put(id, `name ${count}`, what.number);
        this.numbers.set(this.source.rows.get(id)?.version ?? 0, what.number);
        return;
      }
      case "Delete":
        return this.source.delete(`id-${what.record}`);
      case "ExpireTokens":
        return this.source.expireTokens();
      case "Run":
        await (what.killed ? this.lives.kill() : this.lives.stop());
        this.mapping = versions[what.version] ?? mapping;
        return this.start();
      case "Pass":
        for (let n = 0; n < what.steps; n++) await this.lives.clock.step();
    }
  }

  async settle(): Promise<void> {
    await this.lives.pass(120_000); // A lease that a kill left, and some rounds of changes.
    await this.lives.clock.until(async () => {
      if (this.lives.failure !== undefined) throw this.lives.failure;
      const [status] = (await this.lives.engine.status()).mappings;
      return status?.phase === "Incremental" && status.backlog === 0;
    }, 1_000_000);
  }

  async through(steps: readonly Step[]): Promise<void> {
    await this.start();
    for (const [count, what] of steps.entries()) await this.happen(what, count);
    await this.settle();
  }

  async end(): Promise<void> {
    if (this.lives.isRunning) await this.lives.stop();
    await this.lives.end();
  }
}

it("however versions are coalesced, a field that is written on insert only keeps what the inserted version had", async () => {
  const property = fc.asyncProperty(
    fc.array(change, { minLength: 1, maxLength: 40 }),
    delays,
    async (steps, delaysMs) => {
      const run = new Run(noted(false), delaysMs);
      try {
        await run.through(steps);
        expect(run.target.records).toHaveLength(run.source.rows.size);
        for (const [id, { name, version }] of run.source.rows) {
          const history = run.target.history.get(id) ?? [];
          const inserted = history[history.lastIndexOf("gone") + 1];
          const note = run.numbers.get(Number(inserted));
          expect(run.target.with(id)).toEqual([{ externalId: id, name, revision: version, note }]);
        }
      } finally {
        await run.end();
      }
    },
  );
  await fc.assert(property, { numRuns: 60, endOnFailure: false });
});

it("whatever generations edits and expired links make, all that follows updates ends as the row and the mapping are", async () => {
  const property = fc.asyncProperty(
    fc.array(edit, { minLength: 1, maxLength: 40 }),
    delays,
    async (steps, delaysMs) => {
      const run = new Run(noted(true), delaysMs);
      try {
        await run.through(steps);
        const { filter, fields } = run.mapping;
        const rows = [...run.source.rows].filter(([, { number }]) => filter === undefined || number !== "2");
        const known = new Set(run.source.rows.keys());
        for (const [id, { name, version, number }] of rows) {
          const isFollowed = fields.some((one) => one.field === "note" && one.applyUpdates);
          expect(run.target.with(id)).toMatchObject([
            { name, revision: version, ...(isFollowed ? { note: number } : {}) },
          ]);
        }
        if (filter?.deleteUnmatched) expect(run.target.records).toHaveLength(rows.length);
        for (const { externalId } of run.target.records) expect(known).toContain(externalId);
        for (const history of run.target.history.values()) {
          const written = history.filter((what) => what !== "gone");
          expect(written).toEqual(written.toSorted((a, b) => a - b));
        }
      } finally {
        await run.end();
      }
    },
  );
  await fc.assert(property, { numRuns: 60, endOnFailure: false });
});
