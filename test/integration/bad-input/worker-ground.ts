/** A worker that would run, before a row of a table breaks one thing of it. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { LastWords } from "../../../src/api/worker-contract.ts";
import type { RunningSandbox } from "../../../src/sandbox/sandbox.ts";
import { type Program, start } from "./program.ts";

interface Mapping {
  table: string;
  resource: string;
  key: { column: string; field: string };
  fields: object[];
  [more: string]: unknown;
}

interface Configuration {
  workflow: { name: string; namespace: string; uid: string };
  spec: {
    type: string;
    dynamics: { url: string; [more: string]: unknown };
    campaign: { url: string; [more: string]: unknown };
    ingress: { mappings: [Mapping] };
    [more: string]: unknown;
  };
}

export class WorkerGround {
  readonly folder = mkdtempSync(join(tmpdir(), "bad-input-"));
  readonly configuration: Configuration;
  /** What stands in workflow.json instead of the configuration. */
  text: string | undefined;
  flags: readonly string[] = [];
  #program: Program | undefined;

  constructor(sandbox: RunningSandbox) {
    const { credentials, dataverseTokenUrl, campaignTokenUrl } = sandbox;
    const { clientId, clientSecret } = credentials;
    this.#secret("dynamics", { ...credentials, tokenUrl: dataverseTokenUrl });
    this.#secret("campaign", { clientId, clientSecret, scopes: "campaign", tokenUrl: campaignTokenUrl });
    const mapping = {
      table: "contact",
      resource: "profile",
      key: { column: "contactid", field: "externalId" },
      fields: [{ column: "firstname", field: "firstName" }],
    };
    this.configuration = {
      workflow: { name: "contacts", namespace: "crm", uid: "b9e7" },
      spec: {
        type: "Ingress",
        dynamics: { url: sandbox.dataverseUrl, credentialsSecretRef: { name: "dynamics" } },
        campaign: {
          url: sandbox.campaignUrl,
          credentialsSecretRef: { name: "campaign" },
          engineCallsPerSecond: 1000,
        },
        ingress: { mappings: [mapping] },
      },
    };
  }

  get spec() {
    return this.configuration.spec;
  }

  get mapping(): Mapping {
    return this.spec.ingress.mappings[0];
  }

  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  start(): Program {
    writeFileSync(this.path("workflow.json"), this.text ?? JSON.stringify(this.configuration));
    const paths = ["--config", this.path("workflow.json"), "--credentials", this.path("credentials")];
    paths.push("--state", this.path("state"), "--ca-bundle", this.path("ca.crt"));
    paths.push("--termination-log", this.path("last-words"), "--address", "127.0.0.1:0");
    this.#program = start(["worker", ...paths, ...this.flags]);
    return this.#program;
  }

  lastWords(): LastWords | undefined {
    const path = this.path("last-words");
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
  }

  async end(): Promise<void> {
    await this.#program?.stop();
    rmSync(this.folder, { recursive: true });
  }

  #secret(system: string, values: Readonly<Record<string, string>>): void {
    mkdirSync(this.path("credentials", system), { recursive: true });
    for (const [name, value] of Object.entries(values)) writeFileSync(this.path("credentials", system, name), value);
  }
}

/** The worker's answer on a path. */
export async function ask(worker: Program, path: string): Promise<{ status: number; body: string }> {
  const url = (): unknown => worker.lines.find(({ message }) => message === "worker.started")?.["url"];
  await expect.poll(url, { timeout: 20_000 }).toBeTypeOf("string");
  const response = await fetch(`${url()}${path}`);
  return { status: response.status, body: await response.text() };
}
