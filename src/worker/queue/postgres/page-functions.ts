/** What the reader found, taken into the tables: see sqlite/intake.ts and sqlite/unseen.ts, which these follow. */
import { claims, holds } from "./turn-functions.ts";

/** Rows looked at in one transaction. */
const sweptAtOnce = 5000;

export const pageFunctions = `
CREATE OR REPLACE FUNCTION put_checkpoint(m text, generation_ bigint, loading_ boolean, checked_ bigint, state_ text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE was boolean := is_loading(m);
BEGIN
  INSERT INTO counters (mapping) VALUES (m) ON CONFLICT (mapping) DO NOTHING;
  INSERT INTO checkpoint (mapping, generation, loading, checked, state)
    VALUES (m, generation_, loading_, checked_, state_)
    ON CONFLICT (mapping) DO UPDATE SET generation = excluded.generation, loading = excluded.loading,
      checked = excluded.checked, state = excluded.state;
  -- A table is read from its beginning: what was absent may not be. Or it was read: what it does not have will not come.
  IF loading_ AND NOT was THEN DELETE FROM absent WHERE mapping = m;
  ELSIF was AND NOT loading_ THEN INSERT INTO link_news (mapping, id, kind) VALUES (m, NULL, 2);
  END IF;
END $$;

-- As coalesce's KnownState of records, those of which nothing is known left out.
CREATE OR REPLACE FUNCTION known_of(m text, ids text[]) RETURNS TABLE (
  id text, seq bigint, removal boolean, version bigint, has_content boolean, generation bigint, replay boolean,
  begun boolean, seen bigint, claimed_key text, holds boolean, written_version bigint, written_generation bigint, departed boolean,
  is_dead boolean, dead_version bigint, dead_generation bigint) LANGUAGE sql STABLE AS $$
  SELECT a.id, p.seq, p.operation = 1 AND p.version IS NOT NULL, p.version, p.payload IS NOT NULL, p.generation, p.replay,
    p.begun, r.seen, CASE WHEN ${claims} THEN coalesce(r.target_key, r.id) END, ${holds},
    r.version, r.generation, r.departed <> 0, d.id IS NOT NULL, d.version, d.generation
  FROM unnest(ids) AS a (id)
    LEFT JOIN pending p ON p.mapping = m AND p.id = a.id
    LEFT JOIN written r ON r.mapping = m AND r.id = a.id
    LEFT JOIN dead d ON d.mapping = m AND d.id = a.id
  WHERE p.id IS NOT NULL OR r.id IS NOT NULL OR d.id IS NOT NULL $$;

-- The row goes, if there is one; version_: what was written stays in Campaign, outside the filter.
CREATE OR REPLACE FUNCTION drop_record(m text, i text, version_ bigint, why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM pending WHERE mapping = m AND id = i;
  IF version_ IS NOT NULL THEN UPDATE written SET departed = 1, version = version_ WHERE mapping = m AND id = i; END IF;
  PERFORM is_absent(m, i, why);
END $$;

CREATE OR REPLACE FUNCTION bury_record(m text, i text, version_ bigint, generation_ bigint, reason_ text, message_ text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM pending WHERE mapping = m AND id = i;
  PERFORM bury(m, i, version_, generation_, reason_, message_, wall_ms());
END $$;

-- A part of what was written, in order of ids: where it ends, NULL if it is the last, and how many were not seen.
CREATE OR REPLACE FUNCTION unseen_part(m text, generation_ bigint, after text, OUT next text, OUT unseen bigint)
LANGUAGE plpgsql AS $$
DECLARE looked bigint;
BEGIN
  SELECT count(*), max(id), count(*) FILTER (WHERE seen < generation_) INTO looked, next, unseen
    FROM (SELECT id, seen FROM written WHERE mapping = m AND id > after ORDER BY id LIMIT ${sweptAtOnce}) part;
  IF looked < ${sweptAtOnce} THEN next := NULL; END IF;
END $$;

-- See Queue.sweep.
CREATE OR REPLACE FUNCTION sweep_part(m text, generation_ bigint, remove boolean, after text, now_ms bigint)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE part record; r written; forgotten bigint;
BEGIN
  IF after = '' THEN
    DELETE FROM dead WHERE mapping = m AND id = ANY (ARRAY (SELECT id FROM dead
      WHERE mapping = m AND generation < generation_ LIMIT ${sweptAtOnce}));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    IF forgotten = ${sweptAtOnce} THEN RETURN ''; END IF;
  END IF;
  SELECT * INTO part FROM unseen_part(m, generation_, after);
  IF part.unseen = 0 THEN RETURN part.next; END IF;
  FOR r IN SELECT * FROM written WHERE mapping = m AND id > after AND (part.next IS NULL OR id <= part.next)
    AND seen < generation_ LOOP
    IF remove THEN
      INSERT INTO pending (mapping, id, operation, generation, bulk, first_read_at, ready_at)
        VALUES (m, r.id, 0, generation_, true, now_ms, now_ms) ON CONFLICT (mapping, id) DO NOTHING;
    END IF;
    -- What waits already is read again at its turn, which decides.
    IF remove OR EXISTS (SELECT FROM pending WHERE mapping = m AND id = r.id) THEN
      UPDATE written SET seen = generation_ WHERE mapping = m AND id = r.id;
    ELSE
      DELETE FROM written WHERE mapping = m AND id = r.id;
      PERFORM drop_links(m, r.id, NULL, now_ms);
      PERFORM tell(m, r.id, 1);
      IF r.departed <> 1 OR r.certainty IN (1, 2) THEN
        PERFORM pass_on(m, r.id, coalesce(r.target_key, r.id), r.departed = 0 OR r.certainty IN (1, 2), now_ms);
      END IF;
    END IF;
  END LOOP;
  RETURN part.next;
END $$;

-- A part of beginGeneration: rows become keys that are read again. @returns the last of them; NULL: there were none
CREATE OR REPLACE FUNCTION to_keys(m text, after bigint, most int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE last bigint;
BEGIN
  SELECT max(seq) INTO last FROM (SELECT seq FROM pending WHERE mapping = m AND seq > after ORDER BY seq LIMIT most) part;
  UPDATE pending SET operation = 0, target_key = NULL, payload = NULL, held = 0, inferred = false, fingerprint = NULL,
    ready_at = CASE WHEN parked THEN first_read_at ELSE ready_at END, parked = false, revision = revision + 1
    WHERE mapping = m AND seq > after AND seq <= last;
  RETURN last;
END $$;

-- See Readings.take. @returns the number of the reading; NULL: another process reads
CREATE OR REPLACE FUNCTION take_reader(m text, lease_ms bigint, mark_ text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint; wall bigint;
BEGIN
  PERFORM enter();
  wall := wall_ms();
  INSERT INTO reader (mapping, number, until, mark) VALUES (m, 1, wall + lease_ms, mark_)
    ON CONFLICT (mapping) DO UPDATE SET number = reader.number + 1, until = excluded.until, mark = excluded.mark
      WHERE reader.until <= wall
    RETURNING number INTO n;
  RETURN n;
END $$;
`;
