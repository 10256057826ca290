/** Who else edits: another person, a pipeline, somebody who may not. In a real browser, over the real API server. */
import { expect, test } from "vitest";
import { editOf, field, mapping, save } from "./editing.ts";
import { stage } from "./stage.ts";

const on = stage({ editor: ["get", "list", "watch", "patch"], viewer: ["get", "list", "watch"] });

/** A browser of the editor's own, at the form. */
async function editing(name: string) {
  const signed = await on.enter("editor");
  await signed.page.goto(editOf(on.ground, name));
  return signed;
}

test("of two editors neither overwrites the other; what the operator counts is no hindrance", async () => {
  await on.ground.cluster.apply("shared");
  const one = await editing("shared");
  const other = await editing("shared");
  await on.ground.cluster.kubectl(
    "patch",
    "iw",
    "shared",
    "--subresource=status",
    "--type=merge",
    "-p",
    '{"status":{"backlog":7}}',
  );
  await field(one.page, `${mapping}.fields[0].applyUpdates`).uncheck();
  await save(one.page);
  await field(other.page, `${mapping}.fields[0].column`).fill("nickname");
  await other.page.getByRole("button", { name: "Review changes" }).click();
  await other.page.getByRole("heading", { name: "shared was edited by somebody else meanwhile" }).waitFor();
  // Each page's button stands after its tables: what comes before it is there.
  const putOnTop = other.page.getByRole("button", { name: "Put mine on top of theirs" });
  await putOnTop.waitFor();
  const theirs = other.page.getByRole("region", { name: "Their changes" });
  expect(await theirs.textContent()).toContain("ingress.mappings[table=contact].fields[field=firstName].applyUpdates");
  expect((await on.ground.cluster.workflow("shared")).metadata.generation).toBe(2);
  await putOnTop.click();
  await other.page.getByRole("button", { name: "Save" }).waitFor();
  const changes = other.page.getByRole("region", { name: "Changes" });
  expect(await changes.textContent()).toContain("nickname");
  expect(await changes.textContent()).not.toContain("applyUpdates");
  await other.page.getByRole("button", { name: "Save" }).click();
  await other.page.locator(".said").getByText("The edit is saved").waitFor();
  const { spec } = await on.ground.cluster.workflow("shared");
  expect(spec.ingress?.mappings[0]?.fields).toEqual([{ column: "nickname", field: "firstName", applyUpdates: false }]);
});

test("of two editors who have both looked at their changes, the second to save overwrites nothing", async () => {
  await on.ground.cluster.apply("raced");
  const [one, other] = [await editing("raced"), await editing("raced")];
  for (const [{ page }, column] of [
    [one, "first"],
    [other, "second"],
  ] as const) {
    await field(page, `${mapping}.fields[0].column`).fill(column);
    await page.getByRole("button", { name: "Review changes" }).click();
    // Both look before either saves.
    await page.getByRole("button", { name: "Save" }).waitFor();
  }
  await one.page.getByRole("button", { name: "Save" }).click();
  await one.page.locator(".said").waitFor();
  await other.page.getByRole("button", { name: "Save" }).click();
  await other.page.getByRole("heading", { name: "raced was edited by somebody else meanwhile" }).waitFor();
  await other.page.getByText("Both of you changed these").waitFor();
  expect((await on.ground.cluster.workflow("raced")).spec.ingress?.mappings[0]?.fields[0]?.column).toBe("first");
});

test("a start meanwhile is no edit: what was typed is saved, and it stays started", async () => {
  await on.ground.cluster.apply("started");
  const { page } = await editing("started");
  await on.ground.cluster.patch("started", { state: "Running" });
  await field(page, `${mapping}.fields[0].column`).fill("nickname");
  await save(page);
  const { spec } = await on.ground.cluster.workflow("started");
  expect(spec.state).toBe("Running");
  expect(spec.ingress?.mappings[0]?.fields[0]?.column).toBe("nickname");
});

test("a field that a pipeline owns is said, and is overruled by name only", async () => {
  const { cluster } = on.ground;
  await cluster.apply("piped");
  const manifest = JSON.parse(await cluster.kubectl("get", "iw", "piped", "-o", "json")) as { spec: object };
  await cluster.kubectl("delete", "iw", "piped");
  const applied = {
    apiVersion: "integrationworkflow.io/v1",
    kind: "IntegrationWorkflow",
    metadata: { name: "piped", namespace: cluster.namespace },
    spec: manifest.spec,
  };
  await cluster.server.kubectl(["apply", "--server-side", "--field-manager=kustomize-controller", "-f", "-"], applied);
  const { page } = await editing("piped");
  await field(page, `${mapping}.fields[0].column`).fill("nickname");
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.getByText('"kustomize-controller" wrote these').waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").getByText("Say for each of them").waitFor();
  expect((await cluster.workflow("piped")).metadata.generation).toBe(1);
  await page.getByLabel("Overrule kustomize-controller once").check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".said").getByText("The edit is saved").waitFor();
  expect((await cluster.workflow("piped")).spec.ingress?.mappings[0]?.fields[0]?.column).toBe("nickname");
});

test("who may only look sees the form, why it is out of reach, and is refused by the cluster too", async () => {
  await on.ground.cluster.apply("looked-at");
  const { page } = await on.enter("viewer");
  const button = page.getByRole("button", { name: "Edit looked-at" });
  expect(await button.isDisabled()).toBe(true);
  expect(await button.getAttribute("title")).toContain("You may not edit workflows");
  await page.goto(editOf(on.ground, "looked-at"));
  await page.getByRole("note").getByText("You may not edit workflows").waitFor();
  expect(await page.getByRole("button", { name: "Review changes" }).isDisabled()).toBe(true);
  expect(await field(page, `${mapping}.table`).isDisabled()).toBe(true);
  await page.locator("[disabled]").evaluateAll((all) => {
    for (const one of all) for (const name of ["disabled", "aria-disabled"]) one.removeAttribute(name);
  });
  await field(page, `${mapping}.fields[0].column`).fill("nickname");
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.getByRole("heading", { name: "You may not do that" }).waitFor();
  expect((await on.ground.cluster.workflow("looked-at")).metadata.generation).toBe(1);
});
