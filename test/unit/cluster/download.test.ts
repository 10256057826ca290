import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { downloadRelease, isReleased } from "../../../cluster/download.ts";

const version = "1.36.3";
let folder: string;
let server: Server;
let site: string;
let published: Map<string, string>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "download-"));
  published = new Map();
  server = createServer((request, response) => {
    const name = /\/v1\.36\.3\/bin\/\w+\/\w+\/(.+)$/.exec(request.url ?? "")?.[1] ?? "";
    const content = published.get(name);
    response.writeHead(content === undefined ? 404 : 200).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  site = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await new Promise((resolve) => server.close(resolve));
});

function publish(
  name: string,
  content: string,
  sum: string = createHash("sha256").update(content).digest("hex"),
): void {
  published.set(name, content).set(`${name}.sha256`, sum);
}

test("a published binary is downloaded, whole and to be run", async () => {
  publish("kubectl", "program");
  expect(await isReleased("kubectl", version, site)).toBe(true);
  await downloadRelease("kubectl", version, folder, site);
  expect(readFileSync(join(folder, "kubectl"), "utf8")).toBe("program");
  expect(statSync(join(folder, "kubectl")).mode & 0o777).toBe(0o755);
});

test("a binary that is not what was published is refused, and not written", async () => {
  publish("kubectl", "program", "0".repeat(64));
  await expect(downloadRelease("kubectl", version, folder, site)).rejects.toMatchObject({ code: "DownloadFailed" });
  expect(existsSync(join(folder, "kubectl"))).toBe(false);
});

test("what is not published, or out of reach, is not released", async () => {
  expect(await isReleased("kubelet", version, site)).toBe(false);
  expect(await isReleased("kubelet", version, "http://127.0.0.1:1")).toBe(false);
});
