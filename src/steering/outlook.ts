/** Why a workflow is as it is and what a person may do, from its resource alone. Pure. */
import type {
  IntegrationWorkflow,
  MappingStatus,
  Throttling,
  WorkflowCondition,
  WorkflowStatus,
} from "../api/integration-workflow.ts";

/** What is to be seen to, the most pressing first. */
export interface Advice {
  readonly about:
    | "NoOperator"
    | "Failed"
    | "Mended"
    | "Stopping"
    | "Starting"
    | "Stopped"
    | "SchemaDrift"
    | "Paused"
    | "RestartPending"
    | "DeadLetters"
    | "Throttled"
    | "Backlog";
  /** One word as the status has it; the troubleshooting page has a heading for it. */
  readonly reason?: string;
  readonly message: string;
  /** The end of a command of the plugin that helps, without the program's name: `restart contacts`. */
  readonly command?: string;
}

export interface Outlook {
  /** STOPPED, STARTING, RUNNING, FAILED, or that nobody has looked yet. */
  readonly state: string;
  /** RFC 3339. */
  readonly since: string | undefined;
  /** In the operator's own words. */
  readonly message: string;
  readonly advice: readonly Advice[];
}

/** What keeps a run from its start: the operator looks again by itself, and starts with what the workflow is then. */
const keepsFromStart = [
  "NameConflict",
  "ImageNotPermitted",
  "ServiceAccountNotPermitted",
  "FieldConflict",
  "QueueNotEmpty",
  "Refused",
];

/** What comes after the cause of a failure was mended, by itself or not. */
export function onceMended(reason: string): string {
  if (reason === "RevisionLost") return "A restart mends it, and brings in what you edited. Nothing else does";
  if (keepsFromStart.includes(reason)) {
    return "When the cause is mended, it is tried again by itself within ten seconds, as it is then";
  }
  // Pods are made by a controller of Kubernetes, which waits for up to 1,000 seconds between two tries.
  const within = reason === "PodNotCreated" ? "17" : "five";
  return `When the cause is mended, it is tried again by itself within ${within} minutes. A restart tries at once, and brings in what you edited`;
}

export function outlookOf({ metadata, spec, status = {} }: IntegrationWorkflow): Outlook {
  const { name } = metadata;
  const condition = (type: string) => status.conditions?.find((found) => found.type === type);
  const ready = condition("Ready");
  const isUnseen = (status.observedGeneration ?? -1) < 0;
  const advice: Advice[] = [];
  if (isUnseen) {
    advice.push({
      about: "NoOperator",
      reason: "Pending",
      message: "No operator has looked at it yet: is one running, and does it watch this namespace?",
    });
  }
  if (status.state === "FAILED") {
    const { reason = ready?.reason ?? "Unknown", message = ready?.message ?? "" } = status.failure ?? {};
    advice.push({ about: "Failed", reason, message, command: `logs ${name}` });
    if (spec.state === "Running")
      advice.push({ about: "Mended", message: onceMended(reason), command: `restart ${name}` });
  }
  if (ready?.reason === "Stopping") advice.push({ about: "Stopping", reason: "Stopping", message: ready.message });
  else if (status.state === "STARTING" && ready !== undefined) {
    advice.push({ about: "Starting", reason: ready.reason, message: ready.message, command: `logs ${name}` });
  }
  if (status.state === "STOPPED" && spec.state === "Stopped") {
    const kept =
      (status.backlog ?? 0) > 0
        ? ` ${(status.backlog ?? 0).toLocaleString("en-US")} records wait for the next start; none is lost.`
        : "";
    advice.push({ about: "Stopped", message: `Nothing syncs while it is stopped.${kept}`, command: `start ${name}` });
  }
  const drifts = drift(condition("SchemaDrift"));
  const told = drifts.map(({ message }) => message).join();
  advice.push(...drifts, ...paused((status.mappings ?? []).filter(({ message = "-" }) => !told.includes(message))));
  if (status.pendingRestart === true) {
    const count = status.pendingChangeCount ?? status.pendingChanges?.length ?? 0;
    advice.push({
      about: "RestartPending",
      reason: "RestartRequired",
      message: `${count === 1 ? "One edit is" : `${count} edits are`} not in force: what runs was read before. A stop and start brings it in`,
      command: `restart ${name}`,
    });
  }
  const dead = deadLetters(status.mappings ?? []);
  if (dead > 0) {
    advice.push({
      about: "DeadLetters",
      message: `${dead === 1 ? "One record was" : `${dead} records were`} refused for good, each with a reason`,
      command: `dead list ${name}`,
    });
  }
  advice.push(...slow(status, condition("Throttled")));
  return {
    state: status.state ?? "not seen yet",
    since: ready?.reason === "Pending" ? undefined : (status.transitions?.[0]?.at ?? ready?.lastTransitionTime),
    message: ready?.message ?? "",
    advice,
  };
}

function drift(condition: WorkflowCondition | undefined): Advice[] {
  if (condition?.status !== "True") return [];
  return [{ about: "SchemaDrift", reason: condition.reason, message: condition.message }];
}

function paused(mappings: readonly MappingStatus[]): Advice[] {
  return mappings
    .filter(({ phase }) => phase === "Paused")
    .map(({ name, reason, message }) => ({
      about: "Paused",
      ...(reason === undefined ? {} : { reason }),
      message: [`${name} is paused; its rows stay queued`, message].filter(Boolean).join(": "),
    }));
}

/** Records that were refused for good. */
export function deadLetters(mappings: readonly MappingStatus[]): number {
  return mappings.reduce((sum, { deadLettered = 0 }) => sum + deadLettered, 0);
}

/** The slowest mapping says when all is written; one that nobody can tell of says nothing. */
export function secondsToDrain(mappings: readonly MappingStatus[]): number | undefined {
  const waiting = mappings.filter(({ backlog: waits = 0 }) => waits > 0);
  if (waiting.length === 0 || waiting.some(({ secondsToDrain: seconds }) => seconds === undefined)) return undefined;
  return Math.max(...waiting.map(({ secondsToDrain: seconds = 0 }) => seconds));
}

/** What waits, until when, and who holds it back. */
function slow(
  { state, backlog = 0, mappings = [], throttling = [] }: WorkflowStatus,
  held?: WorkflowCondition,
): Advice[] {
  const waits = state === "RUNNING" && backlog > 0 ? [waiting(backlog, mappings)] : [];
  // One's own bound is nobody's trouble while nothing waits for it.
  const isTold = held?.status === "True" && (held.reason !== "ConfiguredLimit" || waits.length > 0);
  if (held === undefined || !isTold) return waits.map((message) => ({ about: "Backlog", message }));
  const message = [held.message, ...throttling.map(heldBack), ...waits].join(". ");
  return [{ about: "Throttled", reason: held.reason, message }];
}

function waiting(records: number, mappings: readonly MappingStatus[]): string {
  const seconds = secondsToDrain(mappings);
  const when =
    seconds === undefined ? "nobody can tell yet when they are written" : `written in about ${inWords(seconds)}`;
  return `${records.toLocaleString("en-US")} records are read and wait to be written: ${when}`;
}

/** `Campaign: 12 calls refused in the last five minutes, and for 60 % of that time none could be made; 100 made in the last minute` */
function heldBack({ service, heldBy, refusedCalls, heldPercent, callsLastMinute }: Throttling): string {
  const refused = heldBy === "Service" ? `${refusedCalls} calls refused in the last five minutes` : "no call refused";
  const waited =
    heldBy === "Service"
      ? `for ${heldPercent} % of that time none could be made`
      : `calls waited for ${heldPercent} % of the last five minutes`;
  return `${service}: ${refused}, ${waited}; ${callsLastMinute} calls made in the last minute`;
}

/** Services that hold calls back, in a few words for a list; undefined: none. */
export function throttledBy({ state, backlog = 0, throttling = [] }: WorkflowStatus): string | undefined {
  if (state !== "RUNNING" && state !== "STARTING") return undefined;
  const told = throttling
    .filter(({ heldBy }) => heldBy === "Service" || backlog > 0)
    .map(({ service, heldBy }) => (heldBy === "Service" ? service : `its own bound for ${service}`));
  return told.length === 0 ? undefined : told.join(", ");
}

/** A length of time as people say it: `40 s`, `12 min`, `3 h 20 min`, `4 d`. */
export function inWords(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} d`;
}
