import Type from "typebox";
import { Value } from "typebox/value";
import type { MappingStatus, Throttling } from "../../api/integration-workflow.ts";
import { type LastWords, lastWordsMaxBytes, type WorkerStatus } from "../../api/worker-contract.ts";
import { clip } from "./quote.ts";

/**
 * What workers say, checked: any image may be a worker, and what it says goes into status, where the API server would
 * refuse the whole for one field that does not fit.
 */
const count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const time = Type.String({
  maxLength: 64,
  pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$",
});
const text = Type.String();
const tables = Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { maxItems: 128 });

const mapping = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 253 }),
  phase: Type.Optional(Type.String({ maxLength: 64 })),
  reason: Type.Optional(text),
  message: Type.Optional(text),
  backlog: Type.Optional(count),
  parked: Type.Optional(count),
  read: Type.Optional(count),
  written: Type.Optional(count),
  reading: Type.Optional(
    Type.Object({ read: count, estimatedTotal: Type.Optional(count), waitsFor: Type.Optional(tables) }),
  ),
  recordsPerSecond: Type.Optional(count),
  secondsToDrain: Type.Optional(count),
  deadLettered: Type.Optional(count),
  files: Type.Optional(
    Type.Object({
      read: count,
      waiting: count,
      incomplete: count,
      denied: count,
      other: count,
      newestTime: Type.Optional(time),
      message: Type.Optional(Type.String({ maxLength: 1024 })),
    }),
  ),
  lastSyncTime: Type.Optional(time),
});

const throttling = Type.Object({
  service: Type.Union([Type.Literal("Dataverse"), Type.Literal("Campaign")]),
  heldBy: Type.Union([Type.Literal("Service"), Type.Literal("Configuration")]),
  limit: Type.Union([
    Type.Literal("Calls"),
    Type.Literal("ExecutionTime"),
    Type.Literal("Concurrency"),
    Type.Literal("Unnamed"),
  ]),
  since: time,
  heldPercent: Type.Integer({ minimum: 0, maximum: 100 }),
  refusedCalls: count,
  callsLastMinute: count,
});

const workerStatus = Type.Object({
  backlog: count,
  lastSyncTime: Type.Optional(time),
  mappings: Type.Array(mapping, { maxItems: 128 }),
  schemaDrift: Type.Array(Type.Object({ mapping: text, message: text }), { maxItems: 128 }),
  uncompared: Type.Optional(Type.Array(text, { maxItems: 128 })),
  throttling: Type.Optional(Type.Array(throttling, { maxItems: 8 })),
  notReady: Type.Optional(Type.Object({ reason: text, message: text })),
});

const lastWords = Type.Object({
  reason: Type.Optional(text),
  message: Type.Optional(text),
  backlog: Type.Optional(count),
  lastSyncTime: Type.Optional(time),
  mappings: Type.Optional(Type.Array(mapping, { maxItems: 128 })),
});

/** A reason as conditions take it. Source: metav1.Condition.reason */
const reasonPattern = /^[A-Za-z]([A-Za-z0-9_,:]{0,126}[A-Za-z0-9_])?$/;

const longestMessage = 4096;

/** @returns undefined when the answer is not what the worker contract says */
export function parseWorkerStatus(body: string): WorkerStatus | undefined {
  const value = json(body);
  if (!Value.Check(workerStatus, value)) return undefined;
  const { backlog, lastSyncTime, mappings, schemaDrift, uncompared, throttling: held, notReady } = value;
  return {
    backlog,
    ...(lastSyncTime === undefined ? {} : { lastSyncTime }),
    mappings: mappingsOf(mappings),
    schemaDrift: schemaDrift.map((drift) => ({
      mapping: clip(drift.mapping, 253),
      message: clip(drift.message, 1024),
    })),
    ...(uncompared === undefined ? {} : { uncompared: uncompared.map((name) => clip(name, 253)) }),
    ...(held === undefined ? {} : { throttling: throttlingOf(held) }),
    ...(notReady === undefined
      ? {}
      : { notReady: { reason: reasonOf(notReady.reason, "NotReady"), message: clip(notReady.message, 1024) } }),
  };
}

/** @returns undefined for a message that is not JSON: a crash's own words, or none */
export function parseLastWords(message: string): LastWords | undefined {
  if (message.length > lastWordsMaxBytes * 2) return undefined;
  const value = json(message);
  if (!Value.Check(lastWords, value)) return undefined;
  const { backlog, lastSyncTime, mappings } = value;
  return {
    reason: reasonOf(value.reason, "Unknown"),
    message: clip(value.message ?? "", longestMessage),
    ...(backlog === undefined ? {} : { backlog }),
    ...(lastSyncTime === undefined ? {} : { lastSyncTime }),
    ...(mappings === undefined ? {} : { mappings: mappingsOf(mappings) }),
  };
}

/** Known fields alone, and each name once: the list in status is a map by name. Cleaning changes no field that is known. */
function mappingsOf(mappings: readonly MappingStatus[]): readonly MappingStatus[] {
  return [
    ...new Map(mappings.map((one) => [one.name, shortened(Value.Clean(mapping, one) as MappingStatus)])).values(),
  ];
}

/** Known fields alone, and each service once. */
function throttlingOf(held: readonly Throttling[]): readonly Throttling[] {
  return [...new Map(held.map((one) => [one.service, Value.Clean(throttling, one) as Throttling])).values()];
}

/** As long as status takes it. */
function shortened({ reason, message, ...rest }: MappingStatus): MappingStatus {
  return {
    ...rest,
    ...(reason === undefined ? {} : { reason: reasonOf(reason, "Unknown") }),
    ...(message === undefined ? {} : { message: clip(message, 1024) }),
  };
}

function reasonOf(reason: string | undefined, otherwise: string): string {
  return reason !== undefined && reasonPattern.test(reason) ? reason : otherwise;
}

function json(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
