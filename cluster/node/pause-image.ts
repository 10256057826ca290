import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Writes an image archive (docker save's format) whose only file is the pause program, and gives its path.
 * containerd keeps a pod's namespaces open with it; it is made here so that no registry is needed.
 */
export function writePauseImage(pauseProgram: string, folder: string, reference: string): string {
  const files = join(folder, "pause-image");
  mkdirSync(join(files, "root"), { recursive: true });
  cpSync(pauseProgram, join(files, "root", "pause"));
  const tar = (archive: string, from: string, ...names: readonly string[]): void =>
    void execFileSync("tar", ["--owner=0", "--group=0", "-cf", archive, "-C", from, ...names]);
  tar(join(files, "layer.tar"), join(files, "root"), "pause");
  const layerDigest = createHash("sha256")
    .update(readFileSync(join(files, "layer.tar")))
    .digest("hex");
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const config = {
    architecture,
    os: "linux",
    config: { Entrypoint: ["/pause"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${layerDigest}`] },
  };
  writeFileSync(join(files, "config.json"), JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [reference], Layers: ["layer.tar"] }];
  writeFileSync(join(files, "manifest.json"), JSON.stringify(manifest));
  const archive = join(folder, "pause.tar");
  tar(archive, files, "manifest.json", "config.json", "layer.tar");
  rmSync(files, { recursive: true });
  return archive;
}
