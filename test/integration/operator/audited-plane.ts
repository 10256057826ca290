/** A control plane of one's own whose audit log says what each operator asked of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AuditedRequest, createAuditLog } from "../../../cluster/audit-log.ts";
import { controlPlaneBinaries } from "../../../cluster/binaries.ts";
import { type ControlPlane, startControlPlane } from "../../../cluster/control-plane.ts";
import { type FaultProxy, startFaultProxy } from "../kubernetes/fault-proxy.ts";
import { connectionTo } from "../kubernetes/ground.ts";
import { Ground } from "./ground.ts";
import { type HowToStart, type OperatorProcess, startOperator } from "./operator-process.ts";

export class AuditedPlane {
  readonly controlPlane: ControlPlane;
  readonly #audit: ReturnType<typeof createAuditLog>;
  readonly #requests: AuditedRequest[] = [];
  readonly #grounds: Ground[] = [];
  readonly #proxies: FaultProxy[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "audited-plane-"));

  private constructor(controlPlane: ControlPlane, audit: ReturnType<typeof createAuditLog>) {
    this.controlPlane = controlPlane;
    this.#audit = audit;
  }

  /** @param users whose requests are written down */
  static async start(...users: readonly string[]): Promise<AuditedPlane> {
    const audit = createAuditLog(users);
    const binaries = await controlPlaneBinaries(process.env, console.error);
    const { apiServerArguments } = audit;
    return new AuditedPlane(await startControlPlane({ binaries, apiServerArguments }), audit);
  }

  async ground(): Promise<Ground> {
    const ground = await Ground.make(this.controlPlane.kubeconfigPath);
    this.#grounds.push(ground);
    return ground;
  }

  /** A proxy that signs in as this user. */
  async proxy(user: string): Promise<FaultProxy> {
    const proxy = await startFaultProxy(connectionTo(this.controlPlane.signIn(user, "system:masters")));
    this.#proxies.push(proxy);
    return proxy;
  }

  /** An operator for the ground's namespace; `user` signs in by itself, a proxy as whom it was made for. */
  async operator(
    ground: Ground,
    by: string | FaultProxy,
    args: readonly string[] = [],
    how: HowToStart = {},
  ): Promise<OperatorProcess> {
    const kubeconfig =
      typeof by === "string" ? this.controlPlane.signIn(by, "system:masters") : this.#kubeconfigOf(by.url);
    const operator = await startOperator(kubeconfig, ["--watch-namespaces", ground.namespace, ...args], how);
    ground.operators.push(operator);
    return operator;
  }

  /** One that stands for leader, by a lease in the ground's namespace. */
  candidate(ground: Ground, by: string | FaultProxy, args: readonly string[] = [], how: HowToStart = {}) {
    const election = ["--leader-elect", "--leader-election-namespace", ground.namespace];
    return this.operator(ground, by, [...election, ...args], how);
  }

  /** All that was answered so far, in order. */
  requests(): readonly AuditedRequest[] {
    this.#requests.push(...this.#audit.read());
    return this.#requests;
  }

  /** Writes that took effect, leases and Events apart. */
  writesOf(user: string, from = 0): readonly AuditedRequest[] {
    return this.requests()
      .slice(from)
      .filter((request) => request.user === user && !["get", "list", "watch"].includes(request.verb))
      .filter(({ resource, code }) => resource !== "leases" && resource !== "events" && code < 400);
  }

  /** All that this user asked, leases and Events apart, refused or not. */
  requestsOf(user: string, from = 0): readonly AuditedRequest[] {
    return this.requests()
      .slice(from)
      .filter((request) => request.user === user && request.resource !== "leases" && request.resource !== "events");
  }

  async stop(): Promise<void> {
    for (const ground of this.#grounds) await ground.end();
    for (const proxy of this.#proxies) await proxy.stop();
    await this.controlPlane.stop();
    this.#audit.remove();
    rmSync(this.#folder, { recursive: true });
  }

  #kubeconfigOf(url: string): string {
    const path = join(this.#folder, `${new URL(url).port}.kubeconfig`);
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "proxied",
      clusters: [{ name: "proxied", cluster: { server: url } }],
      users: [{ name: "proxied", user: {} }],
      contexts: [{ name: "proxied", context: { cluster: "proxied", user: "proxied" } }],
    };
    writeFileSync(path, JSON.stringify(config));
    return path;
  }
}
