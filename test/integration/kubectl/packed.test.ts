/** The plugin as it is given away: what npm installs, the plain file, and what shells and kubectl make of it. */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { load } from "js-yaml";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { buildPlugin } from "../../../scripts/kubectl-plugin.ts";
import { debianPrograms } from "../../debian-programs.ts";
import { Ground } from "../operator/ground.ts";

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "kubectl-plugin-"));
const prefix = join(folder, "prefix");
const alone = join(folder, "alone");
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const archive = join(folder, `kubectl-iw-${version}.tgz`);
const system = "/usr/local/bin:/usr/bin:/bin";

let ground: Ground;
/** kubectl, this Node and what npm has installed. */
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  ground = await Ground.make(inject("kubeconfig"));
  await ground.apply("contacts");
  await buildPlugin(folder, "https://example.com/v1");
  // From the archive alone: it needs nothing that would have to be fetched.
  await run("npm", ["install", "--global", "--offline", "--no-audit", "--prefix", prefix, archive]);
  mkdirSync(alone);
  copyFileSync(join(folder, "kubectl-iw", "kubectl-iw"), join(alone, "kubectl-iw"));
  const path = [dirname(process.execPath), join(prefix, "bin"), dirname(inject("kubectl")), system].join(":");
  environment = { HOME: folder, PATH: path, KUBECONFIG: ground.kubeconfig };
});
afterAll(async () => {
  await ground?.end();
  rmSync(folder, { recursive: true });
});

const files = (): string[] => execFileSync("tar", ["-tzf", archive], { encoding: "utf8" }).trim().split("\n").sort();

test("the package holds the one file, its licences and its page, and asks for nothing", () => {
  const held = ["LICENSE", "README.md", "kubectl-iw", "kubectl-iw.LEGAL.txt", "package.json"];
  expect(files()).toEqual(held.map((name) => `package/${name}`).sort());
  const manifest = JSON.parse(readFileSync(join(folder, "kubectl-iw", "package.json"), "utf8"));
  expect(manifest).toMatchObject({ name: "kubectl-iw", version });
  expect(manifest).not.toHaveProperty("dependencies");
  expect(readdirSync(join(prefix, "bin")).sort()).toEqual(Object.keys(manifest.bin).sort());
  expect(existsSync(join(prefix, "lib/node_modules/kubectl-iw/node_modules"))).toBe(false);
});

test("kubectl finds it under both names, and asks it what to offer next", async () => {
  const kubectl = async (...given: string[]) => (await run("kubectl", given, { env: environment })).stdout;
  expect(await kubectl("plugin", "list")).toMatch(/kubectl-integrationworkflow\n.*kubectl-iw\n/);
  for (const name of ["iw", "integrationworkflow"]) {
    expect(await kubectl(name, "list", "-n", ground.namespace)).toMatch(/^contacts +Ingress/m);
    expect(await kubectl("__complete", name, "sto")).toMatch(/^stop\t/);
  }
  expect(await kubectl("__complete", "iw", "status", "-n", ground.namespace, "co")).toMatch(/^contacts\n:4/);
});

test("the file alone runs where nothing else is, and says its version", async () => {
  const { stdout } = await run(join(alone, "kubectl-iw"), ["--version"], { env: environment });
  expect(stdout).toBe(`kubectl-iw ${version} (Node ${process.versions.node})\n`);
});

test.each(["12.22.12", "20.19.5", "22.18.0"])(
  "Node %s is told that it is too old, instead of stumbling",
  async (older) => {
    const pretence = join(folder, `${older}.cjs`);
    writeFileSync(pretence, `Object.defineProperty(process.versions, "node", { value: "${older}" });`);
    const started = run(process.execPath, ["--require", pretence, join(alone, "kubectl-iw"), "list"]);
    await expect(started).rejects.toMatchObject({
      code: 1,
      stdout: "",
      stderr: `error: kubectl iw needs Node 22.19 or newer, and this is ${older} (${process.execPath})\n`,
    });
  },
);

/** https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/, and what `krew install --manifest` checks. */
test("the Krew manifest is of this very archive, and names files that it holds", () => {
  interface KrewManifest {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: { readonly name: string };
    readonly spec: {
      readonly version: string;
      readonly shortDescription: string;
      readonly caveats: string;
      readonly platforms: readonly {
        readonly uri: string;
        readonly sha256: string;
        readonly bin: string;
        readonly selector: { readonly matchExpressions: readonly { readonly values: readonly string[] }[] };
        readonly files: readonly { readonly from: string; readonly to: string }[];
      }[];
    };
  }
  const { apiVersion, kind, metadata, spec } = load(readFileSync(join(folder, "iw.yaml"), "utf8")) as KrewManifest;
  expect({ apiVersion, kind, metadata }).toEqual({
    apiVersion: "krew.googlecontainertools.github.com/v1alpha2",
    kind: "Plugin",
    metadata: { name: "iw" },
  });
  expect(spec.version).toMatch(/^v\d+\.\d+\.\d+$/);
  expect(spec.shortDescription.length).toBeLessThanOrEqual(100);
  expect(spec.caveats).toContain("Node 22.19");
  const [platform] = spec.platforms;
  expect(platform?.uri).toBe(`https://example.com/v1/kubectl-iw-${version}.tgz`);
  expect(platform?.sha256).toBe(createHash("sha256").update(readFileSync(archive)).digest("hex"));
  expect(platform?.selector.matchExpressions[0]?.values).toEqual(["linux", "darwin"]);
  for (const { from } of platform?.files ?? []) expect(files()).toContain(from);
  expect(platform?.bin).toBe("kubectl-iw");
});

describe("completion in the shells themselves", () => {
  const flags = (): string => `-n ${ground.namespace}`;

  test("bash", async () => {
    const script = `source <(kubectl-iw completion bash)
      offered() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kubectl_iw; echo "\${COMPREPLY[*]}"; }
      complete -p kubectl-iw
      offered kubectl-iw sta
      offered kubectl-iw status ${flags()} ""
      offered kubectl-iw status --namespace = ${ground.namespace} co
      offered kubectl-iw list --state R
      offered kubectl-iw replay contacts ${flags()} ""
      offered kubectl-iw stop --wa`;
    const { stdout, stderr } = await run("bash", ["--norc", "-c", script], { env: environment });
    expect(stderr).toBe("");
    expect(stdout.split("\n")).toEqual([
      "complete -F _kubectl_iw kubectl-iw",
      "status start",
      "contacts",
      "contacts",
      "RUNNING",
      "contact",
      "--wait",
      "",
    ]);
  });

  test("zsh", async () => {
    const root = await debianPrograms(["zsh", "zsh-common"]);
    const [modules = ""] = readdirSync(join(root, "usr/lib/x86_64-linux-gnu/zsh"));
    const functions = readdirSync(join(root, "usr/share/zsh/functions")).map((name) =>
      join(root, "usr/share/zsh/functions", name),
    );
    const setUp = `module_path=(${root}/usr/lib/x86_64-linux-gnu/zsh/${modules}); fpath=(${functions.join(" ")})
      autoload -Uz compinit && compinit -D -u`;
    // Within a terminal of its own: zsh completes nowhere else. What compadd is given is what zsh would offer.
    const script = `${setUp}
      compadd() { [[ $1 = -a ]] && print -rl -- "\${(P@)2}" }
      source <(kubectl-iw completion zsh)
      print -r -- $_comps[kubectl-iw]
      offered() { words=("$@"); CURRENT=$#; _kubectl_iw }
      offered kubectl-iw sta
      offered kubectl-iw status ${flags()} ""`;
    const { stdout } = await run(join(root, "bin/zsh"), ["-f", "-c", script], { env: environment });
    expect(stdout.trim().split("\n")).toEqual(["_kubectl_iw", "status", "start", "contacts"]);
  });

  test("fish", async () => {
    const root = await debianPrograms(["fish", "fish-common", "libpcre2-32-0"]);
    const script = `kubectl-iw completion fish | source
      complete -C "kubectl-iw sta"
      complete -C "kubectl-iw status ${flags()} "`;
    const libraries = join(root, "usr/lib/x86_64-linux-gnu");
    const env = { ...environment, LD_LIBRARY_PATH: libraries, XDG_DATA_DIRS: join(root, "usr/share") };
    const { stdout } = await run(join(root, "usr/bin/fish"), ["--no-config", "-c", script], { env });
    const offered = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("\t")[0]);
    expect(offered.sort()).toEqual(["contacts", "start", "status"]);
  });
});
