import type { Browser, Locator, Page } from "playwright-core";
import type { ConsoleGround } from "./ground.ts";
import { signedIn } from "./signed-in.ts";

/** The first table of the form. */
export const mapping = "spec.ingress.mappings[0]";

export function editOf({ url, cluster }: ConsoleGround, name: string): string {
  return `${url}/workflows/${cluster.namespace}/${name}/edit`;
}

export function field(page: Page, path: string): Locator {
  return page.locator(`[id="${path}"]`);
}

/** A browser of somebody's own, at the form. */
export async function editing(
  browser: Browser,
  ground: ConsoleGround,
  token: string,
  name: string,
): Promise<{ page: Page; complaints: string[] }> {
  const signed = await signedIn(browser, ground, token);
  await signed.page.goto(editOf(ground, name));
  return signed;
}

export async function save(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Review changes" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".said").getByText("The edit is saved").waitFor();
}
