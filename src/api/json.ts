/**
 * Whether two JSON values say the same. The order of keys does not count, and a field that is undefined is one that is
 * absent: that is how JSON writes it.
 */
export function sameJson(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    for (const index of left.keys()) if (!sameJson(left[index], right[index])) return false;
    return true;
  }
  // JSON objects have only fields of their own, whose names are strings.
  const [one, other] = [left as Record<string, unknown>, right as Record<string, unknown>];
  for (const key in one) if (!sameJson(one[key], other[key])) return false;
  for (const key in other) if (other[key] !== undefined && one[key] === undefined) return false;
  return true;
}

/** The one way to write a JSON value: keys in order, no white space. Equal by `sameJson` is equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((entry) => canonicalJson(entry ?? null)).join(",")}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  let fields = "";
  for (const key of inOrder(Object.keys(value))) {
    const entry = value[key];
    if (entry !== undefined) fields += `${fields === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(entry)}`;
  }
  return `{${fields}}`;
}

/** Sorts in place, and not at all what the API server has sorted already. */
function inOrder(keys: string[]): readonly string[] {
  let before = "";
  for (const key of keys) {
    if (key < before) return keys.sort();
    before = key;
  }
  return keys;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
