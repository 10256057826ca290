import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { plainSpec } from "../../unit/operator/scene.ts";
import { Ground, patience } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

/** What workflows of one namespace mean to each other: limits that they share, and fields that one of them has. */
let ground: Ground;
let operator: OperatorProcess;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  operator = await ground.operator();
});
afterAll(() => ground?.end());

const share = (percent: number, secret = "shared") => ({
  dynamics: { ...plainSpec.dynamics, credentialsSecretRef: { name: secret }, share: percent },
});
const limits = (name: string) => ground.condition(name, "LimitsOvercommitted");

const [plain] = plainSpec.ingress.mappings;
const contacts = (field: string) => ({
  ingress: {
    mappings: [
      {
        ...plain,
        fields: [
          { column: "firstname", field: "firstName" },
          { column: "optout", field },
        ],
      },
    ],
  },
});
const optOuts = (field: string) => ({
  type: "OptInOut",
  ingress: undefined,
  optInOut: { direction: "DynamicsToCampaign", source: "Poll", mappings: [{ column: "donotbulkemail", field }] },
});
const own = (secret: string) => ({
  dynamics: {
    ...plainSpec.dynamics,
    url: `https://${secret}.crm.dynamics.com`,
    credentialsSecretRef: { name: secret },
  },
});

test("shares beyond 100 are told to all that run, with names and numbers, and clear when mended", async () => {
  for (const name of ["contacts", "events", "opt-outs"]) await ground.apply(name, { state: "Running", ...share(100) });
  await ground.apply("other-user", { state: "Running", ...share(100, "other") });
  await ground.apply("not-started", share(100));
  const all = "300 % of one application user's limits: contacts 100 %, events 100 %, opt-outs 100 %.";
  for (const name of ["contacts", "events", "opt-outs"]) {
    await expect
      .poll(() => limits(name), patience)
      .toMatchObject({ status: "True", reason: "SharesAbove100", message: expect.stringContaining(all) });
    await ground.until(name, { state: "RUNNING" });
  }
  await ground.until("other-user", { state: "RUNNING" });
  expect(await limits("other-user")).toBeUndefined();
  await expect.poll(() => ground.events("contacts", "SharesAbove100"), patience).not.toEqual([]);

  // Edited: nothing has changed yet, and it says what a restart will.
  const half = { contacts: 60, events: 30, "opt-outs": 10 };
  for (const [name, percent] of Object.entries(half)) await ground.patch(name, share(percent));
  const toBe = "contacts 100 % (60 % after a restart), events 100 % (30 % after a restart)";
  await expect
    .poll(() => limits("opt-outs"), patience)
    .toMatchObject({ status: "True", message: expect.stringContaining(toBe) });

  for (const name of Object.keys(half)) await ground.patch(name, { restart: "divided" });
  for (const name of Object.keys(half)) {
    await expect.poll(() => limits(name), patience).toMatchObject({ status: "False", reason: "WithinLimits" });
    await ground.until(name, { state: "RUNNING", pendingRestart: false });
  }
  await expect.poll(() => ground.events("events", "WithinLimits"), patience).toHaveLength(1);

  // One more is too much, and what stops does not count.
  await ground.patch("not-started", { state: "Running" });
  for (const name of [...Object.keys(half), "not-started"]) {
    await expect
      .poll(() => limits(name), patience)
      .toMatchObject({ status: "True", message: expect.stringContaining("may use 200 % of") });
    await ground.until(name, { state: "RUNNING" });
  }

  // An operator that comes after finds it so, and has nothing to say.
  const versions = async () =>
    Promise.all(["contacts", "events", "not-started"].map(async (name) => (await ground.workflow(name)).metadata));
  const before = (await versions()).map(({ resourceVersion }) => resourceVersion);
  await operator.stop();
  operator = await ground.operator();
  await ground.apply("later", share(1, "other"));
  await ground.until("later", { state: "STOPPED" });
  expect((await versions()).map(({ resourceVersion }) => resourceVersion)).toEqual(before);
  expect(operator.lines.filter(({ message }) => message === "wrote")).toEqual([]);
  await ground.patch("not-started", { state: "Stopped" });
  await expect.poll(() => limits("events"), patience).toMatchObject({ status: "False" });
  await expect.poll(() => limits("not-started"), patience).toMatchObject({ status: "False", reason: "NotRunning" });
}, 180_000);

test("of an Ingress and an OptInOut with the same field the one that starts later is refused, and heals by itself", async () => {
  await ground.apply("people", { state: "Running", ...own("one"), ...contacts("denyListEmail") });
  await ground.until("people", { state: "RUNNING" });
  await ground.apply("consent", { state: "Running", ...own("one"), ...optOuts("denyListEmail") });
  const { failure } = await ground.until("consent", { state: "FAILED" });
  expect(failure).toMatchObject({
    reason: "FieldConflict",
    message: expect.stringContaining(
      "field denyListEmail of the profile in the same two systems belongs to workflow people",
    ),
  });
  await expect.poll(() => ground.events("consent", "FieldConflict"), patience).toHaveLength(1);
  expect(await ground.pods("consent")).toEqual([]);
  expect((await ground.status("people")).state).toBe("RUNNING");

  // The edit alone frees nothing: it runs with the field still.
  await ground.patch("people", contacts("lastName"));
  await expect
    .poll(async () => (await ground.status("consent")).failure?.message, patience)
    .toContain("restart people, which was edited and runs with the field still");
  await ground.patch("people", { restart: "without" });
  await ground.until("consent", { state: "RUNNING" });
  await ground.until("people", { state: "RUNNING", pendingRestart: false });

  // And the other way round: now the Ingress is the later one, and its restart finds the field taken, as it was told.
  await ground.patch("people", contacts("denyListEmail"));
  await expect
    .poll(async () => (await ground.condition("people", "RestartRequired"))?.message, patience)
    .toContain("a start would be refused (FieldConflict)");
  await ground.patch("people", { restart: "with" });
  await ground.until("people", { state: "FAILED", failure: { reason: "FieldConflict" } as never });
  expect((await ground.status("consent")).state).toBe("RUNNING");
  await ground.patch("consent", { state: "Stopped" });
  await ground.until("people", { state: "RUNNING" });
}, 180_000);

test("two with the same field that are asked to run at the same moment never both run", async () => {
  const pairs = Array.from({ length: 6 }, (_, index) => `race${index}`);
  for (const pair of pairs) {
    await ground.apply(`${pair}-in`, { ...own(pair), ...contacts("ccpaOptOut") });
    await ground.apply(`${pair}-out`, { ...own(pair), ...optOuts("ccpaOptOut") });
  }
  const both = pairs.flatMap((pair) => [`${pair}-in`, `${pair}-out`]);
  for (const name of both) await ground.until(name, { state: "STOPPED" });
  await Promise.all(both.map((name) => ground.patch(name, { state: "Running" })));
  const states = async (pair: string) =>
    (await Promise.all(["in", "out"].map((half) => ground.status(`${pair}-${half}`)))).map(({ state }) => state).sort();
  for (const pair of pairs) await expect.poll(() => states(pair), patience).toEqual(["FAILED", "RUNNING"]);
}, 180_000);
