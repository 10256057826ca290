/** The Debian packages that a node needs, named when they are missing, and installed where that can be done. */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Report } from "./build.ts";
import { ClusterError } from "./errors.ts";
import { runTool } from "./tool.ts";

/** Command → the Debian package that brings it. */
const packageOf: Readonly<Record<string, string>> = {
  runc: "runc", // containerd starts containers with it
  nft: "nftables", // kube-proxy writes the rules of Services with it
  conntrack: "conntrack",
  ip: "iproute2",
  unshare: "util-linux",
  setpriv: "util-linux",
  buildah: "buildah", // builds the image where Docker does not answer
};

/** The packages whose commands are in none of the folders. */
export function missingPackages(folders: readonly string[]): string[] {
  const missing = Object.entries(packageOf).filter(
    ([command]) => !folders.some((folder) => canRun(join(folder, command))),
  );
  return [...new Set(missing.map(([, name]) => name))];
}

/**
 * Installs what is missing.
 * @throws ClusterError PackagesMissing when this is not Debian (or not root), ToolFailed when apt-get fails
 */
export async function ensurePackages(environment: NodeJS.ProcessEnv, report: Report): Promise<void> {
  const missing = missingPackages([...(environment["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"]);
  if (missing.length === 0) return;
  const names = missing.join(" ");
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    throw new ClusterError("PackagesMissing", `Not installed: ${names}. Install them: sudo apt-get install ${names}`);
  }
  report(`installing ${names} by apt-get`);
  const quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"];
  await runTool([...quiet, "update"]);
  await runTool([...quiet, "install", "--yes", "--no-install-recommends", ...missing]);
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // Not there, or not to be run.
  }
}
