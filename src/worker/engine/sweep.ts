import type { IngressMapping } from "../../api/integration-workflow.ts";
import type { Queue } from "../queue/interface.ts";

/** Takes whatever the generation did not see, in parts that hold nothing else up. Interrupted, it is begun again. */
export async function sweepAll(
  queue: Queue,
  { table, applyDeletes }: IngressMapping,
  generation: number,
): Promise<void> {
  let after = await queue.sweep(table, generation, applyDeletes);
  while (after !== undefined) after = await queue.sweep(table, generation, applyDeletes, after);
}
