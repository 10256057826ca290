/** Kubernetes's own release binaries, taken where they can be reached: quicker than building them. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClusterError } from "./errors.ts";

/** Where Kubernetes publishes its releases: https://kubernetes.io/releases/download/ */
const releaseSite = "https://dl.k8s.io";

const reachableWithinMilliseconds = 3000;
const downloadSeconds = 600;

/** Where the release's binaries for this machine are. There are none of the server's parts for other systems than Linux. */
function folderUrl(site: string, version: string): string {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return `${site}/v${version}/bin/${process.platform}/${architecture}`;
}

/** Whether `name` of that release can be had, quickly known. */
export async function isReleased(name: string, version: string, site: string = releaseSite): Promise<boolean> {
  const url = `${folderUrl(site, version)}/${name}.sha256`;
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(reachableWithinMilliseconds) })).ok;
  } catch {
    return false; // Out of reach: it is built instead.
  }
}

/**
 * Downloads a binary of a release into `folder`, and checks it against the published SHA-256.
 * @throws ClusterError DownloadFailed
 */
export async function downloadRelease(
  name: string,
  version: string,
  folder: string,
  site: string = releaseSite,
): Promise<void> {
  const url = `${folderUrl(site, version)}/${name}`;
  const bytes = await read(url);
  const expected = (await read(`${url}.sha256`)).toString("utf8").trim().split(/\s/)[0];
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (actual !== expected) {
    throw new ClusterError("DownloadFailed", `${url} has SHA-256 ${actual}, but ${expected} is published: try again`);
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), bytes, { mode: 0o755 });
}

async function read(url: string): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(downloadSeconds * 1000) });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (cause) {
    throw new ClusterError("DownloadFailed", `${url} could not be downloaded: ${String(cause)}`, { cause });
  }
}
