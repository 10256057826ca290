/** The Workflows page at a size that nobody should have: thousands of workflows, dozens of people. */
import { setTimeout as delay } from "node:timers/promises";
import type { Browser, BrowserContext } from "playwright-core";
import { startBrowser } from "../../integration/console/browser.ts";
import type { Measurement } from "../table.ts";
import { percentile, printColumns } from "../table.ts";
import { PageCluster } from "./cluster.ts";
import { ConsoleProcess, processorSeconds, residentMegabytes } from "./console-process.ts";
import { Viewer } from "./viewer.ts";

const workflowCount = 2000;
const people = 50;
const loads = 5;
const updates = 40;
const changesAMinute = 2000;
const busySeconds = 20;

export async function pageAtScale(): Promise<readonly Measurement[]> {
  const cluster = await PageCluster.make(workflowCount);
  const flags = process.env["BENCH_PAGE_NODE_FLAGS"]?.split(" ").filter((flag) => flag !== "") ?? [];
  const server = await ConsoleProcess.start(cluster.controlPlane.kubeconfigPath, flags);
  const browser = await startBrowser();
  try {
    const tokens = await cluster.people(people + 1);
    const context = await signedIn(browser, server.url, tokens[people] ?? "");
    console.log(
      `${workflowCount} workflows, ${megabytes((await cluster.bytes()) / 1e6)} as the API server lists them\n`,
    );
    await printLoads(cluster, server, context);
    await printStreams(cluster, server, context, tokens.slice(0, people));
  } finally {
    await browser.close();
    await server.end();
    await cluster.end();
  }
  return [];
}

async function signedIn(browser: Browser, url: string, token: string): Promise<BrowserContext> {
  const context = await browser.newContext();
  // Whatever else the machine does.
  context.setDefaultTimeout(180_000);
  const page = await context.newPage();
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#rows").waitFor();
  await page.close();
  return context;
}

interface Load {
  readonly firstByte: number;
  readonly firstPaint: number;
  readonly rendered: number;
  readonly kilobytes: number;
}

/** What the browser itself says of a load; its own types are not in this project. */
const loadFigures = `(async () => {
  const [navigation] = performance.getEntriesByType("navigation");
  const paint = await new Promise((resolve) => new PerformanceObserver((list) => {
    const found = list.getEntriesByName("first-contentful-paint")[0];
    if (found !== undefined) resolve(found);
  }).observe({ type: "paint", buffered: true }));
  return {
    firstByte: navigation.responseStart,
    firstPaint: paint.startTime,
    rendered: navigation.loadEventEnd,
    kilobytes: navigation.decodedBodySize / 1000,
  };
})()`;

async function printLoads(cluster: PageCluster, server: ConsoleProcess, context: BrowserContext): Promise<void> {
  const titles = ["first byte", "first paint", "all there", "HTML kB", "CPU of the page's server", "of the API server"];
  const rows = [["the list in Chromium, ms", ...titles]];
  const pids = [server.pid, cluster.controlPlane.apiServerPid() ?? Number.NaN];
  for (const [name, path] of [
    ["all namespaces, page 1 of 20", "/workflows"],
    ["all namespaces, page 20", "/workflows?page=20"],
    ["state FAILED", "/workflows?state=FAILED"],
    ["type Egress", "/workflows?type=Egress"],
    ["one namespace of 50", "/workflows?namespace=team-07"],
  ] as const) {
    const seen: Load[] = [];
    const used = pids.map(processorSeconds);
    for (let time = 0; time < loads; time += 1) {
      const page = await context.newPage();
      await page.goto(`${server.url}${path}`, { waitUntil: "load" });
      seen.push(await page.evaluate<Load>(loadFigures));
      await page.close();
    }
    const median = (of: (load: Load) => number) => ascending(seen.map(of))[Math.floor(loads / 2)]?.toFixed(0) ?? "";
    rows.push([
      name,
      median(({ firstByte }) => firstByte),
      median(({ firstPaint }) => firstPaint),
      median(({ rendered }) => rendered),
      median(({ kilobytes }) => kilobytes),
      ...pids.map((pid, index) => (((processorSeconds(pid) - (used[index] ?? 0)) / loads) * 1000).toFixed(0)),
    ]);
  }
  printColumns(rows);
}

/** When the number of a workflow's backlog is on the page, by the clock that both processes share. */
const observeBacklogs = `{
  const seenAt = new Map();
  const waiting = new Map();
  globalThis.seen = (backlog) => new Promise((resolve) => {
    if (seenAt.has(backlog)) resolve(seenAt.get(backlog));
    else waiting.set(backlog, resolve);
  });
  const look = () => {
    const now = performance.timeOrigin + performance.now();
    for (const { dataset: { backlog } } of document.querySelectorAll("#rows [data-backlog]")) {
      if (seenAt.has(backlog)) continue;
      seenAt.set(backlog, now);
      waiting.get(backlog)?.(now);
    }
  };
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  new MutationObserver(look).observe(document.querySelector("#rows"), all);
}`;

/** @param marked a number that no other look uses */
async function liveUpdates(
  cluster: PageCluster,
  context: BrowserContext,
  url: string,
  marked: number,
): Promise<readonly number[]> {
  const page = await context.newPage();
  await page.goto(`${url}/workflows`);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.evaluate(observeBacklogs);
  const shown = cluster.places.filter(({ namespace }) => namespace === "team-00" || namespace === "team-01");
  const took: number[] = [];
  for (let index = 0; index < updates; index += 1) {
    const place = shown[(index * 7) % shown.length];
    const backlog = marked + index;
    const at = Date.now();
    if (place !== undefined) await cluster.count(place, backlog);
    took.push((await page.evaluate<number>(`globalThis.seen("${backlog}")`)) - at);
  }
  await page.close();
  return ascending(took);
}

async function printStreams(
  cluster: PageCluster,
  server: ConsoleProcess,
  context: BrowserContext,
  tokens: readonly string[],
): Promise<void> {
  const both = { page: server.pid, api: cluster.controlPlane.apiServerPid() ?? Number.NaN };
  const titles = ["heap", "RSS", "API server RSS", "CPU", "API server CPU", "live update p50", "p95", "kB/s a stream"];
  const rows = [["open streams", ...titles]];
  const viewers: Viewer[] = [];
  for (const count of [0, 1, tokens.length]) {
    for (const token of tokens.slice(viewers.length, count)) {
      const viewer = new Viewer(server.url);
      viewers.push(viewer);
      await viewer.signIn(token);
      await viewer.open("/workflows");
    }
    const marked = 10_000_000 * (1 + count);
    const quiet = await liveUpdates(cluster, context, server.url, marked);
    rows.push([
      `${count}, nothing else changes`,
      megabytes(await server.heapMegabytes()),
      megabytes(residentMegabytes(both.page)),
      megabytes(residentMegabytes(both.api)),
      "",
      "",
      ...latencies(quiet),
      "",
    ]);
    const stop = new AbortController();
    const changes = { count: 0 };
    // What fails then has failed elsewhere first.
    const changing = changeSteadily(cluster, changes, stop.signal).catch(() => {});
    const used = { page: processorSeconds(both.page), api: processorSeconds(both.api) };
    const bytes = viewers.reduce((sum, viewer) => sum + viewer.bytes, 0);
    const madeBefore = changes.count;
    const at = performance.now();
    await delay(busySeconds * 1000);
    const seconds = (performance.now() - at) / 1000;
    const share = (pid: number, before: number) =>
      `${Math.round(((processorSeconds(pid) - before) / seconds) * 100)} %`;
    const sent = viewers.reduce((sum, viewer) => sum + viewer.bytes, 0) - bytes;
    const changed = Math.round(((changes.count - madeBefore) / seconds) * 60);
    const shares = [share(both.page, used.page), share(both.api, used.api)];
    const busy = await liveUpdates(cluster, context, server.url, marked + updates);
    const resident = [megabytes(residentMegabytes(both.page)), megabytes(residentMegabytes(both.api))];
    stop.abort();
    await changing;
    rows.push([
      `${count}, ${changed.toLocaleString("en")} change a minute`,
      megabytes(await server.heapMegabytes()),
      ...resident,
      ...shares,
      ...latencies(busy),
      count === 0 ? "" : (sent / seconds / count / 1000).toFixed(1),
    ]);
  }
  printColumns(rows);
  for (const viewer of viewers) await viewer.leave();
}

/** @param changes counted as they are made: a busy machine may make fewer */
async function changeSteadily(cluster: PageCluster, changes: { count: number }, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for (let index = 0; !signal.aborted; index += 1) {
    const place = cluster.places[(index * 37) % cluster.places.length];
    if (place !== undefined) await cluster.count(place, index % 9_000_000);
    changes.count += 1;
    const dueMs = ((index + 1) * 60_000) / changesAMinute;
    await delay(Math.max(0, dueMs - (performance.now() - startedAt)));
  }
}

function ascending(numbers: readonly number[]): readonly number[] {
  return numbers.toSorted((a, b) => a - b);
}

function latencies(sorted: readonly number[]): readonly string[] {
  return [percentile(sorted, 0.5), percentile(sorted, 0.95)].map((ms) => `${ms.toFixed(0)} ms`);
}

function megabytes(size: number): string {
  return `${size.toFixed(0)} MB`;
}
