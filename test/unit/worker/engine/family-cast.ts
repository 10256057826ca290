/** Who plays in the tests of links: accounts, and contacts that point at them. */
import { Family, type Relation } from "./family.ts";

export const account: Relation = { table: "account" };
export const optional: Relation = { table: "contact", parent: "account" };
export const mandatory: Relation = { ...optional, mandatory: true };

export const toAccount = (id: string) => ({ parent: { table: "account", id } });

const families: Family[] = [];

/** A family that ends with the test that made it. The file that makes some says `afterEach(endFamilies)`. */
export function family(...relations: readonly Relation[]): Family {
  const made = new Family(relations);
  families.push(made);
  return made;
}

export async function endFamilies(): Promise<void> {
  for (const family of families.splice(0)) await family.end();
}

/** What the contact points at, in Campaign. */
export const link = (of: Family, id: string) => of.target.record("cuscontact", id)?.fields["parent"];

/** What points at the account has this, in Campaign. */
export const serial = (of: Family, id: string) => of.target.record("cusaccount", id)?.serial;
