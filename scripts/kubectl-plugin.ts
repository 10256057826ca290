/** The kubectl plugin as a package of its own: one file, and nothing to install besides. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { build } from "esbuild";
import { dump } from "js-yaml";

/** The least of what is bundled: undici asks for it. 22 is the oldest that is still maintained. */
const leastNode = { major: 22, minor: 19 } as const;
const least = `${leastNode.major}.${leastNode.minor}`;

const names = [
  "kubectl-iw",
  "kubectl-integrationworkflow",
  "kubectl_complete-iw",
  "kubectl_complete-integrationworkflow",
];
const summary = "Start, stop and watch integration workflows between Dynamics 365 and Adobe Campaign";

/** Any Node of the last ten years understands it, and says that it is too old before it comes upon what it does not know. */
const guard = `var v = process.versions.node.split(".");
if (+v[0] < ${leastNode.major} || (+v[0] === ${leastNode.major} && +v[1] < ${leastNode.minor})) {
  console.error("error: kubectl iw needs Node ${least} or newer, and this is " + v.join(".") + " (" + process.execPath + ")");
  process.exit(1);
}`;

/**
 * Makes `kubectl-iw`, its npm package, and a Krew manifest of that package.
 * @param folder where all of it goes
 * @param releaseUrl where the package will be for Krew to fetch
 */
export async function buildPlugin(folder: string, releaseUrl: string): Promise<void> {
  const { version, license } = JSON.parse(readFileSync("package.json", "utf8")) as Record<
    "version" | "license",
    string
  >;
  const home = join(folder, "kubectl-iw");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const program = join(home, "kubectl-iw");
  await build({
    entryPoints: ["src/kubectl/main.ts"],
    outfile: program,
    bundle: true,
    platform: "node",
    // A file without an extension, with no package.json around it, is CommonJS to every Node.
    format: "cjs",
    target: "node12",
    legalComments: "linked",
    banner: { js: guard },
    define: { PLUGIN_VERSION: JSON.stringify(version) },
    logLevel: "warning",
  });
  chmodSync(program, 0o755);
  copyFileSync("LICENSE", join(home, "LICENSE"));
  writeFileSync(join(home, "README.md"), withoutLinks(readFileSync("docs/how-to/kubectl-plugin.md", "utf8")));
  const manifest = {
    name: "kubectl-iw",
    version,
    description: summary,
    license,
    engines: { node: `>=${least}` },
    bin: Object.fromEntries(names.map((name) => [name, "kubectl-iw"])),
    files: ["kubectl-iw", "kubectl-iw.LEGAL.txt"],
  };
  writeFileSync(join(home, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  const archive = pack(home, folder);
  writeFileSync(join(folder, "iw.yaml"), krewManifest(archive, version, releaseUrl));
}

/** Other pages are not in the package. */
function withoutLinks(page: string): string {
  return page.replaceAll(/\[([^\]]+)\]\((?!https?:)[^)]+\)/g, "$1");
}

/** npm's own archive is the same, byte by byte, wherever it is made. */
function pack(home: string, folder: string): string {
  const given = ["pack", "--json", "--pack-destination", folder, resolve(home)];
  const { status, stdout, stderr } = spawnSync("npm", given, { encoding: "utf8" });
  if (status !== 0) throw new Error(`npm pack failed: ${stderr}`);
  const [packed] = JSON.parse(stdout) as { filename: string }[];
  if (packed === undefined) throw new Error("npm pack made nothing");
  return join(folder, packed.filename);
}

/** https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/ */
function krewManifest(archive: string, version: string, releaseUrl: string): string {
  return dump({
    apiVersion: "krew.googlecontainertools.github.com/v1alpha2",
    kind: "Plugin",
    metadata: { name: "iw" },
    spec: {
      version: `v${version}`,
      shortDescription: summary,
      description:
        "Lists integration workflows, says why one is as it is and what to do, and starts, stops and restarts them.",
      caveats: `Needs Node ${least} or newer on the PATH. For completion: ln -s "$(command -v kubectl-iw)" kubectl_complete-iw in a folder of the PATH.`,
      platforms: [
        {
          selector: { matchExpressions: [{ key: "os", operator: "In", values: ["linux", "darwin"] }] },
          uri: `${releaseUrl}/${basename(archive)}`,
          sha256: createHash("sha256").update(readFileSync(archive)).digest("hex"),
          files: [
            { from: "package/kubectl-iw", to: "." },
            { from: "package/LICENSE", to: "." },
          ],
          bin: "kubectl-iw",
        },
      ],
    },
  });
}
