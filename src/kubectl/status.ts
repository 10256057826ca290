import type { Command } from "commander";
import { isForbidden } from "../kubernetes/errors.ts";
import { inWords, type Outlook, outlookOf, secondsToDrain } from "../steering/outlook.ts";
import { type RecentEvent, recentEvents } from "../steering/recent-events.ts";
import type { LiveWorkflow } from "../steering/workflow.ts";
import type { Cluster } from "./cluster.ts";
import {
  aboutOne,
  type CommonFlags,
  type Context,
  readWorkflow,
  type Surroundings,
  withCluster,
  withCommonFlags,
} from "./context.ts";
import { asData, isData, state, styled, widthOf } from "./output.ts";
import { pendingText } from "./pending.ts";
import { paragraph, tableWithin } from "./table.ts";
import { age, count, plain } from "./words.ts";
import { lastWords, type Pod, podsOf, workerRow } from "./workers.ts";

const mostLines = 6;

export function statusCommand(program: Command, surroundings: Surroundings): Command {
  const description = "one workflow on one screen: why it is as it is, and what to do";
  return withCommonFlags(aboutOne(program, "status", description)).action((name: string, flags: CommonFlags) =>
    withCluster(surroundings, flags, async (context) => {
      const workflow = await readWorkflow(context, name);
      if (isData(flags.output)) {
        context.out.write(asData(flags.output, { ...outlookOf(workflow), status: workflow.status ?? {} }));
        return;
      }
      const { cluster, signal } = context;
      const [told, workers] = await Promise.all([
        ifAllowed(recentEvents(cluster.reader, workflow, signal)),
        ifAllowed(podsOf(context, name)),
      ]);
      context.out.write(statusPage({ ...context, hint: cluster.hint }, workflow, told, workers));
    }),
  );
}

/** Undefined when the person may not read them. */
function ifAllowed<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (isForbidden(error)) return undefined;
    throw error;
  });
}

/** What a page is written for. */
export type Screen = Pick<Context, "out" | "now"> & Pick<Cluster, "hint">;

/** @param told,workers undefined when the person may not read them */
export function statusPage(
  context: Screen,
  workflow: LiveWorkflow,
  told: readonly RecentEvent[] | undefined,
  workers: readonly Pod[] | undefined,
): string {
  const { metadata, spec, status = {} } = workflow;
  const width = widthOf(context);
  const nowMs = context.now();
  const outlook = outlookOf(workflow);
  const bold = (text: string) => styled(context, "bold", text);
  const since = outlook.since === undefined ? "" : ` for ${age(outlook.since, nowMs)}`;
  const drains = status.state === "RUNNING" ? secondsToDrain(status.mappings ?? []) : undefined;
  const trend = drains === undefined || !status.backlog ? "" : `, written in about ${inWords(drains)}`;
  const head = [
    `${bold(`${metadata.namespace}/${metadata.name}`)}   ${spec.type}   ${state(context, outlook.state)}${since}   asked: ${spec.state}\n`,
    paragraph(plain(outlook.message), width),
    paragraph(
      `Backlog ${status.backlogEstimated ? "about " : ""}${count(status.backlog)}${trend}   last sync ${lastSync(status.lastSyncTime, nowMs)}   ${revision(workflow)}`,
      width,
    ),
  ];
  return [
    head.join(""),
    section(bold("What to do"), adviceLines(context, outlook)),
    section(bold("Mappings"), mappingsTable(context, workflow)),
    section(bold("Pending changes"), pendingText(context, workflow, mostLines)),
    section(bold("Workers"), workersTable(context, workers)),
    section(bold("Transitions"), transitionsTable(context, workflow)),
    section(bold("Events"), eventsTable(context, told)),
  ].join("");
}

function section(title: string, text: string): string {
  return text === "" ? "" : `\n${title}\n${text.replace(/^(?=.)/gm, "  ")}`;
}

function lastSync(time: string | undefined, nowMs: number): string {
  return time === undefined ? "never" : `${age(time, nowMs)} ago`;
}

function revision({ status }: LiveWorkflow): string {
  const applied = status?.appliedRevision;
  return applied === undefined ? "never started" : `run ${applied.run} of ${applied.name}`;
}

/** What stands below a heading is two columns in. */
function insideOf(context: Screen): number | undefined {
  const width = widthOf(context);
  return width && width - 2;
}

/** The operator's message stands above already. */
function adviceLines(context: Screen, { advice, message }: Outlook): string {
  const width = insideOf(context);
  return advice
    .map(({ message: text, reason, command }) => {
      const page = reason === undefined ? "" : `(${reason}: see the page "Troubleshoot")`;
      const said = [text === message ? "" : plain(text), page].filter((part) => part !== "").join(" ");
      // On a line of its own, so that it can be copied.
      const help = command === undefined ? "" : `  -> ${context.hint(command)}\n`;
      return `${said === "" ? "" : paragraph(said, width, "  ")}${help}`;
    })
    .join("");
}

function mappingsTable(context: Screen, { status }: LiveWorkflow): string {
  const { mappings = [] } = status ?? {};
  if (mappings.length === 0) return "";
  const nowMs = context.now();
  return tableWithin(
    ["NAME", "PHASE", "BACKLOG", "PER SECOND", "DRAINS IN", "READ", "WRITTEN", "REFUSED", "LAST SYNC"],
    mappings.map((mapping) => [
      plain(mapping.name),
      mapping.phase ?? "-",
      count(mapping.backlog),
      count(mapping.recordsPerSecond),
      mapping.secondsToDrain === undefined || !mapping.backlog ? "-" : inWords(mapping.secondsToDrain),
      readOf(mapping),
      count(mapping.written),
      count(mapping.deadLettered),
      lastSync(mapping.lastSyncTime, nowMs),
    ]),
    insideOf(context),
    ["READ", "PER SECOND", "WRITTEN", "LAST SYNC"],
  );
}

/** Last words may be long, so they stand below. */
function workersTable(context: Screen, workers: readonly Pod[] | undefined): string {
  if (workers === undefined) return "(you may not list pods in this namespace)\n";
  if (workers.length === 0) return "";
  const width = insideOf(context);
  const rows = workers.map(workerRow);
  const [head, ...lines] = tableWithin(["POD", "IS", "RESTARTS", "NODE"], rows, width, ["NODE", "RESTARTS"])
    .trimEnd()
    .split("\n");
  const told = workers.map((pod, index) => {
    const words = lastWords(pod, context.now());
    return `${lines[index]}\n${words === undefined ? "" : paragraph(`  last words: ${words}`, width, "    ")}`;
  });
  return `${head}\n${told.join("")}`;
}

function readOf({ read, reading }: NonNullable<NonNullable<LiveWorkflow["status"]>["mappings"]>[number]): string {
  if (reading?.estimatedTotal === undefined) return count(reading?.read ?? read);
  return `${count(reading.read)} of ${count(reading.estimatedTotal)}`;
}

function transitionsTable(context: Screen, { status }: LiveWorkflow): string {
  const { transitions = [] } = status ?? {};
  if (transitions.length === 0) return "";
  const nowMs = context.now();
  return tableWithin(
    ["WHEN", "FROM", "TO", "REASON", "REVISION"],
    transitions
      .slice(0, mostLines)
      .map(({ at, from = "-", to, reason, revision: name = "-" }) => [`${age(at, nowMs)} ago`, from, to, reason, name]),
    insideOf(context),
    ["REVISION"],
  );
}

/** A message may be long, so it stands below. */
function eventsTable(context: Screen, told: readonly RecentEvent[] | undefined): string {
  if (told === undefined) return "(you may not list events in this namespace)\n";
  const nowMs = context.now();
  return told
    .slice(0, mostLines)
    .map(({ at, type, reason, note, count: times }) => {
      const often = times > 1 ? ` (${times} times)` : "";
      return paragraph(
        `${age(at, nowMs)} ago   ${type || "-"}   ${reason || "-"}   ${plain(note)}${often}`,
        insideOf(context),
        "  ",
      );
    })
    .join("");
}
