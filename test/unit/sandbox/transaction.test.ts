import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generatedRows } from "../../../src/sandbox/dataverse/generated-rows.ts";
import { Organization } from "../../../src/sandbox/dataverse/organization.ts";
import { noRows } from "../../../src/sandbox/dataverse/row-source.ts";
import { accountTable, contactTable } from "../../../src/sandbox/dataverse/standard-tables.ts";
import { WriteLog, WriteSequence } from "../../../src/sandbox/write-log.ts";

const ids = ["a", "b", "c"].map((digit) => `${digit}0000000-0000-4000-8000-000000000000`);

type Step = { readonly kind: "put" | "delete"; readonly at: number; readonly key: number };
const steps = fc.array(
  fc.record({ kind: fc.constantFrom("put", "delete"), at: fc.nat(6), key: fc.nat(8) }) as fc.Arbitrary<Step>,
  { maxLength: 25 },
);

/** Three generated contacts, and rows of the test's own. */
function organization(): Organization {
  const now = () => 1_000_000_000_000;
  const writes = new WriteLog(new WriteSequence(now), true);
  const made = new Organization(
    { organizationId: "o", businessUnitId: "b", userId: "u" },
    { now, expiryNow: now },
    writes,
  );
  made.addTable(accountTable, noRows);
  made.addTable(contactTable, generatedRows(3, 1).contacts);
  return made;
}

function apply(target: Organization, list: readonly Step[]): void {
  const known = [...target.store("contact").scan(0)].map((row) => row.id);
  const names = [...new Set([...known, ...ids])];
  for (const { kind, at, key } of list) {
    const id = names[at % names.length] ?? "";
    const there = target.store("contact").get(id) !== undefined;
    const accountnumber = key === 0 ? null : `K${key}`;
    const taken = accountnumber === null ? undefined : target.findByKey("contact", ["accountnumber"], [accountnumber]);
    if (kind === "delete" && there) target.delete("contact", id, "api");
    if (kind === "delete" || (taken !== undefined && taken !== id)) continue;
    if (there) target.update("contact", id, { accountnumber }, "api");
    else target.insert("contact", id, { accountnumber }, "api");
  }
}

/** All that a caller can see: rows in order, counts, keys, and changes since the beginning. */
function seen(target: Organization): unknown {
  const store = target.store("contact");
  const keys = Array.from({ length: 9 }, (_, n) => target.findByKey("contact", ["accountnumber"], [`K${n}`]));
  return {
    rows: [...store.scan(0)],
    count: store.count,
    keys,
    changes: store.changes(0, 2_000_000),
    writes: [...target.writes.all("contact")],
  };
}

describe("a transaction", () => {
  it("that fails leaves everything as it was, whatever it did and whatever was done before", () => {
    fc.assert(
      fc.property(steps, steps, (before, within) => {
        const target = organization();
        apply(target, before);
        const expected = seen(target);
        const work = () => {
          apply(target, within);
          throw new Error("taken back");
        };
        expect(() => target.transaction(work)).toThrow("taken back");
        expect(seen(target)).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it("that succeeds is as if its writes had been made one by one, but for versions", () => {
    fc.assert(
      fc.property(steps, steps, steps, (before, failed, within) => {
        const [plain, transacted] = [organization(), organization()];
        apply(plain, before);
        apply(plain, within);
        apply(transacted, before);
        const fail = () => {
          apply(transacted, failed);
          throw new Error("taken back");
        };
        expect(() => transacted.transaction(fail)).toThrow();
        transacted.transaction(() => apply(transacted, within));
        const withoutVersions = (target: Organization) =>
          [...target.store("contact").scan(0)].map(({ id, position, cells }) => ({ id, position, cells }));
        expect(withoutVersions(transacted)).toEqual(withoutVersions(plain));
      }),
      { numRuns: 200 },
    );
  });
});
