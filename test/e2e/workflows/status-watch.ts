import { createInterface } from "node:readline";
import type { Kubectl } from "./kubectl.ts";
import type { Workflow } from "./workflow.ts";

/** One status, and when it came. */
export interface StatusSeen {
  readonly workflow: Workflow;
  readonly atMs: number;
}

/** Keeps every status of all workflows since it began, as one `kubectl get --watch` tells them. */
export class StatusWatch {
  readonly #seen = new Map<string, StatusSeen[]>();
  readonly #end: () => void;

  constructor(kubectl: Kubectl) {
    const child = kubectl.start(["get", "integrationworkflow", "--all-namespaces", "--watch", "--output", "json"]);
    let lines: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line);
      if (line !== "}") return; // Each object ends with a brace at the margin.
      this.#note(JSON.parse(lines.join("\n")) as Workflow);
      lines = [];
    });
    this.#end = () => void child.kill();
  }

  /** In their order. */
  of(namespace: string, name: string): readonly StatusSeen[] {
    return this.#seen.get(`${namespace}/${name}`) ?? [];
  }

  end(): void {
    this.#end();
  }

  #note(workflow: Workflow): void {
    const key = `${workflow.metadata.namespace}/${workflow.metadata.name}`;
    this.#seen.set(key, [...(this.#seen.get(key) ?? []), { workflow, atMs: Date.now() }]);
  }
}
