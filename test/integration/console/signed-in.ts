import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import type { ConsoleGround } from "./ground.ts";

/** A browser of somebody's own, signed in through the form. What the browser complains of is kept. */
export async function signedIn(
  browser: Browser,
  { url, cluster }: ConsoleGround,
  token: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; complaints: string[] }> {
  const page = await (await browser.newContext(options)).newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(`thrown: ${error.message}`));
  page.on("dialog", (dialog) => {
    // Tests leave edits as they please; whether that is asked about has a test of its own.
    if (dialog.type() === "beforeunload") return void dialog.accept();
    complaints.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(`${url}/workflows?namespace=${cluster.namespace}`);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Workflows" }).waitFor();
  // Its words are there before its styles are.
  await page.waitForLoadState();
  return { page, complaints };
}
