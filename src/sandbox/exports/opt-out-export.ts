import type { CampaignInstance } from "../campaign/instance.ts";
import { type ExportFormat, line, type WriteTime } from "./export-text.ts";

/**
 * The lines of the opt-out export, header first: profiles that belong to a contact and whose opt-outs changed at `since`
 * or later; undefined: all of them. The columns are those of docs/explanation/opt-in-out.md, all eight fields with their
 * times.
 */
export function* optOutLines(
  instance: CampaignInstance,
  since: number | undefined,
  format: ExportFormat,
  write: WriteTime,
): Generator<string> {
  const profile = instance.resource("profile");
  const [key] = profile?.keys ?? [];
  if (profile === undefined || key === undefined) return;
  const fields = profile.fields.filter(({ timed }) => timed === true).map(({ name }) => name);
  yield line(["contactId", ...fields.flatMap((name) => [name, `${name}Time`])], format);
  const store = instance.store(profile.name);
  if (since !== undefined && store.newest < since) return;
  for (const { created, changedAt, values } of store.after(0)) {
    const times = fields.map((name) => changedAt?.[name] ?? created);
    if (values[key] === undefined || (since !== undefined && !times.some((time) => time >= since))) continue;
    const cells = fields.flatMap((name, index) => [String(values[name] === true), write(times[index] ?? created)]);
    yield line([String(values[key]), ...cells], format);
  }
}
