/** What the page is shown in: each scene goes there as a person does. */
import type { Locator, Page } from "playwright-core";

interface Where {
  readonly page: Page;
  readonly url: string;
  readonly token: string;
}

export interface Scene {
  readonly name: string;
  /** Whether it is shown in every look. */
  readonly isInAll?: true;
  /** @returns the part to show; undefined for all of it */
  readonly go: (where: Where) => Promise<Locator | undefined>;
}

const namespace = "troubles";

const at =
  (workflow: string): Scene["go"] =>
  async ({ page, url }) => {
    await page.goto(`${url}/workflows/${namespace}/${workflow}`);
    await isLive(page);
    return undefined;
  };

/** In this order: the first signs in. */
export const scenes: readonly Scene[] = [
  {
    name: "sign-in",
    go: async ({ page, url }) => {
      await page.goto(`${url}/workflows`);
      await page.getByLabel("Token").waitFor();
      return undefined;
    },
  },
  {
    name: "list",
    isInAll: true,
    go: async ({ page, url, token }) => {
      await page.goto(`${url}/workflows?namespace=${namespace}`);
      await page.getByLabel("Token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await isLive(page);
      return undefined;
    },
  },
  { name: "stopped", go: at("accounts") },
  { name: "starting", go: at("tickets") },
  { name: "failed-secret", isInAll: true, go: at("orders") },
  { name: "failed-image", go: at("products") },
  { name: "failed-memory", go: at("surveys") },
  { name: "schema-drift", go: at("memberships") },
  { name: "throttled", go: at("visits") },
  { name: "edit-pending", go: at("contacts") },
  {
    name: "history",
    go: async (where) => {
      await at("accounts")(where);
      return where.page.locator("#runs");
    },
  },
  {
    name: "stop",
    go: async ({ page, url }) => {
      await page.goto(`${url}/workflows/${namespace}/contacts/stop`);
      await page.locator("details").evaluateAll((all) => {
        for (const one of all) one.setAttribute("open", "");
      });
      return undefined;
    },
  },
  {
    name: "restart",
    go: async ({ page, url }) => {
      await page.goto(`${url}/workflows/${namespace}/contacts/restart`);
      await page.getByRole("heading", { name: /^Stop and start/ }).waitFor();
      return undefined;
    },
  },
  {
    name: "log",
    go: async ({ page, url }) => {
      await page.goto(`${url}/workflows/${namespace}/contacts/logs`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      return undefined;
    },
  },
  {
    name: "overrule",
    go: async (where) => {
      await at("accounts")(where);
      await where.page.getByRole("button", { name: "Start accounts" }).click();
      await where.page.getByRole("heading", { name: /Overrule/ }).waitFor();
      return undefined;
    },
  },
  {
    name: "new",
    go: async ({ page, url }) => {
      await page.goto(`${url}/new-workflow?namespace=${namespace}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      return undefined;
    },
  },
  { name: "edit-form", go: editOf },
  {
    name: "edit-yaml",
    go: async (where) => {
      await editOf(where);
      await where.page.getByRole("button", { name: "YAML" }).click();
      await where.page.getByRole("textbox", { name: "YAML" }).waitFor();
      return undefined;
    },
  },
  {
    name: "edit-refused",
    go: async (where) => {
      await editOf(where);
      await where.page.locator('[id="spec.ingress.mappings[0].table"]').fill("Contact!");
      await where.page
        .locator('[id="spec.ingress.mappings[0].table-problem"]')
        .getByText(/must be/)
        .waitFor();
      return undefined;
    },
  },
  {
    name: "edit-review",
    go: async (where) => {
      await editOf(where);
      await where.page.locator('[id="spec.ingress.mappings[0].fields[0].field"]').fill("label");
      await where.page.getByRole("button", { name: "Review changes" }).click();
      await where.page.getByRole("heading", { name: /^Save these changes/ }).waitFor();
      return undefined;
    },
  },
];

async function isLive(page: Page): Promise<void> {
  await page.locator("#liveness").getByText("Live", { exact: true }).waitFor();
}

async function editOf({ page, url }: Where): Promise<undefined> {
  await page.goto(`${url}/workflows/${namespace}/contacts/edit`);
  await page.getByRole("heading", { name: "Edit contacts" }).waitFor();
}
