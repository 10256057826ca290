/** What is edited, in a real browser, over the real API server. */
import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { startBrowser } from "./browser.ts";
import { editing, editOf, field, mapping, save } from "./editing.ts";
import { ConsoleGround } from "./ground.ts";
import { signedIn } from "./signed-in.ts";

let ground: ConsoleGround;
let browser: Browser;
let editor: string;

beforeAll(async () => {
  ground = await ConsoleGround.make(inject("kubeconfig"));
  browser = await startBrowser();
  editor = await ground.person("editor", "get", "list", "watch", "patch");
});
afterAll(async () => {
  await browser?.close();
  await ground?.end();
});

const problem = (page: Page, path: string): Locator => field(page, `${path}-problem`);

test("without JavaScript: a field is added, mapped, reviewed and saved", async () => {
  await ground.cluster.apply("plain");
  const { page, complaints } = await signedIn(browser, ground, editor, { javaScriptEnabled: false });
  await page.getByRole("button", { name: "Edit plain" }).click();
  await page.getByRole("button", { name: "Add: Field" }).click();
  const entry = page.getByRole("group", { name: "Field 2" });
  await entry.getByLabel("Dynamics 365 column").fill("lastname");
  await entry.getByLabel("Campaign field").fill("lastName");
  await entry.getByLabel("Apply updates").uncheck();
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.getByRole("heading", { name: "Save these changes of plain?" }).waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".said").getByText("The edit is saved").waitFor();
  const { spec } = await ground.cluster.workflow("plain");
  expect(spec.ingress?.mappings[0]?.fields).toEqual([
    { column: "firstname", field: "firstName", applyUpdates: true },
    { column: "lastname", field: "lastName", applyUpdates: false },
  ]);
  expect(complaints).toEqual([]);
});

test.each(["ingress", "egress", "opt-in-out"])(
  "the form of examples/%s.yaml says all that the resource says, and so does the text",
  async (example) => {
    const { spec } = load(readFileSync(`examples/${example}.yaml`, "utf8")) as { spec: object };
    const name = `example-${example}`;
    const template = { labels: { team: "crm" }, tolerations: [{ key: "a", operator: "Exists" }] };
    await ground.cluster.apply(name, { ingress: undefined, ...spec, worker: { template } });
    const before = await ground.cluster.workflow(name);
    const { page, complaints } = await editing(browser, ground, editor, name);
    await page.getByRole("button", { name: "Review changes" }).click();
    await page.locator(".said").getByText("Nothing is changed.").waitFor();
    await page.getByRole("button", { name: "YAML" }).click();
    const { state: _state, ...said } = before.spec;
    await expect.poll(async () => load(await page.getByLabel("YAML").inputValue())).toEqual(said);
    await page.getByRole("button", { name: "Form" }).click();
    await page.getByRole("button", { name: "YAML" }).waitFor();
    await page.getByRole("button", { name: "Review changes" }).click();
    await page.locator(".said").getByText("Nothing is changed.").waitFor();
    expect((await ground.cluster.workflow(name)).metadata.generation).toBe(before.metadata.generation);
    expect(complaints).toEqual([]);
  },
);

test("rows come and go without a reload: replacements, a filter with Or, a link, a replay", async () => {
  await ground.cluster.apply("rows");
  const { page, complaints } = await editing(browser, ground, editor, "rows");
  await page.evaluate("globalThis.isSamePage = true");
  await page.getByRole("button", { name: "Add: Replacement" }).click();
  await page.getByLabel("Existing value").fill("1");
  await page.getByLabel("New value").fill(" spaced ");
  await page.getByRole("button", { name: "Add: Filter" }).click();
  await page.getByLabel("Conditions are joined by").selectOption({ label: "Or: any must hold" });
  await page.getByRole("button", { name: "Add: Condition" }).click();
  await field(page, `${mapping}.filter.conditions[1].column`).fill("gone");
  await page.getByRole("button", { name: "Remove: Condition 2" }).click();
  await expect.poll(() => field(page, `${mapping}.filter.conditions[1].column`).count()).toBe(0);
  await field(page, `${mapping}.filter.conditions[0].column`).fill("statecode");
  await field(page, `${mapping}.filter.conditions[0].operator`).selectOption("In");
  await field(page, `${mapping}.filter.conditions[0].values`).fill("0\n1\n");
  await page.getByText("Advanced settings").click();
  await page.getByRole("button", { name: "Replay at the next start" }).click();
  await expect.poll(() => field(page, `${mapping}.replay`).inputValue()).toMatch(/^\d{4}-/);
  expect(await page.evaluate("globalThis.isSamePage")).toBe(true);
  await save(page);
  const [saved] = (await ground.cluster.workflow("rows")).spec.ingress?.mappings ?? [];
  expect(saved?.fields[0]?.replacements).toEqual([{ from: "1", to: " spaced " }]);
  expect(saved?.filter).toEqual({
    match: "Any",
    conditions: [{ column: "statecode", operator: "In", values: ["0", "1"] }],
    deleteUnmatched: false,
  });
  expect(complaints).toEqual([]);
});

test("when typing stops, each bad value is refused at its own field, and nothing is saved", async () => {
  await ground.cluster.apply("bad");
  const { page, complaints } = await editing(browser, ground, editor, "bad");
  await page.locator("details").evaluateAll((all) => {
    for (const one of all) one.setAttribute("open", "");
  });
  const bad: readonly (readonly [path: string, value: string, says: RegExp])[] = [
    [`${mapping}.table`, "Contact!", /must be lower-case letters, digits and _/],
    [`${mapping}.fields[0].column`, "", /at least 1/],
    [`${mapping}.fields[0].field`, "a".repeat(253), /maximum|long/i],
    ["spec.campaign.engineCallsPerSecond", "many", /number/],
    ["spec.dynamics.share", "101", /less than or equal to 100/],
    ["spec.worker.replicas", "1.5", /whole number/],
    ["spec.dynamics.credentialsSecretRef.name", "Not A Name", /must be lower-case letters, digits, - and ./],
  ];
  for (const [path, value] of bad) await field(page, path).fill(value);
  for (const [path, , says] of bad) {
    await expect.poll(() => problem(page, path).textContent(), { timeout: 20_000 }).toMatch(says);
    expect(await field(page, path).getAttribute("aria-invalid"), path).toBe("true");
  }
  // The rules across fields are looked at when each field is right by itself.
  await page.reload();
  await page.locator("details").evaluateAll((all) => {
    for (const one of all) one.setAttribute("open", "");
  });
  await field(page, "spec.worker.replicas").fill("2");
  await expect
    .poll(() => problem(page, "spec.worker.replicas").textContent(), { timeout: 20_000 })
    .toMatch(/needs queue.postgres/);
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.locator("#outcome").getByText("One thing is refused").waitFor();
  expect((await ground.cluster.workflow("bad")).metadata.generation).toBe(1);
  // A page that refuses is an error to the browser's console, by its status.
  expect(complaints.filter((text) => !text.includes("422"))).toEqual([]);
});

test("a rule across entries is told at their list while typing", async () => {
  await ground.cluster.apply("twice");
  const [first] = (await ground.cluster.workflow("twice")).spec.ingress?.mappings ?? [];
  await ground.cluster.apply("twice", {
    ingress: { mappings: [first, { ...first, table: "account", resource: "cusCompany" }] },
  });
  const { page } = await editing(browser, ground, editor, "twice");
  await field(page, "spec.ingress.mappings[1].resource").fill("profile");
  await page.locator("#outcome").getByText("a Campaign resource is mapped once").waitFor();
  await expect.poll(() => problem(page, "spec.ingress.mappings").textContent()).toContain("is mapped once");
});

test("the largest workflow that Adobe's app allows is read and checked whole", async () => {
  const fields = Array.from({ length: 50 }, (_, index) => ({ column: `column_${index}`, field: `field${index}` }));
  const mappings = Array.from({ length: 20 }, (_, index) => ({
    table: `table_${index}`,
    resource: `resource${index}`,
    key: { column: "id", field: "crmId" },
    fields,
  }));
  await ground.cluster.apply("large", { ingress: { mappings } });
  const { page } = await editing(browser, ground, editor, "large");
  // Of many tables each is unfolded by itself, or by what is wrong in it.
  await page.locator("summary", { hasText: "Table 20: table_19" }).click();
  await field(page, "spec.ingress.mappings[19].fields[49].column").fill("renamed");
  await page.getByRole("button", { name: "Review changes" }).click();
  // The button stands after the table: what comes before it is there.
  await page.getByRole("button", { name: "Save" }).waitFor();
  const changes = page.getByRole("region", { name: "Changes" });
  expect(await changes.getByRole("row").count()).toBe(2);
  expect(await changes.textContent()).toContain("ingress.mappings[table=table_19].fields[field=field49].column");
});

test("values that try to be markup stay values, wherever they are shown", async () => {
  await ground.cluster.apply("hostile");
  const { page, complaints } = await editing(browser, ground, editor, "hostile");
  const hostile = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea></template><svg onload=alert(1)>",
    "\u202Etxt.exe\u2066",
    "ü".repeat(253),
    "\u0024{alert(1)} &lt;b&gt; &amp;",
  ];
  await page.getByText("Advanced settings").click();
  for (const [index, value] of hostile.entries()) {
    await page.getByRole("button", { name: "Add: Fixed value" }).click();
    await field(page, `${mapping}.constants[${index}].field`).fill(`field${index}`);
    await field(page, `${mapping}.constants[${index}].value`).fill(value);
  }
  await page.getByRole("button", { name: "YAML" }).click();
  await page.getByLabel("YAML").waitFor();
  await page.getByRole("button", { name: "Form" }).click();
  await field(page, `${mapping}.constants[0].value`).waitFor({ state: "attached" });
  await save(page);
  const [saved] = (await ground.cluster.workflow("hostile")).spec.ingress?.mappings ?? [];
  expect(saved?.constants?.map(({ value }) => value)).toEqual(hostile);
  await page.goto(editOf(ground, "hostile"));
  expect(await field(page, `${mapping}.constants[0].value`).inputValue()).toBe(hostile[0]);
  await field(page, `${mapping}.table`).fill("<img src=x onerror=alert(1)>");
  await page.locator("#outcome").getByText("refused").waitFor();
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.locator("#outcome").getByText("refused").waitFor();
  expect(complaints.filter((text) => !text.includes("422"))).toEqual([]);
});

test.each([
  ["a field that there is not", "worker:\n  replica: 2\n", "spec.worker.replica"],
  ["whether to run", "state: Running\n", "spec.state"],
  ["no YAML", "a: [\n", "This is not YAML"],
  ["no fields", "- 1\n", "This is not a spec"],
  ["nested aliases", "a: &a [x, x]\nb: [*a, *a]\n", "This is not YAML"],
])("text is refused that says %s, with what was typed kept", async (_name, text, says) => {
  await ground.cluster.apply("text");
  const { page } = await signedIn(browser, ground, editor);
  await page.goto(`${editOf(ground, "text")}?view=yaml`);
  await page.getByLabel("YAML").fill(text);
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.locator("#outcome").getByText(says).first().waitFor();
  expect(await page.getByLabel("YAML").inputValue()).toBe(text);
});

test("text is saved as a form is, and removes what it leaves out", async () => {
  await ground.cluster.apply("typed", { caBundle: { configMapRef: { name: "corporate-ca" } } });
  const { page } = await signedIn(browser, ground, editor);
  await page.goto(`${editOf(ground, "typed")}?view=yaml`);
  const spec = load(await page.getByLabel("YAML").inputValue()) as Record<string, unknown>;
  delete spec["caBundle"];
  await page.getByLabel("YAML").fill(JSON.stringify({ ...spec, revisionHistoryLimit: 3 }));
  await save(page);
  const saved = (await ground.cluster.workflow("typed")).spec;
  expect(saved.revisionHistoryLimit).toBe(3);
  expect(saved.caBundle).toBeUndefined();
});
