/** The storms by what a workflow does. */
import type { StormOptions, StormResult } from "./course.ts";
import { gateEgressStorm, runEgressStorm } from "./egress/storm.ts";
import { gateOptInOutStorm, runOptInOutStorm } from "./opt-in-out/storm.ts";
import { gateStorm, runStorm } from "./storm.ts";

type Size = Omit<StormOptions, "seed" | "makeStore">;

interface StormOfFlow {
  readonly run: (options: StormOptions) => Promise<StormResult>;
  /** What every change of the project must come through. */
  readonly gate: Size;
  /** What looks further. */
  readonly large: Size;
}

export const flows = {
  ingress: { run: runStorm, gate: gateStorm, large: { contacts: 120, happenings: 45, calmSeconds: 120 } },
  egress: { run: runEgressStorm, gate: gateEgressStorm, large: { ...gateEgressStorm, happenings: 60 } },
  "opt-in-out": { run: runOptInOutStorm, gate: gateOptInOutStorm, large: { ...gateOptInOutStorm, happenings: 80 } },
} as const satisfies Readonly<Record<string, StormOfFlow>>;

export type FlowName = keyof typeof flows;
