import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";

interface TlsFront {
  /** `https://localhost:port` */
  readonly url: string;
  /** Path of the certificate, for whom must trust it. */
  readonly certificate: string;
  close(): Promise<void>;
}

/** HTTPS before a sandbox's HTTP, with a certificate of its own: for clients that speak nothing else. */
export async function tlsFront(target: string): Promise<TlsFront> {
  const folder = mkdtempSync(join(tmpdir(), "tls-front-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  spawnSync("openssl", ["req", "-x509", ...kind, "-keyout", key, "-out", certificate, ...name]);
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (incoming, outgoing) => {
    const { method, headers } = incoming;
    const forwarded = { method, headers: { ...headers, "x-forwarded-proto": "https" } };
    const onward = request(`${target}${incoming.url}`, forwarded, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      pipeline(answer, outgoing, () => {});
    });
    // A reset of the sandbox's is passed on as a reset.
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    certificate,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
