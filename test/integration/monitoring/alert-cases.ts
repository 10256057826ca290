/** What happens to a workflow or an operator, minute by minute, and which alerts fire when. */

export interface AlertCase {
  readonly name: string;
  /** Series → its values from minute 0 on, in promtool's notation: 1x3 is 1 1 1 1, _ is none, stale ends it. */
  readonly series: Readonly<Record<string, string>>;
  /** Minute → the alerts that fire then, without their prefix. No other minute is looked at. */
  readonly firing: Readonly<Record<number, readonly string[]>>;
}

const contacts = 'namespace="crm",name="contacts"';

/** A metric of workflow crm/contacts, told by an operator's pod. */
function told(metric: string, labels = "", pod = "operator-a"): string {
  return `integration_workflow_${metric}{${contacts},pod="${pod}"${labels === "" ? "" : `,${labels}`}}`;
}

const state = (word: string, pod?: string): string => told("state", `state="${word}"`, pod);
const leading = (pod: string): string =>
  `leader_election_master_status{name="integration-workflow-operator",namespace="system",pod="${pod}"}`;
const page = 'integration_workflow_build_info{role="console",namespace="system",pod="console-a"}';
const worker = (metric: string, labels = ""): string =>
  `integration_workflow_worker_${metric}{${contacts},pod="contacts-1"${labels}}`;

/** Two operators, of which the first leads, and the page. */
const system = { [leading("operator-a")]: "1x3000", [leading("operator-b")]: "0x3000", [page]: "1x3000" };
const running = { ...system, [state("RUNNING")]: "1x3000", [state("STOPPED")]: "0x3000" };
const stopped = { ...system, [state("RUNNING")]: "0x3000", [state("STOPPED")]: "1x3000" };
const never = (...minutes: number[]) => Object.fromEntries(minutes.map((minute) => [minute, []]));

const failures: readonly AlertCase[] = [
  {
    name: "a workflow that has failed for 5 minutes is told, and no more when it runs again",
    series: { ...system, [state("FAILED")]: "0x10 1x20 0x30" },
    firing: { 14: [], 17: ["Failed"], 30: ["Failed"], 33: [] },
  },
  {
    name: "a failure that mends itself within 5 minutes wakes nobody",
    series: { ...system, [state("FAILED")]: "0x10 1x3 0x30" },
    firing: never(11, 13, 16, 20),
  },
  {
    name: "a failure is told in time though another operator takes the lead meanwhile",
    series: {
      [page]: "1x60",
      [leading("operator-b")]: "0x4 1x60",
      [leading("operator-a")]: "1x3 stale",
      ...{
        [state("FAILED", "operator-a")]: "1x3 stale",
        [state("FAILED", "operator-b")]: "_ _ _ _ _ _ 1x60",
      },
    },
    firing: { 4: [], 6: ["Failed"], 7: ["Failed"], 20: ["Failed"] },
  },
  {
    name: "a failure that is told stays told, without a break, while another operator takes the lead",
    series: {
      [page]: "1x60",
      [leading("operator-a")]: "1x20 stale",
      [leading("operator-b")]: "0x21 1x60",
      [state("FAILED", "operator-a")]: "1x20 stale",
      [state("FAILED", "operator-b")]: "_x23 1x60",
    },
    firing: { 20: ["Failed"], 21: ["Failed"], 22: ["Failed"], 23: ["Failed"], 24: ["Failed"], 40: ["Failed"] },
  },
  {
    name: "a workflow that has been starting for half an hour is told",
    series: { ...system, [state("STARTING")]: "0x5 1x60" },
    firing: { 30: [], 37: ["NotRunning"] },
  },
  {
    name: "a restart wakes nobody",
    series: {
      ...system,
      [state("RUNNING")]: "1x30 0x4 1x100",
      [state("STOPPED")]: "0x30 1x1 0x100",
      [state("STARTING")]: "0x32 1x2 0x100",
      [told("backlog_records")]: "1500x134",
      [told("last_sync_timestamp_seconds")]: "0+60x30 1800x4 2160+60x100",
      [told("pending_restart")]: "1x30 0x100",
    },
    firing: never(5, 20, 31, 32, 33, 34, 35, 36, 40, 60, 90),
  },
  {
    name: "a stopped workflow wakes nobody, whatever it left behind",
    series: {
      ...stopped,
      [told("backlog_records")]: "50000x3000",
      [told("last_sync_timestamp_seconds")]: "0x3000",
      [told("pending_restart")]: "1x3000",
      [told("schema_drift")]: "1x3000",
      [told("paused_mappings")]: "2x3000",
      [told("throttled")]: "1x3000",
      [told("dead_letters")]: "500x3000",
      [told("limits_overcommitted")]: "1x3000",
    },
    firing: never(10, 60, 120, 1500, 2900),
  },
];

const records: readonly AlertCase[] = [
  {
    name: "a backlog that grows for an hour is told, and no more when it shrinks",
    series: {
      ...running,
      [told("backlog_records")]: "500+100x120 12500-200x60",
      [told("last_sync_timestamp_seconds")]: "0+60x200",
    },
    firing: { 20: [], 70: ["BacklogGrowing"], 120: ["BacklogGrowing"], 160: [] },
  },
  {
    name: "a backlog that grows because a table is read from its beginning wakes nobody",
    series: {
      ...running,
      [told("backlog_records")]: "500+100x120",
      [told("reading_mappings")]: "1x120",
      [told("last_sync_timestamp_seconds")]: "0+60x200",
    },
    firing: never(40, 70, 110),
  },
  {
    name: "a small backlog may grow, and a large one may stay",
    series: {
      ...running,
      [told("backlog_records")]: "1+8x110",
      [told("last_sync_timestamp_seconds")]: "0+60x200",
      [`integration_workflow_last_sync_timestamp_seconds{namespace="crm",name="accounts",pod="operator-a"}`]:
        "0+60x200",
      [`integration_workflow_backlog_records{namespace="crm",name="accounts",pod="operator-a"}`]: "90000x200",
    },
    firing: never(40, 70, 110),
  },
  {
    name: "a workflow that runs with a backlog and has written nothing for 30 minutes is told",
    series: {
      ...running,
      [told("backlog_records")]: "100x200",
      [told("last_sync_timestamp_seconds")]: "0+60x30 1800x60 5460+60x60",
    },
    firing: { 30: [], 59: [], 77: ["NotSyncing"], 90: ["NotSyncing"], 95: [] },
  },
  {
    name: "a workflow that has never written anything is told as well",
    series: { ...running, [told("backlog_records")]: "100x200" },
    firing: { 10: [], 20: ["NotSyncing"] },
  },
  {
    name: "a workflow that has nothing to write, or only what waits for another record, may write nothing",
    series: {
      ...running,
      [told("backlog_records")]: "0x60 40x200",
      [told("parked_records")]: "0x60 40x200",
      [told("last_sync_timestamp_seconds")]: "0x260",
    },
    firing: never(50, 100, 200),
  },
  {
    name: "records that are refused for good are told while they become more",
    series: { ...running, [told("dead_letters")]: "3x60 3+2x20 43x120" },
    firing: { 60: [], 80: ["DeadLettersGrowing"], 100: ["DeadLettersGrowing"], 170: [] },
  },
  {
    name: "refused records that were there before, or are re-driven, wake nobody",
    series: { ...running, [told("dead_letters")]: "5000x100 0x100" },
    firing: never(10, 70, 110, 180),
  },
];

const conditions: readonly AlertCase[] = [
  {
    name: "a mapping that is paused for 15 minutes is told",
    series: { ...running, [told("paused_mappings")]: "0x5 1x60" },
    firing: { 15: [], 22: ["MappingPaused"] },
  },
  {
    name: "a drift is told after 5 minutes, once: not also as a paused mapping",
    series: { ...running, [told("schema_drift")]: "0x5 1x60", [told("paused_mappings")]: "0x5 1x60" },
    firing: { 9: [], 12: ["SchemaDrift"], 40: ["SchemaDrift"] },
  },
  {
    name: "a workflow that is held back for more than an hour is told, a rush wakes nobody",
    series: { ...running, [told("throttled")]: "1x30 0x5 1x120" },
    firing: { 40: [], 90: [], 98: ["Throttled"] },
  },
  {
    name: "an edit that waits for a restart is told after a day",
    series: { ...running, [told("pending_restart")]: "0x10 1x2000" },
    firing: { 1400: [], 1460: ["RestartPendingTooLong"] },
  },
  {
    name: "limits that are promised twice are told after an hour",
    series: { ...running, [told("limits_overcommitted")]: "1x120" },
    firing: { 50: [], 63: ["LimitsOvercommitted"] },
  },
  {
    name: "exported files that cannot be read are told after an hour, those that wait are not",
    series: {
      ...running,
      [worker("files", ',state="incomplete"')]: "0x10 2x120",
      [worker("files", ',state="waiting"')]: "7x130",
      [worker("newest_file_timestamp_seconds")]: "0+60x130",
    },
    firing: { 60: [], 73: ["ExportsNotRead"] },
  },
  {
    name: "exports that came to an end are told after two days",
    series: { ...running, [worker("newest_file_timestamp_seconds")]: "0x3000" },
    firing: { 2870: [], 2900: ["ExportsMissing"] },
  },
];

const stale = (resource: string): string =>
  `integration_workflow_operator_watch_staleness_seconds{namespace="system",pod="operator-a",resource="${resource}"}`;
const errors = (pod: string): string =>
  `controller_runtime_reconcile_errors_total{controller="integrationworkflow",namespace="system",pod="${pod}"}`;
const missing = (namespace: string): string =>
  `integration_workflow_operator_watched_namespace_missing{namespace="${namespace}",pod="operator-a"}`;

const operators: readonly AlertCase[] = [
  {
    name: "no operator for 5 minutes is told",
    series: { [page]: "1x60", [leading("operator-a")]: "1x10 stale", [leading("operator-b")]: "0x10 stale" },
    firing: { 10: [], 15: [], 17: ["OperatorDown"] },
  },
  {
    name: "an operator that was never there is told",
    series: { [page]: "1x60" },
    firing: { 3: [], 6: ["OperatorDown"] },
  },
  {
    name: "operators of which none leads are told after 3 minutes",
    series: { [page]: "1x60", [leading("operator-a")]: "0x60", [leading("operator-b")]: "0x60" },
    firing: { 1: [], 4: ["NoLeader"] },
  },
  {
    name: "of shards, the one that nobody leads is told",
    series: {
      ...system,
      'leader_election_master_status{name="integration-workflow-operator-1a2b3c4d",namespace="system",pod="shard-a"}':
        "0x60",
    },
    firing: { 1: [], 4: ["NoLeader"] },
  },
  {
    name: "another operator that takes the lead wakes nobody, whatever the workflows do",
    series: {
      [page]: "1x60",
      [leading("operator-a")]: "1x20 stale",
      [leading("operator-b")]: "0x21 1x60",
      [state("RUNNING", "operator-a")]: "1x20 stale",
      [state("RUNNING", "operator-b")]: "_x23 1x60",
      [told("backlog_records", "", "operator-a")]: "5000x20 stale",
      [told("backlog_records", "", "operator-b")]: "_x23 5000x60",
      [told("dead_letters", "", "operator-a")]: "300x20 stale",
      [told("dead_letters", "", "operator-b")]: "_x23 300x60",
      [told("last_sync_timestamp_seconds", "", "operator-a")]: "0+60x20 stale",
      [told("last_sync_timestamp_seconds", "", "operator-b")]: "_x23 1380+60x60",
      [errors("operator-a")]: "5x20 stale",
      [errors("operator-b")]: "0x90",
    },
    firing: never(20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 50, 70),
  },
  {
    name: "a replica that is missing wakes nobody as long as another leads",
    series: { [page]: "1x60", [leading("operator-a")]: "1x60", [leading("operator-b")]: "0x10 stale" },
    firing: never(11, 20, 50),
  },
  {
    name: "a watch that is silent for 3 minutes and more is told, one that is heard every minute is not",
    series: { ...system, [stale("pods")]: "30x10 60+60x20", [stale("deployments.apps")]: "60x60" },
    firing: { 10: [], 13: [], 17: ["WatchStale"] },
  },
  {
    name: "looks that fail all the time are told after 15 minutes, a conflict now and then is not",
    series: { ...system, [errors("operator-a")]: "0+1x15 15x30 17+3x60" },
    firing: { 15: [], 40: [], 68: ["ReconcileErrors"] },
  },
  {
    name: "a namespace that is to be watched and is not there is told after 15 minutes",
    series: { ...system, [missing("sales")]: "1x60", [missing("crm")]: "0x60" },
    firing: { 10: [], 17: ["NamespaceMissing"] },
  },
  {
    name: "the page that is gone is told after 10 minutes",
    series: { [leading("operator-a")]: "1x60", [page]: "1x10 stale" },
    firing: { 15: [], 22: ["ConsoleDown"] },
  },
];

export const alertCases: readonly AlertCase[] = [...failures, ...records, ...conditions, ...operators];
