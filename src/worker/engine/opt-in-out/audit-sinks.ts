import { AuditLog } from "../../flows/opt-in-out/audit-log.ts";
import type { StoredAudit } from "../../queue/contacts.ts";
import type { AuditSink } from "./context.ts";

const dayMs = 86_400_000;

/** On the worker's volume: one file a day, and what is older goes when a new day begins. */
export function auditOnVolume(directory: string, retentionDays: number): AuditSink {
  const log = new AuditLog({ directory, retentionDays });
  return {
    append: (records) => log.append(records),
    forgetOld: async () => {},
    close: () => log.close(),
  };
}

/** In the database that several workers share. */
export function auditInStore(audit: StoredAudit, retentionDays: number): AuditSink {
  return {
    append: async (records) => {
      if (records.length === 0) return;
      await audit.append(records.map((record) => ({ atMs: Date.parse(record.at), text: JSON.stringify(record) })));
    },
    forgetOld: async () => {
      await audit.forget(retentionDays * dayMs);
    },
    close: async () => {},
  };
}
