/** Where the Kubernetes binaries are, and that they are there: the cache keeps what was built, and builds what is missing. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { build, type Report } from "./build.ts";
import { lock } from "./lock.ts";
import { type BinarySet, binariesOf, recipeHash } from "./recipe.ts";

/** The project's cache folder: what is slow to get and may be thrown away. It lies outside the checkout. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const own = environment["INTEGRATION_WORKFLOW_CACHE"];
  if (own !== undefined && own !== "") return own;
  return join(environment["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "integration-workflow");
}

/**
 * The folder with etcd, kube-apiserver, kube-controller-manager and kubectl: KUBEBUILDER_ASSETS if set, else as `binaries`.
 * @throws ClusterError as `binaries`
 */
export async function controlPlaneBinaries(environment: NodeJS.ProcessEnv, report: Report): Promise<string> {
  const assets = environment["KUBEBUILDER_ASSETS"];
  return assets !== undefined && assets !== "" ? assets : await binaries("control-plane", environment, report);
}

/**
 * The folder with a set of binaries, built first if it is missing, damaged, or made by another recipe.
 * Any number of processes may ask at once: one builds, the others wait for it.
 * @throws ClusterError NoGo, BuildFailed, NotWritable
 */
export async function binaries(set: BinarySet, environment: NodeJS.ProcessEnv, report: Report): Promise<string> {
  const cache = join(cacheFolder(environment), "binaries");
  const folder = join(cache, `${set}-${recipeHash(set)}`);
  if (isWhole(folder, set)) return folder;
  mkdirSync(cache, { recursive: true });
  // The lock saves double work only: what is built is put in place by one rename, so a second builder would do no harm.
  const unlock = await lock(join(cache, `${set}.lock`), (holder) =>
    report(`process ${holder} builds the same binaries; waiting for it`),
  );
  try {
    if (isWhole(folder, set)) return folder;
    removeUnfinished(cache, set);
    const temporary = `${folder}.${process.pid}`;
    try {
      await build(set, temporary, environment, report);
      writeManifest(temporary, set);
      rmSync(folder, { recursive: true, force: true });
      renameSync(temporary, folder);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
    return folder;
  } finally {
    unlock();
  }
}

/** What builders left that were killed. The caller holds the lock, so nobody works on them. */
function removeUnfinished(cache: string, set: BinarySet): void {
  const unfinished = new RegExp(`^${set}-[0-9a-f]{12}\\.\\d+$`);
  for (const name of readdirSync(cache).filter((each) => unfinished.test(each))) {
    rmSync(join(cache, name), { recursive: true, force: true });
  }
}

type Manifest = Readonly<Record<string, number>>;

/** Whether the folder holds every binary of the set at the size it was built with. */
function isWhole(folder: string, set: BinarySet): boolean {
  try {
    // Written by writeManifest; anything else in its place fails the comparison below.
    const sizes = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Manifest;
    return binariesOf(set).every((name) => statSync(join(folder, name)).size === sizes[name]);
  } catch {
    return false; // A file is missing or is not JSON: it is built again.
  }
}

function writeManifest(folder: string, set: BinarySet): void {
  const sizes: Manifest = Object.fromEntries(binariesOf(set).map((name) => [name, statSync(join(folder, name)).size]));
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(sizes, undefined, 2));
}
