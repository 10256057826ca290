import { faker } from "@faker-js/faker/locale/en";
import { guidIndex, guidOf, hash32 } from "../random.ts";
import type { RowSource } from "./row-source.ts";
import type { Cells, CellValue } from "./schema.ts";

/** Words of one kind to combine rows from; faker is too slow to be asked for every row. */
interface Pools {
  readonly male: readonly string[];
  readonly female: readonly string[];
  readonly last: readonly string[];
  readonly streets: readonly string[];
  readonly jobs: readonly string[];
  readonly companies: readonly string[];
  readonly places: readonly { city: string; state: string; postalCode: string; country: string }[];
}

export interface GeneratedRows {
  readonly contacts: RowSource;
  readonly accounts: RowSource;
}

const poolSize = 400;
const contactsPerAccount = 20;
const firstBirthday = Date.UTC(1940, 0, 1);
const birthdayDays = 24_000;

/** So many contacts and the companies they work for: the same for the same seed, made when they are looked at. */
export function generatedRows(contactCount: number, seed: number): GeneratedRows {
  const pools = makePools(seed);
  const accountSeed = hash32(seed, 0xacc0);
  const contactSeed = hash32(seed, 0xc04a);
  const accountCount = Math.ceil(contactCount / contactsPerAccount);
  return {
    accounts: {
      count: accountCount,
      id: (index) => guidOf(accountSeed, index),
      indexOf: (id) => guidIndex(accountSeed, id, accountCount),
      cells: (index) => accountCells(index, accountSeed, pools),
      find: (column, value) => numbered(column, value, "AC", accountCount),
    },
    contacts: {
      count: contactCount,
      id: (index) => guidOf(contactSeed, index),
      indexOf: (id) => guidIndex(contactSeed, id, contactCount),
      cells: (index) =>
        contactCells(index, contactSeed, pools, (n) =>
          accountCount === 0 ? null : { table: "account", id: guidOf(accountSeed, n % accountCount) },
        ),
      find: (column, value) => numbered(column, value, "AW", contactCount),
    },
  };
}

/** Account numbers count the rows up, so the row of one is found without a search. */
function numbered(column: string, value: string, prefix: string, count: number): number | undefined {
  if (column !== "accountnumber") return undefined;
  const match = /^([A-Z]{2})(\d{8})$/.exec(value);
  const index = Number(match?.[2]) - 1;
  return match?.[1] === prefix && index >= 0 && index < count ? index : -1;
}

function makePools(seed: number): Pools {
  faker.seed(seed);
  const many = <T>(make: () => T): T[] => Array.from({ length: poolSize }, make);
  return {
    male: many(() => faker.person.firstName("male")),
    female: many(() => faker.person.firstName("female")),
    last: many(() => faker.person.lastName()),
    streets: many(() => faker.location.street()),
    jobs: many(() => faker.person.jobTitle()),
    companies: many(() => faker.company.name()),
    places: many(() => ({
      city: faker.location.city(),
      state: faker.location.state({ abbreviated: true }),
      postalCode: faker.location.zipCode("#####"),
      country: "US",
    })),
  };
}

function contactCells(index: number, seed: number, pools: Pools, account: (n: number) => CellValue): Cells {
  const roll = (salt: number) => hash32(seed + salt, index);
  const female = roll(1) % 2 === 0;
  const first = pick(female ? pools.female : pools.male, roll(2));
  const last = pick(pools.last, roll(3));
  const place = pick(pools.places, roll(4));
  const inactive = roll(5) % 20 === 0;
  const mailbox = `${first}.${last}.${index.toString(36)}`.toLowerCase().replace(/[^a-z0-9.]/g, "");
  return {
    firstname: first,
    middlename: roll(6) % 3 === 0 ? String.fromCharCode(65 + (roll(7) % 26)) : null,
    lastname: last,
    fullname: `${first} ${last}`,
    gendercode: roll(8) % 25 === 0 ? null : female ? 2 : 1,
    emailaddress1: roll(9) % 50 === 0 ? null : `${mailbox}@example.com`,
    telephone1: `1 (11) 500 555-${digits(roll(10), 4)}`,
    jobtitle: pick(pools.jobs, roll(11)),
    address1_line1: `${(roll(12) % 9900) + 100} ${pick(pools.streets, roll(13))}`,
    address1_city: place.city,
    address1_stateorprovince: place.state,
    address1_postalcode: place.postalCode,
    address1_country: place.country,
    birthdate: isoDay(firstBirthday + (roll(14) % birthdayDays) * 86_400_000),
    creditlimit: roll(15) % 4 === 0 ? (roll(16) % 200) * 100 : null,
    numberofchildren: roll(17) % 5,
    creditonhold: false,
    donotemail: false,
    donotbulkemail: roll(18) % 10 === 0,
    donotphone: roll(19) % 15 === 0,
    donotfax: false,
    donotpostalmail: roll(20) % 15 === 0,
    donotbulkpostalmail: false,
    preferredcontactmethodcode: (roll(21) % 5) + 1,
    statecode: inactive ? 1 : 0,
    statuscode: inactive ? 2 : 1,
    parentcustomerid: roll(22) % 5 < 2 ? account(roll(23)) : null,
    accountnumber: `AW${String(index + 1).padStart(8, "0")}`,
  };
}

function accountCells(index: number, seed: number, pools: Pools): Cells {
  const roll = (salt: number) => hash32(seed + salt, index);
  const place = pick(pools.places, roll(1));
  return {
    name: `${pick(pools.companies, roll(2))} ${index + 1}`,
    accountnumber: `AC${String(index + 1).padStart(8, "0")}`,
    telephone1: `1 (11) 500 555-${digits(roll(3), 4)}`,
    address1_line1: `${(roll(4) % 9900) + 100} ${pick(pools.streets, roll(5))}`,
    address1_city: place.city,
    address1_stateorprovince: place.state,
    address1_postalcode: place.postalCode,
    address1_country: place.country,
    industrycode: (roll(6) % 5) + 1,
    revenue: (roll(7) % 1000) * 10_000,
    numberofemployees: roll(8) % 5000,
    creditonhold: false,
    statecode: 0,
    statuscode: 1,
  };
}

function pick<T>(pool: readonly T[], number: number): T {
  const value = pool[number % pool.length];
  if (value === undefined) throw new RangeError("a pool of the generator is empty");
  return value;
}

function digits(number: number, length: number): string {
  return String(number % 10 ** length).padStart(length, "0");
}

function isoDay(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}
