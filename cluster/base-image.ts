/**
 * A base image for machines that reach no registry: what Node needs of Debian, taken from Debian's packages, and the
 * Node binary that npm installed. Laid out as the distroless Node image is.
 */

import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runTool } from "./tool.ts";

const packages = ["ca-certificates", "libatomic1", "libc6", "libgcc-s1", "libstdc++6", "tzdata"];
// gconv: character sets for C programs; Node has its own.
const leftOut = ["man", "lintian", "locale", "bug"].map((name) => `./usr/share/${name}`).concat("./usr/lib/*/gconv");

const dockerfile = `FROM scratch
ADD root.tar /
ENV PATH=/nodejs/bin:/usr/bin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
WORKDIR /home/nonroot
`;

/** All that decides what is in the base: another text, another image. */
export const baseRecipe = JSON.stringify([process.arch, process.version, packages, leftOut, dockerfile]);

/**
 * A folder with the base's Dockerfile and root.tar, made once.
 * @throws ClusterError ToolFailed when a package cannot be downloaded or unpacked
 */
export async function writeBase(cache: string): Promise<string> {
  const folder = join(cache, `base-${createHash("sha256").update(baseRecipe).digest("hex").slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  const work = mkdtempSync(join(cache, "base-work-"));
  try {
    const root = join(work, "root");
    await unpackPackages(join(work, "packages"), root);
    addNode(root);
    addUsers(root);
    const result = join(work, "result");
    mkdirSync(result);
    writeFileSync(join(result, "Dockerfile"), dockerfile);
    await runTool(["tar", "--numeric-owner", "-C", root, "-cf", join(result, "root.tar"), "."]);
    renameSync(result, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

async function unpackPackages(downloads: string, root: string): Promise<void> {
  mkdirSync(downloads);
  // Debian 13's packages have their files in /usr alone and rely on these links; Debian 12's bring /lib itself.
  for (const name of ["bin", "lib", "lib64", "sbin"]) {
    mkdirSync(join(root, "usr", name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  const download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", ...packages];
  try {
    await runTool(download, undefined, downloads);
  } catch {
    await runTool(["apt-get", "-qq", "update"]); // The lists are missing or older than what the archive holds.
    await runTool(download, undefined, downloads);
  }
  // Where scanners look for what a distroless image is made of.
  const status = join(root, "var/lib/dpkg/status.d");
  mkdirSync(status, { recursive: true });
  for (const name of readdirSync(downloads)) {
    writeFileSync(join(status, name.split("_", 1).join("")), await runTool(["dpkg-deb", "-f", join(downloads, name)]));
    const contents = join(downloads, `${name}.tar`);
    await runTool(["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" > "$2"', "sh", join(downloads, name), contents]);
    const options = [...leftOut.map((path) => `--exclude=${path}`), "--keep-directory-symlink"];
    await runTool(["tar", "-x", "-f", contents, "-C", root, ...options]);
  }
  collectCertificates(root);
}

/** What the installation script of ca-certificates does: all authorities in one file. */
function collectCertificates(root: string): void {
  const source = join(root, "usr/share/ca-certificates/mozilla");
  const all = readdirSync(source).map((name) => readFileSync(join(source, name), "utf8").trimEnd());
  mkdirSync(join(root, "etc/ssl/certs"), { recursive: true });
  writeFileSync(join(root, "etc/ssl/certs/ca-certificates.crt"), `${all.join("\n")}\n`);
}

/** The binary of npm's package "node", which is a dependency; this very process runs on it. */
function addNode(root: string): void {
  mkdirSync(join(root, "nodejs/bin"), { recursive: true });
  cpSync(fileURLToPath(new URL("../node_modules/node/bin/node", import.meta.url)), join(root, "nodejs/bin/node"));
}

function addUsers(root: string): void {
  const write = (name: string, text: string): void => writeFileSync(join(root, "etc", name), text);
  write("passwd", "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n");
  write("group", "root:x:0:\nnonroot:x:65532:\n");
  write("nsswitch.conf", "hosts: files dns\n");
  mkdirSync(join(root, "home/nonroot"), { recursive: true });
  mkdirSync(join(root, "tmp"));
  chmodSync(join(root, "tmp"), 0o1777);
}
