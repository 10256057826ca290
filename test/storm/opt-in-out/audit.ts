/** The audit of opt-outs, as documented. */
import type { PairField } from "./pairs.ts";

/** What is documented of a line, as far as the judge asks. */
export type AuditLine =
  | {
      readonly at: string;
      readonly event: "Decided";
      readonly contact: string;
      readonly field: PairField;
      readonly decided: boolean | null;
      readonly written: "Dynamics" | "Campaign" | "Parked" | null;
      readonly rule: string;
    }
  | { readonly at: string; readonly event: "Written"; readonly contact: string; readonly outcome: string };

/** A crash may leave half a line. */
export function readAudit(lines: readonly string[]): readonly AuditLine[] {
  return lines.flatMap(parsed);
}

function parsed(line: string): readonly AuditLine[] {
  try {
    return [JSON.parse(line) as AuditLine]; // As documented.
  } catch {
    return [];
  }
}
