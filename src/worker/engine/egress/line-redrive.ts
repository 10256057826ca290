/** Refused lines that a person wants to be read again: each from its file, as the format is configured now. */
import { scan } from "../../exports/scan.ts";
import type { Refusal } from "../../queue/page.ts";
import type { LeasedRecord, Settlement } from "../../queue/turn.ts";
import { type EgressContext, exportsMapping } from "./context.ts";
import { type EventIntake, storedProgress } from "./intake.ts";
import { type LineOutcome, outcomesOf } from "./lines.ts";
import { lineId, placeInWords, placeOfLine } from "./queued-event.ts";

const linesAtOnce = 1000;

/**
 * To be called by the process that reads. A line that makes an event now is queued; one that is refused again is a dead
 * letter again; one that is not there any longer says so.
 * @throws what the SFTP client and the store throw; what is not done then is done by the next call
 */
export async function redriveLines(context: EgressContext, intake: EventIntake, signal: AbortSignal): Promise<void> {
  const { queue, settings, logger } = context;
  for (;;) {
    const leased = await queue.lease(exportsMapping, linesAtOnce, settings.leaseMs);
    if (leased.length === 0) return;
    const lines = new Map(leased.map((record) => [record.id, record]));
    const counts = { read: 0, again: 0, gone: 0 };
    const settle = async (record: LeasedRecord, settlement: Settlement) => {
      lines.delete(record.id);
      await queue.settle(record, settlement);
    };
    for await (const found of outcomesIn(context, intake, lines, signal)) {
      await intake.keepEvents(
        found.file,
        found.outcomes.flatMap(([, outcome]) => (outcome.is === "Event" ? [outcome] : [])),
      );
      for (const [record, outcome] of found.outcomes) {
        counts[outcome.is === "Refused" ? "again" : "read"] += 1;
        await settle(record, outcome.is === "Refused" ? dead(outcome.refusal) : { kind: "Removed", sent: false });
      }
    }
    for (const record of lines.values()) {
      counts.gone += 1;
      const message = `${placeInWords(placeOfLine(record.id))} is not there any longer, or may not be read: export its log again`;
      await settle(record, dead({ reason: "LineGone", message }));
    }
    logger.info("lines.redriven", counts);
    if (leased.length < linesAtOnce) return;
  }
}

interface FoundLines {
  readonly file: string;
  readonly outcomes: readonly (readonly [LeasedRecord, LineOutcome])[];
}

/** What the wanted lines are now, part by part of their files. */
async function* outcomesIn(
  { sftp, exports, queue }: EgressContext,
  { rules }: EventIntake,
  lines: ReadonlyMap<string, LeasedRecord>,
  signal: AbortSignal,
): AsyncGenerator<FoundLines> {
  const files = new Set([...lines.keys()].map((id) => placeOfLine(id).file));
  const progress = await storedProgress(queue);
  const place = { sftp, folder: exports.path, format: exports.format, progress };
  for await (const { file, columns, rows } of scan(place, ({ name }) => files.has(name), signal)) {
    const outcomes = outcomesOf(file.name, columns, rows, rules).flatMap((outcome) => {
      const record = lines.get(lineId({ file: file.name, line: outcome.line }));
      return record === undefined ? [] : [[record, outcome] as const];
    });
    if (outcomes.length > 0) yield { file: file.name, outcomes };
  }
}

function dead(refusal: Refusal): Settlement {
  return { kind: "Dead", before: undefined, refusal };
}
