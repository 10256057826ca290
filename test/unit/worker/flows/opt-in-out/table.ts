import type { Direction } from "../../../../../src/worker/flows/opt-in-out/contact.ts";
import { type Rule, rules } from "../../../../../src/worker/flows/opt-in-out/rules.ts";

/** Every combination of one field, both sides read just now, with its outcome and its rule. TRUE is opted out. */

export type Agreed = "none" | "FALSE" | "TRUE";
export type Value = "FALSE" | "TRUE";
/** Campaign's time of the attribute, beside the time of Dynamics' record. */
export type Time = "none" | "earlier" | "equal" | "later";
type Written = "nothing" | "TRUE to Campaign" | "FALSE to Campaign" | "TRUE to Dynamics" | "FALSE to Dynamics";

export const every = {
  agreed: ["none", "FALSE", "TRUE"],
  value: ["FALSE", "TRUE"],
  time: ["none", "earlier", "equal", "later"],
} as const;

type Row = readonly [
  agreed: Agreed | "any" | "none or FALSE" | "none or TRUE",
  dynamics: Value | "any",
  campaign: Value | "any",
  time: Time | "any" | "earlier or equal",
  written: Written,
  rule: Rule,
];

export const table: Readonly<Record<Direction, readonly Row[]>> = {
  Bidirectional: [
    ["FALSE", "FALSE", "FALSE", "any", "nothing", "Unchanged"],
    ["TRUE", "TRUE", "TRUE", "any", "nothing", "Unchanged"],
    ["none or TRUE", "FALSE", "FALSE", "any", "nothing", "Same"],
    ["none or FALSE", "TRUE", "TRUE", "any", "nothing", "Same"],
    ["none", "TRUE", "FALSE", "any", "TRUE to Campaign", "NoAgreedValue"],
    ["none", "FALSE", "TRUE", "any", "TRUE to Dynamics", "NoAgreedValue"],
    ["FALSE", "TRUE", "FALSE", "any", "TRUE to Campaign", "OptedOutInDynamics"],
    ["FALSE", "FALSE", "TRUE", "any", "TRUE to Dynamics", "OptedOutInCampaign"],
    ["TRUE", "FALSE", "TRUE", "any", "TRUE to Dynamics", "OptedOutWins"],
    ["TRUE", "TRUE", "FALSE", "none", "TRUE to Campaign", "NoAttributeTime"],
    ["TRUE", "TRUE", "FALSE", "earlier or equal", "TRUE to Campaign", "DynamicsLaterOrEqual"],
    ["TRUE", "TRUE", "FALSE", "later", "FALSE to Dynamics", "CampaignLater"],
  ],
  DynamicsToCampaign: [
    ["FALSE", "FALSE", "any", "any", "nothing", "Unchanged"],
    ["TRUE", "TRUE", "any", "any", "nothing", "Unchanged"],
    ["none or TRUE", "FALSE", "FALSE", "any", "nothing", "Same"],
    ["none or FALSE", "TRUE", "TRUE", "any", "nothing", "Same"],
    ["none", "FALSE", "TRUE", "any", "nothing", "NoAgreedValue"],
    ["none", "TRUE", "FALSE", "any", "TRUE to Campaign", "NoAgreedValue"],
    ["FALSE", "TRUE", "FALSE", "any", "TRUE to Campaign", "SourceChanged"],
    ["TRUE", "FALSE", "TRUE", "any", "FALSE to Campaign", "SourceChanged"],
  ],
  CampaignToDynamics: [
    ["FALSE", "any", "FALSE", "any", "nothing", "Unchanged"],
    ["TRUE", "any", "TRUE", "any", "nothing", "Unchanged"],
    ["none or TRUE", "FALSE", "FALSE", "any", "nothing", "Same"],
    ["none or FALSE", "TRUE", "TRUE", "any", "nothing", "Same"],
    ["none", "TRUE", "FALSE", "any", "nothing", "NoAgreedValue"],
    ["none", "FALSE", "TRUE", "any", "TRUE to Dynamics", "NoAgreedValue"],
    ["FALSE", "FALSE", "TRUE", "any", "TRUE to Dynamics", "SourceChanged"],
    ["TRUE", "TRUE", "FALSE", "any", "FALSE to Dynamics", "SourceChanged"],
  ],
  Disabled: [["any", "any", "any", "any", "nothing", "Disabled"]],
};

export function covers(cell: string, value: string): boolean {
  return cell === "any" || cell.split(" or ").includes(value);
}

export function tableOf(direction: Direction): string {
  return markdown([
    ["agreed last", "Dynamics", "Campaign", "Campaign's time", "written", "rule"],
    ...table[direction].map(([agreed, dynamics, campaign, time, written, rule]) => [
      ...[agreed, dynamics, campaign, time, written],
      `\`${rule}\``,
    ]),
  ]);
}

export function tableOfRules(): string {
  return markdown([["rule", "says"], ...Object.entries(rules).map(([rule, says]) => [`\`${rule}\``, says])]);
}

function markdown([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}
