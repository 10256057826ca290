/** Makes a set of binaries: Kubernetes's own are downloaded where they can be, all others are built with Go. */
import { type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { downloadRelease, isReleased } from "./download.ts";
import { ClusterError } from "./errors.ts";
import { type BinarySet, type BuildJob, binariesOf, modulePath, recipes } from "./recipe.ts";

/** Says how far something is: one line a call. */
export type Report = (line: string) => void;

const millisecondsBetweenLooks = 500;
const secondsBetweenSigns = 20;

/**
 * Makes every binary of `set` in `folder`. Building takes minutes from nothing, seconds when Go's caches are warm.
 * @throws ClusterError NoGo, BuildFailed with what Go said, DownloadFailed
 */
export async function build(
  set: BinarySet,
  folder: string,
  environment: NodeJS.ProcessEnv,
  report: Report,
): Promise<void> {
  const started = performance.now();
  const wanted = binariesOf(set);
  const seconds = (): number => Math.round((performance.now() - started) / 1000);
  let built = 0;
  let lastSign = 0;
  report(`getting ${wanted.length} binaries (${set}), once: they are downloaded or built with Go, and kept`);
  const looking = setInterval(() => {
    const now = wanted.filter((name) => existsSync(join(folder, name))).length;
    if (now === built && seconds() - lastSign < secondsBetweenSigns) return;
    built = now;
    lastSign = seconds();
    report(`${built} of ${wanted.length} there (${set}, ${lastSign} s)`);
  }, millisecondsBetweenLooks);
  try {
    // Two at a time: one links, with one thread, while the other compiles.
    const queue = [...recipes[set]];
    const work = async (): Promise<void> => {
      for (let job = queue.shift(); job !== undefined; job = queue.shift()) await make(job, folder, environment);
    };
    await Promise.all([work(), work()]);
  } finally {
    clearInterval(looking);
  }
  report(`${wanted.length} of ${wanted.length} there (${set}, ${seconds()} s)`);
}

async function make(job: BuildJob, folder: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const names = Object.keys(job.packages);
  const { release } = job;
  if (release === undefined || !(await isReleased(names[0] ?? "", release))) await goBuild(job, folder, environment);
  else await Promise.all(names.map((name) => downloadRelease(name, release, folder)));
}

/** One package to a file, several to a folder: `go build` then names each after the last part of its path. */
async function goBuild(job: BuildJob, setFolder: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const folder = join(setFolder, job.folder ?? "");
  mkdirSync(folder, { recursive: true });
  const names = Object.keys(job.packages);
  const output = names.length === 1 ? join(folder, names.join("")) : `${folder}/`;
  const args = ["build", "-C", modulePath(job.module), "-mod=readonly", "-buildvcs=false", "-trimpath"];
  args.push("-ldflags", ["-s", "-w", ...(job.linkerFlags ?? [])].join(" "));
  if (job.tags !== undefined) args.push("-tags", job.tags);
  await go([...args, "-o", output, ...Object.values(job.packages)], environment);
}

async function go(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const options: SpawnOptions = {
    env: { ...environment, CGO_ENABLED: "0", GOWORK: "off" },
    stdio: ["ignore", "pipe", "pipe"],
  };
  const child = spawn("go", args, options);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => (output += chunk));
  const [code] = await once(child, "close").catch((error: NodeJS.ErrnoException): never => {
    if (error.code !== "ENOENT") throw error;
    throw new ClusterError(
      "NoGo",
      "Kubernetes is built with Go and there is no go on the PATH: install Go 1.26 or newer (https://go.dev/dl), " +
        "or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager and kubectl",
    );
  });
  if (code !== 0) {
    const end = output.trimEnd().split("\n").slice(-15).join("\n");
    throw new ClusterError("BuildFailed", `go ${args.slice(0, 3).join(" ")} ended with ${code}:\n${end}`);
  }
}
