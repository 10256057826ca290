import { spawn } from "node:child_process";

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly generation?: number;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** The real kubectl against the test's cluster. What it prints on failure is the error's message. */
export class Kubectl {
  readonly #binary: string;
  readonly #kubeconfig: string;
  readonly #namespace: string;

  constructor(binary: string, kubeconfig: string, namespace: string) {
    this.#binary = binary;
    this.#kubeconfig = kubeconfig;
    this.#namespace = namespace;
  }

  in(namespace: string): Kubectl {
    return new Kubectl(this.#binary, this.#kubeconfig, namespace);
  }

  /** @returns standard output */
  async run(args: readonly string[], input?: string): Promise<string> {
    const child = this.start(args);
    // A kubectl that has failed does not read on; its exit code and its message tell.
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      err += chunk.toString();
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${err.trim() || out.trim() || `exit ${code}`}`);
    return out;
  }

  /** A kubectl that goes on, such as port-forward; the caller ends it. */
  start(args: readonly string[]) {
    const all = ["--kubeconfig", this.#kubeconfig, "--namespace", this.#namespace, ...args];
    return spawn(this.#binary, all, { stdio: ["pipe", "pipe", "pipe"] });
  }

  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.run([...args, "-o", "json"])) as T; // Each test names what it reads.
  }

  async list<T extends KubernetesObject>(kind: string, selector?: string): Promise<readonly T[]> {
    const selected = selector === undefined ? [] : ["-l", selector];
    return (await this.json<{ items: T[] }>(["get", kind, ...selected])).items;
  }

  async apply(...objects: readonly object[]): Promise<void> {
    await this.run(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  }

  async mergePatch(kind: string, name: string, patch: object): Promise<void> {
    await this.run(["patch", kind, name, "--type=merge", "-p", JSON.stringify(patch)]);
  }
}
