/** An edit that is not saved: all of it travels with the page, and nothing is kept here. */
import type { WorkflowSpec, WorkflowType } from "../../api/integration-workflow.ts";
import { isRecord } from "../../api/json.ts";
import type { LiveWorkflow } from "../../steering/workflow.ts";
import { type Body, specOfForm, textOf } from "./form-values.ts";
import type { Problem } from "./problems.ts";
import { keptNames } from "./shape.ts";
import { readYaml, yamlOf } from "./yaml.ts";

export type View = "form" | "yaml";
/** A spec without what says whether to run. It may break every rule. */
export type Said = Readonly<Record<string, unknown>>;

export interface Draft {
  /** The very workflow that was read, and its edit. */
  readonly uid: string;
  readonly generation: number;
  /** What was read. */
  readonly base: Said;
  readonly said: Said;
  readonly view: View;
  /** As it was typed. */
  readonly yaml: string;
  /** Why the text is no spec; `said` is then what was read. */
  readonly problems: readonly Problem[];
}

export function whatIsSaid({ state: _state, restart: _restart, ...said }: WorkflowSpec): Said {
  return said;
}

export function newDraft({ metadata, spec }: LiveWorkflow, view: View, said: Said = whatIsSaid(spec)): Draft {
  const { uid, generation } = metadata;
  return { uid, generation, base: whatIsSaid(spec), said, view, yaml: yamlOf(said), problems: [] };
}

/** @returns undefined for what no page of this server sends */
export function draftOf(body: unknown, type: WorkflowType): Draft | undefined {
  if (!isRecord(body)) return undefined;
  const base = jsonOf(textOf(body, "base"));
  const generation = Number(textOf(body, "generation"));
  const uid = textOf(body, "uid");
  if (base === undefined || uid === undefined || !Number.isInteger(generation)) return undefined;
  const view: View = textOf(body, "view") === "yaml" ? "yaml" : "form";
  const common = { uid, generation, base, view };
  const whole = jsonOf(textOf(body, "said"));
  if (whole !== undefined) return { ...common, said: whole, yaml: yamlOf(whole), problems: [] };
  const yaml = textOf(body, "yaml");
  if (view === "yaml" && yaml !== undefined) {
    const { spec, problems } = readYaml(yaml);
    return { ...common, said: spec ?? base, yaml, problems };
  }
  const said = formSaid(body, type);
  return { ...common, said, yaml: yamlOf(said), problems: [] };
}

/** What the form has no fields for comes along beside them. */
export function keptOf({ worker }: Said): Said {
  return isRecord(worker)
    ? Object.fromEntries(Object.entries(worker).filter(([name]) => keptNames.includes(name)))
    : {};
}

function formSaid(body: Body, type: WorkflowType): Said {
  const spec = specOfForm(body, type);
  const worker = isRecord(spec["worker"]) ? spec["worker"] : {};
  const kept = keptOf({ worker: jsonOf(textOf(body, "kept")) });
  return { type, ...spec, worker: { ...worker, ...kept } };
}

function jsonOf(text: string | undefined): Said | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    // No page of this server wrote it.
    return undefined;
  }
}
