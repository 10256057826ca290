/** Certificates for a server that proves who it is, and authorities that do or do not vouch for it. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Certificate {
  /** Paths of files that the server's user can read. */
  readonly certificate: string;
  readonly key: string;
}

export class Authority {
  /** Its own certificate. */
  readonly bundle: string;
  readonly path: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "authority-"));

  constructor() {
    chmodSync(this.#directory, 0o755);
    this.path = join(this.#directory, "ca.pem");
    openssl([
      "req",
      "-x509",
      ...newKey(join(this.#directory, "ca-key.pem")),
      "-out",
      this.path,
      "-subj",
      "/CN=An authority",
    ]);
    this.bundle = readFileSync(this.path, "utf8");
  }

  /** @param names as in `DNS:localhost`. @param user whom the key belongs to */
  certify(names: string, user: { readonly uid: number; readonly gid: number } | undefined): Certificate {
    const at = (name: string) => join(this.#directory, name);
    const [request, certificate, key, extensions] = [at("request.pem"), at("cert.pem"), at("key.pem"), at("names")];
    writeFileSync(extensions, `subjectAltName=${names}`);
    openssl(["req", ...newKey(key), "-out", request, "-subj", "/CN=A server"]);
    const authority = ["-CA", this.path, "-CAkey", at("ca-key.pem"), "-CAcreateserial"];
    openssl(["x509", "-req", "-days", "2", "-in", request, "-out", certificate, "-extfile", extensions, ...authority]);
    chmodSync(key, 0o600);
    if (user !== undefined) for (const path of [key, certificate]) chownSync(path, user.uid, user.gid);
    return { certificate, key };
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

const newKey = (path: string) => [
  "-newkey",
  "ec",
  "-pkeyopt",
  "ec_paramgen_curve:prime256v1",
  "-nodes",
  "-keyout",
  path,
];

function openssl(args: readonly string[]): void {
  const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}
