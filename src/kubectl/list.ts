import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { apiGroup, apiVersion } from "../api/group.ts";
import { workflowStates } from "../api/workflow-states.ts";
import { isInvalid } from "../kubernetes/errors.ts";
import { createInformer } from "../kubernetes/informer.ts";
import { notesOf } from "../steering/glance.ts";
import { deadLetters, inWords, secondsToDrain } from "../steering/outlook.ts";
import { byPlace, type LiveWorkflow, workflows } from "../steering/workflow.ts";
import {
  type CommonFlags,
  type Context,
  endingOnRefusal,
  isKindUnknown,
  notInstalled,
  type Surroundings,
  withCluster,
  withCommonFlags,
} from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { asData, type Form, isData, state, styled, type Voice, widthOf } from "./output.ts";
import { lineOf, type Row, tableWithin, widthsOf } from "./table.ts";
import { age, count, plain } from "./words.ts";

interface ListFlags extends CommonFlags {
  readonly allNamespaces?: true;
  readonly selector?: string;
  readonly state?: string;
  readonly watch?: true;
}

export function listCommand(program: Command, surroundings: Surroundings): Command {
  return withCommonFlags(program.command("list"))
    .alias("ls")
    .description("all workflows: state, backlog, edits that wait for a restart")
    .option("-A, --all-namespaces", "of the whole cluster")
    .option("-l, --selector <labels>", "only those with these labels")
    .addOption(new Option("--state <word>", "only those that are in this state").argParser(stateOf))
    .option("-w, --watch", "go on, and print each workflow again when it changes")
    .action((flags: ListFlags) =>
      withCluster(surroundings, flags, (context) =>
        (flags.watch === true ? watchList(context, flags) : printList(context, flags)).catch((error: unknown) => {
          throw explained(error, flags);
        }),
      ),
    );
}

function stateOf(text: string): string {
  const word = text.toUpperCase();
  if (workflowStates.some((known) => known === word)) return word;
  throw new InvalidArgumentError(`It is one of ${workflowStates.join(", ")}.`);
}

function explained(error: unknown, { selector }: ListFlags): unknown {
  if (isKindUnknown(error)) return notInstalled(error);
  // Of all that is sent along, only the labels may be anything.
  if (selector === undefined || !isInvalid(error)) return error;
  return new CommandError(`--selector ${plain(selector)}: ${plain(error.said)}`, exitCodes.usage, { cause: error });
}

async function printList(context: Context, flags: ListFlags): Promise<void> {
  const { cluster, out, signal } = context;
  const { items } = await cluster.reader.list(workflows, queryOf(context, flags), { signal });
  const sorted = items.sort(byPlace);
  if (isData(flags.output)) {
    out.write(asData(flags.output, { apiVersion: `${apiGroup}/${apiVersion}`, kind: "List", items: sorted }));
    return;
  }
  if (sorted.length === 0) {
    context.err.write(`No workflows${placeOf(context, flags)}.\n`);
    return;
  }
  const rows = sorted.map((workflow) => rowOf(context, flags, workflow));
  out.write(tableWithin(headOf(flags), rows, widthOf(context), ["TYPE", "AGE", "DRAINS IN"]));
}

function placeOf({ cluster }: Context, { allNamespaces, selector, state: word }: ListFlags): string {
  const such = selector === undefined && word === undefined ? "" : " of that kind";
  return `${such}${allNamespaces ? "" : ` in namespace ${cluster.namespace}`}`;
}

async function watchList(given: Context, flags: ListFlags): Promise<void> {
  const context = endingOnRefusal(given);
  const { cluster, out, err, logger, outputClosed } = context;
  const signal = AbortSignal.any([context.signal, outputClosed]);
  const { namespace, labelSelector, fieldSelector } = queryOf(context, flags);
  // A list that is refused is refused for good: say so instead of asking for ever.
  await cluster.reader.listPage(workflows, { ...queryOf(context, flags), limit: 1 }, { signal });
  const informer = createInformer({
    client: cluster.reader,
    kind: workflows,
    namespaces: namespace === undefined ? [] : [namespace],
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    project: (workflow: LiveWorkflow) => workflow,
    logger,
  });
  const printer = new Printer(context, flags);
  informer.synced.then(
    () => {
      const present = [...informer.cache.values()].sort(byPlace);
      if (present.length === 0) err.write(`No workflows${placeOf(context, flags)} yet.\n`);
      for (const line of printer.begin(present)) out.write(line);
      informer.cache.subscribe(({ type, object }) => out.write(printer.next(object, type === "delete")));
    },
    () => {},
  );
  await informer.run(signal);
  // Ctrl-C is how one stops watching, and `| head` how one stops reading: anything else is told.
  if (!given.signal.aborted && !outputClosed.aborted) throw signal.reason;
}

/** Prints each workflow when something of it changed that a person sees; what follows stands below what came first. */
class Printer {
  readonly #context: Context;
  readonly #flags: ListFlags;
  readonly #shown = new Map<string, string>();
  #widths: readonly number[] = [];

  constructor(context: Context, flags: ListFlags) {
    this.#context = context;
    this.#flags = flags;
  }

  begin(present: readonly LiveWorkflow[]): readonly string[] {
    if (isData(this.#flags.output)) return present.map((workflow) => this.next(workflow, false));
    const rows = present.map((workflow) => rowOf(this.#context, this.#flags, workflow));
    this.#widths = widthsOf([headOf(this.#flags), ...rows]);
    return [lineOf(headOf(this.#flags), this.#widths), ...present.map((workflow) => this.next(workflow, false))];
  }

  /** @returns "" when nothing is new */
  next(workflow: LiveWorkflow, isGone: boolean): string {
    const { output } = this.#flags;
    if (output === "json") return `${JSON.stringify(workflow)}\n`;
    if (output === "yaml") return `---\n${asData("yaml", workflow)}`;
    const row = rowOf(this.#context, this.#flags, workflow, isGone);
    const key = `${workflow.metadata.namespace}/${workflow.metadata.name}`;
    const same = row.slice(0, -1).join("\t");
    if (this.#shown.get(key) === same) return "";
    if (isGone) this.#shown.delete(key);
    else this.#shown.set(key, same);
    this.#widths = widthsOf([row]).map((width, column) => Math.max(width, this.#widths[column] ?? 0));
    return lineOf(row, this.#widths);
  }
}

function queryOf({ cluster }: Context, { allNamespaces, selector, state: word }: ListFlags) {
  return {
    namespace: allNamespaces ? undefined : cluster.namespace,
    labelSelector: selector,
    fieldSelector: word === undefined ? undefined : `status.state=${word}`,
  };
}

function headOf({ allNamespaces, output }: ListFlags): Row {
  return [
    ...(allNamespaces ? ["NAMESPACE"] : []),
    "NAME",
    "TYPE",
    "STATE",
    "BACKLOG",
    "DRAINS IN",
    "RESTART",
    ...(output === "wide" ? ["REASON", "DEAD", "LAST SYNC", "REVISION"] : []),
    "NOTE",
    "AGE",
  ];
}

function rowOf(
  context: Voice & Pick<Context, "now">,
  flags: { readonly allNamespaces?: true; readonly output?: Form },
  workflow: LiveWorkflow,
  isGone = false,
): Row {
  const { metadata, spec, status = {} } = workflow;
  const nowMs = context.now();
  const drains = status.state === "RUNNING" ? secondsToDrain(status.mappings ?? []) : undefined;
  const dead = deadLetters(status.mappings ?? []);
  return [
    ...(flags.allNamespaces ? [metadata.namespace] : []),
    metadata.name,
    spec.type,
    isGone ? "(gone)" : state(context, status.state ?? "-"),
    `${status.backlogEstimated ? "~" : ""}${count(status.backlog)}`,
    drains === undefined ? "-" : inWords(drains),
    status.pendingRestart ? styled(context, "yellow", "pending") : "-",
    ...(flags.output === "wide"
      ? [
          status.conditions?.find(({ type }) => type === "Ready")?.reason ?? "-",
          count(dead),
          status.lastSyncTime === undefined ? "-" : `${age(status.lastSyncTime, nowMs)} ago`,
          status.appliedRevision?.name ?? "-",
        ]
      : []),
    notesOf(status).map(plain).join(", ") || "-",
    age(metadata.creationTimestamp, nowMs),
  ];
}
