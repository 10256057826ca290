import type { Command } from "commander";
import { type EffectiveSpec, effectiveSpec } from "../api/configuration.ts";
import { type Difference, differences, schemaLists } from "../api/difference.ts";
import { groupVersion, kind } from "../api/group.ts";
import { spec as specSchema } from "../api/integration-workflow.ts";
import { changedBy } from "../steering/changed-by.ts";
import { EditedMeanwhileError, editWorkflow } from "../steering/edit.ts";
import { foreignFields } from "../steering/foreign-fields.ts";
import { asOfRevision, backTo, type RecordedRun, RevisionError, revisionSpec, runsOf } from "../steering/revisions.ts";
import type { LiveWorkflow } from "../steering/workflow.ts";
import {
  aboutOne,
  type CommonFlags,
  type Context,
  readWorkflow,
  type Surroundings,
  withCluster,
  withCommonFlags,
} from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { asData, isData, widthOf } from "./output.ts";
import { changeText, pendingText } from "./pending.ts";
import { howToOverrule, overruleOption, serverOnly } from "./switching.ts";
import { tableWithin } from "./table.ts";
import { age, plain } from "./words.ts";

export function diffCommand(program: Command, surroundings: Surroundings): Command {
  const description = "edits that wait for a stop and start: what runs, what would, and who changed it";
  return withCommonFlags(aboutOne(program, "diff", description)).action((name: string, flags: CommonFlags) =>
    withCluster(surroundings, flags, async (context) => {
      const workflow = await readWorkflow(context, name);
      if (isData(flags.output)) {
        const changes = workflow.status?.pendingChanges ?? [];
        const told = changes.map((change) => ({ ...change, changedBy: changedBy(workflow, change) ?? null }));
        context.out.write(asData(flags.output, told));
        return;
      }
      const text = pendingText({ ...context, hint: context.cluster.hint }, workflow);
      context.out.write(text === "" ? `${name}: nothing waits; what runs is what the spec says\n` : text);
    }),
  );
}

interface HistoryFlags extends CommonFlags {
  readonly revision?: string;
}

export function historyCommand(program: Command, surroundings: Surroundings): Command {
  return withCommonFlags(aboutOne(program, "history", "its runs and the revision that each ran"))
    .option(
      "--revision <revision>",
      "the workflow as it would be with what a revision, or the run of a number, ran: to apply, or to commit",
    )
    .action((name: string, flags: HistoryFlags) =>
      withCluster(surroundings, flags, async (context) => {
        const { out, cluster } = context;
        const workflow = await readWorkflow(context, name);
        const runs = await runsOf(cluster.reader, workflow);
        if (flags.revision !== undefined) {
          const { revision } = await revisionNamed(context, workflow, runs, flags.revision);
          out.write(asData(flags.output === "json" ? "json" : "yaml", manifestOf(workflow, revision)));
          return;
        }
        if (isData(flags.output)) {
          out.write(asData(flags.output, runs));
          return;
        }
        if (runs.length === 0) {
          out.write(`${name} was never started\n`);
          return;
        }
        const rows = runs.map(({ run, pin, generation, startedAt, active }) => [
          String(run),
          pin,
          String(generation),
          `${age(startedAt, context.now())} ago`,
          active ? "runs" : "",
        ]);
        out.write(
          tableWithin(["RUN", "REVISION", "GENERATION", "STARTED", ""], rows, widthOf(context), ["GENERATION"]),
        );
        const what = cluster.hint(`rollback ${name} --to REVISION --dry-run=server`);
        out.write(`What a revision would change: ${what}\n`);
      }),
    );
}

function manifestOf(workflow: LiveWorkflow, revision: EffectiveSpec): object {
  const { name, namespace } = workflow.metadata;
  return { apiVersion: groupVersion, kind, metadata: { name, namespace }, spec: asOfRevision(revision, workflow) };
}

/** @param asked a revision, or the number of a run */
async function revisionNamed(
  { cluster }: Context,
  workflow: LiveWorkflow,
  runs: readonly RecordedRun[],
  asked: string,
): Promise<{ readonly pin: string; readonly revision: EffectiveSpec }> {
  const { name } = workflow.metadata;
  const known = cluster.hint(`history ${name}`);
  const pin = /^\d+$/.test(asked) ? runs.find(({ run }) => run === Number(asked))?.pin : asked;
  if (pin === undefined) throw new CommandError(`${name} has no run ${asked}: see ${known}`, exitCodes.notFound);
  const revision = await revisionSpec(cluster.reader, workflow, pin).catch((error: unknown) => {
    if (!(error instanceof RevisionError)) throw error;
    throw new CommandError(`${plain(error.message)}; see ${known}`, exitCodes.notFound, { cause: error });
  });
  return { pin, revision };
}

interface RollbackFlags extends CommonFlags {
  readonly to: string;
  readonly dryRun?: true;
  readonly overrule: readonly string[];
}

export function rollbackCommand(program: Command, surroundings: Surroundings): Command {
  const description = "edits it back to what a revision ran; a running workflow takes it at its next start";
  return withCommonFlags(aboutOne(program, "rollback", description))
    .requiredOption("--to <revision>", "a revision of its history, or the number of a run")
    .option("--dry-run [server]", "show what would change, let the server check it, and change nothing", serverOnly)
    .addOption(overruleOption())
    .action((name: string, flags: RollbackFlags) =>
      withCluster(surroundings, flags, (context) => rollback(context, name, flags)),
    );
}

async function rollback(context: Context, name: string, flags: RollbackFlags): Promise<void> {
  const { cluster, out } = context;
  const workflow = await readWorkflow(context, name);
  const runs = await runsOf(cluster.reader, workflow);
  const { pin, revision } = await revisionNamed(context, workflow, runs, flags.to);
  const changes = differences(effectiveSpec(workflow.spec), revision, schemaLists, specSchema);
  if (changes.length === 0) {
    out.write(isData(flags.output) ? asData(flags.output, workflow) : `${name} says what ${pin} ran already\n`);
    return;
  }
  const edited = await edit(context, workflow, backTo(revision, workflow), { ...flags, changes });
  if (isData(flags.output)) {
    out.write(asData(flags.output, edited));
    return;
  }
  const shown = (value: unknown) =>
    value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value);
  for (const { path, from, to } of changes) out.write(changeText(context, { path, from: shown(from), to: shown(to) }));
  const isRunning = workflow.spec.state === "Running";
  out.write(
    flags.dryRun === true
      ? "nothing was changed (server dry run)\n"
      : `${name} is edited back to ${pin}${isRunning ? `; it takes force by: ${cluster.hint(`restart ${name}`)}` : ""}\n`,
  );
}

interface EditFlags {
  readonly changes: readonly Difference[];
  readonly dryRun?: boolean;
  readonly overrule: readonly string[];
}

/** @throws CommandError when a pipeline has one of the fields and is not overruled, or somebody else was quicker */
export async function edit(
  { cluster, signal }: Context,
  workflow: LiveWorkflow,
  steps: Parameters<typeof editWorkflow>[2],
  { changes, dryRun = false, overrule }: EditFlags,
): Promise<LiveWorkflow> {
  const foreign = foreignFields(workflow, changes).filter(({ manager }) => !overrule.includes(manager));
  const [first] = foreign;
  if (first !== undefined) {
    const more = foreign.length === 1 ? "" : ` (and ${foreign.length - 1} more)`;
    const whose = `spec.${plain(first.path)}${more} belongs to "${plain(first.manager)}", which may put it back: change it there, or say that it is to be overruled`;
    throw new CommandError(`${whose}\n${howToOverrule(foreign)}`, exitCodes.failed);
  }
  return editWorkflow(cluster.editor, workflow, steps, { dryRun, signal }).catch((error: unknown) => {
    if (!(error instanceof EditedMeanwhileError)) throw error;
    throw new CommandError(plain(error.message), exitCodes.failed, { cause: error });
  });
}
