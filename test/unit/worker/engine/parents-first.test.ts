import { afterEach, describe, expect, it } from "vitest";
import { parentsFirst, type Standing } from "../../../../src/worker/engine/parents-first.ts";
import { Family, mappingOf, type Relation } from "./family.ts";

const delta = { link: "d", issuedAt: 0 };
const loading = { snapshot: { purpose: "FirstLoad", sweeping: false } } as const;
const resync = { snapshot: { purpose: "Resync", sweeping: false } } as const;
const replay = { delta, snapshot: { purpose: "Replay", sweeping: false } } as const;

type Change = Partial<Omit<Standing, "mapping">>;
const standing = (relation: Relation, change: Change = {}): Standing => ({
  mapping: mappingOf(relation),
  checkpoint: { delta },
  due: 0,
  parked: 0,
  standsStill: false,
  ...change,
});

const contact: Relation = { table: "contact", parent: "account", mandatory: true };
const full = { checkpoint: loading, due: 0, parked: 1000 };

function waitsFor(child: Standing, ...others: readonly Standing[]): readonly string[] {
  return parentsFirst(child, [child, ...others], 1000);
}

describe("the reading of contacts that need accounts", () => {
  it.each<[string, Change, Change, boolean]>([
    ["waits while accounts are read for the first time", full, { checkpoint: loading }, true],
    ["waits while they are read anew", full, { checkpoint: resync }, true],
    ["waits for accounts that are read and not written", full, { due: 101 }, true],
    ["goes on for the last few of them", full, { due: 100 }, false],
    ["goes on for accounts that wait themselves, for what comes", full, { parked: 5000 }, false],
    ["goes on during their replay, for they are there", full, { checkpoint: replay }, false],
    ["goes on while few contacts wait", { ...full, parked: 999 }, { checkpoint: loading }, false],
    ["waits for accounts that stand still", full, { checkpoint: loading, standsStill: true }, true],
    [
      "goes on then, when its changes come only after it",
      { ...full, checkpoint: resync },
      { checkpoint: loading, standsStill: true },
      false,
    ],
    ["waits then in a replay", { ...full, checkpoint: replay }, { checkpoint: loading, standsStill: true }, true],
  ])("%s", (_what, child, parent, waits) => {
    expect(waitsFor(standing(contact, child), standing({ table: "account" }, parent))).toEqual(
      waits ? ["account"] : [],
    );
  });

  it("waits for what accounts need, and for nothing that links lead to which are optional", () => {
    const accounts = standing({ table: "account", parent: "owner", mandatory: true }, { parked: 9 });
    const owners = standing({ table: "owner" }, { checkpoint: loading });
    expect(waitsFor(standing(contact, full), accounts, owners)).toEqual(["owner"]);
    const loose = standing({ table: "account", parent: "owner" });
    expect(waitsFor(standing(contact, full), loose, owners)).toEqual([]);
    expect(waitsFor(standing({ ...contact, mandatory: false }, full), standing({ table: "account" }, full))).toEqual(
      [],
    );
  });

  it("waits for no mapping that leads back to it", () => {
    const self = standing({ table: "account", parent: "account", mandatory: true }, full);
    expect(waitsFor(self)).toEqual([]);
    expect(waitsFor(standing(contact, full), self)).toEqual(["account"]);
    const ring = standing({ table: "account", parent: "contact", mandatory: true }, full);
    expect(waitsFor(standing(contact, full), ring)).toEqual([]);
    const orders = standing({ table: "order", parent: "contact", mandatory: true }, full);
    expect(waitsFor(orders, standing(contact, full), ring)).toEqual(["contact", "account"]);
  });
});

describe("a first load of contacts that need accounts", () => {
  let family: Family;
  afterEach(() => family.end());

  it("keeps few of them waiting, says for what, and reads none a second time", async () => {
    family = new Family([contact, { table: "account" }]);
    const count = 400;
    const id = (n: number) => String(n).padStart(4, "0");
    for (let n = 0; n < count; n++) {
      family.source.put("account", id(n));
      family.source.put("contact", id(n), { parent: { table: "account", id: id(count - n - 1) } });
    }
    let reads = 0;
    let mostParked = 0;
    const waited = new Set<string>();
    family.lots = (call) => {
      if (call === "readRecord") reads += 1;
      return { fate: "Done", delayMs: call === "insert" ? 1000 : 0 };
    };
    await family.start();
    await family.clock.until(async () => {
      const { mappings } = await family.engine.status();
      for (const { parked = 0, reading } of mappings) {
        mostParked = Math.max(mostParked, parked);
        for (const table of reading?.waitsFor ?? []) waited.add(table);
      }
      return family.isQuiet();
    }, 1_000_000);
    expect(await family.faults()).toEqual([]);
    expect([...waited]).toEqual(["account"]);
    expect(reads).toBe(0);
    // What it had, one page, and what came with the last few accounts.
    expect(mostParked).toBeLessThan(count / 2);
  });

  it("comes to its end when accounts could not be read for a time, and over a kill", async () => {
    family = new Family([contact, { table: "account" }]);
    for (let n = 10; n < 40; n++) {
      family.source.put("account", `a${n}`);
      family.source.put("contact", `c${n}`, { parent: { table: "account", id: `a${n}` } });
    }
    let isAway = true;
    family.lots = (call) => {
      if (call === "readTracked") isAway = !isAway;
      return { fate: isAway && call === "readTracked" ? "Outage" : "Done", delayMs: 500 };
    };
    await family.start();
    await family.pass(5000);
    await family.kill();
    await family.start();
    await family.pass(5000);
    await family.settle();
    expect(await family.faults()).toEqual([]);
  });
});
