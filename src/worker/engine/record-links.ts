import { type LinkedFields, linked, linksOf, type MappedFields, type RecordLink } from "../flows/ingress/links.ts";
import type { Plan } from "../flows/ingress/plan.ts";
import type { LeasedRecord, Parent, ParentQuestion, ParentStanding } from "../queue/turn.ts";
import type { EngineContext } from "./context.ts";

type LinkAnswer =
  | {
      readonly kind: "Ready";
      readonly fields: LinkedFields;
      /** See Content in turn-content.ts. */
      readonly owed: LinkedFields;
      /** Absent: the mapping has no links. */
      readonly linked?: readonly Parent[];
    }
  /** For a parent that may still land. */
  | { readonly kind: "Wait" }
  | { readonly kind: "Missing"; readonly message: string };

type Link = RecordLink & { readonly lookup: NonNullable<RecordLink["lookup"]> };

/** The links of one record at its turn: whom it points at, and what of that is in Campaign. */
export class RecordLinks {
  readonly #record: LeasedRecord;
  readonly #plan: Plan;
  readonly #fields: MappedFields;
  readonly #context: EngineContext;
  readonly #links: readonly RecordLink[];
  /** The keys of fields as they were last resolved. */
  #keys = new Map<string, string>();
  /** Fields whose target was written, and is gone from Campaign nevertheless. */
  readonly #gone = new Set<string>();

  constructor(record: LeasedRecord, plan: Plan, fields: MappedFields, context: EngineContext) {
    this.#record = record;
    this.#plan = plan;
    this.#fields = fields;
    this.#context = context;
    this.#links = linksOf(plan, fields);
  }

  async resolve(): Promise<LinkAnswer> {
    if (!this.#plan.fields.some(({ link }) => link !== undefined)) {
      return { kind: "Ready", fields: linked(this.#fields, new Map()), owed: {} };
    }
    for (const { field, link, lookup } of this.#links) {
      if (!link.mandatory || this.#isNotSent(field.applyUpdates)) continue;
      if (lookup === null) return this.#missing(field, `the column ${field.column.name} is empty`);
      if (lookup.table === undefined) continue;
      return this.#missing(
        field,
        `it points at ${lookup.table} ${lookup.id}, and ${link.resource} is filled from ${link.parent}`,
      );
    }
    const links = this.#links.filter(isOurs);
    const standings = await this.#context.queue.askParents(
      this.#record,
      links.map((link) => this.#question(link)),
    );
    const mandatory = links.flatMap((link, index) => {
      const standing = standings[index];
      return standing !== undefined && this.#question(link).isMandatory ? [{ ...link, standing }] : [];
    });
    for (const { field, link, lookup, standing } of mandatory) {
      const why = this.#gone.has(field.field) ? "is no longer in Campaign" : absence(standing);
      if (why !== undefined) return this.#missing(field, `its target ${link.parent} ${lookup.id} ${why}`);
    }
    if (mandatory.some(({ standing }) => standing.kind === "Awaited")) return { kind: "Wait" };
    return this.#ready(links, standings);
  }

  /** Campaign says that a target is not there: which? @returns whether it is known now */
  async lookForParents(signal: AbortSignal): Promise<boolean> {
    const before = this.#gone.size;
    for (const { field, link } of this.#links) {
      const value = this.#keys.get(field.field);
      if (value === undefined || this.#gone.has(field.field)) continue;
      const found = await this.#context.campaign.findByKey({ resource: link.resource, field: link.key, value }, signal);
      if (found.length === 0) this.#gone.add(field.field);
    }
    return this.#gone.size > before;
  }

  #ready(links: readonly Link[], standings: readonly ParentStanding[]): LinkAnswer {
    this.#keys = new Map();
    const owed = new Set<string>();
    const parents: Parent[] = [];
    for (const [index, { field, link, lookup }] of links.entries()) {
      const standing = standings[index];
      if (standing?.kind !== "There" || this.#gone.has(field.field)) continue;
      this.#keys.set(field.field, standing.targetKey);
      parents.push({ mapping: link.parent, id: lookup.id });
      if (standing.isOwed) owed.add(field.field);
    }
    const fields = linked(this.#fields, this.#keys);
    return {
      kind: "Ready",
      fields,
      owed: Object.fromEntries(Object.entries(fields).filter(([name]) => owed.has(name))),
      linked: parents,
    };
  }

  #question({ field, link, lookup }: Link): ParentQuestion {
    const isNotSent = this.#isNotSent(field.applyUpdates);
    return {
      mapping: link.parent,
      id: lookup.id,
      isMandatory: link.mandatory && !isNotSent,
      onlyIfOwed: isNotSent,
    };
  }

  /** Such a field was written with the record, and its changes are not. */
  #isNotSent(applyUpdates: boolean): boolean {
    const { written, replay } = this.#record;
    const isThere = written?.certainty === "Known" || written?.certainty === "Unknown";
    return !applyUpdates && isThere && written.left === false && !replay;
  }

  #missing({ field }: RecordLink["field"], why: string): LinkAnswer {
    const message = `mapping ${this.#record.mapping}, mandatory link ${field}: ${why}`;
    return { kind: "Missing", message };
  }
}

function isOurs(link: RecordLink): link is Link {
  return link.lookup !== null && link.lookup.table === undefined;
}

/** @returns undefined when it is there, or may come */
function absence(standing: ParentStanding): string | undefined {
  if (standing.kind !== "Absent") return undefined;
  switch (standing.why) {
    case "Gone":
      return "does not exist in Dynamics 365, or not for this user";
    case "FilteredOut":
      return "is outside its mapping's filter";
    case "Cycle":
      return "waits for this record by mandatory links of its own: one of them has to be optional";
    case "Refused":
      return `was refused itself (${standing.reason}): mend that one`;
  }
}
