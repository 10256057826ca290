/** An API server that is away for long, and comes back, with and without its past. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ask, begin, isDone } from "./asks.ts";
import { AuditedPlane } from "./audited-plane.ts";

/** How long the API server is away; in the gate long enough that each watch has failed several times. */
const awaySeconds = Number(process.env["INTEGRATION_WORKFLOW_AWAY_SECONDS"] ?? 20);

let plane: AuditedPlane;
beforeAll(async () => {
  plane = await AuditedPlane.start("away", "compacted");
});
afterAll(() => plane?.stop());

test(`when the API server was away for ${awaySeconds} s, the operator goes on where it was, and nothing was hammered`, {
  timeout: 300_000 + awaySeconds * 1000,
}, async () => {
  const ground = await plane.ground();
  const operator = await plane.operator(ground, "away");
  await begin(ground);
  await ground.patch("restarts", { restart: "once" });
  const url = (await operator.said("operator started"))["health"];
  await plane.controlPlane.killApiServer();
  const backAtMs = performance.now() + awaySeconds * 1000;
  let unhealthy = 0;
  await vi.waitFor(
    async () => {
      // Alive all the time: a new process could not do better.
      if ((await fetch(`${url}/livez`)).status !== 200) unhealthy += 1;
      expect(performance.now()).toBeGreaterThan(backAtMs);
    },
    { timeout: awaySeconds * 1000 + 60_000, interval: 500 },
  );
  expect(unhealthy).toBe(0);
  const complaints = operator.lines.filter(({ level }) => level === "warn").length;
  console.info(`${complaints} warnings in ${awaySeconds} s`);
  // Seven watches and the definition, each tried at growing distances, twice a minute in the end; and the restart itself.
  expect(complaints).toBeLessThan(120 + (awaySeconds / 60) * 40);
  await plane.controlPlane.startApiServer();
  await ask(ground);
  await isDone(ground, operator);
});

test("when the API server comes back without its past, everything is listed anew, and nothing is missed", async () => {
  const ground = await plane.ground();
  const operator = await plane.operator(ground, "compacted");
  await begin(ground);
  const { pid = 0 } = operator;
  process.kill(pid, "SIGSTOP");
  await ask(ground);
  await plane.controlPlane.killApiServer();
  await plane.controlPlane.compact();
  await plane.controlPlane.startApiServer();
  process.kill(pid, "SIGCONT");
  await operator.said("reflector lists anew");
  await isDone(ground, operator);
});
