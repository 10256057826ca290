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
  return unpacked(packages.join("+"), async () => packages);
}

/** The same with everything that the packages need and this machine does not have. */
export async function debianProgramsWithDependencies(packages: readonly string[]): Promise<string> {
  return unpacked(`${packages.join("+")}+dependencies`, async () => {
    const asked = ["apt-get", "install", "--print-uris", "--yes", "--no-install-recommends", ...packages];
    const uris = await runTool(asked, undefined, "/");
    // 'http://…/name_version_arch.deb' name_version_arch.deb size hash
    return [...uris.matchAll(/^'[^']*' ([^_\s]+)_/gm)].map(([, name = ""]) => name);
  });
}

async function unpacked(name: string, packagesOf: () => Promise<readonly string[]>): Promise<string> {
  const cache = join(cacheFolder(process.env), "debian");
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  const packages = await packagesOf();
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
