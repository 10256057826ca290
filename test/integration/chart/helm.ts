/** The chart as people use it: by helm. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadAll } from "js-yaml";
import { binaries } from "../../../cluster/binaries.ts";

export const chartFolder = "charts/integration-workflow-operator";

/** An object of a rendered chart. */
export interface Rendered {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  // What a test looks at, it casts: the kinds differ.
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface Helm {
  /** Helm's standard output. Rejects with its standard error. */
  run(...args: readonly string[]): Promise<string>;
  /** The objects that the chart renders with these values, in the namespace `system`. */
  render(...values: readonly string[]): Promise<Rendered[]>;
  remove(): void;
}

/** @param kubeconfigPath the cluster that it installs into */
export async function startHelm(kubeconfigPath: string): Promise<Helm> {
  const helm = join(await binaries("tools", process.env, console.error), "helm");
  // Helm keeps caches and settings in the home folder; a test has none of its own.
  const home = mkdtempSync(join(tmpdir(), "integration-workflow-helm-"));
  const env = { PATH: process.env["PATH"], HOME: home, HELM_CACHE_HOME: home, KUBECONFIG: kubeconfigPath };
  const run = async (...args: readonly string[]): Promise<string> => {
    return (await promisify(execFile)(helm, args, { env, maxBuffer: 64_000_000 })).stdout;
  };
  return {
    run,
    async render(...values) {
      const sets = values.flatMap((value) => ["--set", value]);
      const text = await run("template", "release", chartFolder, "--namespace", "system", ...sets);
      // Helm has rendered it: every document is an object of Kubernetes.
      return (loadAll(text) as (Rendered | null)[]).filter((document) => document !== null);
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}
