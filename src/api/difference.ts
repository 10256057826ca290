import { isRecord, sameJson } from "./json.ts";

/** One difference between two JSON values. */
export interface Difference {
  /** As `ingress.mappings[table=contact].applyDeletes`. */
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** What names the entries of lists: of a CRD's schema, or by rule. */
export interface ListKeys {
  /** The fields that identify an entry of the list at this node; undefined: a list is one value. */
  keysOf(node: unknown, list: readonly unknown[]): readonly string[] | undefined;
  /** The node of a property, or of a list's entries. */
  child(node: unknown, property: string | undefined): unknown;
}

/**
 * The leaves in which two values differ, in the order of the fields. An entry of a list with keys is found by its keys, so
 * that its place does not count; an entry that is new or gone is one difference.
 */
export function differences(from: unknown, to: unknown, lists: ListKeys, node: unknown): Difference[] {
  const found: Difference[] = [];
  compare("", from, to, lists, node, found);
  return found;
}

function compare(path: string, from: unknown, to: unknown, lists: ListKeys, node: unknown, found: Difference[]): void {
  if (sameJson(from, to)) return;
  if (isRecord(from) && isRecord(to)) {
    for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
      compare(path === "" ? name : `${path}.${name}`, from[name], to[name], lists, lists.child(node, name), found);
    }
    return;
  }
  if (Array.isArray(from) && Array.isArray(to)) {
    const keys = lists.keysOf(node, [...from, ...to]);
    if (keys !== undefined) {
      const [before, after] = [byKeys(from, keys), byKeys(to, keys)];
      for (const name of new Set([...before.keys(), ...after.keys()])) {
        compare(`${path}[${name}]`, before.get(name), after.get(name), lists, lists.child(node, undefined), found);
      }
      return;
    }
  }
  found.push({ path, from, to });
}

function byKeys(list: readonly unknown[], keys: readonly string[]): Map<string, unknown> {
  return new Map(
    list.map((entry) => {
      const fields = isRecord(entry) ? entry : {};
      return [keys.map((key) => `${key}=${String(fields[key])}`).join(","), entry];
    }),
  );
}

/** Lists as a CRD's schema has them. */
export const schemaLists: ListKeys = {
  keysOf(node) {
    const keys = isRecord(node) ? node["x-kubernetes-list-map-keys"] : undefined;
    return Array.isArray(keys) ? keys.map(String) : undefined;
  },
  child(node, property) {
    if (!isRecord(node)) return undefined;
    if (property === undefined) return node["items"];
    const properties = node["properties"];
    return isRecord(properties) ? properties[property] : undefined;
  },
};

/** Lists of core objects: by name, where every entry has one. */
export const namedLists: ListKeys = {
  keysOf(_node, list) {
    return list.every((entry) => isRecord(entry) && typeof entry["name"] === "string") ? ["name"] : undefined;
  },
  child: () => undefined,
};
