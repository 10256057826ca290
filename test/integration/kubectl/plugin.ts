import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { dump, load } from "js-yaml";
import { afterAll } from "vitest";

export interface Answer {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the plugin as a person would: a process of its own, whose standard output is no terminal. */
export class Plugin {
  readonly #flags: readonly string[];
  readonly #environment: Readonly<Record<string, string | undefined>>;

  constructor(kubeconfig: string, namespace: string, environment: Readonly<Record<string, string | undefined>>) {
    this.#flags = ["--kubeconfig", kubeconfig, "--namespace", namespace];
    this.#environment = environment;
  }

  /** @param given the command, its name first */
  run(...given: readonly string[]): Promise<Answer> {
    return this.start(...given).ended;
  }

  start(...given: readonly string[]) {
    return runPlugin([...this.#flags, ...given], this.#environment);
  }
}

/** With nothing but these arguments. */
export function runPlugin(given: readonly string[], environment: Readonly<Record<string, string | undefined>> = {}) {
  const child = spawn(process.execPath, ["src/kubectl/main.ts", ...given], { env: { ...process.env, ...environment } });
  const ended = Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]).then(
    ([[code], out, err]): Answer => ({ code, out, err }),
  );
  return { child, ended };
}

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: { readonly server: string } }[];
  readonly users: readonly { readonly name: string; readonly user: object }[];
}

const kubeconfigs = mkdtempSync(join(tmpdir(), "kubectl-plugin-"));
afterAll(() => rmSync(kubeconfigs, { recursive: true }));

/** A kubeconfig like another one, with some of its entries otherwise. @returns its path, in a folder of its own */
export function kubeconfigLike(path: string, change: { readonly user?: object; readonly cluster?: object }): string {
  const config = load(readFileSync(path, "utf8")) as Kubeconfig;
  const changed = {
    ...config,
    clusters: config.clusters.map(({ name, cluster }) => ({ name, cluster: { ...cluster, ...change.cluster } })),
    users: config.users.map(({ name, user }) => ({ name, user: change.user ?? user })),
  };
  const file = join(mkdtempSync(join(kubeconfigs, "as-")), "kubeconfig");
  writeFileSync(file, dump(changed));
  return file;
}

/** The same cluster as somebody else: the API server lets its administrators act as anybody. */
export function kubeconfigAs(path: string, person: string): string {
  const [first] = (load(readFileSync(path, "utf8")) as Kubeconfig).users;
  return kubeconfigLike(path, { user: { ...first?.user, as: person } });
}
