import { sleep } from "../../../telemetry/clock.ts";
import type { FolderState } from "../../exports/folder.ts";
import type { ExportsStore, Portion } from "../../exports/store.ts";
import type { ReadTime } from "../../flows/egress/date-format.ts";
import type { EventKind } from "../../flows/egress/events.ts";
import type { FileProgress } from "../../flows/egress/files.ts";
import type { Checkpoint } from "../../queue/checkpoint.ts";
import type { Queue } from "../../queue/interface.ts";
import type { FilePages, Incoming, PageCommit } from "../../queue/page.ts";
import { type EgressContext, exportsMapping } from "./context.ts";
import { type LineOutcome, type LineRules, outcomesOf } from "./lines.ts";
import { lineId, payloadOf } from "./queued-event.ts";

/** While the store has all that it is to have. */
const lookForRoomEveryMs = 1000;

/** What is read goes into the queue: a part of a file, its events and the place behind it in one transaction. */
export class EventIntake {
  readonly rules: LineRules;
  readonly #context: EgressContext;
  readonly #checkpoints: Map<string, Checkpoint>;

  private constructor(context: EgressContext, checkpoints: Map<string, Checkpoint>, rules: LineRules) {
    this.#context = context;
    this.#checkpoints = checkpoints;
    this.rules = rules;
  }

  /** To be called by the process that reads: what earlier runs had and this one does not is dropped; what is new begins. */
  static async begin(context: EgressContext, kinds: ReadonlySet<EventKind>, readTime: ReadTime): Promise<EventIntake> {
    const { queue, now, logger, egress, exports, configuration } = context;
    const wanted = new Set<string>([exportsMapping, ...kinds]);
    const checkpoints = new Map<string, Checkpoint>();
    for (const checkpoint of await queue.checkpoints()) {
      const { mapping, mappingHash } = checkpoint;
      if (wanted.has(mapping) && mappingHash !== "") checkpoints.set(mapping, checkpoint);
      else {
        logger.info("mapping.removed", { mapping });
        await queue.dropMapping(mapping);
      }
    }
    for (const mapping of wanted) {
      if (checkpoints.has(mapping)) continue;
      // What came about before the first start is not written unless `since` says so.
      const delta = { link: "", issuedAt: now() };
      const checkpoint: Checkpoint = { mapping, mappingHash: exportsMapping, generation: 1, delta };
      await queue.saveCheckpoint(checkpoint);
      checkpoints.set(mapping, checkpoint);
    }
    const since = new Date(egress.since ?? checkpoints.get(exportsMapping)?.delta?.issuedAt ?? 0);
    logger.info("exports.reading", { folder: exports.path, since: since.toISOString(), kinds: [...kinds] });
    const instanceUrl = configuration.spec.campaign.url;
    return new EventIntake(context, checkpoints, { instanceUrl, kinds, since, readTime });
  }

  store(signal: AbortSignal): ExportsStore {
    return {
      progress: () => storedProgress(this.#context.queue),
      keep: async (portion) => {
        await this.#commit(portion);
        await this.#room(signal);
      },
    };
  }

  /** For the workers that do not read, and for the next start. */
  async keepFolder(folder: FolderState): Promise<void> {
    const before = this.#checkpoint(exportsMapping);
    const link = JSON.stringify(folder);
    if (before.delta === undefined || before.delta.link === link) return;
    const checkpoint = { ...before, delta: { ...before.delta, link } };
    await this.#context.queue.saveCheckpoint(checkpoint);
    this.#checkpoints.set(exportsMapping, checkpoint);
  }

  /** Events of lines that had been refused go into the queue; nothing is to be done where their file was never read. */
  async keepEvents(file: string, events: readonly Extract<LineOutcome, { is: "Event" }>[]): Promise<void> {
    const progress = (await storedProgress(this.#context.queue)).find(({ name }) => name === file);
    if (progress === undefined || events.length === 0) return;
    const pages = this.#pages(events, versionOf(progress));
    await this.#context.queue.commitFile({ name: file, progress: JSON.stringify(progress) }, pages);
  }

  async #commit({ file, rows }: Portion): Promise<void> {
    const outcomes = outcomesOf(file.name, file.position.columns, rows, this.rules);
    const pages = this.#pages(outcomes, versionOf(file), file.name);
    await this.#context.queue.commitFile({ name: file.name, progress: JSON.stringify(file) }, pages);
  }

  /** @param version an event that is exported again by a newer file is tried again, if it was refused */
  #pages(outcomes: readonly LineOutcome[], version: bigint, file = ""): FilePages {
    const records = new Map<string, Map<string, Incoming>>();
    const put = (mapping: string, incoming: Incoming) => {
      const those = records.get(mapping) ?? new Map<string, Incoming>();
      records.set(mapping, those.set(incoming.id, incoming));
    };
    for (const outcome of outcomes) {
      if (outcome.is === "Refused") {
        const { line, refusal } = outcome;
        put(exportsMapping, { kind: "Refused", id: lineId({ file, line }), version, refusal });
      } else if (outcome.is === "Event") {
        const { id, queued } = outcome;
        const content = { targetKey: queued.event.contactKey, payload: payloadOf(queued) };
        put(queued.event.kind, { kind: "Upsert", id, version, content });
      }
    }
    const page = (mapping: string): PageCommit => ({
      checkpoint: this.#checkpoint(mapping),
      records: [...(records.get(mapping)?.values() ?? [])],
      stage: "Round",
      replay: false,
      listed: false,
    });
    const mappings = [...records.keys()].filter((mapping) => mapping !== exportsMapping).toSorted();
    return [page(exportsMapping), ...mappings.map(page)];
  }

  #checkpoint(mapping: string): Checkpoint {
    const checkpoint = this.#checkpoints.get(mapping);
    if (checkpoint === undefined) throw new Error(`nothing was prepared for ${mapping}`);
    return checkpoint;
  }

  /** Waits while more is queued than is to be: the disk is bounded. */
  async #room(signal: AbortSignal): Promise<void> {
    const { clock, settings, queue } = this.#context;
    for (let limit = settings.highWaterRecords; ; limit = settings.lowWaterRecords) {
      const counts = [...(await queue.counts()).values()];
      if (counts.reduce((sum, { pending }) => sum + pending, 0) <= limit) return;
      await sleep(clock, lookForRoomEveryMs, signal);
      signal.throwIfAborted();
    }
  }
}

/** How far each file was read. */
export async function storedProgress(queue: Queue): Promise<readonly FileProgress[]> {
  // Written by EventIntake alone.
  return (await queue.files()).map(({ progress }) => JSON.parse(progress) as FileProgress);
}

/** How the folder stood when a worker has last listed it; undefined: none did yet. */
export function storedFolder(checkpoints: readonly Checkpoint[]): FolderState | undefined {
  const link = checkpoints.find(({ mapping }) => mapping === exportsMapping)?.delta?.link ?? "";
  return link === "" ? undefined : (JSON.parse(link) as FolderState); // Written by keepFolder alone.
}

function versionOf({ modifiedSeconds }: FileProgress): bigint {
  return BigInt(Math.max(0, Math.trunc(modifiedSeconds)));
}
