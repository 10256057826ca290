/** Two versions of the operator at the same time, as during an upgrade, and a definition that is newer than the operator. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { load } from "js-yaml";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { plainSpec } from "../../unit/operator/scene.ts";
import { own } from "./asks.ts";
import { AuditedPlane } from "./audited-plane.ts";
import { patience } from "./ground.ts";
import type { OperatorProcess } from "./operator-process.ts";

/** Each waits for leases, pauses and caches, beside the others. */
vi.setConfig({ testTimeout: 300_000 });

let plane: AuditedPlane;
const folder = mkdtempSync(join(tmpdir(), "another-version-"));

beforeAll(async () => {
  plane = await AuditedPlane.start("former", "latter", "newer");
});
afterAll(async () => {
  await plane?.stop();
  rmSync(folder, { recursive: true });
});

/** Another build, which would render every worker differently. @returns its main program */
function anotherVersion(): string {
  cpSync("src", join(folder, "src"), { recursive: true });
  cpSync("package.json", join(folder, "package.json"));
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  const path = join(folder, "src/operator/objects/render.ts");
  const source = readFileSync(path, "utf8");
  const changed = source.replace("progressDeadlineSeconds: 600", "progressDeadlineSeconds: 900");
  expect(changed).not.toBe(source);
  writeFileSync(path, changed);
  return join(folder, "src/main.ts");
}

test("two versions that lead in turn write nothing of a running workflow but, once, what an upgrade would change; no edit leaks in", async () => {
  const ground = await plane.ground();
  const main = anotherVersion();
  const former = (): Promise<OperatorProcess> => plane.candidate(ground, "former");
  const latter = (): Promise<OperatorProcess> =>
    plane.candidate(ground, "latter", ["--worker-image", "registry.example/integration-workflow:2.0.0"], { main });
  const isSteady = ({ name = "" }: { name?: string | undefined }): boolean => /^(steady|edited)/.test(name);

  let leader = await former();
  await leader.said("leading");
  for (const name of ["steady", "edited", "stopped"]) {
    await ground.apply(name, { state: name === "stopped" ? "Stopped" : "Running", ...own(name) });
    await ground.until(name, { state: name === "stopped" ? "STOPPED" : "RUNNING" });
  }
  await ground.patch("edited", { campaign: { engineCallsPerSecond: 25 } });
  await ground.until("edited", { pendingRestart: true });
  const before = await Promise.all(["steady", "edited"].map((name) => ground.askedOf(name)));
  const { transitions } = await ground.status("steady");
  const pins = await ground.kubectl("get", "configmaps", "-o", "name");

  // A rolling upgrade, a rollback, and the upgrade again: each time both are there, and one takes over from the other.
  for (const [turn, version] of ["latter", "former", "latter"].entries()) {
    const next = await (version === "latter" ? latter() : former());
    await next.said("operator started");
    const mark = plane.requests().length;
    expect(await leader.stop()).toBe(0);
    await next.said("leading");
    leader = next;
    // What is asked of it now, it does: so it has looked at everything.
    const name = `later-${turn}`;
    await ground.apply(name, { state: "Running", ...own(name) });
    await ground.until(name, { state: "RUNNING" });
    await vi.waitFor(async () => {
      const told = (await ground.status("steady")).pendingChanges?.map(({ source }) => source) ?? [];
      expect(new Set(told)).toEqual(new Set(version === "latter" ? ["Operator"] : []));
    }, patience);
    expect(await ground.status("steady")).toMatchObject({ state: "RUNNING", pendingRestart: false, transitions });
    expect(await ground.status("edited")).toMatchObject({ state: "RUNNING", pendingRestart: true });
    // Each in its turn.
    await vi.waitFor(() => {
      const written = [...plane.writesOf("former", mark), ...plane.writesOf("latter", mark)].filter(isSteady);
      expect(written.map(({ verb, resource, name: of }) => `${verb} ${resource} ${of}`).sort()).toEqual([
        "update integrationworkflows/status edited",
        "update integrationworkflows/status steady",
      ]);
    }, patience);
  }
  expect(await Promise.all(["steady", "edited"].map((name) => ground.askedOf(name)))).toEqual(before);
  expect((await ground.kubectl("get", "configmaps", "-o", "name")).split("\n")).toEqual(
    expect.arrayContaining(pins.split("\n")),
  );

  // A new run is the new version's, and takes the edit with it.
  await ground.patch("edited", { restart: "now" });
  await ground.until("edited", { state: "RUNNING", handledRestart: "now", pendingRestart: false });
  const { spec } = await ground.deployment("edited");
  expect(spec).toMatchObject({ progressDeadlineSeconds: 900 });
  expect(spec?.template.spec?.containers[0]?.image).toBe("registry.example/integration-workflow:2.0.0");
});

interface Schema {
  properties: Record<string, Schema>;
  items: Schema;
  enum?: string[];
  [keyword: string]: unknown;
}

/** The definition as a later version may have it: more fields everywhere, more values of what has some. */
function newerDefinition(): unknown {
  const text = readFileSync("crds/integrationworkflows.yaml", "utf8");
  const definition = load(text) as { spec: { versions: [{ schema: { openAPIV3Schema: Schema } }] } };
  const { properties } = definition.spec.versions[0].schema.openAPIV3Schema;
  const spec = properties["spec"] as Schema;
  const mapping = spec.properties["ingress"]?.properties["mappings"]?.items as Schema;
  const text64 = { type: "string", maxLength: 64 } as unknown as Schema;
  spec.properties["schedule"] = text64;
  mapping.properties["priority"] = text64;
  mapping.properties["picklistValues"]?.enum?.push("Both");
  spec.properties["state"]?.enum?.push("Paused");
  const status = properties["status"] as Schema;
  status.properties["forecast"] = text64;
  return definition;
}

test("with a definition that is newer than it, the operator works, and keeps fields and values that it does not know", async () => {
  const ground = await plane.ground();
  await ground.server.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], newerDefinition());
  const [mapping] = plainSpec.ingress.mappings;
  const mappings = (priority: string) => [{ ...mapping, priority, picklistValues: "Both" }];
  // The API server takes a new schema into use a moment after it was applied.
  await vi.waitFor(
    () => ground.apply("contacts", { state: "Running", schedule: "nightly", ingress: { mappings: mappings("high") } }),
    patience,
  );
  const operator = await plane.operator(ground, "newer");
  await operator.said("operator started");
  const { appliedRevision } = await ground.until("contacts", { state: "RUNNING" });
  const pinned = async (pin = ""): Promise<unknown> => {
    const data = await ground.kubectl("get", "configmap", pin, "-o", "jsonpath={.data.workflow\\.json}");
    return (JSON.parse(data) as { spec: unknown }).spec;
  };
  const expected = { schedule: "nightly", ingress: { mappings: [{ priority: "high", picklistValues: "Both" }] } };
  expect(await pinned(appliedRevision?.name)).toMatchObject(expected);

  // What a later version told of it stays when an earlier one leads again.
  const forecast = JSON.stringify({ status: { forecast: "drained at noon" } });
  await ground.kubectl("patch", "iw", "contacts", "--subresource=status", "--type=merge", "-p", forecast);
  await ground.patch("contacts", { ingress: { mappings: mappings("low") } });
  const { pendingChanges } = await ground.until("contacts", { pendingRestart: true });
  expect(pendingChanges).toMatchObject([{ path: "ingress.mappings[table=contact].priority", from: "high", to: "low" }]);
  await ground.patch("contacts", { restart: "now" });
  const later = await ground.until("contacts", { state: "RUNNING", handledRestart: "now", pendingRestart: false });
  expect(await pinned(later.appliedRevision?.name)).toMatchObject({ ingress: { mappings: [{ priority: "low" }] } });
  expect(later).toMatchObject({ forecast: "drained at noon" });
  expect((await ground.workflow("contacts")).spec).toMatchObject({ schedule: "nightly" });

  // A state that it does not know is not Running: it does not run what it cannot judge, and others go on.
  await ground.apply("other", { state: "Running", ...own("other") });
  await ground.until("other", { state: "RUNNING" });
  await ground.patch("contacts", { state: "Paused" });
  await ground.until("contacts", { state: "STOPPED" });
  const versions = await ground.versions();
  const mark = plane.requests().length;
  await ground.apply("marker");
  await ground.until("marker", { state: "STOPPED" });
  expect(plane.writesOf("newer", mark).filter(({ name }) => name !== "marker")).toEqual([]);
  expect(await ground.versions()).toMatchObject(versions);
  expect(operator.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
});
