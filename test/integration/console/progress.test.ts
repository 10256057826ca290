/** What a person sees of one workflow and does there: what holds it back, its log, a restart that asks, an edit that is not lost. */
import { expect, test } from "vitest";
import { stage } from "./stage.ts";

const on = stage({ person: ["get", "list", "watch", "patch"] });

/** No operator runs here: its word is written by the test. */
async function status(name: string, written: object): Promise<void> {
  const patch = JSON.stringify({ status: written });
  await on.ground.cluster.kubectl("patch", "iw", name, "--subresource=status", "--type=merge", "-p", patch);
}

const at = "2026-11-21T10:00:00Z";
const condition = (type: string, truth: string, reason: string, message: string) => ({
  type,
  status: truth,
  reason,
  message,
  lastTransitionTime: at,
});

test("a throttled workflow says who holds it back, in the list and on its page, and no more when it is over", async () => {
  await on.ground.cluster.apply("slow", { state: "Running" });
  const ready = condition("Ready", "True", "Running", "1 of 1 workers ready");
  const running = {
    observedGeneration: 1,
    state: "RUNNING",
    backlog: 3089,
    mappings: [
      { name: "contact", phase: "Incremental", backlog: 3089, read: 9000, written: 5911, secondsToDrain: 5400 },
      { name: "account", phase: "Paused", reason: "ColumnMissing", message: "the column <b>x</b> is gone", backlog: 1 },
    ],
  };
  await status("slow", {
    ...running,
    throttling: [
      {
        service: "Campaign",
        heldBy: "Service",
        limit: "Unnamed",
        since: at,
        heldPercent: 83,
        refusedCalls: 214,
        callsLastMinute: 102,
      },
    ],
    conditions: [
      ready,
      condition("Throttled", "True", "CampaignLimit", `Since ${at} Campaign refuses calls`),
      condition("SchemaDrift", "True", "SchemaChanged", "Paused where it hurts. account: the column <b>x</b> is gone"),
    ],
  });
  const { page, complaints } = await on.enter("person");
  const row = page.locator("tr", { hasText: "slow" });
  await row.getByText("held back by Campaign").waitFor();
  await row.getByText("1 mapping paused: schema drift").waitFor();
  await row.getByRole("link", { name: "slow" }).click();
  const advice = page.locator("#advice");
  await advice.getByText("Since 2026-11-21 10:00 UTC Campaign refuses calls").waitFor();
  await advice.getByText("214 calls refused in the last five minutes").waitFor();
  const cells = (name: string) => page.locator("#mappings tr", { hasText: name }).locator("th, td").allInnerTexts();
  // Further down than the advice: the page may still be on its way.
  await expect
    .poll(() => cells("contact"))
    .toEqual(["contact", "Incremental", "3,089\nabout 1 h 30 min to go", "9,000", "5,911", "", "yes", "never"]);
  await expect
    .poll(async () => (await cells("account")).slice(0, 7))
    .toEqual(["account", "Paused\nColumnMissing", "1", "", "", "", "no"]);
  await page.locator("#conditions summary").click();
  await page.locator("#conditions tr", { hasText: "Throttled" }).getByText("Calls are held back.").waitFor();

  await status("slow", { throttling: null, conditions: [ready] });
  await advice.getByText("Campaign").first().waitFor({ state: "detached" });
  await advice.getByText("3,089 records are read and wait to be written").waitFor();
  expect(complaints).toEqual([]);
});

test("a restart asks once and says what it brings; Cancel changes nothing", async () => {
  await on.ground.cluster.apply("edited", { state: "Running" });
  await status("edited", {
    observedGeneration: 1,
    state: "RUNNING",
    pendingRestart: true,
    pendingChangeCount: 1,
    pendingChanges: [{ path: "campaign.engineCallsPerSecond", from: "20", to: "40", source: "Spec" }],
    appliedRevision: { name: "edited-5f9c1d2e", run: 3, generation: 1, appliedAt: at },
  });
  const { page, complaints } = await on.enter("person");
  await page.goto(`${on.ground.url}/workflows/${on.ground.cluster.namespace}/edited`);
  await page.getByText("Run 3, of edit 1").waitFor();
  await page.getByRole("link", { name: "1 edit waits" }).waitFor();
  const restart = page.locator(".summary").getByRole("button", { name: "Stop and start edited" });
  await restart.click();
  await page.getByRole("heading", { name: "Stop and start edited?" }).waitFor();
  await page.getByText("campaign.engineCallsPerSecond: 20 → 40").waitFor();
  await page.getByRole("link", { name: "Cancel" }).click();
  await restart.waitFor();
  expect((await on.ground.cluster.workflow("edited")).spec.restart).toBeUndefined();
  await restart.click();
  await page.getByRole("button", { name: "Stop and start" }).click();
  await page.locator(".said").getByText("It was asked to stop and start.").waitFor();
  expect((await on.ground.cluster.workflow("edited")).spec.restart).toMatch(/^\d{4}-/);
  expect(complaints).toEqual([]);
});

test("the log is read with the person's own rights: what is missing is named, and what a pod's node says is shown", async () => {
  const { cluster, url } = on.ground;
  await cluster.apply("logged", { state: "Running" });
  const { page } = await on.enter("person");
  const log = `${url}/workflows/${cluster.namespace}/logged/logs`;
  const said = async () => {
    await page.goto(log);
    return page.locator("main").textContent();
  };
  expect(await said()).toContain(`You may not get pods in namespace ${cluster.namespace}`);
  expect(await said()).toContain(`kubectl iw logs logged -n ${cluster.namespace} --follow`);
  const grant = async (name: string, resource: string) => {
    await cluster.kubectl("create", "role", name, "--verb=get,list", `--resource=${resource}`);
    const subject = `--serviceaccount=${cluster.namespace}:person`;
    await cluster.kubectl("create", "rolebinding", name, `--role=${name}`, subject);
  };
  await grant("sees-pods", "pods");
  await expect.poll(said).toContain("No pod of it is there");
  await cluster.server.kubectl(["apply", "-f", "-"], {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "logged-1",
      namespace: cluster.namespace,
      labels: { "integrationworkflow.io/workflow": "logged" },
    },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "worker",
          image: "none",
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  });
  await expect.poll(said).toContain(`You may not get pods/log in namespace ${cluster.namespace}`);
  await grant("sees-logs", "pods/log");
  // No kubelet answers here: what the API server says of that stands in the place of the lines.
  await expect.poll(said).toMatch(/^(?!.*You may not).*Pod logged-1\s+\S+/s);
});

test("an edit that is not saved is asked about before it is lost, and only then", async () => {
  const { cluster, url } = on.ground;
  await cluster.apply("drafted");
  const { page, complaints } = await on.enter("person");
  page.removeAllListeners("dialog");
  const asked: string[] = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    void dialog.accept();
  });
  const edit = `${url}/workflows/${cluster.namespace}/drafted/edit`;
  await page.goto(edit);
  await page.goto(edit);
  expect(asked).toEqual([]);
  const column = page.getByLabel("Dynamics 365 column").first();
  await column.fill("nickname");
  const away = page.getByLabel("Breadcrumb").getByRole("link", { name: "drafted" });
  await away.click();
  await page.locator(".summary").waitFor();
  expect(asked).toEqual(["beforeunload"]);

  await page.goto(edit);
  await column.fill("nickname");
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.getByRole("heading", { name: /Save these changes/ }).waitFor();
  expect(asked).toHaveLength(1);
  // What was said travels with the page, and is lost with it.
  await away.click();
  await page.locator(".summary").waitFor();
  expect(asked).toHaveLength(2);

  await page.goto(edit);
  await column.fill("nickname");
  await page.getByRole("link", { name: "Cancel" }).click();
  await page.locator(".summary").waitFor();
  expect(asked).toHaveLength(2);
  expect(complaints).toEqual([]);
});
