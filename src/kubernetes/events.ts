import { type DatedClock, systemClock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Client } from "./client.ts";
import { isNotFound } from "./errors.ts";
import { microTime } from "./micro-time.ts";
import { apiVersionOf, type KubernetesObject, keyOf, type ObjectMeta, type ResourceKind } from "./objects.ts";

/** What an Event says. */
export interface EventContent {
  /** What it is about: a cached object, or anything with its metadata. */
  kind: ResourceKind;
  object: { metadata: Pick<ObjectMeta, "name" | "namespace" | "uid" | "resourceVersion"> };
  type: "Normal" | "Warning";
  /** PascalCase, why. */
  reason: string;
  /** PascalCase, what was done or tried. */
  action: string;
  /** For a person; what is over 1,024 bytes is cut. */
  note: string;
}

export interface EventRecorderOptions {
  client: Client;
  /** A qualified name, for instance `integrationworkflow.io/operator`. */
  reportingController: string;
  /** Which process, for instance the pod's name. */
  reportingInstance: string;
  clock?: DatedClock;
  logger: Logger;
  /** What the object, as namespace/name, is called in the log. Default: object. */
  objectField?: string;
}

/** events.k8s.io/v1 rather than core v1: it has a series to fold into, and kubectl shows it all the same (one storage). */
const events: ResourceKind<StoredEvent> = {
  group: "events.k8s.io",
  version: "v1",
  plural: "events",
  kind: "Event",
  namespaced: true,
};

interface StoredEvent extends KubernetesObject {
  series?: { count: number; lastObservedTime: string };
}

const noteBytes = 1024;
/** An event that comes back within this time is the same series; the server forgets it after an hour by default. */
const seriesMs = 6 * 60_000;
/** Writes that one object may cause at once, and how long until it may cause one more. As client-go, which has 5 minutes. */
const burst = 25;
const refillMs = 60_000;
const mostSeries = 4096;

interface Series {
  content: EventContent;
  count: number;
  /** How many of them the server has been told of. */
  written: number;
  lastAtMs: number;
  lastDate: Date;
  /** The Event on the server, once it is there. */
  name: string | undefined;
}

/**
 * Writes Events about objects. The same object, type, reason and note within six minutes is one Event with a count.
 *
 * Guarantees: `record` never throws and never waits. An object that causes too many writes is held back; what was held back
 * is in the count when it may be written about again. A failed write is logged and given up: an Event is a hint, status is
 * the truth.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: DatedClock;
  readonly #series = new Map<string, Series>();
  /** Per object: writes left, and when that was so. */
  readonly #allowances = new Map<string, { left: number; atMs: number }>();
  readonly #writing = new Map<Series, Promise<void>>();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  record(content: EventContent): void {
    const nowMs = this.#clock.now();
    const { name, namespace, uid, resourceVersion } = content.object.metadata;
    const named = { name, uid, resourceVersion, ...(namespace === undefined ? {} : { namespace }) };
    const key = JSON.stringify([uid, content.type, content.reason, content.note]);
    const known = this.#series.get(key);
    const series: Series =
      known !== undefined && nowMs - known.lastAtMs <= seriesMs
        ? known
        : {
            // Of the object no more than that: a series outlives what is cached of it.
            content: { ...content, object: { metadata: named } },
            ...{ count: 0, written: 0, lastAtMs: nowMs, lastDate: this.#clock.date(), name: undefined },
          };
    series.count += 1;
    series.lastAtMs = nowMs;
    series.lastDate = this.#clock.date();
    // Kept in the order of use: the first is the one that is unused for longest.
    this.#series.delete(key);
    this.#series.set(key, series);
    this.#forget(nowMs);
    if (this.#writing.has(series)) return;
    const write = this.#write(series).finally(() => this.#writing.delete(series));
    this.#writing.set(series, write);
  }

  /** Resolves when what is being written has been written or given up. */
  async flush(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing.values());
  }

  async #write(series: Series): Promise<void> {
    const { reason, object } = series.content;
    const { logger, objectField = "object" } = this.#options;
    try {
      while (series.written < series.count && this.#mayWrite(object.metadata.uid)) {
        if (series.name === undefined) await this.#create(series);
        else await this.#tellCount(series, series.name);
      }
    } catch (error) {
      logger.warn("event not written", { [objectField]: keyOf(object.metadata), reason, error });
    }
  }

  async #create(series: Series): Promise<void> {
    const { client, reportingController, reportingInstance } = this.#options;
    const { kind, object, type, reason, action, note } = series.content;
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const { count } = series;
    const event = {
      metadata: { generateName: `${name.slice(0, 200)}-`, namespace: namespace ?? "default" },
      eventTime: microTime(series.lastDate),
      reportingController,
      reportingInstance: cutToBytes(reportingInstance, 128),
      type,
      reason,
      action,
      note: cutToBytes(note, noteBytes),
      regarding: { apiVersion: apiVersionOf(kind), kind: kind.kind, name, namespace, uid, resourceVersion },
      ...seriesField(count, series.lastDate),
    };
    const created = await client.create(events, event, { answer: "metadata" });
    series.name = created.metadata.name;
    series.written = count;
  }

  async #tellCount(series: Series, name: string): Promise<void> {
    const { count } = series;
    const namespace = series.content.object.metadata.namespace ?? "default";
    try {
      await this.#options.client.mergePatch(events, { namespace, name }, seriesField(count, series.lastDate));
      series.written = count;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // The server has forgotten it.
      series.name = undefined;
    }
  }

  /** A bucket of `burst` writes for each object, filled by one every `refillMs`. */
  #mayWrite(uid: string): boolean {
    const nowMs = this.#clock.now();
    const { left, atMs } = this.#allowances.get(uid) ?? { left: burst, atMs: nowMs };
    const refilled = Math.min(burst, left + (nowMs - atMs) / refillMs);
    const may = refilled >= 1;
    this.#allowances.delete(uid);
    this.#allowances.set(uid, { left: may ? refilled - 1 : refilled, atMs: nowMs });
    return may;
  }

  #forget(nowMs: number): void {
    for (const [key, { lastAtMs }] of this.#series) {
      if (this.#series.size <= mostSeries && nowMs - lastAtMs <= seriesMs) break;
      this.#series.delete(key);
    }
    for (const [uid, { atMs }] of this.#allowances) {
      if (this.#allowances.size <= mostSeries && nowMs - atMs <= burst * refillMs) break;
      this.#allowances.delete(uid);
    }
  }
}

/** A series counts from two on; the server refuses a smaller one. */
function seriesField(count: number, lastDate: Date) {
  return count < 2 ? {} : { series: { count, lastObservedTime: microTime(lastDate) } };
}

/** The longest start of a text that fits, in whole characters. */
function cutToBytes(text: string, bytes: number): string {
  const encoded = new TextEncoder().encode(text);
  if (encoded.length <= bytes) return text;
  const room = bytes - new TextEncoder().encode(ellipsis).length;
  // A character that the cut splits would become a replacement character: stream mode keeps it back.
  return new TextDecoder().decode(encoded.subarray(0, room), { stream: true }) + ellipsis;
}

const ellipsis = "…";
