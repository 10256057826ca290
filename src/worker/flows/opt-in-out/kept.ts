/** What is kept of a contact between its turns, as text. Pure. */
import { type Agreement, nothingAgreed } from "./contact.ts";

export interface Kept {
  readonly agreement: Agreement;
  /** Opted out in Dynamics, and there is no profile: since when, and which fields. */
  readonly parked?: { readonly since: number; readonly fields: readonly string[] };
}

export const nothingKept: Kept = { agreement: nothingAgreed };

interface Text {
  readonly values?: Readonly<Record<string, boolean>>;
  readonly unanswered?: readonly string[];
  readonly profileCreated?: string;
  readonly contactCreated?: string;
  /** A row version has 64 bits. */
  readonly ownWrite?: { readonly version: string; readonly foreignModifiedAt?: number };
  readonly parked?: Kept["parked"];
}

/** undefined: there is nothing to keep. */
export function keptText({ agreement, parked }: Kept): string | undefined {
  const { values, unanswered, profileCreated, contactCreated, ownWrite } = agreement;
  const text: Text = {
    ...(values.size === 0 ? {} : { values: Object.fromEntries(values) }),
    ...(unanswered.size === 0 ? {} : { unanswered: [...unanswered] }),
    ...(profileCreated === undefined ? {} : { profileCreated }),
    ...(contactCreated === undefined ? {} : { contactCreated }),
    ...(ownWrite === undefined ? {} : { ownWrite: { ...ownWriteText(ownWrite) } }),
    ...(parked === undefined ? {} : { parked }),
  };
  return Object.keys(text).length === 0 ? undefined : JSON.stringify(text);
}

/** @param text of keptText */
export function keptOf(text: string): Kept {
  const kept = JSON.parse(text) as Text; // By keptText alone.
  const { values = {}, unanswered = [], profileCreated, contactCreated, ownWrite, parked } = kept;
  return {
    agreement: {
      values: new Map(Object.entries(values)),
      unanswered: new Set(unanswered),
      profileCreated,
      ...(contactCreated === undefined ? {} : { contactCreated }),
      ...(ownWrite === undefined
        ? {}
        : { ownWrite: { version: BigInt(ownWrite.version), foreignModifiedAt: ownWrite.foreignModifiedAt } }),
    },
    ...(parked === undefined ? {} : { parked }),
  };
}

function ownWriteText({ version, foreignModifiedAt }: NonNullable<Agreement["ownWrite"]>) {
  return { version: String(version), ...(foreignModifiedAt === undefined ? {} : { foreignModifiedAt }) };
}
