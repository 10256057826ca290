/**
 * `npm run screenshots`: pictures of the Workflows page in each state, for the documentation. It takes them of a cluster
 * that `npm start` made (IW_NAME), stages all troubles there first, and looks at them as somebody who practises.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Browser, Page } from "playwright-core";
import { type Demo, drillClusterOf } from "../cluster/demo.ts";
import { stageTroubles, troublesNamed } from "../cluster/drill/drill.ts";
import { pagePort, type World, worldOf } from "../cluster/drill/world.ts";
import { projectFolder } from "../cluster/image.ts";
import { stepsOn } from "../cluster/steps.ts";
import { clientPrograms, findTarget } from "../cluster/target.ts";
import { startBrowser } from "../test/integration/console/browser.ts";
import { type Scene, scenes } from "./screenshot-scenes.ts";

const folder = join(projectFolder, "docs/pictures");
const desk = { width: 1200, height: 760 };
const phone = { width: 400, height: 800 };
/** Each scene at a desk in light and on a phone in the dark; some also the other way round. */
const looks = [
  { name: "light", colorScheme: "light", viewport: desk, of: scenes },
  { name: "dark", colorScheme: "dark", viewport: desk, of: scenes.filter(({ isInAll }) => isInAll) },
  { name: "phone", colorScheme: "light", viewport: phone, of: scenes.filter(({ isInAll }) => isInAll) },
  { name: "phone-dark", colorScheme: "dark", viewport: phone, of: scenes },
] as const;
/** As far as a person scrolls: what is below tells no more. */
const tallestPixels = 1100;
const marginPixels = 24;
/** The repository keeps them all: small, and every letter to be read. */
const quality = 50;

const step = stepsOn(process.stdout);
const target = await findTarget({ name: process.env["IW_NAME"] || "iw-demo" }, process.env);
const programs = await clientPrograms(process.env, console.error);
const demo: Demo = { target, ...programs, kubectlCommand: "kubectl" };
const world = worldOf(drillClusterOf(demo));
await stageTroubles(world, troublesNamed(["all"]), step);
await step("a workflow with a history, which somebody else owns", () => somebodyElseOwns(world, "accounts"));
const forward = await forwarded(world);
const browser = await startBrowser();
try {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const look of looks) await step(`pictures, ${look.name}`, () => takeAll(browser, look));
} finally {
  await browser.close();
  forward.kill();
}

/** It has run twice; and a pipeline has applied `spec.state`: whoever starts it is asked. */
async function somebodyElseOwns({ kubectl }: World, name: string): Promise<void> {
  const become = async (asked: string, state: string, ...flags: readonly string[]): Promise<void> => {
    const { spec } = JSON.parse(await kubectl(["get", "iw", name, "--output", "json"])) as { spec: object };
    const workflow = { apiVersion: "integrationworkflow.io/v1", kind: "IntegrationWorkflow", metadata: { name } };
    const applied = JSON.stringify({ ...workflow, spec: { ...spec, state: asked } });
    await kubectl(["apply", "--server-side", "--force-conflicts", ...flags, "--filename", "-"], applied);
    await kubectl(["wait", `iw/${name}`, `--for=jsonpath={.status.state}=${state}`, "--timeout=120s"]);
  };
  await become("Running", "RUNNING");
  await become("Stopped", "STOPPED", "--field-manager=argocd-controller");
}

async function forwarded({ cluster }: World) {
  const { name, namespace } = cluster.release;
  const [program = "", ...flags] = cluster.kubectl;
  const service = `service/${name}-operator-console`;
  const args = [...flags, "--namespace", namespace, "port-forward", service, `${pagePort}:80`];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(createInterface({ input: child.stdout }), "line");
  return child;
}

async function takeAll(
  { newContext }: Pick<Browser, "newContext">,
  { name: look, of, ...options }: (typeof looks)[number],
): Promise<void> {
  const context = await newContext.call(browser, { ...options, reducedMotion: "reduce" });
  const token = (await world.kubectl(["create", "token", "practice"])).trim();
  for (const scene of of) {
    const page = await context.newPage();
    const there = await scene.go({ page, url: `http://localhost:${pagePort}`, token });
    await page.evaluate("document.fonts.ready");
    await picture(page, there, join(folder, `${scene.name}-${look}.webp`));
    await page.close();
  }
  await context.close();
}

async function picture(page: Page, part: Awaited<ReturnType<Scene["go"]>>, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { width = 0 } = page.viewportSize() ?? {};
  const box = await part?.boundingBox();
  const bottom = await page.evaluate<number>(
    "Math.max(...[...document.querySelectorAll('main, main *')].map((part) => part.getBoundingClientRect().bottom))",
  );
  const clip = box ?? { x: 0, y: 0, width, height: Math.min(Math.ceil(bottom) + marginPixels, tallestPixels) };
  const { data } = await session.send("Page.captureScreenshot", {
    format: "webp",
    quality,
    captureBeyondViewport: true,
    clip: { ...clip, scale: 1 },
  });
  writeFileSync(path, Buffer.from(data, "base64"));
}
