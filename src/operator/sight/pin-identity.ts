/** How a pin is known: by the full hash of its content, of which its name carries the beginning. */
import { createHash } from "node:crypto";
import { canonicalJson } from "../../api/json.ts";
import type { PinContent, PinSeen } from "./snapshot.ts";

/** Hex digits of the hash in a pin's name: name, dash and eight characters fit a label. */
const hashLength = 8;

/** Names that are tried when another content has the same short hash. */
const mostSalts = 16;

/** Of contents that somebody holds: each is hashed when it is first asked for, and once. */
const known = new WeakMap<PinContent, string>();

/**
 * The full hash of what a run runs. Kept with the run, so that nobody can put another content under the same short name.
 * @param content never changes
 */
export function digestOf(content: PinContent): string {
  const digest = known.get(content) ?? createHash("sha256").update(canonicalJson(content)).digest("hex");
  known.set(content, digest);
  return digest;
}

/** The names that a content may have, in the order in which they are tried. */
export function* pinNames(workflowName: string, digest: string): Generator<string> {
  for (let salt = 0; salt < mostSalts; salt += 1) {
    const hash = salt === 0 ? digest : createHash("sha256").update(`${salt}:${digest}`).digest("hex");
    yield `${workflowName}-${hash.slice(0, hashLength)}`;
  }
}

/** Whether a pin holds what its name, and the run that uses it, say. */
export function isTrue(pin: PinSeen, workflowName: string, digest: string | undefined): boolean {
  if (pin.content === undefined) return false;
  const own = digestOf(pin.content);
  if (digest !== undefined) return own === digest;
  return pinNames(workflowName, own).some((name) => name === pin.metadata.name);
}
