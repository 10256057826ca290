import { Counter, Gauge, Histogram } from "prom-client";
import type { MappingStatus } from "../../api/integration-workflow.ts";
import type { WorkerStatus } from "../../api/worker-contract.ts";
import { processRegistry } from "../../telemetry/process-metrics.ts";
import type { GovernorState } from "../governor/governor.ts";
import type { CallMetrics } from "../http/service.ts";
import type { ServiceName } from "../http/service-error.ts";

const services = ["Dataverse", "Campaign"] as const satisfies readonly ServiceName[];

/** The worker's metrics: its calls as they are made, the rest as it is when somebody asks. */
export class WorkerMetrics {
  readonly registry = processRegistry("worker");
  readonly calls: CallMetrics;
  readonly #ready;
  readonly #backlog;
  readonly #parked;
  readonly #deadLetters;
  readonly #read;
  readonly #written;
  readonly #speed;
  readonly #drain;
  readonly #reading;
  readonly #readingTotal;
  readonly #lastSync;
  readonly #files;
  readonly #newestFile;
  readonly #inFlight;
  readonly #waiting;
  readonly #parallelism;
  readonly #throttled;
  readonly #held;

  constructor() {
    const registers = [this.registry];
    const prefix = "integration_workflow_worker";
    const gauge = (name: string, help: string, labelNames: string[] = []) =>
      new Gauge({ name: `${prefix}_${name}`, help, labelNames, registers });
    this.#ready = gauge("ready", "1 when records can move.");
    this.#backlog = gauge("backlog_records", "Records read and waiting to be written.", ["mapping"]);
    this.#parked = gauge("parked_records", "Those of the backlog that wait for another record.", ["mapping"]);
    this.#deadLetters = gauge("dead_letters", "Records refused for good.", ["mapping"]);
    this.#lastSync = gauge("last_sync_timestamp_seconds", "When a record was last written.", ["mapping"]);
    this.#files = gauge("files", "Exported files by how they stand: read, waiting, incomplete, denied, other.", [
      "state",
    ]);
    this.#newestFile = gauge(
      "newest_file_timestamp_seconds",
      "When the newest export was written, by its server's clock.",
    );
    this.#inFlight = gauge("calls_in_flight", "Calls under way.", ["service"]);
    this.#waiting = gauge("calls_waiting", "Calls that wait for leave under the service's limits.", ["service"]);
    this.#parallelism = gauge("calls_parallelism", "Calls that may be under way at once.", ["service"]);
    this.#throttled = gauge(
      "throttled",
      "1 while calls to the service are held back: by Service (it refuses them) or by Configuration (the workflow's own bound).",
      ["service", "by"],
    );
    this.#speed = gauge("written_records_per_second", "Records written a second, over the last minute.", ["mapping"]);
    this.#drain = gauge("drain_seconds", "When everything is written at this pace; absent when nobody can tell.", [
      "mapping",
    ]);
    this.#reading = gauge("reading_records", "Records read so far of the table that is being read.", ["mapping"]);
    this.#readingTotal = gauge(
      "reading_records_estimated",
      "Records that this table has, by a count that may be a day old.",
      ["mapping"],
    );
    const counter = (name: string, help: string, labelNames: string[]) =>
      new Counter({ name: `${prefix}_${name}`, help, labelNames, registers });
    this.#read = counter("read_records_total", "Records read since the mapping's first load began.", ["mapping"]);
    this.#written = counter("written_records_total", "Records written since the mapping's first load began.", [
      "mapping",
    ]);
    this.#held = counter("held_seconds_total", "Seconds for which calls were held back, by whom.", ["service", "by"]);
    const calls = counter("calls_total", "Calls to the services, by HTTP status or by what went wrong without one.", [
      "service",
      "result",
    ]);
    const seconds = new Histogram({
      name: `${prefix}_call_duration_seconds`,
      help: "How long calls took, their wait for leave included.",
      labelNames: ["service"],
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    });
    this.calls = {
      called: (service, _operation, result, duration) => {
        calls.inc({ service, result });
        seconds.observe({ service }, duration);
      },
    };
  }

  /** Brings the gauges up to date. */
  observe(status: WorkerStatus, governorState: ((service: ServiceName) => GovernorState) | undefined): void {
    this.#ready.set(status.notReady === undefined ? 1 : 0);
    // They count in the store, over restarts.
    for (const counter of [this.#read, this.#written]) counter.reset();
    // What is not known now is absent.
    for (const gauge of [this.#drain, this.#reading, this.#readingTotal, this.#files]) gauge.reset();
    this.#newestFile.remove();
    for (const { name: mapping, backlog, deadLettered, lastSyncTime, ...progress } of status.mappings) {
      this.#backlog.set({ mapping }, backlog ?? 0);
      this.#parked.set({ mapping }, progress.parked ?? 0);
      this.#deadLetters.set({ mapping }, deadLettered ?? 0);
      const { read, written, recordsPerSecond, secondsToDrain, reading } = progress;
      this.#read.inc({ mapping }, read ?? 0);
      this.#written.inc({ mapping }, written ?? 0);
      this.#speed.set({ mapping }, recordsPerSecond ?? 0);
      if (secondsToDrain !== undefined) this.#drain.set({ mapping }, secondsToDrain);
      if (reading !== undefined) this.#reading.set({ mapping }, reading.read);
      if (reading?.estimatedTotal !== undefined) this.#readingTotal.set({ mapping }, reading.estimatedTotal);
      if (lastSyncTime !== undefined) this.#lastSync.set({ mapping }, Date.parse(lastSyncTime) / 1000);
      if (progress.files !== undefined) this.#observeFiles(progress.files);
    }
    if (governorState === undefined) return;
    this.#held.reset();
    for (const service of services) {
      const { inFlight, waiting, parallelism, heldSeconds } = governorState(service);
      for (const by of ["Service", "Configuration"] as const) {
        const isThrottled = status.throttling?.some((one) => one.service === service && one.heldBy === by) ?? false;
        this.#throttled.set({ service, by }, isThrottled ? 1 : 0);
        this.#held.inc({ service, by }, heldSeconds[by]);
      }
      this.#inFlight.set({ service }, inFlight);
      this.#waiting.set({ service }, waiting);
      this.#parallelism.set({ service }, parallelism);
    }
  }

  #observeFiles({ newestTime, message: _, ...counts }: NonNullable<MappingStatus["files"]>): void {
    for (const [state, count] of Object.entries(counts)) this.#files.set({ state }, count);
    if (newestTime !== undefined) this.#newestFile.set(Date.parse(newestTime) / 1000);
  }
}
