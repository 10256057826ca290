/** Operators that come and go while the walks are under way, each killed, cut off or overtaken at some of its writes. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FaultProxy, type HeldRequest, startFaultProxy } from "../../kubernetes/fault-proxy.ts";
import { connectionTo } from "../../kubernetes/ground.ts";
import { type OperatorProcess, startOperator } from "../operator-process.ts";

/** Two versions: what they would pin is not the same. */
const images = ["registry.example/integration-workflow:1.0.0", "registry.example/integration-workflow:2.0.0"];

/** An operator that has nothing to write is not waited for longer. */
const mostPatienceMs = 3000;

export class Operators {
  readonly #proxy: FaultProxy;
  readonly #folder: string;
  readonly #namespace: string;
  readonly #random: () => number;
  readonly #over = Promise.withResolvers<void>();
  #isOver = false;
  #current: OperatorProcess | undefined;
  #running: Promise<void> | undefined;
  #started = 0;
  /** What happened to them, and how often. */
  readonly fates = new Map<string, number>();

  private constructor(proxy: FaultProxy, namespace: string, random: () => number) {
    this.#proxy = proxy;
    this.#namespace = namespace;
    this.#random = random;
    this.#folder = mkdtempSync(join(tmpdir(), "walks-"));
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "proxied",
      clusters: [{ name: "proxied", cluster: { server: proxy.url } }],
      users: [{ name: "proxied", user: {} }],
      contexts: [{ name: "proxied", context: { cluster: "proxied", user: "proxied" } }],
    };
    writeFileSync(this.#kubeconfig, JSON.stringify(config));
  }

  static async make(kubeconfig: string, namespace: string, random: () => number): Promise<Operators> {
    return new Operators(await startFaultProxy(connectionTo(kubeconfig)), namespace, random);
  }

  start(): void {
    this.#running = this.#comeAndGo();
  }

  /** From now on one operator works, and nothing happens to it. */
  async calm(): Promise<void> {
    this.#isOver = true;
    this.#over.resolve();
    await this.#running;
    this.#proxy.set({ type: "none" });
  }

  async end(): Promise<void> {
    await this.calm();
    await this.#current?.kill();
    await this.#proxy.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #kubeconfig(): string {
    return join(this.#folder, "kubeconfig");
  }

  async #comeAndGo(): Promise<void> {
    this.#current = await this.#next();
    while (!this.#isOver) {
      const held = await this.#nextWrite(Math.floor(this.#random() * 25));
      if (this.#isOver) await release(held);
      else await this.#meetFate(held);
    }
  }

  /** @param held its write that is on its way; undefined: it has nothing to write */
  async #meetFate(held: HeldRequest | undefined): Promise<void> {
    const operator = this.#current;
    switch (Math.floor(this.#random() * 6)) {
      case 0:
        this.#note("killed before a write");
        await operator?.kill();
        this.#current = await this.#next();
        return;
      case 1:
        this.#note("killed before the answer to a write");
        await operator?.kill();
        await release(held);
        this.#current = await this.#next();
        return;
      case 2: {
        this.#note("overtaken by the other version with a write on its way");
        this.#current = await this.#next();
        const later = await this.#nextWrite(5);
        await release(held);
        await release(later);
        await operator?.kill();
        return;
      }
      case 3:
        this.#note("cut off");
        this.#proxy.resetConnections();
        await release(held);
        return;
      case 4:
        this.#note("answered late, and with 429 and 500");
        this.#proxy.set({
          type: "answer",
          to: "all",
          status: this.#random() < 0.5 ? 429 : 500,
          reason: "walks",
          times: 20,
        });
        await release(held);
        return;
      default:
        this.#note("told of changes by watches that end in the middle of a line");
        this.#proxy.cutNextLine();
        await release(held);
    }
  }

  #note(fate: string): void {
    this.fates.set(fate, (this.fates.get(fate) ?? 0) + 1);
  }

  /**
   * Holds the next write but so many, of whatever operator; leases and Events apart. @returns undefined when there is none
   * for a while
   */
  async #nextWrite(after: number): Promise<HeldRequest | undefined> {
    let left = after;
    let isWaitedFor = true;
    const held = this.#proxy.hold(({ path }) => isWaitedFor && !/\/(leases|events)/.test(path) && left-- === 0);
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), mostPatienceMs);
    const over = this.#over.promise.then(() => undefined);
    const arrived = await Promise.race([held.arrived.then(() => held), over, late.promise]);
    clearTimeout(timer);
    isWaitedFor = false;
    if (arrived === undefined) void held.arrived.then(() => release(held));
    return arrived;
  }

  async #next(): Promise<OperatorProcess> {
    const image = images[this.#started++ % images.length] ?? "";
    const operator = await startOperator(this.#kubeconfig, [
      "--watch-namespaces",
      this.#namespace,
      "--worker-image",
      image,
    ]);
    await operator.said("operator started");
    return operator;
  }
}

/** It may be refused, or the other end may be gone: both are what is wanted here. */
async function release(held: HeldRequest | undefined): Promise<void> {
  await held?.release().catch(() => undefined);
}
