/** What a tired person gets wrong: each ends in a sentence that says what, where and how to mend it, and changes nothing. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { exitCodes } from "../../../src/kubectl/exit.ts";
import { Ground, patience } from "../operator/ground.ts";
import { type Answer, kubeconfigLike, Plugin, runPlugin } from "./plugin.ts";

let ground: Ground;
let plugin: Plugin;
let silent: Server;
const empty = mkdtempSync(join(tmpdir(), "kubectl-plugin-"));
const nowhere = { HOME: empty, KUBECONFIG: undefined, KUBERNETES_SERVICE_HOST: undefined };

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  plugin = new Plugin(ground.kubeconfig, ground.namespace, { KUBECTL: inject("kubectl") });
  await ground.apply("here");
  silent = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  silent?.close();
  await ground?.end();
  rmSync(empty, { recursive: true });
});

function refused({ code, out, err }: Answer, exitCode: number, ...said: readonly (string | RegExp)[]): void {
  for (const one of said) expect(err).toMatch(one);
  expect(err).toMatch(/^error: /);
  expect(err).not.toMatch(/please report|\n\s+at /);
  expect(out).toBe("");
  expect(code).toBe(exitCode);
}

test.each([
  [["start"], "missing required argument 'name'"],
  [["start", "here", "there"], "too many arguments"],
  [["start", "Here"], "Names have lower case letters"],
  [["start", ""], "Names have lower case letters"],
  [["start", "../../api"], "Names have lower case letters"],
  [["start", `${"a".repeat(254)}`], "Names have lower case letters"],
  [["start", "here", "-n", "a/b"], "Namespaces have lower case letters"],
  [["start", "here", "-A"], "unknown option '-A'"],
  [["start", "here", "--timeout", "soon"], '"soon" is no length of time such as 30s, 5m or 1h'],
  [["start", "here", "--timeout", "-5s"], '"-5s" is no length of time'],
  [["start", "here", "--dry-run=client"], "Only the server can tell"],
  [["status", "here", "-o", "xml"], "Allowed choices are json, yaml, wide"],
  [["list", "--state", "BROKEN"], "It is one of STOPPED, STARTING, RUNNING, FAILED"],
  [["list", "-l", "a=b=c"], "--selector a=b=c: "],
  [["list", "here"], "too many arguments"],
  [["logs", "here", "--tail", "many"], "It is a number of lines"],
  [["rollback", "here"], "required option '--to <revision>' not specified"],
  [["dead", "redrive", "here"], "say which: a key, --mapping, --reason, or --all"],
  [["stpo", "here"], "Did you mean stop?"],
])("%j is asked wrongly", async (given, said) => {
  refused(await plugin.run(...given), exitCodes.usage, said);
  expect((await ground.workflow("here")).metadata.generation).toBe(1);
});

test("what is not there is named, with where to look", async () => {
  const place = `in namespace ${ground.namespace}: see kubectl iw list -A`;
  for (const command of ["status", "start", "diff", "history", "logs", "publish"])
    refused(await plugin.run(command, "nobody"), exitCodes.notFound, `there is no workflow nobody ${place}`);
  refused(await plugin.run("status", "here", "-n", "elsewhere"), exitCodes.notFound, "in namespace elsewhere");
  refused(
    await plugin.run("rollback", "here", "--to", "7"),
    exitCodes.notFound,
    /here has no run 7: see kubectl iw history/,
  );
  refused(await plugin.run("rollback", "here", "--to", "x"), exitCodes.notFound, "there is no revision x of here");
  refused(
    await plugin.run("replay", "here", "account"),
    exitCodes.notFound,
    "no mapping of table account: it has contact",
  );
});

test("nobody runs who could answer: the state is told", async () => {
  for (const command of [
    ["logs", "here"],
    ["why", "here", "key"],
    ["dead", "list", "here"],
  ])
    refused(await plugin.run(...command), exitCodes.failed, /no worker of here runs \(it is not seen yet\)/);
});

test("no kubeconfig, one that is not there, none that is one, no such context", async () => {
  const list = (...flags: string[]) => runPlugin(["list", ...flags], nowhere).ended;
  refused(await list(), exitCodes.failed, /there is no kubeconfig: KUBECONFIG is not set, and .*config is not there/);
  refused(await list("--kubeconfig", "/no/such"), exitCodes.failed, "cannot read kubeconfig /no/such");
  const torn = join(empty, "torn");
  writeFileSync(torn, "clusters: [");
  refused(await list("--kubeconfig", torn), exitCodes.failed, /cannot use kubeconfig .*torn: line \d is not YAML/);
  const { kubeconfig } = ground;
  refused(
    await list("--kubeconfig", kubeconfig, "--context", "nope"),
    exitCodes.failed,
    /has no context "nope" \(it has: /,
  );
});

test("a file of KUBECONFIG that is not there is passed by, as kubectl does", async () => {
  const { code } = await runPlugin(["list", "-n", ground.namespace], { KUBECONFIG: `/no/such:${ground.kubeconfig}` })
    .ended;
  expect(code).toBe(exitCodes.done);
});

test("a server that does not answer, and one that does not know the person, are told with the context", async () => {
  const { port } = silent.address() as { port: number };
  const change = { cluster: { server: `https://127.0.0.1:${port}` } };
  const dead = new Plugin(kubeconfigLike(ground.kubeconfig, change), "crm", {});
  for (const command of [["list"], ["list", "-w"], ["start", "here", "--wait"]])
    refused(
      await dead.run(...command),
      exitCodes.failed,
      `no answer from the API server at https://127.0.0.1:${port}`,
      "That is context ",
    );
  const expired = new Plugin(kubeconfigLike(ground.kubeconfig, { user: { token: "expired" } }), "crm", {});
  for (const command of [["list"], ["list", "-w"], ["stop", "here"]])
    refused(
      await expired.run(...command),
      exitCodes.failed,
      "does not accept who you are: sign in again",
      "That is context ",
    );
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "no-such-login", interactiveMode: "Never" };
  const unknown = new Plugin(kubeconfigLike(ground.kubeconfig, { user: { exec } }), "crm", {});
  refused(await unknown.run("list"), exitCodes.failed, /no-such-login gave no credential/);
});

test("an empty list is an answer, in every form", async () => {
  const none = (...flags: string[]) => plugin.run("list", "-n", "nobody-is-here", ...flags);
  expect(await none()).toMatchObject({ code: 0, out: "", err: "No workflows in namespace nobody-is-here.\n" });
  expect(JSON.parse((await none("-o", "json")).out)).toMatchObject({ kind: "List", items: [] });
  expect((await none("-o", "yaml")).out).toMatch(/^items: \[\]$/m);
});

test("who closes the pipe early ends nothing with a stack, and ends a list that goes on", async () => {
  const flags = `--kubeconfig ${ground.kubeconfig} -n ${ground.namespace}`;
  const piped = (words: string) => {
    const line = `set -o pipefail; ${process.execPath} src/kubectl/main.ts ${flags} ${words}; echo ended with $?`;
    const child = spawn("bash", ["-c", line]);
    return Promise.all([text(child.stdout), text(child.stderr)]);
  };
  expect(await piped("list -o json | true")).toEqual(["ended with 0\n", ""]);
  const watching = piped("list -w | head -1");
  let backlog = 0;
  const touching = setInterval(() => {
    const patch = JSON.stringify({ status: { backlog: ++backlog } });
    void ground.kubectl("patch", "iw", "here", "--subresource=status", "--type=merge", "-p", patch);
  }, 500);
  try {
    expect(await watching).toEqual([expect.stringMatching(/^NAME .*\nended with 0\n$/), ""]);
  } finally {
    clearInterval(touching);
  }
});

test("Ctrl-C while waiting says that it goes on by itself", async () => {
  const { child, ended } = plugin.start("start", "here", "--wait");
  let told = "";
  child.stdout.on("data", (chunk) => {
    told += chunk;
  });
  await expect.poll(() => told, patience).toContain("asked to start");
  child.kill("SIGINT");
  const { code, err } = await ended;
  expect(err).toContain("nobody waits for here any more; it goes on by itself: kubectl iw status here");
  expect(code).toBe(exitCodes.interrupted);
});

test("colours are for a terminal, and NO_COLOR is heeded", async () => {
  await ground.kubectl(
    "patch",
    "iw",
    "here",
    "--subresource=status",
    "--type=merge",
    "-p",
    '{"status":{"state":"FAILED"}}',
  );
  const list = async (environment: Readonly<Record<string, string | undefined>>) => {
    const given = ["list", "--kubeconfig", ground.kubeconfig, "-n", ground.namespace];
    return (await runPlugin(given, { NO_COLOR: undefined, FORCE_COLOR: undefined, ...environment }).ended).out;
  };
  expect(await list({})).not.toContain("\u001b");
  expect(await list({ FORCE_COLOR: "1" })).toContain("\u001b[31mFAILED");
  expect(await list({ NO_COLOR: "1" })).not.toContain("\u001b");
});
