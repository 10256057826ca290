import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { follow, type Look, reaching, WaitTimeoutError } from "../steering/follow.ts";
import { FieldOwnedError, type SwitchAsked, switchWorkflow } from "../steering/switch.ts";
import type { LiveWorkflow } from "../steering/workflow.ts";
import {
  aboutOne,
  type CommonFlags,
  type Context,
  duration,
  endingOnRefusal,
  readWorkflow,
  type Surroundings,
  withCluster,
  withCommonFlags,
} from "./context.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { asData, isData } from "./output.ts";
import { plain } from "./words.ts";

export interface SwitchFlags extends CommonFlags {
  readonly wait?: true;
  readonly timeout: number;
  readonly dryRun?: true;
  readonly overrule: readonly string[];
}

export function switchCommands(program: Command, surroundings: Surroundings): void {
  switching(program, "start", "asks for it to run; records move when it is RUNNING").action(
    (name: string, flags: SwitchFlags) => run(surroundings, name, flags, () => ({ state: "Running" })),
  );
  switching(program, "stop", "asks for it to stop; what is queued is kept, and goes on at the next start").action(
    (name: string, flags: SwitchFlags) => run(surroundings, name, flags, () => ({ state: "Stopped" })),
  );
  switching(program, "restart", "one stop and one start, which bring edits into force").action(
    (name: string, flags: SwitchFlags) =>
      run(surroundings, name, flags, (workflow, { cluster }) => {
        if (workflow.spec.state === "Running") return { restart: new Date(surroundings.now()).toISOString() };
        throw new CommandError(
          `${name} is stopped: a start brings edits into force: ${cluster.hint(`start ${name}`)}`,
          exitCodes.failed,
        );
      }),
  );
}

function switching(program: Command, name: string, description: string): Command {
  return withSwitchFlags(withCommonFlags(aboutOne(program, name, description)));
}

export function withSwitchFlags(command: Command): Command {
  return command
    .option("--wait", "end when it is so, or cannot be")
    .addOption(
      new Option("--timeout <length>", "how long to wait: 30s, 5m").argParser(duration).default(600_000, "10m"),
    )
    .option("--dry-run [server]", "let the server check it and change nothing", serverOnly)
    .addOption(overruleOption());
}

/** Repeatable. */
export function overruleOption(): Option {
  return new Option("--overrule <manager>", "change it although this field manager set it")
    .argParser((one: string, before: readonly string[] = []) => [...before, one])
    .default([], "none");
}

export function serverOnly(value: string): true {
  if (value === "server") return true;
  throw new InvalidArgumentError("Only the server can tell: --dry-run=server.");
}

async function run(
  surroundings: Surroundings,
  name: string,
  flags: SwitchFlags,
  wanted: (workflow: LiveWorkflow, context: Context) => SwitchAsked,
): Promise<void> {
  await withCluster(surroundings, flags, async (context) => {
    const workflow = await readWorkflow(context, name);
    await switchAndWait(context, workflow, wanted(workflow, context), flags);
  });
}

/** Asks, says what was asked, and waits if it is to. @param before as it was read: if its spec stays so, that is said */
export async function switchAndWait(
  context: Context,
  before: LiveWorkflow,
  asked: SwitchAsked,
  flags: SwitchFlags,
): Promise<void> {
  const { out } = context;
  const { name } = before.metadata;
  const workflow = await ask(context, name, asked, flags);
  const verb = asked.restart === undefined ? (asked.state === "Running" ? "start" : "stop") : "restart";
  const isSame = workflow.metadata.generation === before.metadata.generation;
  const suffix = flags.dryRun === true ? " (server dry run)" : "";
  if (!isData(flags.output))
    out.write(
      `${name}: ${isSame && flags.dryRun !== true ? `was asked to ${verb} already` : `asked to ${verb}`}${suffix}\n`,
    );
  if (flags.wait !== true || flags.dryRun === true) {
    if (isData(flags.output)) out.write(asData(flags.output, workflow));
    return;
  }
  const end = await settled(context, workflow, flags.timeout);
  if (isData(flags.output)) out.write(asData(flags.output, end));
}

/** Asks, and no more. @throws CommandError when somebody else says whether it runs; ApiError, ConnectionError */
export async function ask(
  { cluster, signal }: Context,
  name: string,
  asked: SwitchAsked,
  { overrule, dryRun = false }: Pick<SwitchFlags, "overrule"> & { readonly dryRun?: boolean },
): Promise<LiveWorkflow> {
  const ref = { namespace: cluster.namespace, name };
  return switchWorkflow(cluster.switcher, ref, asked, { overrule, dryRun, signal }).catch((error: unknown) => {
    if (!(error instanceof FieldOwnedError)) throw error;
    throw new CommandError(`${plain(error.message)}\n${howToOverrule(error.owners)}`, exitCodes.failed, {
      cause: error,
    });
  });
}

export function howToOverrule(owners: readonly { readonly manager: string }[]): string {
  const managers = [...new Set(owners.map(({ manager }) => manager))];
  return `To overrule it once: add${managers.map((manager) => ` --overrule ${plain(manager)}`).join("")}`;
}

/** Waits until the workflow is as its spec asks. @throws CommandError with the exit code that says how it ended */
export async function settled(context: Context, asked: LiveWorkflow, timeoutMs: number): Promise<LiveWorkflow> {
  const { generation } = asked.metadata;
  const judge = reaching(
    { state: asked.spec.state, generation, restart: asked.spec.state === "Running" ? asked.spec.restart : undefined },
    context.clock,
  );
  const { outcome, workflow } = await watched(context, asked, judge, timeoutMs);
  const { name } = asked.metadata;
  if (outcome === "Gone" || workflow === undefined)
    throw new CommandError(`${name} was deleted meanwhile`, exitCodes.notFound);
  if (outcome === "Failed") {
    const { reason = "Unknown", message = "" } = workflow.status?.failure ?? {};
    const help = `What to do: ${context.cluster.hint(`status ${name}`)}`;
    throw new CommandError(`${name} FAILED: ${reason}: ${plain(message)}\n${help}`, exitCodes.workflowFailed);
  }
  return workflow;
}

/** Follows a workflow until the judge says that it is over, and tells each of its states once. */
export async function watched<End>(
  context: Context,
  { metadata }: LiveWorkflow,
  judge: (workflow: LiveWorkflow | undefined) => Look<End>,
  timeoutMs: number,
): Promise<End> {
  const { cluster, err, signal, clock, logger } = endingOnRefusal(context);
  const { namespace, name, generation } = metadata;
  let told = "";
  return follow(
    cluster.reader,
    { namespace, name },
    (seen) => {
      const ready = seen?.status?.conditions?.find(({ type }) => type === "Ready");
      const line = `${name}: ${seen?.status?.state ?? "-"}  ${plain(ready?.message ?? "")}`;
      if (line !== told && seen !== undefined && (seen.status?.observedGeneration ?? -1) >= generation)
        err.write(`${line}\n`);
      told = line;
      return judge(seen);
    },
    { timeoutMs, signal, logger, clock },
  ).catch((error: unknown) => {
    const goesOn = `it goes on by itself: ${cluster.hint(`status ${name}`)}`;
    if (context.signal.aborted)
      throw new CommandError(`nobody waits for ${name} any more; ${goesOn}`, exitCodes.interrupted);
    if (!(error instanceof WaitTimeoutError)) throw error;
    throw new CommandError(`${error.message}; ${goesOn}`, exitCodes.timeout, { cause: error });
  });
}
