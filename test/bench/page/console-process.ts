/** The page's server as a process of its own, seen from outside: its memory, its heap, its share of the processors. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "../../../cluster/ports.ts";
import { buildConsoleAssets } from "../../../scripts/console-assets.ts";

/** What people's clusters give it; see the chart. Without a bound, V8 lets garbage lie. */
const heapMegabytes = 192;

export class ConsoleProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #assets: string;
  readonly #inspector: WebSocket;
  #asked = 0;

  private constructor(url: string, child: ChildProcess, assets: string, inspector: WebSocket) {
    this.url = url;
    this.#child = child;
    this.#assets = assets;
    this.#inspector = inspector;
  }

  /** @param flags of node's own, such as --cpu-prof */
  static async start(kubeconfig: string, flags: readonly string[] = []): Promise<ConsoleProcess> {
    const assets = mkdtempSync(join(tmpdir(), "bench-console-"));
    await buildConsoleAssets(assets);
    const url = `http://localhost:${await freePort()}`;
    const where = ["--address", url.replace("http://localhost", "127.0.0.1"), "--public-url", url, "--assets", assets];
    const node = ["--inspect=127.0.0.1:0", `--max-old-space-size=${heapMegabytes}`, ...flags];
    const role = ["src/main.ts", "console", "--kubeconfig", kubeconfig, ...where];
    const child = spawn(process.execPath, [...node, ...role], { stdio: ["ignore", "pipe", "pipe"] });
    const [inspectorUrl] = await Promise.all([
      lineWith(child.stderr, /ws:\/\/\S+/),
      lineWith(child.stdout, /console\.listening/),
    ]);
    const inspector = new WebSocket(inspectorUrl);
    await once(inspector, "open");
    return new ConsoleProcess(url, child, assets, inspector);
  }

  get pid(): number {
    return this.#child.pid ?? Number.NaN;
  }

  /** What is alive after a collection, in megabytes. */
  async heapMegabytes(): Promise<number> {
    await this.#ask("HeapProfiler.collectGarbage");
    const { usedSize } = (await this.#ask("Runtime.getHeapUsage")) as { usedSize: number }; // As the protocol says.
    return usedSize / 1e6;
  }

  async #ask(method: string): Promise<unknown> {
    this.#asked += 1;
    const id = this.#asked;
    const answer = new Promise((resolve) => {
      const hear = ({ data }: MessageEvent): void => {
        const said = JSON.parse(String(data)) as { id?: number; result?: unknown }; // As the protocol says.
        if (said.id !== id) return;
        this.#inspector.removeEventListener("message", hear);
        resolve(said.result);
      };
      this.#inspector.addEventListener("message", hear);
    });
    this.#inspector.send(JSON.stringify({ id, method }));
    return answer;
  }

  async end(): Promise<void> {
    this.#inspector.close();
    this.#child.kill("SIGTERM");
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
    rmSync(this.#assets, { recursive: true });
  }
}

async function lineWith(stream: NodeJS.ReadableStream | null, pattern: RegExp): Promise<string> {
  if (stream === null) throw new Error("the output is not piped");
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: stream });
    lines.on("line", (line) => {
      const found = pattern.exec(line)?.[0];
      if (found !== undefined) resolve(found);
      else if (line.includes('"level":"error"')) console.error(line);
    });
    lines.once("close", () => reject(new Error(`the page's server ended before it said ${pattern.source}`)));
  });
}

const ticksASecond = 100;

/** Seconds of processor that a process has used. */
export function processorSeconds(pid: number): number {
  const [, fields = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(/\) /);
  const [user = "", system = ""] = fields.split(" ").slice(11);
  return (Number(user) + Number(system)) / ticksASecond;
}

export function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1000;
}
