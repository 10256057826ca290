/** The plugin as a process, over the real API server, the real operator and a played kubelet. */
import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { exitCodes } from "../../../src/kubectl/exit.ts";
import { stateManager } from "../../../src/steering/switch.ts";
import { Ground, patience } from "../operator/ground.ts";
import { Plugin } from "./plugin.ts";

let ground: Ground;
let plugin: Plugin;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.operator();
  plugin = new Plugin(ground.kubeconfig, ground.namespace, { KUBECTL: inject("kubectl") });
});
afterAll(() => ground?.end());
beforeEach(() => {
  ground.kubelet.behaviour.start = "up";
  ground.kubelet.behaviour.lastWords = undefined;
});

async function running(name: string): Promise<void> {
  await ground.apply(name, { state: "Running" });
  await ground.until(name, { state: "RUNNING" });
}

const firstNameOnce = {
  ingress: {
    mappings: [
      {
        table: "contact",
        resource: "profile",
        key: { column: "contactid", field: "externalId" },
        fields: [{ column: "firstname", field: "firstName", applyUpdates: false }],
      },
    ],
  },
};

test("start --wait ends when it is RUNNING, stop --wait when it is STOPPED, and both say so", async () => {
  await ground.apply("life");
  const started = await plugin.run("start", "life", "--wait");
  expect(started).toMatchObject({ code: exitCodes.done, out: "life: asked to start\n" });
  expect(started.err).toContain("life: RUNNING");
  expect((await ground.status("life")).state).toBe("RUNNING");

  const stopped = await plugin.run("stop", "life", "--wait");
  expect(stopped).toMatchObject({ code: exitCodes.done, out: "life: asked to stop\n" });
  expect(await ground.status("life")).toMatchObject({ state: "STOPPED" });
  expect((await plugin.run("stop", "life")).out).toBe("life: was asked to stop already\n");
});

test("restart --wait ends when what was edited is in force", async () => {
  await running("edited");
  await ground.patch("edited", firstNameOnce);
  await ground.until("edited", { pendingRestart: true });
  expect((await plugin.run("restart", "edited", "--wait")).code).toBe(exitCodes.done);
  expect(await ground.status("edited")).toMatchObject({ pendingRestart: false, appliedRevision: { run: 2 } });
});

test("a start writes spec.state alone, under a name of its own, and keeps a restart of before", async () => {
  await running("owned");
  await plugin.run("restart", "owned", "--wait");
  await plugin.run("stop", "owned");
  const { spec } = await ground.workflow("owned");
  expect(spec.restart).toBeDefined();
  expect(spec.state).toBe("Stopped");
  const fields = await ground.kubectl("get", "iw", "owned", "--show-managed-fields", "-o", "json");
  const entries = (JSON.parse(fields).metadata.managedFields as { manager: string; fieldsV1: object }[]).filter(
    ({ manager }) => manager === stateManager,
  );
  expect(entries.map(({ fieldsV1 }) => fieldsV1)).toEqual([{ "f:spec": { "f:restart": {}, "f:state": {} } }]);
});

test("a state that a pipeline owns is changed only when the person names the pipeline", async () => {
  const manifest = { apiVersion: "integrationworkflow.io/v1", kind: "IntegrationWorkflow", metadata: { name: "git" } };
  await ground.apply("git");
  await ground.server.kubectl(
    ["-n", ground.namespace, "apply", "--server-side", "--force-conflicts", "--field-manager=pipeline", "-f", "-"],
    { ...manifest, spec: { state: "Stopped" } },
  );
  const refused = await plugin.run("start", "git");
  // kubectl's own apply made it, so both have the field.
  expect(refused).toMatchObject({ code: exitCodes.failed, out: "" });
  expect(refused.err).toBe(
    'error: spec.state belongs to "pipeline", which may put it back: change it there, or say that it is to be overruled\n' +
      "To overrule it once: add --overrule pipeline\n",
  );
  const { spec, metadata } = await ground.workflow("git");
  expect(spec.state).toBe("Stopped");
  // What could not be restarted is not replayed either.
  expect((await plugin.run("replay", "git", "contact", "--restart")).err).toContain('spec.state belongs to "pipeline"');
  expect((await ground.workflow("git")).metadata.generation).toBe(metadata.generation);
  expect((await plugin.run("start", "git", "--overrule", "pipeline")).code).toBe(exitCodes.done);
  expect((await ground.workflow("git")).spec.state).toBe("Running");
});

test("--dry-run=server changes nothing", async () => {
  await ground.apply("dry");
  const { generation } = (await ground.workflow("dry")).metadata;
  expect((await plugin.run("start", "dry", "--dry-run=server", "--wait")).out).toBe(
    "dry: asked to start (server dry run)\n",
  );
  expect((await plugin.run("replay", "dry", "contact", "--dry-run=server")).code).toBe(exitCodes.done);
  expect((await ground.workflow("dry")).metadata.generation).toBe(generation);
  expect((await plugin.run("start", "dry", "--dry-run=client")).code).toBe(exitCodes.usage);
});

test("a wait ends with a code of its own when the time is up, and when the workflow FAILED", async () => {
  ground.kubelet.behaviour.start = "slow";
  await ground.apply("slow");
  const late = await plugin.run("start", "slow", "--wait", "--timeout", "2s");
  expect(late.code).toBe(exitCodes.timeout);
  expect(late.err).toContain("kubectl iw status slow");

  ground.kubelet.behaviour.start = "waits";
  ground.kubelet.behaviour.reason = "ImagePullBackOff";
  await ground.apply("pull");
  const failed = await plugin.run("start", "pull", "--wait");
  expect(failed.code).toBe(exitCodes.workflowFailed);
  expect(failed.err).toContain("pull FAILED: ImagePullBackOff");
});

test("status says on one screen what is so, why, and what to do", async () => {
  await running("screen");
  await ground.patch("screen", firstNameOnce);
  await ground.until("screen", { pendingRestart: true });
  const { out, code } = await plugin.run("status", "screen");
  expect(code).toBe(exitCodes.done);
  expect(out).toMatch(new RegExp(`^${ground.namespace}/screen   Ingress   RUNNING for \\d+s   asked: Running\n`));
  expect(out).toContain("kubectl iw restart screen");
  expect(out).toMatch(
    /ingress\.mappings\[table=contact\]\.fields\[field=firstName\]\.applyUpdates\n +true -> false +\(kubectl-patch, /,
  );
  expect(out).toMatch(/STARTING +RUNNING +WorkerReady/);
  const data = JSON.parse((await plugin.run("status", "screen", "-o", "json")).out);
  expect(data).toMatchObject({ state: "RUNNING", advice: [{ about: "RestartPending", command: "restart screen" }] });
});

test("diff names each edit that waits; none when it is taken back", async () => {
  await running("waits");
  await ground.patch("waits", firstNameOnce);
  await ground.until("waits", { pendingRestart: true });
  expect((await plugin.run("diff", "waits")).out).toContain("applyUpdates");
  expect(JSON.parse((await plugin.run("diff", "waits", "-o", "json")).out)).toHaveLength(1);
  await ground.apply("waits", { state: "Running" });
  await ground.until("waits", { pendingRestart: false });
  expect((await plugin.run("diff", "waits")).out).toBe("waits: nothing waits; what runs is what the spec says\n");
});

test("history names the runs; rollback goes back to what one of them ran, as an edit", async () => {
  await running("back");
  const first = (await ground.status("back")).appliedRevision?.name ?? "";
  await ground.patch("back", firstNameOnce);
  await ground.until("back", { pendingRestart: true });
  await plugin.run("restart", "back", "--wait");
  const history = JSON.parse((await plugin.run("history", "back", "-o", "json")).out);
  expect(history).toMatchObject([
    { run: 2, active: true },
    { run: 1, active: false, pin: first },
  ]);
  const shown = await plugin.run("rollback", "back", "--to", "1", "--dry-run=server");
  expect(shown.out).toMatch(/applyUpdates\n +false -> true\nnothing was changed/);
  expect((await ground.workflow("back")).spec.ingress?.mappings[0]?.fields[0]?.applyUpdates).toBe(false);

  const back = await plugin.run("rollback", "back", "--to", first);
  expect(back.out).toContain(
    `back is edited back to ${first}; it takes force by: kubectl iw restart back -n ${ground.namespace}\n`,
  );
  expect((await ground.workflow("back")).spec).toMatchObject({ state: "Running" });
  await ground.until("back", { pendingRestart: true });
  await plugin.run("restart", "back", "--wait");
  expect(await ground.status("back")).toMatchObject({
    appliedRevision: { run: 3, name: first },
    pendingRestart: false,
  });
  expect((await plugin.run("rollback", "back", "--to", "9")).code).toBe(exitCodes.notFound);
  expect((await plugin.run("rollback", "back", "--to", "1")).out).toContain("ran already");
});

test("replay gives a table a new value, and --restart begins it at once", async () => {
  await running("again");
  expect((await plugin.run("replay", "again", "contact", "--restart", "--wait")).code).toBe(exitCodes.done);
  const { spec } = await ground.workflow("again");
  expect(spec.ingress?.mappings[0]?.replay).toBe(spec.restart);
  const wrong = await plugin.run("replay", "again", "account");
  expect(wrong).toMatchObject({
    code: exitCodes.notFound,
    err: "error: again has no mapping of table account: it has contact\n",
  });
});

test("list shows a namespace or all of them, and goes on with -w", async () => {
  await running("seen");
  const { out } = await plugin.run("list", "-A", "-o", "wide");
  expect(out.split("\n")[0]).toMatch(
    /^NAMESPACE +NAME +TYPE +STATE +BACKLOG +DRAINS IN +RESTART +REASON +DEAD +LAST SYNC +REVISION +NOTE +AGE$/,
  );
  expect(out).toMatch(new RegExp(`^${ground.namespace} +seen +Ingress +RUNNING`, "m"));
  const watching = plugin.start("list", "-w");
  let told = "";
  watching.child.stdout.on("data", (chunk) => {
    told += chunk;
  });
  await expect.poll(() => told, patience).toMatch(/^seen +Ingress +RUNNING/m);
  await plugin.run("stop", "seen");
  await expect.poll(() => told, patience).toMatch(/^seen +Ingress +STOPPED/m);
  watching.child.kill("SIGINT");
  expect((await watching.ended).code).toBe(exitCodes.done);
});

test("list -w stands in columns, tells what is gone, and gives programs one line of JSON for each change", async () => {
  await ground.kubectl("delete", "iw", "--all", "--wait=false");
  await expect.poll(() => ground.kubectl("get", "iw", "-o", "name"), patience).toBe("");
  await ground.apply("first");
  const watching = plugin.start("list", "-w");
  const forPrograms = plugin.start("list", "-w", "-o", "json");
  let told = "";
  let lines = "";
  watching.child.stdout.on("data", (chunk) => {
    told += chunk;
  });
  forPrograms.child.stdout.on("data", (chunk) => {
    lines += chunk;
  });
  await expect.poll(() => told + lines, patience).toMatch(/^first .*"name":"first"/ms);
  await ground.apply("a-name-that-is-longer");
  await expect.poll(() => told, patience).toMatch(/^a-name-that-is-longer +Ingress/m);
  // Each watches by itself.
  await expect.poll(() => lines, patience).toContain('"name":"a-name-that-is-longer"');
  await ground.kubectl("delete", "iw", "first");
  await expect.poll(() => told, patience).toMatch(/^first {19}Ingress +\(gone\)/m);
  for (const { child } of [watching, forPrograms]) child.kill("SIGINT");
  const [, program] = await Promise.all([watching.ended, forPrograms.ended]);
  const seen = program.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).metadata.name);
  expect(seen).toEqual(expect.arrayContaining(["first", "a-name-that-is-longer"]));
});

test("what a pipeline applied is rolled back only when the person names the pipeline", async () => {
  await running("piped");
  const manifest = {
    apiVersion: "integrationworkflow.io/v1",
    kind: "IntegrationWorkflow",
    metadata: { name: "piped" },
  };
  const { spec } = await ground.workflow("piped");
  const edited = { ...spec, dynamics: { ...spec.dynamics, share: 50 } };
  await ground.server.kubectl(
    ["-n", ground.namespace, "apply", "--server-side", "--force-conflicts", "--field-manager=pipeline", "-f", "-"],
    { ...manifest, spec: edited },
  );
  const before = await ground.workflow("piped");
  const refused = await plugin.run("rollback", "piped", "--to", "1");
  expect(refused.err).toContain('spec.dynamics.share belongs to "pipeline", which may put it back');
  expect(refused.err).toContain("To overrule it once: add --overrule pipeline\n");
  expect(refused.code).toBe(exitCodes.failed);
  expect((await ground.workflow("piped")).metadata.generation).toBe(before.metadata.generation);
  const overruled = await plugin.run("rollback", "piped", "--to", "1", "--overrule", "pipeline");
  expect(overruled.out).toContain("dynamics.share\n  50 -> ");
  expect(overruled.code).toBe(exitCodes.done);
});

test("completion offers commands, flags and the names of workflows", async () => {
  await ground.apply("offered");
  const asked = async (...words: string[]) => (await plugin.run("__complete", ...words)).out;
  expect(await asked("st")).toMatch(/^status\t.*\nstart\t.*\nstop\t.*\n:4\n$/);
  expect(await asked("stop", "off")).toBe("offered\n:4\n");
  expect(await asked("stop", "--timeout", "5s", "off")).toBe("offered\n:4\n");
  expect(await asked("stop", "offered", "")).toBe(":4\n");
  expect(await asked("dead", "re")).toMatch(/^redrive\t/);
  expect(await asked("stop", "--wa")).toMatch(/^--wait\t/);
  expect((await plugin.run("completion", "bash")).out).toContain("complete -F _kubectl_iw kubectl-iw");
});
