/** Who wrote which field of an object, as the API server remembers it in metadata.managedFields. Pure. */
import { isRecord } from "../api/json.ts";
import type { ManagedFieldsEntry } from "../kubernetes/objects.ts";

export interface FieldOwner {
  readonly manager: string;
  /** Apply: by server-side apply, which objects when another takes the field. */
  readonly operation: "Apply" | "Update";
  /** RFC 3339; when this manager last changed anything of what it owns. */
  readonly time: string | undefined;
}

/** A step down: a property, or an entry of a list by its keys. */
type Segment = string | Readonly<Record<string, string>>;

/**
 * The owners of a field; several may own it with one value. The one that wrote last is first.
 * @param path as in `status.pendingChanges`: `ingress.mappings[table=contact].applyDeletes`, from spec on
 */
export function ownersOf(managedFields: readonly ManagedFieldsEntry[] | undefined, path: string): FieldOwner[] {
  return ownersAt(managedFields, ["spec", ...segmentsOf(path)]);
}

/**
 * The owners of a field, or of the nearest one above it that anybody owns: what is gone is owned by nobody, and whoever took
 * it away wrote something around it.
 */
export function nearestOwnersOf(managedFields: readonly ManagedFieldsEntry[] | undefined, path: string): FieldOwner[] {
  const segments = ["spec", ...segmentsOf(path)];
  for (let length = segments.length; length > 0; length -= 1) {
    const owners = ownersAt(managedFields, segments.slice(0, length));
    if (owners.length > 0) return owners;
  }
  return [];
}

/** Whether a person wrote it with kubectl or its plugin: nobody who puts it back. */
export function isByHand({ manager }: FieldOwner): boolean {
  return manager === "kubectl" || manager.startsWith("kubectl-");
}

function ownersAt(managedFields: readonly ManagedFieldsEntry[] = [], segments: readonly Segment[]): FieldOwner[] {
  return managedFields
    .filter(({ subresource, fieldsV1 }) => subresource === undefined && holds(fieldsV1, segments))
    .map(ownerOf)
    .sort((a, b) => (b.time ?? "").localeCompare(a.time ?? ""));
}

function ownerOf({ manager = "unknown", operation, time }: ManagedFieldsEntry): FieldOwner {
  return { manager, operation: operation === "Apply" ? "Apply" : "Update", time };
}

/** Keys of lists hold no bracket, dot or comma that would end them early: names of tables, columns and fields. */
function segmentsOf(path: string): Segment[] {
  return [...path.matchAll(/\[([^\]]*)\]|[^.[\]]+/g)].map(([whole, keys]) =>
    keys === undefined ? whole : Object.fromEntries(keys.split(",").map((pair) => pair.split(/=(.*)/s, 2))),
  );
}

function holds(fields: unknown, [first, ...rest]: readonly Segment[]): boolean {
  if (first === undefined) return true;
  const below = child(fields, first);
  return below !== undefined && holds(below, rest);
}

function child(fields: unknown, segment: Segment): unknown {
  if (!isRecord(fields)) return undefined;
  if (typeof segment === "string") return fields[`f:${segment}`];
  const found = Object.entries(fields).find(([name]) => name.startsWith("k:") && isEntry(name.slice(2), segment));
  return found?.[1];
}

function isEntry(keys: string, wanted: Readonly<Record<string, string>>): boolean {
  try {
    const found: unknown = JSON.parse(keys);
    return isRecord(found) && Object.entries(wanted).every(([key, value]) => String(found[key]) === value);
  } catch {
    // The API server writes JSON there; anything else names no entry.
    return false;
  }
}
