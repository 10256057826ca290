import type { PoolClient } from "pg";
import type { PageCommit, Stage } from "../page.ts";

export const heldUntil = { none: 0, Round: 1, Snapshot: 2 } as const satisfies Record<Stage | "none", number>;

/** Rows looked at or let go in one transaction: some tens of milliseconds. */
const rowsPerPart = 2000;

interface Part {
  /** The last of its rows; null: there are no more. */
  readonly last: string | null;
  readonly inferred: number;
}

/** What a part of those held is: of one stage, after a row. */
export const heldFunctions = `
CREATE OR REPLACE FUNCTION held_part(m text, stage int, after bigint, OUT last bigint, OUT inferred_ bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
  SELECT max(seq), count(*) FILTER (WHERE inferred) INTO last, inferred_ FROM (SELECT seq, inferred FROM pending
    WHERE mapping = m AND held = stage AND held <> 0 AND seq > after ORDER BY seq LIMIT ${rowsPerPart}) part;
END $$;

-- Lets go of a part: of inferred deletions all, if there are not more than most, or none; of the others all, or none.
CREATE OR REPLACE FUNCTION let_go_part(m text, stage int, after bigint, most bigint, others boolean,
  OUT last bigint, OUT inferred_ bigint) LANGUAGE plpgsql AS $$
BEGIN
  SELECT * INTO last, inferred_ FROM held_part(m, stage, after);
  UPDATE pending SET held = 0 WHERE mapping = m AND held = stage AND held <> 0 AND seq > after AND seq <= last
    AND CASE WHEN inferred THEN inferred_ <= most ELSE others END;
END $$;
`;

/** A transaction of who reads the mapping. */
type Transaction = <T>(work: (client: PoolClient) => Promise<T>) => Promise<T>;

/** More waits for the end of the reading than one transaction lets go. Within a transaction. */
export async function isMany(client: PoolClient, { checkpoint, stage }: PageCommit): Promise<boolean> {
  const { rows } = await client.query(
    "SELECT 1 FROM pending WHERE mapping = $1 AND held = $2 AND held <> 0 LIMIT 1 OFFSET $3",
    [checkpoint.mapping, heldUntil[stage], rowsPerPart],
  );
  return rows.length > 0;
}

/** All at once, within a transaction. @returns how many inferred deletions stay held */
export async function letGo(client: PoolClient, { checkpoint, release, stage }: PageCommit): Promise<number> {
  if (release === undefined) return 0;
  const held = [checkpoint.mapping, heldUntil[stage]];
  const { rows } = await client.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM pending WHERE mapping = $1 AND held = $2 AND held <> 0 AND inferred",
    held,
  );
  const inferred = rows[0]?.n ?? 0;
  const withheld = inferred > release.inferredLimit ? inferred : 0;
  await client.query(
    "UPDATE pending SET held = 0 WHERE mapping = $1 AND held = $2 AND held <> 0 AND (NOT inferred OR $3)",
    [...held, withheld === 0],
  );
  return withheld;
}

/**
 * In transactions of its own, between which others have theirs. Interrupted, it is to be begun again.
 * @returns how many inferred deletions stay held
 */
export async function letGoInParts(
  transaction: Transaction,
  { checkpoint: { mapping }, release, stage }: PageCommit,
): Promise<number> {
  let inferred = 0;
  const count = "SELECT * FROM held_part($1, $2, $3)";
  await inParts(
    transaction,
    count,
    (after) => [mapping, heldUntil[stage], after],
    (part) => {
      inferred += part.inferred;
    },
  );
  const withheld = inferred > (release?.inferredLimit ?? 0) ? inferred : 0;
  // What the writer holds back meanwhile was not counted.
  let left = withheld > 0 ? 0 : inferred;
  await inParts(
    transaction,
    letGoPart,
    (after) => [mapping, heldUntil[stage], after, left, true],
    (part) => {
      if (part.inferred <= left) left -= part.inferred;
    },
  );
  return withheld;
}

/** Inferred deletions of every stage, by a person's word. */
export async function releaseInferred(transaction: Transaction, mapping: string): Promise<void> {
  for (const stage of [heldUntil.Round, heldUntil.Snapshot]) {
    await inParts(transaction, letGoPart, (after) => [mapping, stage, after, rowsPerPart, false]);
  }
}

const letGoPart = "SELECT * FROM let_go_part($1, $2, $3, $4, $5)";

async function inParts(
  transaction: Transaction,
  sql: string,
  values: (after: string) => unknown[],
  done: (part: Part) => void = () => {},
): Promise<void> {
  for (let after: string | null = "0"; after !== null; ) {
    const from: string = after;
    const { last, inferred } = await transaction(async (client): Promise<Part> => {
      const { rows } = await client.query<{ last: string | null; inferred_: string }>(sql, values(from));
      return { last: rows[0]?.last ?? null, inferred: Number(rows[0]?.inferred_ ?? 0) };
    });
    done({ last, inferred });
    after = last;
  }
}
