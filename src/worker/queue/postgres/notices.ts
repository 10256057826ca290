import type { PoolClient } from "pg";
import type { NoticeCommit } from "../contacts.ts";

/** Takes what was told of contacts into `pending`: see sqlite/notices.ts. @param now by the store's clock */
export async function takeNotices(client: PoolClient, commit: NoticeCommit, now: string): Promise<void> {
  const { mapping, generation, notices, merge, bulk } = commit;
  if (notices.length === 0) return;
  const ids = [...new Set(notices.map(({ id }) => id))];
  const { rows } = await client.query<{ id: string; payload: string | null }>(
    "SELECT id, payload FROM pending WHERE mapping = $1 AND id = ANY ($2)",
    [mapping, ids],
  );
  const told = new Map(rows.flatMap(({ id, payload }) => (payload === null ? [] : [[id, payload] as const])));
  for (const notice of notices) {
    const before = told.get(notice.id);
    told.set(notice.id, before === undefined ? notice.told : merge(before, notice.told));
  }
  await client.query("UPDATE counters SET read = read + $2 WHERE mapping = $1", [mapping, notices.length]);
  await client.query(
    `INSERT INTO pending (mapping, id, operation, target_key, payload, generation, bulk, first_read_at, ready_at)
       SELECT $1, t.id, 0, t.id, t.told, $4, $5, $6, $6 FROM unnest($2::text[], $3::text[]) AS t (id, told)
     -- Who waits for a profile, or for another try, is due; who is in somebody's hands stays there.
     ON CONFLICT (mapping, id) DO UPDATE SET payload = excluded.payload, target_key = excluded.target_key,
       generation = excluded.generation, bulk = pending.bulk AND excluded.bulk, revision = pending.revision + 1,
       parked = false,
       ready_at = CASE WHEN pending.token IS NULL THEN least(pending.ready_at, excluded.ready_at) ELSE pending.ready_at END`,
    [mapping, ids, ids.map((id) => told.get(id)), generation, bulk, now],
  );
  await client.query("DELETE FROM dead WHERE mapping = $1 AND id = ANY ($2)", [mapping, ids]);
}
