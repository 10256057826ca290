import { describe, expect, it } from "vitest";
import type { IngressMapping } from "../../../../src/api/integration-workflow.ts";
import * as transitions from "../../../../src/worker/engine/transitions.ts";
import { mappingHash } from "../../../../src/worker/flows/ingress/plan.ts";
import type { Checkpoint } from "../../../../src/worker/queue/checkpoint.ts";

const mapping: IngressMapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [{ column: "firstname", field: "firstName", applyUpdates: true }],
  applyDeletes: true,
  picklistValues: "Label",
};
const edited = { ...mapping, picklistValues: "Value" as const };
const hash = mappingHash(mapping);
const delta = { link: "delta-1", issuedAt: 1 };
const page = { records: [], deletedIds: [] };
const incremental: Checkpoint = { mapping: "contact", mappingHash: hash, generation: 3, delta };

describe("a mapping that a run finds in the store", () => {
  it("goes on when it is what it was", () => {
    expect(transitions.prepare(incremental, hash)).toEqual({ kind: "Continue" });
  });

  it("is read again under a new generation when it was edited, without the old delta link", () => {
    const preparation = transitions.prepare(incremental, mappingHash(edited));
    expect(preparation).toMatchObject({ checkpoint: { generation: 4, snapshot: { purpose: "Resync" } } });
    expect(preparation).not.toHaveProperty("checkpoint.delta");
  });

  it("stays a first load when it was edited during one, so that what Campaign has stays listed", () => {
    const loading = transitions.firstLoad(mapping, hash);
    const preparation = transitions.prepare(loading, mappingHash(edited));
    expect(preparation).toMatchObject({
      checkpoint: { generation: 2, snapshot: { purpose: "FirstLoad" }, listing: {} },
    });
  });

  it("starts over when it speaks of other records", () => {
    expect(transitions.prepare(incremental, mappingHash({ ...mapping, resource: "cusContact" })).kind).toBe(
      "StartOver",
    );
  });
});

describe("a replay", () => {
  it("begins with a new value, once", () => {
    const begun = transitions.replay(incremental, { ...mapping, replay: "1" });
    expect(begun).toMatchObject({ replay: "1", snapshot: { purpose: "Replay" }, delta });
    const done = { ...incremental, replay: "1" };
    expect(transitions.replay(done, { ...mapping, replay: "1" })).toBeUndefined();
  });

  it("waits while the table is read anyway, and is nothing when the value was removed", () => {
    const reading = { ...incremental, snapshot: { purpose: "Resync", sweeping: false } } as const;
    expect(transitions.replay(reading, { ...mapping, replay: "1" })).toBeUndefined();
    const removed = transitions.replay({ ...incremental, replay: "1" }, mapping);
    expect(removed).toEqual(incremental);
  });

  it("of a first load is nothing more: it writes everything", () => {
    const loading = transitions.firstLoad({ ...mapping, replay: "1" }, hash);
    expect(transitions.replay(transitions.swept(loading), { ...mapping, replay: "1" })).toBeUndefined();
  });

  it("stays one when the delta link expires or the mapping is edited during it", () => {
    const replaying = { ...incremental, replay: "1", snapshot: { purpose: "Replay", sweeping: false } } as const;
    const again = { generation: 4, snapshot: { purpose: "Replay", sweeping: false } };
    expect(transitions.readAgain(replaying)).toMatchObject(again);
    expect(transitions.prepare(replaying, mappingHash(edited))).toMatchObject({ checkpoint: again });
    const last = transitions.afterSnapshotPage(transitions.readAgain(replaying), { ...page, deltaLink: "delta-2" }, 9);
    expect(last).toMatchObject({ snapshot: { sweeping: true }, delta: { link: "delta-2" } });
  });

  it("ends without a sweep, and the delta goes on by its own link", () => {
    const replaying = { ...incremental, snapshot: { purpose: "Replay", sweeping: false } } as const;
    expect(transitions.afterSnapshotPage(replaying, { ...page, deltaLink: "delta-2" }, 9)).toEqual(incremental);
  });
});

describe("a pause for deletions", () => {
  const pause = { reason: "MassDeletion", message: "many", since: 1 };

  it("ends with a value of replay that came after it, and not with the one that was there already", () => {
    const asked = { ...mapping, replay: "repair" };
    const paused = transitions.paused(incremental, asked, pause);
    expect(transitions.isConsentedTo(paused, asked)).toBe(false);
    expect(transitions.isConsentedTo(paused, { ...mapping, replay: "yes" })).toBe(true);
    expect(transitions.isConsentedTo(paused, mapping)).toBe(false);
    expect(transitions.isConsentedTo(transitions.paused(incremental, mapping, pause), asked)).toBe(true);
    expect(transitions.isConsentedTo(incremental, asked)).toBe(false);
  });
});

describe("the place where reading goes on", () => {
  it("is the next page while there is one; then the sweep, and the delta link of the read", () => {
    const loading = transitions.firstLoad(mapping, hash);
    const second = transitions.afterSnapshotPage(loading, { ...page, nextLink: "page-2" }, 9);
    expect(transitions.snapshotCursor(second)).toEqual({ kind: "next", link: "page-2" });
    const last = transitions.afterSnapshotPage(second, { ...page, deltaLink: "delta-1" }, 9);
    expect(last).toMatchObject({ snapshot: { sweeping: true }, delta: { link: "delta-1", issuedAt: 9 } });
    expect(transitions.swept(last).snapshot).toBeUndefined();
  });

  it("within a round of changes is its next page, and the round's link until it ends", () => {
    const half = transitions.afterDeltaPage(incremental, { ...page, nextLink: "round-2" }, 9);
    expect(half.delta).toEqual({ ...delta, nextLink: "round-2" });
    expect(transitions.restartRound(half).delta).toEqual(delta);
    expect(transitions.afterDeltaPage(half, { ...page, deltaLink: "delta-2" }, 9).delta).toEqual({
      link: "delta-2",
      issuedAt: 9,
    });
  });
});
