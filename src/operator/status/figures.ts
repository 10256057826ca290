import type { MappingStatus, WorkflowState, WorkflowStatus } from "../../api/integration-workflow.ts";
import type { Look } from "../sight/look.ts";
import { rfc3339 } from "../time.ts";

/** The numbers of a status. What is unknown is absent, and never a made-up 0. */
export type Figures = Pick<WorkflowStatus, "backlog" | "backlogEstimated" | "lastSyncTime" | "mappings"> & {
  /** When the backlog was seen; it moves in status only with another change. */
  readonly observedAt: string | undefined;
};

/**
 * The run's last poll while it runs; its worker's last words when it has ended as asked; else what was told before. At the
 * end of a run whose last words were not heard, the last backlog stays, marked as estimated.
 */
export function figuresOf(look: Look, state: WorkflowState): Figures {
  const figures = allFigures(look, state);
  if (figures.mappings === undefined) return figures;
  const mappings = inPlace(look.workflow.status?.mappings ?? [], figures.mappings);
  return { ...figures, mappings: state === "RUNNING" ? mappings : mappings.map(withoutPace) };
}

/** Those that were told before keep their order: a worker may tell them in any. */
function inPlace(before: readonly MappingStatus[], now: readonly MappingStatus[]): MappingStatus[] {
  const places = new Map(before.map(({ name }, place) => [name, place]));
  const placeOf = ({ name }: MappingStatus): number => places.get(name) ?? before.length;
  return now.toSorted((left, right) => placeOf(left) - placeOf(right));
}

/** What does not run has no pace. */
function withoutPace({ recordsPerSecond: _, secondsToDrain: __, ...mapping }: MappingStatus): MappingStatus {
  return mapping;
}

function allFigures(look: Look, state: WorkflowState): Figures {
  const before = look.workflow.status ?? {};
  const known = keep(before);
  const poll = look.run !== undefined && look.memory.poll?.run === look.run.run ? look.memory.poll : undefined;
  const heard =
    look.run !== undefined && look.memory.lastWords?.run === look.run.run ? look.memory.lastWords : undefined;
  if (!look.active && heard?.graceful === true && heard.words.backlog !== undefined) {
    const { backlog, lastSyncTime, mappings } = heard.words;
    const polled = poll === undefined ? known : { ...known, ...ofPoll(poll.status) };
    return {
      ...polled,
      backlog,
      backlogEstimated: false,
      ...(lastSyncTime === undefined ? {} : { lastSyncTime }),
      ...(mappings === undefined ? {} : { mappings: [...mappings] }),
      observedAt: rfc3339(heard.finishedAtMs),
    };
  }
  const hasEnded = state === "STOPPED" && before.state !== "STOPPED";
  if (poll === undefined) {
    return hasEnded && known.backlog !== undefined ? { ...known, backlogEstimated: true } : known;
  }
  // A stopped workflow keeps what was said when it stopped.
  if (state === "STOPPED" && !hasEnded) return known;
  return { ...known, ...ofPoll(poll.status), backlogEstimated: hasEnded, observedAt: rfc3339(poll.atMs) };
}

function ofPoll({ backlog, lastSyncTime, mappings }: NonNullable<Look["memory"]["poll"]>["status"]) {
  return { backlog, ...(lastSyncTime === undefined ? {} : { lastSyncTime }), mappings: [...mappings] };
}

function keep({ backlog, backlogEstimated, backlogObservedAt, lastSyncTime, mappings }: WorkflowStatus): Figures {
  return {
    ...(backlog === undefined ? {} : { backlog }),
    ...(backlogEstimated === undefined ? {} : { backlogEstimated }),
    ...(lastSyncTime === undefined ? {} : { lastSyncTime }),
    ...(mappings === undefined ? {} : { mappings }),
    observedAt: backlogObservedAt,
  };
}
