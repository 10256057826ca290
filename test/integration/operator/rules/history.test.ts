import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { readRecord, runsAnnotation } from "../../../../src/api/run-record.ts";
import { Ground, patience } from "../ground.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

/** Transitions, kept revisions, and the ways back that docs/how-to/roll-back.md tells of. */
let ground: Ground;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.operator();
});
afterAll(() => ground?.end());

const run = (number: number) => ({ run: number }) as never;
const nameOf = async (name: string) => (await ground.status(name)).appliedRevision?.name ?? "";

async function pinsOf(name: string): Promise<string[]> {
  const label = `integrationworkflow.io/workflow=${name}`;
  const output = await ground.kubectl("get", "configmap", "-l", label, "-o", "jsonpath={.items[*].metadata.name}");
  return output.split(" ").sort();
}

/** Runs once with each grace period. @returns the pins, oldest first */
async function runsWith(name: string, graces: readonly number[], changes: object = {}): Promise<string[]> {
  const pins: string[] = [];
  for (const [index, grace] of graces.entries()) {
    const worker = { terminationGracePeriodSeconds: grace };
    if (index === 0) await ground.apply(name, { state: "Running", worker, ...changes });
    else await ground.patch(name, { worker, restart: `${index}` });
    const handled = index === 0 ? {} : { handledRestart: `${index}` };
    await ground.until(name, { state: "RUNNING", pendingRestart: false, appliedRevision: run(index + 1), ...handled });
    pins.push(await nameOf(name));
  }
  return pins;
}

test.concurrent.each([
  [0, 1],
  [1, 2],
  [10, 4],
])(
  "with revisionHistoryLimit %i, of four revisions %i are kept: the current one and the latest before it",
  async (limit, kept) => {
    const name = `limit-${limit}`;
    const pins = await runsWith(name, [61, 62, 63, 64], { revisionHistoryLimit: limit });
    await vi.waitFor(async () => expect(await pinsOf(name)).toEqual(pins.slice(-kept).sort()), patience);
    await ground.patch(name, { state: "Stopped" });
    await ground.until(name, { state: "STOPPED" });
    expect(await pinsOf(name)).toEqual(pins.slice(-kept).sort());
  },
);

test.concurrent("a limit that is lowered takes effect at once, in a stopped workflow too, and is no edit that waits", async () => {
  const pins = await runsWith("lowered", [61, 62, 63, 64]);
  await ground.patch("lowered", { revisionHistoryLimit: 2 });
  await vi.waitFor(async () => expect(await pinsOf("lowered")).toEqual(pins.slice(1).sort()), patience);
  await ground.until("lowered", { state: "RUNNING", pendingRestart: false, pendingChangeCount: 0 });
  await ground.patch("lowered", { state: "Stopped" });
  await ground.until("lowered", { state: "STOPPED" });
  await ground.patch("lowered", { revisionHistoryLimit: 0 });
  await vi.waitFor(async () => expect(await pinsOf("lowered")).toEqual(pins.slice(3)), patience);
});

test.concurrent("A, B, A: the pin of A is used again, and the order of runs is kept", async () => {
  const [a, b, again] = await runsWith("aba", [61, 62, 61]);
  expect(again).toBe(a);
  expect(await pinsOf("aba")).toEqual([a, b].sort());
  const annotation = (await ground.deployment("aba")).metadata.annotations?.[runsAnnotation];
  expect(readRecord(annotation)?.runs.map(({ run: number, pin }) => [number, pin])).toEqual([
    [3, a],
    [2, b],
    [1, a],
  ]);
});

test.concurrent("a deleted Deployment takes no revision with it, nor does the run after it", async () => {
  const pins = await runsWith("kept", [61, 62, 63]);
  await ground.kubectl("delete", "deployment", "kept");
  await vi.waitFor(async () => expect((await ground.deployment("kept")).spec?.replicas).toBe(1), patience);
  await ground.until("kept", { state: "RUNNING", appliedRevision: run(3) });
  expect(await pinsOf("kept")).toEqual([...pins].sort());
  await ground.patch("kept", { restart: "after" });
  await ground.until("kept", { state: "RUNNING", handledRestart: "after", appliedRevision: run(4) });
  expect(await pinsOf("kept")).toEqual([...pins].sort());
});

test.concurrent("a revision is immutable, and says what ran with every default", async () => {
  const [pin = ""] = await runsWith("immutable", [61]);
  const edited = ground.kubectl("patch", "configmap", pin, "--type=merge", "-p", '{"data":{"workflow.json":"{}"}}');
  await expect(edited).rejects.toThrow("immutable");
  const held = JSON.parse(await ground.kubectl("get", "configmap", pin, "-o", "jsonpath={.data.workflow\\.json}"));
  expect(held.workflow).toMatchObject({ name: "immutable", namespace: ground.namespace });
  expect(held.spec).toMatchObject({ dynamics: { share: 100 }, worker: { replicas: 1 }, queue: { volume: {} } });
  for (const field of ["state", "restart", "revisionHistoryLimit"]) expect(held.spec).not.toHaveProperty(field);
});

test.concurrent("transitions tell newest first what became of it, at most 20, each with its time, reason and revision", async () => {
  await ground.apply("many");
  await ground.until("many", { state: "STOPPED" });
  for (let count = 0; count < 8; count += 1) {
    await ground.patch("many", { state: "Running" });
    await ground.until("many", { state: "RUNNING" });
    await ground.patch("many", { state: "Stopped" });
    await ground.until("many", { state: "STOPPED" });
  }
  const { transitions = [], appliedRevision } = await ground.status("many");
  expect(transitions).toHaveLength(20);
  const cycle = ["STOPPED Stopped", "RUNNING WorkerReady", "STARTING Started"];
  expect(transitions.slice(0, 18).map(({ to, reason }) => `${to} ${reason}`)).toEqual(Array(6).fill(cycle).flat());
  for (const [index, { from, at, revision }] of transitions.entries()) {
    expect(revision).toBe(appliedRevision?.name);
    const before = transitions[index + 1];
    if (before === undefined) continue;
    expect(from).toBe(before.to);
    expect(Date.parse(before.at)).toBeLessThanOrEqual(Date.parse(at));
  }
});

/** The commands of the page, under a heading, as they stand there. */
function commandsOf(heading: string): string[] {
  const page = readFileSync("docs/how-to/roll-back.md", "utf8");
  const [, part = ""] = page.split(`## ${heading}\n`);
  const [own = ""] = part.split("\n## ");
  return own
    .split("\n")
    .filter((line) => line.startsWith("    "))
    .map((line) => line.trim());
}

/** A person's machine: kubectl and the plugin on the PATH, the namespace in the kubeconfig, a repository. */
async function machine() {
  const folder = mkdtempSync(join(tmpdir(), "roll-back-"));
  symlinkSync(inject("kubectl"), join(folder, "kubectl"));
  const plugin = `#!/bin/sh\nexec "${process.execPath}" "${resolve("src/kubectl/main.ts")}" "$@"\n`;
  writeFileSync(join(folder, "kubectl-iw"), plugin, { mode: 0o755 });
  writeFileSync(join(folder, "kubeconfig"), readFileSync(ground.kubeconfig));
  const env = {
    ...process.env,
    KUBECONFIG: join(folder, "kubeconfig"),
    PATH: `${folder}:${process.env["PATH"]}`,
    GIT_AUTHOR_NAME: "somebody",
    GIT_AUTHOR_EMAIL: "somebody@example.com",
    GIT_COMMITTER_NAME: "somebody",
    GIT_COMMITTER_EMAIL: "somebody@example.com",
  };
  const shell = async (command: string) =>
    (await promisify(execFile)("sh", ["-ec", command], { cwd: folder, env, encoding: "utf8" })).stdout;
  await shell(`kubectl config set-context --current --namespace ${ground.namespace} && git init -q .`);
  return { shell, end: () => rmSync(folder, { recursive: true, force: true }) };
}

test("the page's way back through Git: an earlier revision is written over the file, committed, applied and restarted", async () => {
  const { shell, end } = await machine();
  const [first = "", second = ""] = await runsWith("in-git", [61, 62]);
  const [history = "", transitions = ""] = commandsOf("Which revisions there are").map((line) =>
    line.replaceAll("NAME", "in-git"),
  );
  expect(await shell(history)).toMatch(new RegExp(`1 +${first} `));
  expect(await shell(transitions)).toMatch(new RegExp(`^\\S+ RUNNING WorkerReady ${second}\n`));

  await shell("kubectl get iw in-git -o yaml > in-git.yaml && git add in-git.yaml && git commit -q -m 'As it is'");
  const [print = "", ...rest] = commandsOf("When the workflow is in Git").map((line) =>
    line.replaceAll("NAME", "in-git").replaceAll("REVISION", first),
  );
  const bare = rest.pop() ?? "";
  await shell(print);
  const [diff = "", commit = ""] = rest;
  expect(await shell(diff)).toMatch(
    /\n-.*terminationGracePeriodSeconds: 62[\s\S]*\n\+.*terminationGracePeriodSeconds: 61/,
  );
  await shell(commit);
  // With the number of a run it is the same.
  expect(await shell("kubectl iw history in-git --revision 1")).toBe(await shell("cat in-git.yaml"));
  const asJson = JSON.parse(await shell(`kubectl iw history in-git --revision ${first} -o json`));
  expect(JSON.parse(await shell(bare)).spec).toMatchObject({ worker: asJson.spec.worker });

  // The pipeline's part.
  await shell("git show HEAD:in-git.yaml | kubectl apply --server-side --force-conflicts -f -");
  await ground.until("in-git", { state: "RUNNING", pendingRestart: true, appliedRevision: run(2) });
  await shell(
    "sed -i 's/restart: .*/restart: go back/' in-git.yaml && kubectl apply --server-side --force-conflicts -f in-git.yaml",
  );
  await ground.until("in-git", { state: "RUNNING", handledRestart: "go back", pendingRestart: false });
  expect((await ground.status("in-git")).appliedRevision).toMatchObject({ run: 3, name: first });
  await expect(shell("kubectl iw history in-git --revision 9")).rejects.toMatchObject({
    code: 3,
    stderr: expect.stringContaining("in-git has no run 9"),
  });
  end();
});

test("the page's way back without Git", async () => {
  const { shell, end } = await machine();
  const [first = ""] = await runsWith("by-hand", [61, 62]);
  const [dryRun = "", rollback = "", restart = ""] = commandsOf("When it is not in Git").map((line) =>
    line.replaceAll("NAME", "by-hand").replaceAll("REVISION", first),
  );
  // As kubectl patch made the last edit, nobody's pipeline has the field.
  expect(await shell(dryRun)).toContain("62 -> 61");
  await ground.until("by-hand", { pendingRestart: false, observedGeneration: 2 });
  await shell(rollback);
  await ground.until("by-hand", { pendingRestart: true, appliedRevision: run(2) });
  await shell(restart);
  expect((await ground.status("by-hand")).appliedRevision).toMatchObject({ run: 3, name: first });
  end();
});
