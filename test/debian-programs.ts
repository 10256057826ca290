/** Servers that tests speak to and that no machine need have installed: Debian's own, unpacked into the cache folder. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../cluster/binaries.ts";
import { runTool } from "../cluster/tool.ts";

/**
 * The folder that the packages are unpacked in, as if it were `/`. Nothing is installed on the machine. Any number of
 * processes may ask at once: each unpacks into a folder of its own, and one of these is put in place.
 * @throws ClusterError ToolMissing where there is no apt-get or dpkg, ToolFailed where the packages cannot be had
 */
export async function debianPrograms(packages: readonly string[]): Promise<string> {
  const cache = join(cacheFolder(process.env), "debian");
  const folder = join(cache, packages.join("+"));
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, "work-"));
  try {
    await runTool(["apt-get", "-qq", "download", ...packages], undefined, work);
    const root = join(work, "root");
    for (const file of readdirSync(work).filter((name) => name.endsWith(".deb"))) {
      await runTool(["dpkg", "-x", join(work, file), root]);
    }
    if (!existsSync(folder)) renameSync(root, folder);
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
