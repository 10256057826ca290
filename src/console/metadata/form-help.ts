/** The help for one form, as far as somebody who may be asked knows it. */
import { createHash } from "node:crypto";
import type { WorkflowType } from "../../api/integration-workflow.ts";
import type { HelpSent } from "../edit/checked.ts";
import type { Said } from "../edit/draft.ts";
import { helpFor } from "./forms.ts";
import type { Help } from "./help.ts";
import { nothingKnown, systemsOf } from "./names.ts";
import type { Reached } from "./reach.ts";

export interface FormHelp extends Help {
  /** Where it comes from, or why there is none; and what is not told. */
  readonly origin: readonly string[];
  /** More is known a moment later. */
  readonly isSoon: boolean;
  /** Absent: there is no need of a pod that asks. */
  readonly probe: ProbeOffer | undefined;
}

/** `image`: undefined when nobody said which. */
export interface ProbeOffer {
  readonly image: string | undefined;
  readonly disabledBecause: string | undefined;
}

/** @param probe what could be offered if it is needed */
export async function formHelp(
  reached: Reached,
  said: Said,
  type: WorkflowType,
  probe: () => Promise<ProbeOffer>,
): Promise<FormHelp> {
  const systems = reached.is === "Told" ? systemsOf(reached.known, said) : nothingKnown;
  const { notes, lists, listOf } = helpFor(said, type, systems);
  const isNeeded = reached.is === "Told" ? systems.isElsewhere : reached.mayProbe;
  return {
    notes,
    lists,
    listOf,
    origin: [reached.is === "Told" ? reached.by : reached.why, ...systems.remarks],
    isSoon: reached.is === "Told" ? systems.isAsked : reached.isSoon,
    probe: isNeeded ? await probe() : undefined,
  };
}

/**
 * For a form that is open already.
 * @param seen the digest of what it shows
 * @param have the ids of the lists that it has
 * @returns undefined when it shows all that already
 */
export function sentHelp(
  { notes, lists, listOf, origin, probe }: FormHelp,
  seen: string,
  have: ReadonlySet<string>,
): HelpSent | undefined {
  const told = {
    origin,
    offersProbe: probe !== undefined,
    notes: [...notes].map(([path, { text, isWarning }]) => ({ path, text, isWarning })),
    listOf: [...listOf],
  };
  const digest = createHash("sha256").update(JSON.stringify(told)).digest("base64url").slice(0, 16);
  if (digest === seen) return undefined;
  return { digest, ...told, lists: [...lists].filter(([id]) => !have.has(id)) };
}
