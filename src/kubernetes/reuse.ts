/**
 * The same value as `now`, made of what did not change of `before`: what stays needs no memory again, and is found to be the
 * same at a glance. `now` itself is changed for that, unless it is frozen.
 */
export function reuse<T>(before: unknown, now: T): T {
  if (!isComposite(before) || !isComposite(now) || Object.isFrozen(now)) return now;
  if (Array.isArray(before) !== Array.isArray(now)) return now;
  const [old, own] = [before as Record<string, unknown>, now as Record<string, unknown>]; // A list has its places for names.
  const names = Object.keys(own);
  let isSame = names.length === Object.keys(old).length;
  for (const name of names) {
    // Not what every object inherits.
    const wasThere = Object.hasOwn(old, name);
    const part = wasThere ? reuse(old[name], own[name]) : own[name];
    if (part !== own[name]) own[name] = part;
    if (!wasThere || part !== old[name]) isSame = false;
  }
  return isSame ? (before as T) : now; // Field by field the same.
}

function isComposite(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
