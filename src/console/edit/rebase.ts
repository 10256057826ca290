/** One person's edits on top of another's. Pure. */
import { type ListKeys, schemaLists } from "../../api/difference.ts";
import { isRecord, sameJson } from "../../api/json.ts";
import { specShape } from "./shape.ts";

export interface Rebased {
  readonly spec: Readonly<Record<string, unknown>>;
  /** Where both said something, and not the same: mine stands. */
  readonly collisions: readonly string[];
}

/** @param base what both began with */
export function rebase(base: unknown, mine: unknown, theirs: unknown): Rebased {
  const collisions: string[] = [];
  const merged = merge("", base, mine, theirs, specShape, collisions);
  return { spec: isRecord(merged) ? merged : {}, collisions };
}

const lists: ListKeys = schemaLists;

function merge(
  path: string,
  base: unknown,
  mine: unknown,
  theirs: unknown,
  node: unknown,
  collisions: string[],
): unknown {
  if (sameJson(mine, base)) return theirs;
  if (sameJson(theirs, base) || sameJson(mine, theirs)) return mine;
  if (isRecord(mine) && isRecord(theirs)) {
    const from = isRecord(base) ? base : {};
    const names = new Set([...Object.keys(theirs), ...Object.keys(mine)]);
    const fields = [...names].map((name) => {
      const below = path === "" ? name : `${path}.${name}`;
      return [name, merge(below, from[name], mine[name], theirs[name], lists.child(node, name), collisions)] as const;
    });
    return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
  }
  if (Array.isArray(mine) && Array.isArray(theirs)) {
    const keys = lists.keysOf(node, [...mine, ...theirs]);
    if (keys !== undefined) {
      const [from, one, other] = [base, mine, theirs].map((list) => byKeys(Array.isArray(list) ? list : [], keys));
      const names = new Set([...(other?.keys() ?? []), ...(one?.keys() ?? [])]);
      return [...names]
        .map((name) =>
          merge(
            `${path}[${name}]`,
            from?.get(name),
            one?.get(name),
            other?.get(name),
            lists.child(node, undefined),
            collisions,
          ),
        )
        .filter((entry) => entry !== undefined);
    }
  }
  collisions.push(path);
  return mine;
}

function byKeys(list: readonly unknown[], keys: readonly string[]): Map<string, unknown> {
  return new Map(
    list.map((entry) => [keys.map((key) => `${key}=${isRecord(entry) ? String(entry[key]) : ""}`).join(","), entry]),
  );
}
