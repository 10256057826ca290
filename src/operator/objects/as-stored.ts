import { isRecord } from "../../api/json.ts";
import { canonicalQuantity } from "./quantity.ts";

/**
 * A Deployment's spec in the form in which the API server keeps it, as far as users write any of it: quantities are in their
 * one form, what a variable's source leaves out is filled in, and what is empty is left out.
 *
 * For comparisons alone: what is sent is what users wrote.
 */
export function asStored(spec: object): unknown {
  return kept("spec", spec);
}

function kept(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((entry) => kept(key, entry));
  if (!isRecord(value)) return value;
  const entries = Object.entries(filledIn(key, value)).map(([name, entry]) => [name, kept(name, entry)] as const);
  return Object.fromEntries(
    entries
      .filter(([, entry]) => !isEmpty(entry))
      .map(([name, entry]) => [
        name,
        isQuantity(key, name) && typeof entry === "string" ? canonicalQuantity(entry) : entry,
      ]),
  );
}

/** Source: SetDefaults_ObjectFieldSelector, and the divisor's type, in k8s.io/api/core/v1 */
function filledIn(key: string, value: Record<string, unknown>): Record<string, unknown> {
  if (key === "fieldRef") return { apiVersion: "v1", ...value };
  if (key === "resourceFieldRef") return { divisor: "0", ...value };
  return value;
}

function isQuantity(key: string, name: string): boolean {
  return key === "requests" || key === "limits" || name === "divisor" || name === "sizeLimit";
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
