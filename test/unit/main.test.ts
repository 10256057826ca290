import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "main-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const nowhere = "http://127.0.0.1:1";
const mapping = {
  table: "contact",
  resource: "profile",
  key: { column: "contactid", field: "externalId" },
  fields: [{ column: "lastname", field: "lastName" }],
};
const spec = {
  type: "Ingress",
  dynamics: { url: nowhere, credentialsSecretRef: { name: "dynamics" } },
  campaign: { url: `${nowhere}/contoso/campaign`, credentialsSecretRef: { name: "campaign" }, engineCallsPerSecond: 1 },
  ingress: { mappings: [mapping] },
};
writeFileSync(
  at("workflow.json"),
  JSON.stringify({ workflow: { name: "contacts", namespace: "crm", uid: "b9e7" }, spec }),
);

/** A process that is asked to end at the moment when its role's code is to be loaded. */
function askedToEndWhileLoading(
  role: string,
  flags: readonly string[],
  nodeFlags: readonly string[] = [],
): ReturnType<typeof spawnSync> {
  const preload = fileURLToPath(import.meta.resolve("./term-while-loading.ts"));
  const main = fileURLToPath(import.meta.resolve("../../src/main.ts"));
  return spawnSync(process.execPath, [...nodeFlags, "--import", preload, main, role, ...flags], { timeout: 120_000 });
}

const workerFlags = ["--config", at("workflow.json"), "--state", at("state"), "--termination-log", at("words")];
workerFlags.push("--address", "127.0.0.1:0");

describe("SIGTERM before a role's code is loaded ends it like any other", () => {
  test("the worker, with its last words", () => {
    const ended = askedToEndWhileLoading("worker", workerFlags);
    expect(ended, String(ended.stdout)).toMatchObject({ signal: null, status: 0 });
    expect(JSON.parse(readFileSync(at("words"), "utf8"))).toMatchObject({ reason: "Stopped" });
  });

  test("the sandbox", () => {
    const addresses = ["--dataverse-address", "127.0.0.1:0", "--campaign-address", "127.0.0.1:0"];
    const ended = askedToEndWhileLoading("sandbox", [
      "--contacts",
      "1",
      "--control-address",
      "0",
      "--sftp-address",
      "0",
      ...addresses,
    ]);
    expect(ended, String(ended.stdout)).toMatchObject({ signal: null, status: 0 });
  });

  test("the operator, which is not killed where it stands", () => {
    const ended = askedToEndWhileLoading("operator", ["--worker-image", "worker:1", "--kubeconfig", at("none")]);
    expect(ended, String(ended.stdout)).toMatchObject({ signal: null });
    expect(String(ended.stdout)).toContain("kubeconfig");
  });
});

test("after its last words the worker ends, whatever timer is left", () => {
  const timer = "data:text/javascript,setTimeout(() => {}, 3_600_000)";
  const ended = askedToEndWhileLoading("worker", workerFlags, ["--import", timer]);
  expect(ended, String(ended.stdout)).toMatchObject({ signal: null, status: 0 });
  expect(String(ended.stdout)).toContain("worker.ended");
});
