/** The product's image, built from the checkout: by Docker where it answers, else by buildah on a base made here. */
import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { baseRecipe, writeBase } from "./base-image.ts";
import { cacheFolder } from "./binaries.ts";
import type { Report } from "./build.ts";
import { ClusterError } from "./errors.ts";
import { runTool } from "./tool.ts";

export interface BuiltImage {
  readonly repository: string;
  /** The hash of what is in the image: what has not changed is not built again. */
  readonly tag: string;
  /** `repository:tag`. */
  readonly reference: string;
  /** The image as a file in `docker save`'s format; absent when Docker holds it. */
  readonly archivePath?: string;
}

export interface ImageOptions {
  /** The folder with Dockerfile, package.json, bin/ and dist/. */
  readonly context: string;
  /** Whether Docker builds it, and keeps it. */
  readonly docker: boolean;
}

/** The root of this checkout. */
export const projectFolder = fileURLToPath(new URL("..", import.meta.url));

const archivesKept = 5;
const repository = "localhost/integration-workflow-operator";

/** Whether a Docker daemon answers. */
export async function dockerAnswers(): Promise<boolean> {
  try {
    await runTool(["docker", "info"]);
    return true;
  } catch {
    return false; // Not installed, not running, or not ours to use: buildah does it.
  }
}

/**
 * Bundles the program, and builds the image unless the same one is there.
 * @throws ClusterError ToolFailed with what the tool said, ToolMissing
 */
export async function buildImage(
  options: ImageOptions,
  environment: NodeJS.ProcessEnv,
  report: Report,
): Promise<BuiltImage> {
  const tag = contentHash(options);
  const image = { repository, tag, reference: `${repository}:${tag}` };
  if (options.docker) {
    const known = await runTool(["docker", "images", "--quiet", image.reference]);
    if (known.trim() === "") {
      report(`building ${image.reference} with Docker`);
      const version = ["--build-arg", `VERSION=${versionOf(options.context)}`];
      await runTool(["docker", "build", ...version, "--tag", image.reference, options.context]);
    }
    return image;
  }
  const cache = join(cacheFolder(environment), "images");
  const archivePath = join(cache, `${tag}.tar`);
  if (!existsSync(archivePath)) {
    report(`building ${image.reference} with buildah`);
    mkdirSync(cache, { recursive: true });
    await buildWithBuildah(options.context, cache, image.reference, archivePath);
    removeOldArchives(cache);
  }
  return { ...image, archivePath };
}

/** Makes dist of the checkout. */
export async function bundle(): Promise<void> {
  await runTool([process.execPath, "--run=build"], undefined, projectFolder);
}

function versionOf(context: string): string {
  // Ours, and npm reads it too.
  return (JSON.parse(readFileSync(join(context, "package.json"), "utf8")) as { version: string }).version;
}

function contentHash({ context, docker }: ImageOptions): string {
  const hash = createHash("sha256");
  if (!docker) hash.update(baseRecipe);
  const parts = globSync("dist/part-*.js", { cwd: context }).sort();
  const program = ["dist/main.js", ...parts, "dist/console", "dist/sbom.cdx.json", "dist/THIRD-PARTY-LICENSES.txt"];
  for (const name of ["Dockerfile", "LICENSE", "package.json", ...program, "bin/integration-workflow"]) {
    if (!existsSync(join(context, name))) {
      throw new ClusterError("NothingToBuild", `${join(context, name)} is missing: run npm run build`);
    }
    for (const file of filesOf(context, name)) hash.update(`${file}\0`).update(readFileSync(join(context, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

/** A file, or all in a folder; relative to the context. */
function filesOf(context: string, name: string): readonly string[] {
  const path = join(context, name);
  if (!statSync(path).isDirectory()) return [name];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .map((entry) => join(name, entry))
    .filter((entry) => !statSync(join(context, entry)).isDirectory())
    .sort();
}

/** Every change of the program makes another archive: the last few are kept. */
function removeOldArchives(cache: string): void {
  const archives = readdirSync(cache)
    .filter((name) => name.endsWith(".tar"))
    .map((name) => ({ path: join(cache, name), writtenAt: statSync(join(cache, name)).mtimeMs }));
  archives.sort((one, other) => other.writtenAt - one.writtenAt);
  for (const { path } of archives.slice(archivesKept)) rmSync(path, { force: true });
}

/** Builds in a store of its own, which goes away: only the archive stays. */
async function buildWithBuildah(context: string, cache: string, reference: string, archivePath: string): Promise<void> {
  const work = mkdtempSync(join(cache, "build-"));
  const buildah = (...args: readonly string[]): Promise<string> =>
    runTool([
      "buildah",
      "--root",
      join(work, "store"),
      "--runroot",
      join(work, "run"),
      "--storage-driver",
      "vfs",
      ...args,
    ]);
  try {
    const base = await writeBase(cache);
    await buildah("build", "--tag", "localhost/base", "--file", join(base, "Dockerfile"), base);
    const file = join(context, "Dockerfile");
    const args = ["--pull-never", "--isolation", "chroot", "--build-arg", "BASE=localhost/base"];
    args.push("--build-arg", `VERSION=${versionOf(context)}`);
    await buildah("build", ...args, "--tag", reference, "--file", file, context);
    const temporary = join(work, "image.tar");
    await buildah("push", "--quiet", reference, `docker-archive:${temporary}:${reference}`);
    renameSync(temporary, archivePath);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
