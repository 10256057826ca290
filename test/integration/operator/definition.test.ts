import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { apiServer } from "../api/api-server.ts";
import { startOperator } from "./operator-process.ts";

let controlPlane: ControlPlane;

beforeAll(async () => {
  controlPlane = await startControlPlane({ binaries: await controlPlaneBinaries(process.env, console.log) });
});
afterAll(() => controlPlane?.stop());

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
  const older = load(
    readFileSync("crds/integrationworkflows.yaml", "utf8").replaceAll("deadLetterRetentionDays", "deadLetterDays"),
  );
  await server.kubectl(["apply", "--server-side", "-f", "-"], older);
  await server.kubectl([
    "wait",
    "--for=condition=Established",
    "--timeout=30s",
    "crd/integrationworkflows.integrationworkflow.io",
  ]);
  await expect
    .poll(refusal, { timeout: 30_000 })
    .toMatch(/is older than the operator: it has no IntegrationWorkflow\.spec\.queue\.deadLetterRetentionDays/);

  await server.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "crds/"]);
  await server.close();
  const operator = await startOperator(controlPlane.kubeconfigPath, []);
  await operator.said("operator started");
  expect(await operator.stop()).toBe(0);
});
