import fc from "fast-check";
import { expect, test } from "vitest";
import { effectiveSpec } from "../../../src/api/configuration.ts";
import type { IntegrationWorkflow } from "../../../src/api/integration-workflow.ts";
import { LimitsLedger } from "../../../src/operator/shell/limits-ledger.ts";
import { type LimitsUse, limitsUseOf, sharedLimitsOf } from "../../../src/operator/sight/shared-limits.ts";
import type { PinSeen } from "../../../src/operator/sight/snapshot.ts";
import { looks, running, stopped } from "./moments.ts";
import { plainSpec, workflow, written } from "./scene.ts";
import type { World } from "./world.ts";

const use = (name: string, share: number, more: Partial<LimitsUse> = {}): LimitsUse => ({
  user: "crm dynamics https://contoso.crm.dynamics.com",
  organisation: "https://contoso.crm.dynamics.com",
  secret: "dynamics",
  workflow: name,
  share,
  ...more,
});
const of = (...uses: LimitsUse[]) => sharedLimitsOf(new Map(uses.map((one) => [one.workflow, one])));

function tell(world: World, ...uses: LimitsUse[]): void {
  world.operator.sharedLimits = of(...uses);
  looks(world);
}

test.each<[string, LimitsUse[], number | undefined]>([
  ["nobody", [], undefined],
  ["one workflow with everything", [use("contacts", 100)], undefined],
  ["three that divide 100", [use("contacts", 60), use("events", 30), use("opt-outs", 10)], undefined],
  ["one per cent too much", [use("contacts", 61), use("events", 30), use("opt-outs", 10)], 101],
  ["three that nobody thought about", [use("contacts", 100), use("events", 100), use("opt-outs", 100)], 300],
])("what is told of %s", (_name, uses, total) => {
  expect(of(...uses)?.total).toBe(total);
});

test("the condition and the Event name the workflows and their shares, say what to do, and block nothing", () => {
  const world = running();
  tell(world, use("contacts", 60), use("events", 100), use("opt-outs", 100));
  const message =
    "The running workflows that sign in to https://contoso.crm.dynamics.com with Secret dynamics may use 260 % of one application user's limits: events 100 %, opt-outs 100 %, contacts 60 %. Dataverse throttles them all then. Divide 100 among them in dynamics.share and restart them, or give one of them an application user and a Secret of its own";
  expect(world.condition("LimitsOvercommitted")).toMatchObject({ status: "True", reason: "SharesAbove100", message });
  expect(world.condition("Ready")).toMatchObject({ status: "True", reason: "Running" });
  expect(world.status.state).toBe("RUNNING");
  expect(world.operator.events.filter((reason) => reason === "SharesAbove100")).toHaveLength(1);

  // An edit that waits for a restart has mended nothing yet, and the message says that it will.
  const half = { shareToBe: 30 };
  tell(world, use("contacts", 60, half), use("events", 100, half), use("opt-outs", 100, half));
  expect(world.condition("LimitsOvercommitted")?.message).toMatch(
    /events 100 % \(30 % after a restart\), .*\. Dataverse throttles them all then\. The edits mend it: restart the workflows that wait for one$/,
  );

  tell(world, use("contacts", 30), use("events", 30), use("opt-outs", 30));
  expect(world.condition("LimitsOvercommitted")).toMatchObject({ status: "False", reason: "WithinLimits" });
  expect(world.operator.events.filter((reason) => /Limits|Shares/.test(reason))).toEqual([
    "SharesAbove100",
    "WithinLimits",
  ]);
});

test("a workflow that it never concerned is told nothing, and one that stops uses nothing", () => {
  const world = running();
  expect(world.condition("LimitsOvercommitted")).toBeUndefined();
  tell(world, use("contacts", 100), use("events", 1));
  world.operator.sharedLimits = undefined;
  stopped(world);
  expect(world.condition("LimitsOvercommitted")).toMatchObject({ status: "False", reason: "NotRunning" });
});

test("hundreds of workflows of one user: eight are named, and the words do not change with each one more", () => {
  const uses = Array.from({ length: 400 }, (_, index) => use(`w${String(index).padStart(3, "0")}`, 5));
  const words = new Set(uses.map((_, count) => JSON.stringify(of(...uses.slice(0, count + 1)))));
  expect(of(...uses)).toMatchObject({ total: 1600, andOthers: true });
  expect(of(...uses)?.workflows).toHaveLength(8);
  // None; then more than 100, 200, 400, 800, 1,600.
  expect(words.size).toBe(6);
});

const pin = (changes: object): PinSeen =>
  ({
    metadata: { name: "contacts-1", namespace: "crm", uid: "p", resourceVersion: "1" },
    content: {
      configuration: {
        workflow: { name: "contacts", namespace: "crm", uid: "workflow-1" },
        spec: effectiveSpec(written(changes)),
      },
      deployment: {},
    },
  }) as unknown as PinSeen;

const share = (percent: number) => ({ dynamics: { ...plainSpec.dynamics, share: percent } });
const runs: IntegrationWorkflow["status"] = {
  state: "RUNNING",
  appliedRevision: { name: "contacts-1", run: 1, generation: 1, appliedAt: "2026-11-21T10:00:00Z" },
  transitions: [{ to: "RUNNING", at: "2026-11-21T10:00:00Z", reason: "WorkerReady", revision: "contacts-1" }],
};

test("what counts is what runs: the pinned share while a run is on, else the one that a start would take", () => {
  const uses = (spec: object, status?: IntegrationWorkflow["status"]) =>
    limitsUseOf(workflow(spec, status), (name) => (name === "contacts-1" ? pin(share(100)) : undefined));
  expect(uses({ state: "Stopped", ...share(40) }, runs)).toBeUndefined();
  expect(uses({ state: "Running", ...share(40) })).toMatchObject({ share: 40 });
  expect(uses({ state: "Running", ...share(40) })).not.toHaveProperty("shareToBe");
  expect(uses({ state: "Running", ...share(40) }, runs)).toMatchObject({ share: 100, shareToBe: 40 });
  // A start that was refused runs nothing of the earlier revision.
  const refused = {
    ...runs,
    state: "FAILED",
    transitions: [{ to: "FAILED", at: "2026-11-21T11:00:00Z", reason: "X" }],
  };
  expect(uses({ state: "Running", ...share(40) }, refused as never)).toMatchObject({ share: 40 });
});

test("the same user is the same organisation, however it is written, and the same Secret of the same namespace", () => {
  const user = (dynamics: object, namespace = "crm") => {
    const one = workflow({ state: "Running", dynamics: { ...plainSpec.dynamics, ...dynamics } });
    return limitsUseOf({ ...one, metadata: { ...one.metadata, namespace } }, () => undefined)?.user;
  };
  expect(user({ url: "https://CONTOSO.crm.dynamics.com:443" })).toBe(user({}));
  expect(user({ url: "https://fabrikam.crm.dynamics.com" })).not.toBe(user({}));
  expect(user({ credentialsSecretRef: { name: "dynamics-2" } })).not.toBe(user({}));
  expect(user({}, "marketing")).not.toBe(user({}));
});

/** A change of one workflow: which, what it takes now, and of whom; 0 per cent: it stops. */
const changes = fc.array(
  fc.record({ name: fc.constantFrom("a", "b", "c", "d", "e"), share: fc.nat(80), user: fc.constantFrom("u", "v") }),
  { maxLength: 40 },
);

test("after any changes the ledger tells what counting anew would, and looks at all of whom it tells something else", () => {
  fc.assert(
    fc.property(changes, (all) => {
      const ledger = new LimitsLedger();
      const present = new Map<string, LimitsUse>();
      const told = () => {
        const users = Map.groupBy([...present], ([, { user }]) => user);
        return new Map([...present].map(([key, { user }]) => [key, sharedLimitsOf(new Map(users.get(user)))]));
      };
      for (const { name, share: percent, user } of all) {
        const before = told();
        const now = percent === 0 ? undefined : use(name, percent, { user });
        if (now === undefined) present.delete(name);
        else present.set(name, now);
        const lookedAt = ledger.note(name, now);
        for (const [key, expected] of told()) {
          expect(ledger.of(key)).toEqual(expected);
          const isOther = key !== name && JSON.stringify(before.get(key)) !== JSON.stringify(expected);
          if (isOther) expect(lookedAt).toContain(key);
        }
        if (now === undefined) expect(ledger.of(name)).toBeUndefined();
        expect(ledger.note(name, now), "the same again").toEqual([]);
      }
    }),
  );
});
