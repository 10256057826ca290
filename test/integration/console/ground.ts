/** What the tests of the page stand on: the real API server and operator, the page's server as a process, people with tokens. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../cluster/ports.ts";
import { buildConsoleAssets } from "../../../scripts/console-assets.ts";
import { Ground } from "../operator/ground.ts";
import { type OperatorProcess, startRole } from "../operator/operator-process.ts";

export class ConsoleGround {
  readonly cluster: Ground;
  /** Where people reach it. */
  readonly url: string;
  readonly #arguments: readonly string[];
  readonly #assets: string;
  #server: OperatorProcess;

  private constructor(cluster: Ground, url: string, args: readonly string[], server: OperatorProcess, assets: string) {
    this.cluster = cluster;
    this.url = url;
    this.#arguments = args;
    this.#server = server;
    this.#assets = assets;
  }

  static async make(kubeconfig: string, ...flags: readonly string[]): Promise<ConsoleGround> {
    return ConsoleGround.at(await freePort(), kubeconfig, ...flags);
  }

  static async at(port: number, kubeconfig: string, ...flags: readonly string[]): Promise<ConsoleGround> {
    const cluster = await Ground.make(kubeconfig);
    const assets = mkdtempSync(join(tmpdir(), "console-assets-"));
    await buildConsoleAssets(assets);
    const url = `http://localhost:${port}`;
    const where = ["--address", `127.0.0.1:${port}`, "--public-url", url, "--assets", assets];
    const args = ["console", "--kubeconfig", kubeconfig, ...where, ...flags];
    const server = startRole(args);
    await server.said("console.listening");
    return new ConsoleGround(cluster, url, args, server, assets);
  }

  /** The page's server, as it runs now. */
  get server(): OperatorProcess {
    return this.#server;
  }

  /** Kills the page's server and starts it again at the same place. */
  async restart(): Promise<void> {
    await this.#server.kill();
    this.#server = startRole(this.#arguments);
    await this.#server.said("console.listening");
  }

  get log(): OperatorProcess["lines"] {
    return this.#server.lines;
  }

  /** A token of somebody who may do this to workflows of the namespace. */
  async person(name: string, ...verbs: readonly string[]): Promise<string> {
    const { cluster } = this;
    await cluster.kubectl("create", "serviceaccount", name);
    if (verbs.length > 0) {
      await cluster.kubectl("create", "role", name, `--verb=${verbs.join(",")}`, "--resource=integrationworkflows");
      const subject = `--serviceaccount=${cluster.namespace}:${name}`;
      await cluster.kubectl("create", "rolebinding", name, `--role=${name}`, subject);
    }
    return this.token(name);
  }

  async token(name: string, ...flags: readonly string[]): Promise<string> {
    return (await this.cluster.kubectl("create", "token", name, ...flags)).trim();
  }

  async end(): Promise<void> {
    await this.#server.kill();
    await this.cluster.end();
    rmSync(this.#assets, { recursive: true, force: true });
  }
}
