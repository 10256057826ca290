/**
 * Random families of rows that point at each other, changed in any order, under calls that fail in every way and kills at
 * any moment. In the end every record whose target is in Campaign is linked to it, every other is unlinked (an optional
 * link) or dead with ParentMissing (a mandatory one), nothing waits, and nothing went backwards.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Family, type Relation } from "./family.ts";
import { badName, type Pointer } from "./family-worlds.ts";
import { inOrder, lot } from "./random-lots.ts";

type Step =
  | { readonly kind: "Put"; readonly row: Pointer; readonly change: Parameters<Family["source"]["put"]>[2] }
  | { readonly kind: "Delete"; readonly row: Pointer }
  /** Into the filter, or out of it. */
  | { readonly kind: "Turn"; readonly row: Pointer }
  | { readonly kind: "ExpireTokens" }
  | { readonly kind: "Kill" }
  /** A restart by which a person asks for everything to be written again. */
  | { readonly kind: "Replay"; readonly value: string }
  | { readonly kind: "Redrive"; readonly replay: boolean }
  | { readonly kind: "Pass"; readonly steps: number };

const tables = ["account", "contact", "order"];
const row: fc.Arbitrary<Pointer> = fc.record({
  table: fc.constantFrom(...tables),
  id: fc.integer({ min: 0, max: 3 }).map((n) => `id-${n}`),
});
/** Mostly of the table that the link is for. */
const put = fc
  .record({
    row,
    parent: fc.option(row, { nil: undefined, freq: 6 }),
    stray: fc.boolean(),
    isActive: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    name: fc.oneof({ weight: 8, arbitrary: fc.constant("name") }, { weight: 1, arbitrary: fc.constant(badName) }),
    keepsParent: fc.boolean(),
  })
  .map(({ row: of, parent, stray, keepsParent, ...change }) => {
    const table = stray ? parent?.table : { account: "account", contact: "account", order: "contact" }[of.table];
    const pointer = parent === undefined || table === undefined ? undefined : { table, id: parent.id };
    return { kind: "Put", row: of, change: keepsParent ? change : { ...change, parent: pointer } } as const;
  });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: put },
  { weight: 3, arbitrary: row.map((of) => ({ kind: "Delete", row: of }) as const) },
  { weight: 4, arbitrary: row.map((of) => ({ kind: "Turn", row: of }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "ExpireTokens" } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: "Kill" } as const) },
  { weight: 1, arbitrary: fc.uuid().map((value) => ({ kind: "Replay", value }) as const) },
  { weight: 1, arbitrary: fc.boolean().map((replay) => ({ kind: "Redrive", replay }) as const) },
  { weight: 10, arbitrary: fc.integer({ min: 1, max: 12 }).map((steps) => ({ kind: "Pass", steps }) as const) },
);
/** An account may have a parent account, or an order for one; a contact its account; an order its contact. */
const relations: fc.Arbitrary<readonly Relation[]> = fc
  .record({
    account: fc.constantFrom("none", "optional", "mandatory", "ring"),
    contact: fc.boolean(),
    order: fc.boolean(),
    deleteUnmatched: fc.boolean(),
  })
  .chain(({ account, contact, order, deleteUnmatched }) =>
    fc.shuffledSubarray<Relation>(
      [
        account === "none"
          ? { table: "account", deleteUnmatched }
          : {
              table: "account",
              parent: account === "ring" ? "order" : "account",
              mandatory: account !== "optional",
              deleteUnmatched,
            },
        { table: "contact", parent: "account", mandatory: contact, deleteUnmatched },
        { table: "order", parent: "contact", mandatory: order },
      ],
      { minLength: 3 },
    ),
  );

async function happen(family: Family, what: Step): Promise<void> {
  switch (what.kind) {
    case "Put":
      return family.source.put(what.row.table, what.row.id, what.change);
    case "Delete":
      return family.source.delete(what.row.table, what.row.id);
    case "Turn": {
      const { table, id } = what.row;
      const before = family.source.rows(table).get(id);
      return before === undefined ? undefined : family.source.put(table, id, { isActive: !before.isActive });
    }
    case "ExpireTokens":
      return family.source.expireTokens();
    case "Kill":
      await family.kill();
      return family.start();
    case "Replay":
      await family.kill();
      return family.start(family.mappings.map((mapping) => ({ ...mapping, replay: what.value })));
    case "Redrive":
      await family.queue.records.redrive({}, what.replay);
      return;
    case "Pass":
      for (let n = 0; n < what.steps; n++) await family.clock.step();
  }
}

it("every record is linked to its target, or unlinked, or says why it is not there, and none waits for ever", async () => {
  const property = fc.asyncProperty(
    relations,
    fc.array(put, { maxLength: 12 }),
    fc.array(step, { minLength: 1, maxLength: 40 }),
    fc.array(lot, { maxLength: 200 }),
    async (asked, before, steps, lots) => {
      const family = new Family(asked, inOrder(lots));
      try {
        for (const what of before) await happen(family, what);
        await family.start();
        for (const what of steps) await happen(family, what);
        await family.settle();
        expect(await family.faults()).toEqual([]);
      } finally {
        await family.end();
      }
    },
  );
  await fc.assert(property, { numRuns: Number(process.env["RUNS"] ?? 60), endOnFailure: false });
});
