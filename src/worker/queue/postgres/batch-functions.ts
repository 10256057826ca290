/**
 * What was asked for in one moment, done in one transaction. Nobody who asked has heard of the others by then, so any order
 * is right: what concerns nothing but its own record is done for many at once, and the rest one by one, as turn-functions.ts
 * and link-functions.ts say. Both ways come to the same.
 */
export const batchFunctions = `
-- Of a mapping whose records no link leads from or to, and of which nothing is known to be absent.
CREATE OR REPLACE FUNCTION is_plain(m text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN NOT EXISTS (SELECT FROM links WHERE parent_mapping = m) AND NOT EXISTS (SELECT FROM links WHERE mapping = m)
    AND NOT EXISTS (SELECT FROM absent WHERE mapping = m);
END $$;

-- Calls are begun whose records have their keys for themselves, as before if they were written before. @returns which
CREATE OR REPLACE FUNCTION begin_many(works jsonb, now_ms bigint) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE ns int[]; seqs bigint[]; leases bigint[];
BEGIN
  WITH asked AS MATERIALIZED (
    SELECT n::int, w, w->>'mapping' AS m, w->>'id' AS i, w->'written' AS wr, w->'written'->>'targetKey' AS k,
      (w->>'seq')::bigint AS s, count(*) OVER (PARTITION BY w->>'mapping', w->'written'->>'targetKey') AS sharers
    FROM jsonb_array_elements(works) WITH ORDINALITY AS every (w, n) WHERE w->>'do' = 'begin'
  ), alone AS MATERIALIZED (
    SELECT a.* FROM asked a
      JOIN pending p ON p.seq = a.s AND p.token = (w->>'token')::bigint
        AND (p.begun OR p.revision = (w->>'revision')::bigint)
      LEFT JOIN written r ON r.mapping = a.m AND r.id = a.i
    WHERE a.sharers = 1 AND (wr->>'certainty')::int <> 3 AND coalesce(r.target_key, r.id, k) = k
      AND NOT EXISTS (SELECT FROM written o
        WHERE o.mapping = a.m AND md5(o.target_key) = md5(k) AND o.target_key = k AND o.id <> a.i)
      AND NOT EXISTS (SELECT FROM written o WHERE o.mapping = a.m AND o.id = k AND o.target_key IS NULL AND o.id <> a.i)
  ), put AS (
    INSERT INTO written (mapping, id, target_key, certainty, hash, checked, version, generation, seen, departed)
    SELECT m, i, nullif(k, i), (wr->>'certainty')::int, wr->>'hash', (wr->>'checked')::bigint, (wr->>'version')::bigint,
      (wr->>'generation')::bigint, (w->>'generation')::bigint, (wr->>'left')::int FROM alone
    ON CONFLICT (mapping, id) DO UPDATE SET target_key = excluded.target_key, certainty = excluded.certainty,
      hash = excluded.hash, checked = excluded.checked, version = excluded.version, generation = excluded.generation,
      seen = greatest(written.seen, excluded.seen), departed = excluded.departed
  )
  SELECT array_agg(n), array_agg(s), array_agg((w->>'leaseMs')::numeric::bigint) INTO ns, seqs, leases FROM alone;
  UPDATE pending p SET begun = true, ready_at = now_ms + a.lease FROM unnest(seqs, leases) AS a (s, lease) WHERE p.seq = a.s;
  RETURN coalesce(ns, '{}');
END $$;

-- Turns end whose records were written, or are done with and were never written, and were not changed meanwhile. @returns which
CREATE OR REPLACE FUNCTION settle_many(works jsonb) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE ns int[]; seqs bigint[]; ms text[]; ids text[]; sents boolean[]; wall bigint := wall_ms();
BEGIN
  WITH asked AS MATERIALIZED (
    SELECT n::int, w, w->>'mapping' AS m, w->>'id' AS i, (w->>'seq')::bigint AS s, w->'settlement'->'written' AS wr,
      coalesce((w->'settlement'->>'sent')::boolean, false) AS sent,
      count(*) OVER (PARTITION BY w->>'seq') AS times
    FROM jsonb_array_elements(works) WITH ORDINALITY AS every (w, n)
    WHERE w->>'do' = 'settle' AND w->'settlement'->>'kind' IN ('Written', 'Removed')
  ), plain AS MATERIALIZED (
    SELECT m FROM (SELECT DISTINCT m FROM asked OFFSET 0) every WHERE is_plain(m)
  ), ended AS MATERIALIZED (
    SELECT a.*, greatest((wr->>'checked')::bigint, CASE WHEN sent THEN c.checked END) AS checked FROM asked a
      JOIN plain ON plain.m = a.m
      JOIN pending p ON p.seq = a.s AND p.token = (w->>'token')::bigint AND p.revision = (w->>'revision')::bigint
      LEFT JOIN written r ON r.mapping = a.m AND r.id = a.i
      LEFT JOIN checkpoint c ON c.mapping = a.m
    WHERE a.times = 1 AND CASE WHEN wr IS NULL THEN r.id IS NULL
      ELSE p.begun OR (wr->>'left')::int <> 0 OR r.departed IS DISTINCT FROM 2 END
  ), put AS (
    INSERT INTO written (mapping, id, target_key, certainty, hash, checked, version, generation, seen, departed, written_at)
    SELECT m, i, nullif(wr->>'targetKey', i), (wr->>'certainty')::int, wr->>'hash', checked, (wr->>'version')::bigint,
      (wr->>'generation')::bigint, (w->>'generation')::bigint, (wr->>'left')::int, CASE WHEN sent THEN wall END
    FROM ended WHERE wr IS NOT NULL
    ON CONFLICT (mapping, id) DO UPDATE SET target_key = excluded.target_key, certainty = excluded.certainty,
      hash = excluded.hash, checked = excluded.checked, version = excluded.version, generation = excluded.generation,
      seen = greatest(written.seen, excluded.seen), departed = excluded.departed,
      written_at = coalesce(excluded.written_at, written.written_at)
  )
  SELECT array_agg(n), array_agg(s), array_agg(m), array_agg(i), array_agg(sent) INTO ns, seqs, ms, ids, sents FROM ended;
  IF ns IS NULL THEN RETURN '{}'; END IF;
  DELETE FROM pending WHERE seq = ANY (seqs);
  DELETE FROM dead d USING unnest(ms, ids) AS e (m, i) WHERE d.mapping = e.m AND d.id = e.i;
  UPDATE counters c SET last_written_at = wall, sent = c.sent + e.n
    FROM (SELECT m, count(*) AS n FROM unnest(ms, sents) AS every (m, is_sent) WHERE is_sent GROUP BY m) e WHERE c.mapping = e.m;
  RETURN ns;
END $$;

-- Does what was asked for, all or nothing. Committed, it is not yet on disk. @returns the answers
CREATE OR REPLACE FUNCTION take_turns(works jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  now_ms bigint := enter(); w jsonb; n int := 0;
  answers jsonb[] := array_fill('null'::jsonb, ARRAY[jsonb_array_length(works)]);
  is_done boolean[] := array_fill(false, ARRAY[jsonb_array_length(works)]);
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  FOREACH n IN ARRAY settle_many(works) LOOP is_done[n] := true; END LOOP;
  FOREACH n IN ARRAY begin_many(works, now_ms) LOOP
    is_done[n] := true;
    answers[n] := '"Begun"';
  END LOOP;
  n := 0;
  FOR w IN SELECT * FROM jsonb_array_elements(works) LOOP
    n := n + 1;
    CONTINUE WHEN is_done[n];
    CASE w->>'do'
    WHEN 'lease' THEN answers[n] := turn_lease(w, now_ms);
    WHEN 'begin' THEN answers[n] := turn_begin(w, now_ms);
    WHEN 'settle' THEN PERFORM turn_settle(w, now_ms);
    WHEN 'ask' THEN
      -- A turn that lost its lease has nothing to say any more.
      IF EXISTS (SELECT FROM pending WHERE seq = (w->>'seq')::bigint AND token = (w->>'token')::bigint) THEN
        answers[n] := ask_parents(w->>'mapping', w->>'id', w->'questions', now_ms);
      END IF;
    WHEN 'beginContact' THEN answers[n] := to_jsonb(begin_contact(w, now_ms));
    WHEN 'endContact' THEN answers[n] := to_jsonb(end_contact(w, now_ms));
    WHEN 'audit' THEN
      INSERT INTO opt_out_audit (at, record)
        SELECT (r->>'atMs')::bigint, r->>'text' FROM jsonb_array_elements(w->'records') r;
    WHEN 'giveBack' THEN
      UPDATE pending SET token = NULL, begun = false, ready_at = first_read_at
        WHERE seq = (w->>'seq')::bigint AND token = (w->>'token')::bigint
          AND NOT (begun AND (w->>'unlessBegun')::boolean);
    END CASE;
  END LOOP;
  RETURN to_jsonb(answers);
END $$;
`;
