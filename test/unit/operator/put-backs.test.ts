import { expect, test } from "vitest";
import { decide } from "../../../src/operator/decide/decide.ts";
import { putBackWaitMs, withPutBack } from "../../../src/operator/sight/put-backs.ts";
import type { PutBacks, Snapshot } from "../../../src/operator/sight/snapshot.ts";
import { running } from "./moments.ts";
import { minutes, seconds } from "./scene.ts";

/** The pauses before each of so many put-backs, made as soon as they may be. */
function pauses(count: number): readonly number[] {
  let putBacks: PutBacks | undefined;
  let nowMs = 0;
  return Array.from({ length: count }, () => {
    const waitMs = putBackWaitMs(putBacks, nowMs);
    nowMs += waitMs;
    putBacks = withPutBack(putBacks, nowMs);
    return waitMs;
  });
}

test("a hand's edits of a Deployment are put back at once; whoever goes on is met less and less often, once a minute in the end", () => {
  expect(pauses(10)).toEqual([0, 0, 0, 2, 4, 8, 16, 32, 60, 60].map((pause) => pause * seconds));
});

test("after ten quiet minutes the next edit is put back at once", () => {
  const putBacks = { count: 9, atMs: 0 };
  expect(putBackWaitMs(putBacks, 1 * seconds)).toBe(59 * seconds);
  expect(putBackWaitMs(putBacks, 1 * minutes)).toBe(0);
  expect(withPutBack(putBacks, 11 * minutes)).toEqual({ count: 1, atMs: 11 * minutes });
  expect(withPutBack(putBacks, 9 * minutes)).toEqual({ count: 10, atMs: 9 * minutes });
});

test("who changed a Deployment is asked of the API server before it is put back", () => {
  const world = running();
  const planned = world.operator.plan()?.snapshot as Snapshot;
  const { deployment } = planned;
  if (deployment === undefined) throw new Error("no Deployment");
  const edited = { ...deployment, spec: { ...deployment.spec, replicas: 7 } };
  const cached = decide({ ...planned, deployment: { ...edited, editor: undefined }, fresh: false });
  expect(cached).toMatchObject({ writes: [], status: undefined, lookAfresh: true });
  const { writes } = decide({ ...planned, deployment: { ...edited, editor: "kubectl-scale" }, fresh: true });
  expect(writes).toEqual([expect.objectContaining({ kind: "Deployment", verb: "replace" })]);
  expect(writes[0]?.note?.note).toContain("changed by kubectl-scale");
});
