/** Images that no node can run, as archives in `docker save`'s format. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importImage } from "../../../cluster/node.ts";
import { runTool } from "../../../cluster/tool.ts";
import { unrunnable } from "./failure-stages.ts";

/** Puts them on the node. */
export async function importUnrunnable(node: string, nodeBinaries: string): Promise<void> {
  const images = [
    [unrunnable.otherArchitecture, ["/worker"]],
    [unrunnable.noProgram, ["/not/there"]],
  ] as const;
  for (const [reference, entrypoint] of images) {
    const folder = mkdtempSync(join(tmpdir(), "integration-workflow-image-"));
    try {
      await importImage(node, nodeBinaries, {
        reference,
        archivePath: await writeImage(folder, reference, entrypoint),
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}

async function writeImage(folder: string, reference: string, entrypoint: readonly string[]): Promise<string> {
  const tar = (archive: string, from: string, ...names: readonly string[]) =>
    runTool(["tar", "--owner=0", "--group=0", "-cf", join(folder, archive), "-C", from, ...names]);
  mkdirSync(join(folder, "root"));
  writeFileSync(join(folder, "root/worker"), programOfOthers(), { mode: 0o755 });
  await tar("layer.tar", join(folder, "root"), "worker");
  const layer = createHash("sha256")
    .update(readFileSync(join(folder, "layer.tar")))
    .digest("hex");
  const config = {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Entrypoint: entrypoint },
    rootfs: { type: "layers", diff_ids: [`sha256:${layer}`] },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  const manifest = [{ Config: "config.json", RepoTags: [reference], Layers: ["layer.tar"] }];
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  await tar("image.tar", folder, "manifest.json", "config.json", "layer.tar");
  return join(folder, "image.tar");
}

/** The header of a program for a processor that this is not: aarch64 or x86-64. Source: elf(5) */
function programOfOthers(): Buffer {
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little endian
  header.writeUInt16LE(2, 16); // an executable
  header.writeUInt16LE(process.arch === "x64" ? 183 : 62, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt16LE(64, 52);
  return header;
}
