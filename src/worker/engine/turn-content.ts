/** What one record's turn has to write. */
import type { LinkedFields, MappedFields } from "../flows/ingress/links.ts";
import type { Parent } from "../queue/turn.ts";

/** As it was read: its links name rows. */
export interface ReadContent {
  readonly targetKey: string;
  readonly fields: MappedFields;
  readonly version: bigint;
}

/** As it is to be written: its links are keys in Campaign. */
export interface Content extends Omit<ReadContent, "fields"> {
  readonly fields: LinkedFields;
  /** Links that an update sends although they are unchanged, or are sent on insert only. */
  readonly owed: LinkedFields;
  readonly linked?: readonly Parent[];
}
