import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { freePort } from "../../../cluster/ports.ts";
import { apiServer, installCrd } from "../api/api-server.ts";
import { startOperator } from "./operator-process.ts";

// Each waits several times, for as long as a busy machine may need.
vi.setConfig({ testTimeout: 300_000 });

let controlPlane: ControlPlane;

beforeAll(async () => {
  controlPlane = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.log) });
});
afterAll(() => controlPlane?.stop());

const upToDate = ["apply", "--server-side", "--force-conflicts", "-f", "crds/integrationworkflows.yaml"];
const older = (): unknown =>
  load(readFileSync("crds/integrationworkflows.yaml", "utf8").replaceAll("deadLetterRetentionDays", "deadLetterDays"));

async function refusal(): Promise<string> {
  const operator = await startOperator(controlPlane.kubeconfigPath, []);
  expect(await operator.exited).toBe(1);
  return String(operator.lines.at(-1)?.message);
}

test("without the definition, or with an older one, the operator refuses to run and says what to do", async () => {
  expect(await refusal()).toMatch(
    /does not know IntegrationWorkflow .*kubectl apply --server-side --force-conflicts -f crds\//,
  );

  const server = await apiServer(controlPlane.kubeconfigPath);
  await server.kubectl(["apply", "--server-side", "-f", "-"], older());
  await expect
    .poll(refusal, { timeout: 60_000 })
    .toMatch(/is older than the operator: it has no IntegrationWorkflow\.spec\.queue\.deadLetterRetentionDays/);

  await server.kubectl(upToDate);
  await server.close();
  const operator = await startOperator(controlPlane.kubeconfigPath, []);
  await operator.said("operator started");
  expect(await operator.stop()).toBe(0);
});

test.each([
  ["replaced by an older one", /is older than the operator: it has no IntegrationWorkflow\.spec\.queue\.dead/],
  ["deleted", /does not know IntegrationWorkflow /],
])("when the definition is %s while it runs, the operator ends and says what to do", async (what, words) => {
  const server = await apiServer(controlPlane.kubeconfigPath);
  await installCrd(server);
  const operator = await startOperator(controlPlane.kubeconfigPath, []);
  await operator.said("operator started");
  if (what === "deleted") await server.kubectl(["delete", "crd", "integrationworkflows.integrationworkflow.io"]);
  else await server.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], older());
  // It looks every half a minute.
  expect(await operator.exited).toBe(1);
  expect(operator.lines.at(-1)).toMatchObject({ level: "error", code: "DefinitionOutdated" });
  expect(operator.lines.at(-1)?.message).toMatch(words);
  expect(operator.lines.at(-1)?.message).toContain("kubectl apply --server-side --force-conflicts -f crds/");
  await server.close();
});

test("one that is started while the API server is away waits for it, alive, and then works", async () => {
  const server = await apiServer(controlPlane.kubeconfigPath);
  await installCrd(server);
  await controlPlane.killApiServer();
  const health = `127.0.0.1:${await freePort()}`;
  const operator = await startOperator(controlPlane.kubeconfigPath, ["--health-address", health]);
  const warning = await operator.said("the resource's definition cannot be read, trying again");
  expect(JSON.stringify(warning)).toContain("no answer from the API server");
  expect((await fetch(`http://${health}/livez`)).status).toBe(200);
  expect((await fetch(`http://${health}/readyz`)).status).toBe(503);
  await controlPlane.startApiServer();
  await operator.said("operator started");
  await expect.poll(async () => (await fetch(`http://${health}/readyz`)).status).toBe(200);
  // Seconds of trying, and one line of it.
  expect(operator.lines.filter(({ message }) => message === warning.message)).toHaveLength(1);
  expect(await operator.stop()).toBe(0);
  await server.close();
});
