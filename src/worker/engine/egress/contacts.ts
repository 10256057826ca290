/** Whose an event is: the contact of the key that its line carries. */
import type { IdsByKey, Lookups } from "../../dataverse/lookups.ts";
import { ServiceError } from "../../http/service-error.ts";
import type { Refusal } from "../../queue/page.ts";
import type { ContactKey } from "./context.ts";

/** The contact's id; why there is none; or that Dataverse did not tell. */
export type Contact = { readonly id: string } | Refusal | ServiceError;

export type ContactOf = (key: string) => Contact;

const guid = /^\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?$/i;

/**
 * Finds the contacts of a batch of events. Of an id nothing is asked: a contact that is not there is Dataverse's to tell.
 * By another column, one question finds up to a hundred.
 */
export async function contactsOf(
  keys: readonly string[],
  contactKey: ContactKey,
  lookups: Pick<Lookups, "idsByKey">,
  signal: AbortSignal,
): Promise<ContactOf> {
  if (contactKey.kind === "Id") {
    return (key) => {
      const id = guid.exec(key)?.[1];
      return id === undefined ? invalid(contactKey) : { id: id.toLowerCase() };
    };
  }
  const { table, column } = contactKey;
  const found = await lookups.idsByKey(table, column, keys, signal).catch((error: unknown): ServiceError => {
    if (error instanceof ServiceError) return error;
    throw error;
  });
  return (key) => (found instanceof ServiceError ? found : contactIn(found, key, contactKey));
}

function contactIn(found: IdsByKey, key: string, contactKey: ContactKey): Contact {
  const ids = found.get(key);
  if (ids === undefined) return invalid(contactKey);
  if (ids instanceof ServiceError) return ids;
  const [id, ...others] = ids;
  if (id === undefined) return missingContact(contactKey);
  if (others.length === 0) return { id };
  const message = `${ids.length} contacts have the event's key in their column ${nameOf(contactKey)}, so whose it is cannot be told: let one have it`;
  return { reason: "ContactAmbiguous", message };
}

/** Also what Dataverse says of an id when it is to be linked. */
export function missingContact(contactKey: ContactKey): Refusal {
  return {
    reason: "ContactMissing",
    message: `Dataverse has no contact with the event's key (column contactId) in its column ${nameOf(contactKey)}`,
  };
}

function invalid(contactKey: ContactKey): Refusal {
  const what = contactKey.kind === "Id" ? "a contact's id" : `a value of type ${contactKey.column.type}`;
  return {
    reason: "ContactKeyInvalid",
    message: `the event's key (column contactId) is not ${what}, as egress.contactKey ${nameOf(contactKey)} asks for`,
  };
}

function nameOf(contactKey: ContactKey): string {
  return contactKey.kind === "Id" ? "contactid" : contactKey.column.name;
}
