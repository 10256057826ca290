import { expect, it } from "vitest";
import type { MappingStatus } from "../../../../src/api/integration-workflow.ts";
import { WorkerMetrics } from "../../../../src/worker/process/metrics.ts";

const moving: MappingStatus = {
  name: "contact",
  phase: "Replay",
  backlog: 1204,
  parked: 4,
  read: 3000,
  written: 2000,
  reading: { read: 1500, estimatedTotal: 2000 },
  recordsPerSecond: 20,
  secondsToDrain: 90,
  deadLettered: 2,
};

async function scraped(metrics: WorkerMetrics, ...mappings: MappingStatus[]): Promise<string[]> {
  metrics.observe({ backlog: 0, mappings, schemaDrift: [] }, undefined);
  const lines = (await metrics.registry.metrics()).split("\n");
  return lines.filter((line) => line.includes('mapping="contact"')).map((line) => line.replace(/.*worker_/, ""));
}

it("tells the progress of a mapping, its totals as counters however often it is asked", async () => {
  const metrics = new WorkerMetrics();
  await scraped(metrics, moving);
  expect((await scraped(metrics, moving)).toSorted()).toEqual([
    'backlog_records{mapping="contact"} 1204',
    'dead_letters{mapping="contact"} 2',
    'drain_seconds{mapping="contact"} 90',
    'parked_records{mapping="contact"} 4',
    'read_records_total{mapping="contact"} 3000',
    'reading_records_estimated{mapping="contact"} 2000',
    'reading_records{mapping="contact"} 1500',
    'written_records_per_second{mapping="contact"} 20',
    'written_records_total{mapping="contact"} 2000',
  ]);
});

it("tells nothing that is not known any more", async () => {
  const metrics = new WorkerMetrics();
  await scraped(metrics, moving);
  const { reading: _, secondsToDrain: __, ...rest } = moving;
  const names = (await scraped(metrics, rest)).join("\n");
  expect(names).not.toMatch(/drain_seconds|reading_records/);
  expect(names).toContain('read_records_total{mapping="contact"} 3000');
});

it("tells how the exported files stand, and nothing of them where there are none", async () => {
  const metrics = new WorkerMetrics();
  const files = { read: 4, waiting: 1, incomplete: 2, denied: 0, other: 3, newestTime: "2026-07-15T10:00:00.000Z" };
  const told = async (mapping: MappingStatus) => {
    metrics.observe({ backlog: 0, mappings: [mapping], schemaDrift: [] }, undefined);
    const lines = (await metrics.registry.metrics()).split("\n");
    return lines.filter((line) => /^integration_workflow_worker_(files|newest_file)/.test(line));
  };
  expect((await told({ name: "exports", files: { ...files, message: "a: why" } })).toSorted()).toEqual([
    'integration_workflow_worker_files{state="denied"} 0',
    'integration_workflow_worker_files{state="incomplete"} 2',
    'integration_workflow_worker_files{state="other"} 3',
    'integration_workflow_worker_files{state="read"} 4',
    'integration_workflow_worker_files{state="waiting"} 1',
    "integration_workflow_worker_newest_file_timestamp_seconds 1784109600",
  ]);
  expect(await told({ name: "contact" })).toEqual([]);
});
