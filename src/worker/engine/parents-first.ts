/** What a table whose rows need other mappings' records waits for, so that it is not read far ahead of those. Pure. */
import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { Checkpoint } from "../queue/checkpoint.ts";

/** Where a mapping is. */
export interface Standing {
  readonly mapping: IngressMapping;
  readonly checkpoint: Pick<Checkpoint, "delta" | "snapshot">;
  /** Waiting records that are due or are tried again. */
  readonly due: number;
  /** That wait for others. */
  readonly parked: number;
  /** Nothing of it is written until a person or time mends it. */
  readonly standsStill: boolean;
}

/** So few are written before much is read: no reading waits for them, nor for one that is tried again all day. */
const fewRecords = 100;

/**
 * The mappings, by their tables, that are to be brought over before more of a child's table is read: those that its
 * mandatory links lead to, directly or not, as long as they are read or have records that are due. None while the child
 * has fewer than `mostRecords` waiting, for so many keep their contents.
 *
 * Nobody waits for ever: a mapping waits for none that leads back to it, so in every chain there is one that moves. What
 * stands still is not waited for by a reading again without a delta, for the child's changes come only after that.
 */
export function parentsFirst(child: Standing, all: readonly Standing[], mostRecords: number): readonly string[] {
  if (child.due + child.parked < mostRecords) return [];
  const { snapshot, delta } = child.checkpoint;
  const isPatient = delta !== undefined || snapshot?.purpose === "FirstLoad";
  return [...ancestorsOf(child, all)]
    .filter((parent) => isOnItsWay(parent) && (isPatient || !parent.standsStill))
    .filter((parent) => !ancestorsOf(parent, all).has(child))
    .map(({ mapping }) => mapping.table);
}

function isOnItsWay({ checkpoint: { delta, snapshot }, due }: Standing): boolean {
  const isRead = delta !== undefined && (snapshot === undefined || snapshot.purpose === "Replay");
  return !isRead || due > fewRecords;
}

/** By mandatory links; itself too, if they lead back. */
function ancestorsOf(of: Standing, all: readonly Standing[]): ReadonlySet<Standing> {
  const found = new Set<Standing>();
  const toLookAt = [of];
  for (let next = toLookAt.pop(); next !== undefined; next = toLookAt.pop()) {
    for (const parent of parentsOf(next, all)) {
      if (found.has(parent)) continue;
      found.add(parent);
      toLookAt.push(parent);
    }
  }
  return found;
}

function parentsOf({ mapping }: Standing, all: readonly Standing[]): readonly Standing[] {
  return mapping.fields.flatMap(({ link }) => {
    const parent = link?.mandatory ? all.find((other) => other.mapping.resource === link.resource) : undefined;
    return parent ?? [];
  });
}
