import { type Command, InvalidArgumentError, Option } from "commander";
import { ApiError, ConnectionError, isForbidden, isNotFound, isUnauthorized } from "../kubernetes/errors.ts";
import { type LiveWorkflow, workflows } from "../steering/workflow.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Cluster, type ClusterFlags, openCluster } from "./cluster.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { type Form, forms, type Voice } from "./output.ts";
import { plain } from "./words.ts";

/** What every command is given: a cluster, a place to speak, and when to stop. */
export interface Context extends Voice {
  readonly cluster: Cluster;
  readonly signal: AbortSignal;
  /** Nobody reads what is answered any more, as behind `| head`. */
  readonly outputClosed: AbortSignal;
  readonly clock: Clock;
  now(): number;
  /** Faults that go on by themselves are told on the standard error. */
  readonly logger: Logger;
}

export interface Surroundings extends Voice {
  readonly signal: AbortSignal;
  readonly outputClosed: AbortSignal;
  readonly clock: Clock;
  now(): number;
}

/** Runs a command with an open cluster, and closes it. */
export async function withCluster<T>(
  surroundings: Surroundings,
  flags: ClusterFlags,
  act: (context: Context) => Promise<T>,
): Promise<T> {
  const cluster = openCluster(flags);
  try {
    return await act({ ...surroundings, cluster, logger: warningsTo(surroundings) });
  } catch (error) {
    if (!(error instanceof ConnectionError) && !isUnauthorized(error)) throw error;
    const said =
      error instanceof ApiError ? "the API server does not accept who you are: sign in again" : error.message;
    throw new CommandError(
      `${plain(said)}\nThat is ${plain(cluster.origin)}: if you mean another cluster, see kubectl config get-contexts`,
      exitCodes.failed,
      { cause: error },
    );
  } finally {
    await cluster.close();
  }
}

/** For what goes on and on: a watch that is refused is refused for good, so the signal ends it, with the refusal. */
export function endingOnRefusal(context: Context): Context {
  const { logger, signal } = context;
  const refused = new AbortController();
  const warn: Logger["warn"] = (event, fields) => {
    const error = fields?.["error"];
    if (isForbidden(error) || isUnauthorized(error)) refused.abort(error);
    else logger.warn(event, fields);
  };
  return { ...context, signal: AbortSignal.any([signal, refused.signal]), logger: { ...logger, warn } };
}

/** @throws CommandError when it is not there or may not be read */
export async function readWorkflow({ cluster, signal }: Context, name: string): Promise<LiveWorkflow> {
  const { namespace } = cluster;
  try {
    return await cluster.reader.get(workflows, { namespace, name }, { signal });
  } catch (error) {
    if (isKindUnknown(error)) throw notInstalled(error);
    if (!isNotFound(error)) throw error;
    const message = `there is no workflow ${plain(name)} in namespace ${namespace}: see kubectl iw list -A`;
    throw new CommandError(message, exitCodes.notFound, { cause: error });
  }
}

/** Of a kind that it does not know, the API server says so in plain text, without a reason. */
export function isKindUnknown(error: unknown): error is ApiError {
  return isNotFound(error) && error.reason === "";
}

export function notInstalled(cause: ApiError): CommandError {
  const message =
    "this cluster has no IntegrationWorkflows: is the operator installed, and is it the cluster you mean?";
  return new CommandError(`${message} See kubectl config current-context`, exitCodes.notFound, { cause });
}

/** A refusal as the person has to hear it: which right is missing, which field is wrong. */
export function refusalOf(error: unknown): CommandError | undefined {
  if (error instanceof CommandError) return error;
  if (!(error instanceof ApiError)) return undefined;
  const said = plain(error.said);
  if (error.status === 403) return forbiddenBy(said, error);
  const causes = (error.details?.causes ?? []).map(({ field = "", message = "" }) => `  ${field}: ${plain(message)}`);
  return new CommandError(causes.length < 2 ? said : ["refused:", ...causes].join("\n"), exitCodes.failed, {
    cause: error,
  });
}

/** @param said the API server's sentence: it names the person, the verb, the resource and the namespace */
export function forbiddenBy(said: string, cause?: unknown): CommandError {
  const remedy =
    "Ask whoever administers the cluster for this right; what you may is told by: kubectl auth can-i --list";
  return new CommandError(`${said}\n${remedy}`, exitCodes.forbidden, { cause });
}

function warningsTo({ err }: Voice): Logger {
  const tell = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const { error } = fields;
    err.write(`warning: ${event}${error instanceof Error ? `: ${plain(error.message)}` : ""}\n`);
  };
  const logger: Logger = { debug: () => {}, info: () => {}, warn: tell, error: tell, child: () => logger };
  return logger;
}

/** Flags of every command, in front of its name or behind it. */
export interface CommonFlags extends ClusterFlags {
  readonly output?: Form;
}

export function withClusterFlags(command: Command): Command {
  return command
    .option("-n, --namespace <name>", "the namespace; else the one of the context", namespaceName)
    .option("--context <name>", "a context of the kubeconfig; else its current one")
    .option("--kubeconfig <file>", "which kubeconfig; else KUBECONFIG, else ~/.kube/config");
}

export function withCommonFlags(command: Command): Command {
  return withClusterFlags(command).addOption(new Option("-o, --output <form>", "how to answer").choices([...forms]));
}

/** A command about one workflow: `<name>` comes first. */
export function aboutOne(program: Command, words: string, description: string): Command {
  return program.command(words).description(description).argument("<name>", "of a workflow", workflowName);
}

/** @throws InvalidArgumentError for what no object of Kubernetes is called */
function workflowName(text: string): string {
  if (text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text)) return text;
  throw new InvalidArgumentError("Names have lower case letters, digits, - and . only.");
}

/** @throws InvalidArgumentError */
function namespaceName(text: string): string {
  if (text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError("Namespaces have lower case letters, digits and - only.");
}

/** `30s`, `5m`, `1h`, or seconds. @throws InvalidArgumentError */
export function duration(text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (number === undefined) throw new InvalidArgumentError(`"${text}" is no length of time such as 30s, 5m or 1h`);
  return Number(number) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit as "ms" | "s" | "m" | "h"]; // The pattern has no other.
}
