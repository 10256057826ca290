import { expect, test } from "vitest";
import { type Lease, mayTake, observe, releasedSpec, takenSpec } from "../../../src/kubernetes/lease-record.ts";

function lease(resourceVersion: string, spec: Lease["spec"] = {}): Lease {
  return { metadata: { name: "lead", namespace: "ns", uid: "u", resourceVersion }, spec };
}

const date = new Date("2026-11-21T10:00:00.123Z");
const held = {
  holderIdentity: "a",
  leaseDurationSeconds: 15,
  leaseTransitions: 3,
  acquireTime: "then",
  renewTime: "then",
};

test("another's lease may be taken only when it has stayed the same for its whole duration", () => {
  const first = observe(undefined, lease("1", held), 1000);
  const same = observe(first, lease("1", held), 9000);
  expect(mayTake(same, "b", 16_000)).toBe(false);
  expect(mayTake(same, "b", 16_001)).toBe(true);
  const renewed = observe(same, lease("2", held), 10_000);
  expect(mayTake(renewed, "b", 25_000)).toBe(false);
});

test("the holder's duration counts, and the times written in the lease do not", () => {
  const old = { ...held, leaseDurationSeconds: 60, renewTime: "1990-01-01T00:00:00.000000Z" };
  expect(mayTake(observe(undefined, lease("1", old), 0), "b", 59_000)).toBe(false);
});

test("a lease that is free, or one's own, may be taken at once", () => {
  for (const spec of [{}, { holderIdentity: "" }, held]) {
    expect(mayTake(observe(undefined, lease("1", spec), 0), "a", 0)).toBe(true);
  }
});

test("taking counts a transition and a new time of acquiring, renewing does not", () => {
  const now = "2026-11-21T10:00:00.123000Z";
  expect(takenSpec(held, "b", 15, date)).toEqual({
    holderIdentity: "b",
    leaseDurationSeconds: 15,
    acquireTime: now,
    renewTime: now,
    leaseTransitions: 4,
  });
  expect(takenSpec(held, "a", 15, date)).toEqual({ ...held, renewTime: now });
  expect(takenSpec(undefined, "a", 15, date)).toMatchObject({ leaseTransitions: 0, acquireTime: now });
});

test("a released lease has no holder and keeps its count", () => {
  expect(releasedSpec(held, date)).toMatchObject({ holderIdentity: "", leaseTransitions: 3, leaseDurationSeconds: 1 });
});
