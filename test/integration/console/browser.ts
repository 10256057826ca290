/** Debian's headless Chromium, driven over its own protocol. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { debianProgramsWithDependencies } from "../../debian-programs.ts";

/**
 * Its `close` fails when any page of any context has asked for something that its content security policy refuses.
 * @throws where it is not installed and Debian's packages cannot be had either
 */
export async function startBrowser(): Promise<Browser> {
  const { path, libraries } = await findChromium();
  const browser = await chromium.launch({
    executablePath: path,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    env: { ...process.env, ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }) },
  });
  return watched(browser);
}

function watched(browser: Browser): Browser {
  const refused: string[] = [];
  const newContext = browser.newContext.bind(browser);
  browser.newContext = async (options) => {
    const context = await newContext(options);
    context.on("console", (message) => {
      const text = message.text();
      if (text.includes("Content Security Policy")) refused.push(`${message.page()?.url()}: ${text}`);
    });
    return context;
  };
  const close = browser.close.bind(browser);
  browser.close = async (options) => {
    await close(options);
    if (refused.length > 0) throw new Error(`pages asked for what their policy refuses:\n${refused.join("\n")}`);
  };
  return browser;
}

async function findChromium(): Promise<{ readonly path: string; readonly libraries: string | undefined }> {
  const given = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  if (existsSync(given)) return { path: given, libraries: undefined };
  const root = await debianProgramsWithDependencies(["chromium", "fonts-noto-core"]);
  const folder = join(root, "usr/lib/x86_64-linux-gnu");
  return { path: join(root, "usr/lib/chromium/chromium"), libraries: `${folder}:${join(folder, "pulseaudio")}` };
}
