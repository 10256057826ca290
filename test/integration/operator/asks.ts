/** What is asked of an operator while something is in trouble, and what must have come of it in the end. */
import { expect, vi } from "vitest";
import { plainSpec } from "../../unit/operator/scene.ts";
import type { Ground } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

/** A watch that has died without a word is noticed after 120 s; reconnecting is tried every 30 s at most. */
export const longPatience = { timeout: 200_000, interval: 200 };

/** An application user of its own: else workflows tell of each other. */
export const own = (name: string) => ({ dynamics: { ...plainSpec.dynamics, credentialsSecretRef: { name } } });

export async function begin(ground: Ground): Promise<void> {
  for (const name of ["stops", "restarts", "edited", "steady"]) {
    await ground.apply(name, { state: "Running", ...own(name) });
  }
  for (const name of ["stops", "restarts", "edited", "steady"]) await ground.until(name, { state: "RUNNING" });
}

/** What people ask while the trouble lasts: a start, a stop, a restart, an edit. */
export async function ask(ground: Ground): Promise<void> {
  await ground.apply("starts", { state: "Running", ...own("starts") });
  await ground.patch("stops", { state: "Stopped" });
  await ground.patch("restarts", { restart: "once" });
  await ground.patch("edited", { campaign: { engineCallsPerSecond: 25 } });
}

/** All of it was done, once. */
export async function isDone(ground: Ground, operator: OperatorProcess): Promise<void> {
  const until = (name: string, status: object) =>
    vi.waitFor(async () => expect(await ground.status(name)).toMatchObject(status), longPatience);
  await until("starts", { state: "RUNNING", appliedRevision: { run: 1 } });
  await until("stops", { state: "STOPPED", appliedRevision: { run: 1 } });
  await until("restarts", { state: "RUNNING", handledRestart: "once", appliedRevision: { run: 2 } });
  await until("edited", { state: "RUNNING", pendingRestart: true, appliedRevision: { run: 1 } });
  expect(ground.kubelet.runsSeen.filter((runs) => runs.length > 1)).toEqual([]);
  expect(await operator.stop()).toBe(0);
}
