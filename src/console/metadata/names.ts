/** Tables and columns by their names, as far as they are known of the systems that a form names. Pure. */
import type { ColumnTold, FieldTold, Listed, ResourceTold, TableTold, Told } from "../../api/worker-metadata.ts";
import type { Said } from "../edit/draft.ts";
import { metadataTexts as texts } from "../metadata-texts.ts";
import type { Known, Side } from "./known.ts";
import { recordOf } from "./mapped.ts";

/** What one list says of a name. `Unknown`: it does not say. */
export type Found<Entry> =
  | { readonly is: "There"; readonly entry: Entry }
  | { readonly is: "Missing" }
  | { readonly is: "Unknown" };

export interface Names<Whole, Part> {
  readonly all: readonly Whole[];
  whole(name: string): Found<Whole>;
  parts(of: string): readonly Part[];
  /** How many of a list were left off. */
  left(of: string): number;
  part(of: string, name: string): Found<Part>;
}

export interface Systems {
  readonly dynamics: Names<TableTold, ColumnTold>;
  readonly campaign: Names<ResourceTold, FieldTold>;
  /** What a person is to know of what is not told, in words. */
  readonly remarks: readonly string[];
  /** Something is being asked for. */
  readonly isAsked: boolean;
  /** What answers runs with another address. */
  readonly isElsewhere: boolean;
}

/** @param said the form's spec: what runs with other addresses tells of other systems */
export function systemsOf({ dynamics, campaign }: Known, said: Said): Systems {
  const isDynamics = isSame(dynamics.url, recordOf(said["dynamics"])["url"]);
  const isCampaign = isSame(campaign.url, recordOf(said["campaign"])["url"]);
  const sides = [
    ...(isDynamics ? [["Dynamics 365", dynamics] as const] : []),
    ...(isCampaign ? [["Campaign", campaign] as const] : []),
  ];
  const isAsked = sides.some(([, { whole, parts }]) => [whole, ...parts.values()].some(({ is }) => is === "Asked"));
  const refused = sides.flatMap(([system, { whole, parts }]) => {
    const messages = [whole, ...parts.values()].flatMap((told) => (told.is === "Refused" ? [told.message] : []));
    return [...new Set(messages)].slice(0, 1).map((message) => texts.refused(system, message));
  });
  return {
    dynamics: namesOf(isDynamics ? dynamics : undefined),
    campaign: namesOf(isCampaign ? campaign : undefined),
    remarks: [
      ...(isDynamics ? [] : [texts.elsewhere("Dynamics 365", dynamics.url)]),
      ...(isCampaign ? [] : [texts.elsewhere("Campaign", campaign.url)]),
      ...refused,
      ...(isAsked ? [texts.someAsked] : []),
    ],
    isAsked,
    isElsewhere: !isDynamics || !isCampaign,
  };
}

export const nothingKnown: Systems = {
  dynamics: namesOf<TableTold, ColumnTold>(undefined),
  campaign: namesOf<ResourceTold, FieldTold>(undefined),
  remarks: [],
  isAsked: false,
  isElsewhere: false,
};

function isSame(url: string, said: unknown): boolean {
  const [one, other] = [url, String(said)].map((text) => text.replace(/\/+$/, "").toLowerCase());
  return one === other;
}

interface Named {
  readonly name: string;
}

function namesOf<Whole extends Named, Part extends Named>(side: Side<Whole, Part> | undefined): Names<Whole, Part> {
  const wholes = byName(side?.whole);
  const parts = new Map([...(side?.parts ?? [])].map(([of, told]) => [of, { told, names: byName(told) }]));
  return {
    all: entriesOf(side?.whole),
    whole: (name) => {
      const entry = wholes.get(name);
      if (entry !== undefined) return { is: "There", entry };
      const told = parts.get(name)?.told;
      // Its own answer counts for more than a list, which need not have everything.
      if (told?.is === "Missing") return { is: "Missing" };
      return { is: "Unknown" };
    },
    parts: (of) => entriesOf(parts.get(of)?.told),
    left: (of) => {
      const told = parts.get(of)?.told;
      return told?.is === "Told" ? told.left : 0;
    },
    part: (of, name) => {
      const known = parts.get(of);
      const entry = known?.names.get(name);
      if (entry !== undefined) return { is: "There", entry };
      return known?.told.is === "Told" && known.told.left === 0 ? { is: "Missing" } : { is: "Unknown" };
    },
  };
}

function entriesOf<Entry>(told: Told<Listed<Entry>> | undefined): readonly Entry[] {
  return told?.is === "Told" ? told.entries : [];
}

function byName<Entry extends Named>(told: Told<Listed<Entry>> | undefined): ReadonlyMap<string, Entry> {
  return new Map(entriesOf(told).map((entry) => [entry.name, entry]));
}
