import type { CampaignBehaviour } from "../campaign/instance.ts";
import type { Field, Resource } from "../campaign/schema.ts";
import type { TrafficCounters } from "../counters.ts";
import type { ChurnSettings } from "../dataverse/page-churn.ts";
import type { Cells, Choice, Column, Table } from "../dataverse/schema.ts";
import type { ProtectionSettings } from "../dataverse/service-protection.ts";
import type { ExportSettings } from "../exports/export-workflows.ts";
import type { DeliveryOrder, DeliveryReport } from "../exports/sender.ts";
import type { FaultRule, GateState, Side } from "../faults.ts";
import type { SftpState } from "../sftp/connections.ts";
import type { WriteEntry } from "../write-log.ts";

/** A Dataverse row as the control API shows it. */
export interface ControlRow {
  readonly id: string;
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly createdOn: number;
  readonly modifiedOn: number;
  /** By column logical name; a lookup is `{table, id}`. Empty cells are left out. */
  readonly cells: Cells;
}

/** A row to insert. Without an id it gets one. */
export interface NewRow {
  readonly id?: string;
  readonly cells: Cells;
}

export interface RowUpdate {
  readonly id: string;
  readonly cells: Cells;
}

/** Changes of many rows in one call: the same cells for all, with `{n}` in text replaced by a running number. */
export interface ManyChanges {
  readonly table: string;
  /** How many rows, in order of position, from `skip` on. */
  readonly count: number;
  readonly skip?: number;
  readonly operation: "update" | "delete";
  readonly cells?: Cells;
}

/** A Campaign record as the control API shows it. Empty fields are left out; a link is the target's first key or `#number`. */
export interface ControlRecord {
  readonly id: number;
  readonly created: number;
  readonly lastModified: number;
  readonly values: Readonly<Record<string, unknown>>;
  /** When each opt-out field came to its value, in milliseconds since 1970: at first with the record. */
  readonly changedAt?: Readonly<Record<string, number>>;
  /** It waits for the target of a mandatory link: the API does not show it. */
  readonly hidden?: true;
}

/** Columns of the table `organization` that decide how long changes are kept. */
interface OrganizationSettings {
  /** Life of delta tokens; 7 at first. */
  readonly expireChangeTrackingInDays: number;
  /** Life of metadata's version stamps; 90 at first. */
  readonly expireSubscriptionsInDays: number;
  /** RetrieveTotalRecordCount tells what the counts were when this was set ("within the past 24 hours"). */
  readonly staleRecordCounts: boolean;
  /**
   * EntityDefinitions, RetrieveTimestamp and the annotation `globalmetadataversion` tell what was so when this was set,
   * but for `Consistency: Strong`: definitions are cached, and up to 30 seconds old
   * (webapi/compose-http-requests-handle-errors.md, Other headers). Rows are read and written by the newest.
   */
  readonly staleDefinitions: boolean;
}

/** A file that lies where Campaign's workflows export to. */
interface ExportFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
}

/** Campaign's export workflows, and the deliveries that give them something to export. */
interface ExportSchedule extends ExportSettings {
  /** 0: only when `runExports` is called. */
  readonly everySeconds: number;
  /** A small delivery to some of the profiles; 0: none. */
  readonly deliveryEverySeconds: number;
}

/** How bytes of a file are written in JSON. */
export const fileEncodings = ["utf8", "latin1", "utf16le", "base64"] as const;
type FileEncoding = (typeof fileEncodings)[number];

interface SandboxCounters {
  readonly dataverse: TrafficCounters;
  readonly campaign: TrafficCounters & { readonly engineCalls: number };
}

/**
 * What tests may see and do, beyond what the two services let their callers. The same methods work in process and,
 * as `POST /control/<method>` with a JSON object of the named arguments, over HTTP; lists that may be long are
 * streams of JSON lines there. Setting something that is so already does nothing.
 * Bad input is refused with a ControlError (HTTP 400) that says what is wrong.
 */
export interface SandboxControl {
  // Dataverse
  tables(): Promise<readonly Table[]>;
  addTable(input: { table: Table }): Promise<void>;
  /** A table that a person made; the standard ones stay. Its rows are gone for good. */
  dropTable(input: { table: string }): Promise<void>;
  /**
   * Adds a column, empty, or changes one: of the same type (label, length, options) it keeps its values and its MetadataId; of
   * another it is dropped and made again, empty, and with another MetadataId. Delta tokens of the table stay valid unless `expireTokens`.
   */
  setColumn(input: { table: string; column: Column; expireTokens?: boolean }): Promise<void>;
  /** Relabels an option of a choice column, or adds it. Rows do not count as changed. */
  setOption(input: { table: string; column: string; option: Choice }): Promise<void>;
  /** Rows that hold the option keep its number, which has no label from now on. */
  dropOption(input: { table: string; column: string; value: number }): Promise<void>;
  /**
   * Its values are lost: `setColumn` brings it back empty; its alternate keys go with it. Rows do not count as changed.
   * `expireTokens` is true when left out: delta links that select the column could not be served anyway.
   */
  dropColumn(input: { table: string; column: string; expireTokens?: boolean }): Promise<void>;
  /** Microsoft's page knows no way to switch it off once it is on. While it is off, tracked reads and delta links are refused; delta links from before are good again afterwards. */
  setChangeTracking(input: { table: string; enabled: boolean }): Promise<void>;
  setAlternateKeys(input: { table: string; keys: readonly (readonly string[])[] }): Promise<void>;
  rows(input: { table: string }): AsyncIterable<ControlRow>;
  row(input: { table: string; id: string }): Promise<ControlRow | undefined>;
  countRows(input: { table: string }): Promise<number>;
  insertRows(input: { table: string; rows: readonly NewRow[] }): Promise<readonly string[]>;
  /** A row that is not there is an error. */
  updateRows(input: { table: string; rows: readonly RowUpdate[] }): Promise<void>;
  /** Rows that are not there are passed over; returns how many were deleted. */
  deleteRows(input: { table: string; ids: readonly string[] }): Promise<number>;
  /** Every write of each row, oldest first; what a transaction took back is not among them. */
  allRowWrites(input: {
    table: string;
  }): AsyncIterable<{ readonly id: string; readonly entries: readonly WriteEntry[] }>;
  /** Returns the ids in order. */
  changeMany(input: ManyChanges): Promise<readonly string[]>;
  /** Refuses every delta token given out until now; of one table, or of all. */
  expireDeltaTokens(input: { table?: string }): Promise<void>;
  setServiceProtection(input: Partial<ProtectionSettings>): Promise<ProtectionSettings>;
  /** From now on rows change after each page that is read of the table, until it is called with the table alone. */
  setPageChurn(input: { table: string } & ChurnSettings): Promise<void>;
  /** Another number of days for subscriptions refuses every version stamp of metadata given out until now. */
  setOrganization(input: Partial<OrganizationSettings>): Promise<OrganizationSettings>;
  /** How fast limits, delta tokens and version stamps run out; what is left out stays. */
  setClock(input: { factor?: number; advanceSeconds?: number }): Promise<void>;

  // Campaign
  resources(): Promise<readonly Resource[]>;
  addResource(input: { resource: Resource }): Promise<void>;
  /** A custom resource, with its records. */
  dropResource(input: { resource: string }): Promise<void>;
  /**
   * Adds a field, empty, or changes one: of the same type (label, values of an enumeration, dataPolicy) it keeps its
   * values; of another it is dropped and made again, empty.
   */
  setField(input: { resource: string; field: Field }): Promise<void>;
  /** Its values are lost: `setField` brings it back empty. An identification key cannot be dropped. */
  dropField(input: { resource: string; field: string }): Promise<void>;
  records(input: { resource: string }): AsyncIterable<ControlRecord>;
  /** Every record with this value of the resource's first identification key. */
  findRecords(input: { resource: string; key: string }): Promise<readonly ControlRecord[]>;
  countRecords(input: { resource: string }): Promise<number>;
  /** As a person in Campaign would; returns the numbers of the new records. */
  insertRecords(input: {
    resource: string;
    records: readonly Readonly<Record<string, unknown>>[];
  }): Promise<readonly number[]>;
  updateRecord(input: { resource: string; key: string; values: Readonly<Record<string, unknown>> }): Promise<void>;
  /** Returns how many were deleted. */
  deleteRecords(input: { resource: string; keys: readonly string[] }): Promise<number>;
  setCampaignBehaviour(input: Partial<CampaignBehaviour>): Promise<CampaignBehaviour>;
  /** All PKeys given out so far no longer name anything. */
  rotatePKeys(): Promise<void>;
  /** Every write of one key, oldest first. */
  writes(input: { resource: string; key: string }): Promise<readonly WriteEntry[]>;
  allWrites(input: {
    resource: string;
  }): AsyncIterable<{ readonly key: string; readonly entries: readonly WriteEntry[] }>;

  // Campaign's deliveries, and the workflows that export what became of them
  /**
   * Sends a delivery: its logs wait for the export workflows. Opens, clicks and late bounces come about within `spreadSeconds`,
   * and are exported by the next run after that.
   */
  sendDelivery(input: DeliveryOrder): Promise<DeliveryReport>;
  /** Runs the export workflows now; returns the names of the files that they wrote: none where nothing is new. */
  runExports(): Promise<readonly string[]>;
  setExports(input: Partial<ExportSchedule>): Promise<ExportSchedule>;
  /** What the opt-out export would write: of profiles whose opt-outs changed at `since` (ms) or later, or of all. */
  exportOptOuts(input: { since?: number }): Promise<{ readonly name: string; readonly text: string }>;

  // Campaign's SFTP server. A name is taken from the folder of the exports.
  listExports(): Promise<readonly ExportFile[]>;
  /** What stands in the file; utf8 when no encoding is named. */
  readExport(input: { name: string; encoding?: FileEncoding }): Promise<string>;
  /**
   * Makes a file or writes over it, in place; with `append` at its end. `readable: false`: the user may not read it, until
   * it is put again with `true`.
   */
  putExport(input: {
    name: string;
    text: string;
    encoding?: FileEncoding;
    append?: boolean;
    modifiedAt?: number;
    readable?: boolean;
  }): Promise<void>;
  /** The file that had the new name is gone. */
  renameExport(input: { from: string; to: string }): Promise<void>;
  /** Cuts a file, or makes it longer by zeros. */
  truncateExport(input: { name: string; sizeBytes: number }): Promise<void>;
  removeExport(input: { name: string }): Promise<void>;
  /** From now on: whether the server can be reached, and what lets its user in. Connections that there are stay signed in. */
  setSftp(input: { state?: SftpState; password?: string; publicKey?: string }): Promise<void>;
  /** Resets all connections, or does so once `afterBytes` more of files were read; returns how many it reset. */
  cutSftp(input: { afterBytes?: number }): Promise<number>;

  // Both sides
  /** Of both sides. At first Campaign's writes are kept and Dataverse's are not. */
  setWriteLog(input: { enabled: boolean }): Promise<void>;
  clearWriteLog(): Promise<void>;
  counters(): Promise<SandboxCounters>;
  resetCounters(): Promise<void>;
  /** Returns the rule's id. */
  addFault(input: FaultRule): Promise<string>;
  removeFault(input: { id: string }): Promise<void>;
  clearFaults(): Promise<void>;
  /** The rules in force, and how many requests each has met. */
  faults(): Promise<readonly { readonly id: string; readonly met: number; readonly rule: FaultRule }[]>;
  /** Opens, pauses or breaks one side. */
  setGate(input: { side: Side; state: GateState }): Promise<void>;
  /** From now on only this secret is accepted; tokens stay valid until they expire. */
  setClientSecret(input: { side: Side; clientSecret: string }): Promise<void>;
  /** Tokens given out so far are refused from now on. */
  expireAccessTokens(input: { side: Side }): Promise<void>;
  setTokenLifetime(input: { side: Side; seconds: number }): Promise<void>;
}

/** What was asked for cannot be done; the message says why. */
export class ControlError extends Error {
  readonly code = "SandboxControl";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ControlError";
  }
}
