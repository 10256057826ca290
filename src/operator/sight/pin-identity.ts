/** How a pin is known: by the full hash of its content, of which its name carries the beginning. */
import { createHash } from "node:crypto";
import { canonicalJson } from "../json.ts";
import type { PinContent, PinSeen } from "./snapshot.ts";

/** Hex digits of the hash in a pin's name: name, dash and eight characters fit a label. */
const hashLength = 8;

/** Names that are tried when another content has the same short hash. */
const mostSalts = 16;

/** The full hash of what a run runs. Kept with the run, so that nobody can put another content under the same short name. */
export function digestOf(content: PinContent): string {
  return createHash("sha256").update(canonicalJson(content)).digest("hex");
}

/** The names that a content may have, in the order in which they are tried. */
export function pinNames(workflowName: string, digest: string): readonly string[] {
  return Array.from({ length: mostSalts }, (_, salt) => {
    const hash = salt === 0 ? digest : createHash("sha256").update(`${salt}:${digest}`).digest("hex");
    return `${workflowName}-${hash.slice(0, hashLength)}`;
  });
}

/** Whether a pin holds what its name, and the run that uses it, say. */
export function isTrue(pin: PinSeen, workflowName: string, digest: string | undefined): boolean {
  if (pin.digest === undefined) return false;
  return digest === undefined ? pinNames(workflowName, pin.digest).includes(pin.metadata.name) : pin.digest === digest;
}
