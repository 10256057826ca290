import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { WorkerStatus } from "../../api/worker-contract.ts";
import type { GovernorState } from "../governor/governor.ts";
import type { CallMetrics } from "../http/service.ts";
import type { ServiceName } from "../http/service-error.ts";

const services = ["Dataverse", "Campaign"] as const satisfies readonly ServiceName[];

/** The worker's metrics: its calls as they are made, the rest as it is when somebody asks. */
export class WorkerMetrics {
  readonly registry = new Registry();
  readonly calls: CallMetrics;
  readonly #ready;
  readonly #backlog;
  readonly #deadLetters;
  readonly #records;
  readonly #lastSync;
  readonly #inFlight;
  readonly #waiting;
  readonly #parallelism;

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    const prefix = "integration_workflow_worker";
    const gauge = (name: string, help: string, labelNames: string[] = []) =>
      new Gauge({ name: `${prefix}_${name}`, help, labelNames, registers });
    this.#ready = gauge("ready", "1 when records can move.");
    this.#backlog = gauge("backlog_records", "Records read and waiting to be written.", ["mapping"]);
    this.#deadLetters = gauge("dead_letters", "Records refused for good.", ["mapping"]);
    this.#lastSync = gauge("last_sync_timestamp_seconds", "When a record was last written.", ["mapping"]);
    this.#inFlight = gauge("calls_in_flight", "Calls under way.", ["service"]);
    this.#waiting = gauge("calls_waiting", "Calls that wait for leave under the service's limits.", ["service"]);
    this.#parallelism = gauge("calls_parallelism", "Calls that may be under way at once.", ["service"]);
    this.#records = gauge("records", "Records read and written by this process.", ["mapping", "outcome"]);
    const calls = new Counter({
      name: `${prefix}_calls_total`,
      help: "Calls to the services, by HTTP status or by what went wrong without one.",
      labelNames: ["service", "result"],
      registers,
    });
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
    for (const { name: mapping, backlog, deadLettered, read, written, lastSyncTime } of status.mappings) {
      this.#backlog.set({ mapping }, backlog ?? 0);
      this.#deadLetters.set({ mapping }, deadLettered ?? 0);
      this.#records.set({ mapping, outcome: "read" }, read ?? 0);
      this.#records.set({ mapping, outcome: "written" }, written ?? 0);
      if (lastSyncTime !== undefined) this.#lastSync.set({ mapping }, Date.parse(lastSyncTime) / 1000);
    }
    if (governorState === undefined) return;
    for (const service of services) {
      const { inFlight, waiting, parallelism } = governorState(service);
      this.#inFlight.set({ service }, inFlight);
      this.#waiting.set({ service }, waiting);
      this.#parallelism.set({ service }, parallelism);
    }
  }
}
