/**
 * What an operator says that has no way to its cluster, or no right there.
 * Tested elsewhere: no definition and an older one (../operator/definition.test.ts).
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump, load } from "js-yaml";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { createAuthority } from "../../../cluster/certificates.ts";
import { apiServer, installCrd } from "../api/api-server.ts";
import { type Program, run, start } from "./program.ts";

interface Kubeconfig {
  "current-context"?: string;
  clusters: { name: string; cluster: Record<string, unknown> }[];
  contexts: { name: string; context: Record<string, unknown> }[];
  users: { name: string; user: Record<string, unknown> }[];
}

const folder = mkdtempSync(join(tmpdir(), "kubeconfigs-"));
const path = join(folder, "kubeconfig");
const kubeconfig = load(readFileSync(inject("kubeconfig"), "utf8")) as Kubeconfig;
const address = String(kubeconfig.clusters[0]?.cluster["server"]);
const context = String(kubeconfig.contexts[0]?.name);
const image = ["--worker-image", "registry.example/worker:1"];
const anywhere = ["--metrics-address", "127.0.0.1:0", "--health-address", "127.0.0.1:0", "--worker-poll", "off"];
const running: Program[] = [];

beforeAll(async () => {
  const server = await apiServer(inject("kubeconfig"));
  await installCrd(server);
  await server.close();
});
afterAll(async () => {
  await Promise.all(running.map((program) => program.stop()));
  rmSync(folder, { recursive: true });
});

function operator(...args: readonly string[]): Program {
  const program = start(["operator", ...image, ...anywhere, ...args], { KUBECONFIG: path });
  running.push(program);
  return program;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

/** The good kubeconfig with one thing changed. */
function spoilt(change: (cluster: Record<string, unknown>, user: Record<string, unknown>) => void): string {
  const copy = structuredClone(kubeconfig);
  change(copy.clusters[0]?.cluster ?? {}, copy.users[0]?.user ?? {});
  return dump(copy);
}

const files: readonly (readonly [what: string, text: string | undefined, message: string])[] = [
  ["not there", undefined, `cannot read kubeconfig ${path}: ENOENT: no such file or directory, open '${path}'`],
  ["empty", "", `cannot use kubeconfig ${path}: it is not YAML: expected a document, but the input is empty`],
  [
    "not YAML, without a word of its content",
    "users:\n- token: hunter2: s3cret\n",
    `cannot use kubeconfig ${path}: line 2 is not YAML: bad indentation of a mapping entry`,
  ],
  ["no kubeconfig", "hello", `cannot use kubeconfig ${path}: it is not a kubeconfig`],
  ["without contexts", "{}", `${path} has no current-context: name one (it has: none)`],
  [
    "without its cluster",
    dump({ ...kubeconfig, clusters: [] }),
    `${path}: context "${context}" names cluster "${kubeconfig.contexts[0]?.context["cluster"]}", which is not there`,
  ],
  [
    "without its user",
    dump({ ...kubeconfig, users: [] }),
    `${path}: context "${context}" names user "${kubeconfig.contexts[0]?.context["user"]}", which is not there`,
  ],
  [
    "of a server that is no URL",
    spoilt((cluster) => {
      cluster["server"] = "cluster.example";
    }),
    `cluster "${kubeconfig.clusters[0]?.name}": server "cluster.example" is not an http or https URL`,
  ],
  [
    "with a certificate that is not PEM",
    spoilt((_, user) => {
      user["client-certificate-data"] = base64("0\x82");
    }),
    `the client certificate, its key or the CA of context ${context} cannot be used: error:0480006C:PEM routines::no start line`,
  ],
];

describe("a kubeconfig that cannot be used ends the operator with 2", () => {
  test.each(files)("%s", async (_, text, message) => {
    rmSync(path, { force: true });
    if (text !== undefined) writeFileSync(path, text);
    const ended = await operator().ended;
    expect(ended).toMatchObject({ code: 2, message });
    expect(ended.output.trim().split("\n")).toHaveLength(1);
  });

  test("a directory", async () => {
    const directory = join(folder, "directory");
    mkdirSync(directory);
    const ended = await operator("--kubeconfig", directory).ended;
    const message = `cannot read kubeconfig ${directory}: EISDIR: illegal operation on a directory, read`;
    expect(ended).toMatchObject({ code: 2, message });
  });

  test("a context that it does not have", async () => {
    writeFileSync(path, dump(kubeconfig));
    const ended = await operator("--context", "production").ended;
    expect(ended).toMatchObject({ code: 2, message: `${path} has no context "production" (it has: ${context})` });
  });

  test("none at all, and no pod around", async () => {
    const ended = await run(["operator", ...image]);
    const message =
      "no cluster is configured: give --kubeconfig, set KUBECONFIG, or run in a pod with a service account token";
    expect(ended).toMatchObject({ code: 2, message });
  });
});

const definition = "GET /openapi/v3/apis/integrationworkflow.io/v1";
const checkCredentials = "(check the token or the client certificate that it was called with)";

const refusals: readonly (readonly [what: string, text: string, message: string])[] = [
  [
    "the server is somebody else's",
    spoilt((cluster) => {
      cluster["certificate-authority-data"] = base64(createAuthority("somebody", new Date()).certificate);
    }),
    `the API server at ${address} is not trusted: no authority that is trusted has signed its certificate; check the cluster's certificate-authority in the kubeconfig`,
  ],
  [
    "the client certificate is of another authority",
    spoilt((_, user) => {
      const { certificate, key } = createAuthority("somebody", new Date()).issue({ commonName: "admin" });
      user["client-certificate-data"] = base64(certificate);
      user["client-key-data"] = base64(key);
    }),
    `${definition}: 401 Unauthorized: Unauthorized ${checkCredentials}`,
  ],
  [
    "the token is wrong",
    spoilt((_, user) => {
      for (const key of Object.keys(user)) delete user[key];
      user["token"] = "expired";
    }),
    `${definition}: 401 Unauthorized: Unauthorized ${checkCredentials}`,
  ],
];

describe("an API server that does not let it in ends the operator with 1", () => {
  test.each(refusals)("%s", async (_, text, message) => {
    writeFileSync(path, text);
    const ended = await operator().ended;
    expect(ended).toMatchObject({ code: 1, message });
    expect(ended.output.trim().split("\n")).toHaveLength(1);
  });
});

const away: readonly (readonly [what: string, text: string, message: string])[] = [
  [
    "nothing listens",
    spoilt((cluster) => {
      cluster["server"] = "https://127.0.0.1:1";
    }),
    "no answer from the API server at https://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1",
  ],
  [
    "the host is not known",
    spoilt((cluster) => {
      cluster["server"] = "https://cluster.invalid";
    }),
    "no answer from the API server at https://cluster.invalid: getaddrinfo ENOTFOUND cluster.invalid",
  ],
];

describe("an API server that is not there is waited for, and that is told", () => {
  test.each(away)("%s", async (_, text, message) => {
    writeFileSync(path, text);
    const program = operator();
    await expect.poll(() => program.lines, { timeout: 30_000 }).not.toEqual([]);
    expect(program.lines[0]).toMatchObject({ level: "warn", error: { message } });
    expect(await program.stop()).toMatchObject({ code: 0 });
  });
});

describe("an address that is taken ends the operator with 1", () => {
  const taken: Server = createServer();
  beforeAll(() => new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve)));
  afterAll(() => void taken.close());

  test.each(["--metrics-address", "--health-address"])("%s", async (flag) => {
    writeFileSync(path, dump(kubeconfig));
    const place = taken.address();
    const port = typeof place === "object" ? place?.port : undefined;
    const ended = await operator(flag, `127.0.0.1:${port}`).ended;
    const message = `cannot listen on 127.0.0.1 port ${port}: another process listens there: end it, or give another address (--help names the flags)`;
    expect(ended).toMatchObject({ code: 1, message });
  });
});

test("0 for an address means nowhere", async () => {
  writeFileSync(path, dump(kubeconfig));
  const program = operator("--metrics-address", "0", "--health-address", "0");
  const started = await vi.waitFor(() => {
    const line = program.lines.find(({ message }) => message === "operator started");
    if (line === undefined) throw new Error(`not started: ${program.output}`);
    return line;
  }, 30_000);
  expect([started["metrics"], started["health"]]).toEqual([undefined, undefined]);
  expect(await program.stop()).toMatchObject({ code: 0 });
});

test("without rights the operator stays, not ready, says which right it lacks, and asks at growing intervals", async () => {
  writeFileSync(
    path,
    spoilt((_, user) => {
      user["as"] = "nobody";
    }),
  );
  const program = operator();
  const again = () => program.lines.filter(({ message }) => message === "reflector tries again");
  await expect.poll(() => again().length, { timeout: 60_000 }).toBeGreaterThan(20);
  const workflows = again().filter(({ resource }) => String(resource).startsWith("integrationworkflows"));
  expect(JSON.stringify(workflows[0])).toContain(
    'User \\"nobody\\" cannot list resource \\"integrationworkflows\\" in API group \\"integrationworkflow.io\\" at the cluster scope',
  );
  const url = program.lines.find(({ message }) => message === "operator started")?.["health"];
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.text()).toContain("was not listed yet");
  // Seven resources: 21 lines are three rounds, and the third comes after two pauses.
  const times = again().map(({ timestamp }) => Date.parse(timestamp));
  expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(800);
  expect((await program.stop()).code).toBe(0);
});
