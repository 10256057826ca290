/** The image as it is built, unpacked: what is in it, and how it is to be run. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildImage } from "../../../cluster/image.ts";
import { ensurePackages } from "../../../cluster/packages.ts";

const run = promisify(execFile);

export interface ImageFile {
  /** From the root, without a slash at the start. */
  readonly path: string;
  readonly type: "file" | "folder" | "link";
  /** As `ls -l` writes it, less the type: `rwxr-xr-x`. */
  readonly mode: string;
  /** `uid/gid`. */
  readonly owner: string;
  readonly bytes: number;
}

/** Of the image's configuration, what is looked at. */
export interface ImageConfiguration {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly WorkingDir: string;
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck?: object;
}

export interface Contents {
  readonly configuration: ImageConfiguration;
  readonly files: readonly ImageFile[];
  /** The folder that the layers are unpacked in. */
  readonly root: string;
  /** The program, built once more in a folder of another depth. */
  readonly again: string;
  /** And once with what says where each part of it is from. */
  readonly readable: string;
  remove(): void;
}

/** What the Dockerfile copies, and what it is copied by. */
const sources = ["Dockerfile", ".dockerignore", "LICENSE", "package.json", "bin"];

/** Builds the program in a folder, as `npm run build`. */
async function buildProgram(folder: string, ...flags: readonly string[]): Promise<void> {
  await run(process.execPath, ["scripts/build.ts", folder, ...flags]);
}

/** Builds the image of these sources, and unpacks it. Needs Linux and root. */
export async function imageContents(): Promise<Contents> {
  const folder = mkdtempSync(join(tmpdir(), "integration-workflow-image-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const context = join(folder, "context");
    for (const name of sources) cpSync(name, join(context, name), { recursive: true });
    const again = join(folder, "another", "place");
    // At the same time: of the same sources.
    const readable = join(folder, "readable");
    await Promise.all([buildProgram(join(context, "dist")), buildProgram(again), buildProgram(readable, "--readable")]);
    await ensurePackages(process.env, console.error);
    const { archivePath = "" } = await buildImage({ context, docker: false }, process.env, console.error);
    const [layersFolder, root] = [join(folder, "archive"), join(folder, "root")];
    for (const made of [layersFolder, root]) mkdirSync(made);
    await run("tar", ["-xf", archivePath, "-C", layersFolder]);
    const read = (name: string): unknown => JSON.parse(readFileSync(join(layersFolder, name), "utf8"));
    // In `docker save`'s format there is one image in the archive.
    const [manifest] = read("manifest.json") as [{ Config: string; Layers: string[] }];
    const { config } = read(manifest.Config) as { config: ImageConfiguration };
    const files: ImageFile[] = [];
    for (const layer of manifest.Layers) {
      const path = join(layersFolder, layer);
      await run("tar", ["--numeric-owner", "-xpf", path, "-C", root]);
      const { stdout } = await run("tar", ["--numeric-owner", "-tvf", path], { maxBuffer: 64_000_000 });
      files.push(...stdout.trimEnd().split("\n").map(parse));
    }
    return { configuration: config, files, root, again, readable, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** A line of `tar -tv`: `-rwxr-xr-x 0/0  149711504 2026-11-22 02:13 ./nodejs/bin/node`. */
function parse(line: string): ImageFile {
  const match = /^(.)(.{9}) (\d+\/\d+) +(\d+) \S+ \S+ (?:\.\/)?(.*?)(?: -> .*| link to .*)?$/.exec(line);
  const [, kind, mode = "", owner = "", bytes = "", path = ""] = match ?? [];
  if (match === null) throw new Error(`tar wrote a line that is not understood: ${line}`);
  return { path, type: kind === "d" ? "folder" : kind === "l" ? "link" : "file", mode, owner, bytes: Number(bytes) };
}
