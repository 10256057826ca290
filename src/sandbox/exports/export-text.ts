import type { DeliveryLog, TrackingLog } from "./deliveries.ts";

/*
 * The text files that Campaign's workflows write: docs/how-to/export-workflows.md says what a customer is to configure, and
 * the sandbox's customer did. Pure.
 */

/** `campaign.sftp.format` of a workflow that reads them; the rest is as its defaults. */
export interface ExportFormat {
  readonly timeZone: string;
  /** One character. */
  readonly delimiter: string;
}

export const usualFormat: ExportFormat = { timeZone: "UTC", delimiter: "," };

const shared = ["campaignId", "campaignName", "deliveryId", "deliveryName", "mirrorPageUrl"];
export const deliveryLogColumns = ["deliveryLogId", "contactId", "eventDate", "status", "failureType", ...shared];
export const trackingLogColumns = ["trackingLogId", "contactId", "eventDate", "urlType", "trackingUrl", ...shared];

/** Milliseconds since 1970 → as the files have it. */
export type WriteTime = (milliseconds: number) => string;

/** `2026-07-15 10:00:00` in the format's time zone. */
export function timeWriter({ timeZone }: ExportFormat): WriteTime {
  const format = new Intl.DateTimeFormat("sv-SE", {
    timeZone,
    ...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" },
  });
  return (milliseconds) => format.format(milliseconds);
}

/** `delivery_logs_20260715_100000.txt`: Extract file's "Add date and time to the file name". */
export function exportName(name: string, time: string): string {
  return `${name}_${time.replaceAll(/[-:]/g, "").replace(" ", "_")}.txt`;
}

export function line(values: readonly string[], { delimiter }: ExportFormat): string {
  return `${values.map((value) => quoted(value, delimiter)).join(delimiter)}\n`;
}

export function logLine(log: DeliveryLog | TrackingLog, format: ExportFormat, write: WriteTime): string {
  const { campaignId, campaignName, id, name } = log.delivery;
  const deliveryLogId = log.kind === "delivery" ? log.id : log.deliveryLogId;
  const about = [campaignId, campaignName, id, name, `https://t.contoso.example/m?p=${deliveryLogId}`];
  const what = log.kind === "delivery" ? [log.status, log.failureType] : [log.urlType, log.trackingUrl];
  return line([String(log.id), log.contactKey, write(log.at), ...what, ...about], format);
}

function quoted(value: string, delimiter: string): string {
  return value.includes(delimiter) || /["\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
