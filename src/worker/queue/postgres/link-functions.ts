/**
 * Which records point at which, in the database: see sqlite/links.ts and sqlite/link-news.ts, which these follow. None is
 * LANGUAGE sql, for such a function is planned anew at each call.
 */
import { parentMissing, removedInCampaign, stillLinked } from "../reasons.ts";

const toldAtOnce = 300;
/** When none of so many moves, the record is refused, and tried again when one of them all has moved. */
const movesLookedAt = 1000;

export const linkFunctions = `
-- The rows with a key. Looked up one by one: joined, all of a mapping's might be read.
CREATE OR REPLACE FUNCTION sharing(m text, k text) RETURNS SETOF written LANGUAGE plpgsql STABLE ROWS 2 AS $$
BEGIN
  RETURN QUERY SELECT * FROM written WHERE mapping = m AND md5(target_key) = md5(k) AND target_key = k
    UNION ALL SELECT * FROM written WHERE mapping = m AND id = k AND target_key IS NULL;
END $$;

CREATE OR REPLACE FUNCTION tell(m text, i text, k int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM links WHERE parent_mapping = m AND parent_id = i) THEN RETURN false; END IF;
  INSERT INTO link_news (mapping, id, kind) VALUES (m, i, k);
  RETURN true;
END $$;

-- A record is to be read again at its turn, if it does not wait already.
CREATE OR REPLACE FUNCTION enqueue(m text, i text, now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO pending (mapping, id, operation, generation, first_read_at, ready_at)
    SELECT mapping, i, 0, generation, now_ms, now_ms FROM checkpoint WHERE mapping = m
    ON CONFLICT (mapping, id) DO NOTHING;
END $$;

-- What is deleted as soon as nothing needs it is tried again.
CREATE OR REPLACE FUNCTION release(m text, i text, now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM dead WHERE mapping = m AND id = i AND reason = '${stillLinked}';
  IF FOUND THEN PERFORM enqueue(m, i, now_ms); END IF;
END $$;

CREATE OR REPLACE FUNCTION hear(m text, i text, was int, k int, now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE why text; is_there boolean := k IN (0, 3);
BEGIN
  IF was = 3 THEN RETURN; END IF; -- It is on its way to others.
  IF NOT is_there AND was = 1 THEN RETURN; END IF; -- It was written without.
  IF k = 2 AND was <> 2 THEN RETURN; END IF;
  UPDATE pending SET ready_at = CASE WHEN parked THEN first_read_at ELSE ready_at END, parked = false,
    revision = revision + 1 WHERE mapping = m AND id = i;
  IF FOUND OR k = 2 THEN RETURN; END IF;
  SELECT reason INTO why FROM dead WHERE mapping = m AND id = i;
  IF why IS NOT NULL AND why <> '${parentMissing}' THEN RETURN; END IF; -- It asks when it is mended.
  IF why IS NOT NULL AND is_there THEN DELETE FROM dead WHERE mapping = m AND id = i; END IF;
  IF why IS NULL OR is_there THEN PERFORM enqueue(m, i, now_ms); END IF;
END $$;

-- Tells the oldest news to those whom it concerns, up to so many of them.
CREATE OR REPLACE FUNCTION tell_news(now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE n link_news; child links; children links[]; told int; budget int := ${toldAtOnce};
BEGIN
  WHILE budget > 0 LOOP
    SELECT * INTO n FROM link_news ORDER BY seq LIMIT 1;
    IF NOT FOUND THEN RETURN; END IF;
    -- A popular parent has millions of children, of which few wait or are owed a link.
    IF n.id IS NULL THEN
      SELECT array_agg(c) INTO children FROM (SELECT * FROM links WHERE state = 2
        AND parent_mapping = n.mapping AND (parent_id, mapping, id) > (n.place_parent, n.place_mapping, n.place_id)
        ORDER BY parent_id, mapping, id LIMIT ${toldAtOnce}) c;
    ELSIF n.kind = 2 THEN
      SELECT array_agg(c) INTO children FROM (SELECT * FROM links WHERE state = 2
        AND parent_mapping = n.mapping AND parent_id = n.id AND (mapping, id) > (n.place_mapping, n.place_id)
        ORDER BY mapping, id LIMIT ${toldAtOnce}) c;
    ELSIF n.kind = 3 THEN
      SELECT array_agg(c) INTO children FROM (SELECT * FROM links WHERE state = 1
        AND parent_mapping = n.mapping AND parent_id = n.id AND (mapping, id) > (n.place_mapping, n.place_id)
        ORDER BY mapping, id LIMIT ${toldAtOnce}) c;
    ELSE
      SELECT array_agg(c) INTO children FROM (SELECT * FROM links
        WHERE parent_mapping = n.mapping AND parent_id = n.id AND (mapping, id) > (n.place_mapping, n.place_id)
        ORDER BY mapping, id LIMIT ${toldAtOnce}) c;
    END IF;
    children := coalesce(children, '{}');
    told := cardinality(children);
    FOREACH child IN ARRAY children LOOP
      -- That parent's own end will be told.
      CONTINUE WHEN n.id IS NULL
        AND EXISTS (SELECT FROM pending WHERE mapping = child.parent_mapping AND id = child.parent_id);
      PERFORM hear(child.mapping, child.id, child.state, n.kind, now_ms);
      IF n.kind <> 2 AND child.state <> 3 THEN
        UPDATE links SET state = 1 WHERE parent_mapping = child.parent_mapping AND parent_id = child.parent_id
          AND mapping = child.mapping AND id = child.id;
      END IF;
    END LOOP;
    IF told < ${toldAtOnce} THEN DELETE FROM link_news WHERE seq = n.seq;
    ELSE
      UPDATE link_news SET place_parent = child.parent_id, place_mapping = child.mapping, place_id = child.id
        WHERE seq = n.seq;
    END IF;
    budget := budget - 1 - told;
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION is_loading(m text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN coalesce((SELECT loading FROM checkpoint WHERE mapping = m), false);
END $$;

-- Whether from_i waits, directly or not, for i.
CREATE OR REPLACE FUNCTION leads_to(from_m text, from_i text, m text, i text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (WITH RECURSIVE up (mapping, id) AS (
    SELECT from_m COLLATE "C", from_i COLLATE "C"
    UNION
    SELECT l.parent_mapping, l.parent_id FROM up
      JOIN pending p ON p.mapping = up.mapping AND p.id = up.id AND p.parked
      JOIN links l ON l.mapping = up.mapping AND l.id = up.id AND l.state = 2)
    SELECT FROM up WHERE mapping = m AND id = i);
END $$;

CREATE OR REPLACE FUNCTION is_in_cycle(m text, i text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN EXISTS (SELECT FROM links WHERE mapping = m AND id = i AND state = 2
    AND leads_to(parent_mapping, parent_id, m, i));
END $$;

-- Campaign has a record that it did not have, or has it anew: so for every row with that key.
CREATE OR REPLACE FUNCTION landed(m text, i text, k text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM absent WHERE mapping = m AND id = i;
  PERFORM tell(m, one, 0) FROM (SELECT i AS one UNION SELECT id FROM sharing(m, k)) every;
END $$;

-- A deletion or an insert of a key's record that was begun was not done: what has the key is there as before.
CREATE OR REPLACE FUNCTION stays(m text, k text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM tell(m, id, kind) FROM sharing(m, k), unnest('{2, 3}'::int[]) AS kind;
END $$;

-- Nothing more will be written of it. By a call without an answer it may be there nevertheless: whoever writes a link to it
-- finds out. But two that wait for each other would wake each other for ever.
CREATE OR REPLACE FUNCTION decide(m text, i text, reason_ text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN tell(m, i, CASE WHEN reason_ IS DISTINCT FROM '${removedInCampaign}'
    AND reason_ IS DISTINCT FROM '${parentMissing}'
    AND EXISTS (SELECT FROM written WHERE mapping = m AND id = i AND certainty >= 2) THEN 0 ELSE 2 END);
END $$;

CREATE OR REPLACE FUNCTION refused(m text, i text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM absent WHERE mapping = m AND id = i;
  PERFORM decide(m, i, (SELECT reason FROM dead WHERE mapping = m AND id = i));
END $$;

CREATE OR REPLACE FUNCTION is_absent(m text, i text, w text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF decide(m, i, NULL) THEN
    INSERT INTO absent (mapping, id, why) VALUES (m, i, w) ON CONFLICT (mapping, id) DO UPDATE SET why = w;
  END IF;
END $$;

-- It points at nothing any more, or no longer by links of these states.
CREATE OR REPLACE FUNCTION drop_links(m text, i text, states int[], now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE l links;
BEGIN
  FOR l IN DELETE FROM links WHERE mapping = m AND id = i AND (states IS NULL OR state = ANY (states)) RETURNING * LOOP
    IF l.mandatory THEN PERFORM release(l.parent_mapping, l.parent_id, now_ms); END IF;
  END LOOP;
END $$;

-- It was written with links to these. NULL: no link of it is mapped any more, and those that Campaign has stay.
CREATE OR REPLACE FUNCTION linked(m text, i text, parents jsonb, now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE links l SET state = 0 FROM jsonb_to_recordset(parents) AS p (mapping text, id text)
    WHERE l.parent_mapping = p.mapping AND l.parent_id = p.id AND l.mapping = m AND l.id = i AND l.state = 1;
  PERFORM drop_links(m, i, CASE WHEN parents IS NULL THEN '{2}'::int[] ELSE '{2,3}' END, now_ms);
END $$;

CREATE OR REPLACE FUNCTION is_needed(m text, i text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM links l JOIN written w ON w.mapping = l.mapping AND w.id = l.id
    WHERE l.parent_mapping = m AND l.parent_id = i AND l.mandatory AND NOT (l.mapping = m AND l.id = i)) THEN
    RETURN CASE WHEN EXISTS (SELECT FROM (SELECT mapping, id FROM links
      WHERE parent_mapping = m AND parent_id = i AND mandatory AND NOT (mapping = m AND id = i) LIMIT ${movesLookedAt}) l
      JOIN pending p ON p.mapping = l.mapping AND p.id = l.id AND NOT p.parked)
      THEN 'ForNow' ELSE 'Yes' END;
  END IF;
  UPDATE pending p SET revision = revision + 1 FROM links l
    WHERE l.parent_mapping = m AND l.parent_id = i AND l.mandatory AND p.mapping = l.mapping AND p.id = l.id;
  RETURN 'No';
END $$;

-- Whether there are mandatory links to the record of a key by another row, which left the filter and its record behind.
CREATE OR REPLACE FUNCTION is_needed_beside(m text, i text, k text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN EXISTS (SELECT FROM sharing(m, k) s WHERE s.id <> i AND EXISTS (
    SELECT FROM links l JOIN written w ON w.mapping = l.mapping AND w.id = l.id WHERE l.parent_mapping = m
      AND l.parent_id = s.id AND l.mandatory AND NOT (l.mapping = m AND l.id = s.id)));
END $$;

-- As ParentStanding.
CREATE OR REPLACE FUNCTION standing_of(m text, i text, is_owed boolean) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE w written; has_row boolean; is_pending boolean; reason_ text; why_ text; k text; known boolean; unknown boolean;
BEGIN
  SELECT * INTO w FROM written WHERE mapping = m AND id = i;
  has_row := FOUND;
  is_pending := EXISTS (SELECT FROM pending WHERE mapping = m AND id = i);
  IF NOT is_pending THEN SELECT reason INTO reason_ FROM dead WHERE mapping = m AND id = i; END IF;
  IF has_row AND reason_ IS DISTINCT FROM '${removedInCampaign}'
    AND (w.certainty < 2 OR NOT is_pending AND reason_ IS DISTINCT FROM '${parentMissing}') THEN
    k := coalesce(w.target_key, i);
    IF w.departed = 2 THEN
      SELECT bool_or(certainty < 2 AND departed <> 2), bool_or(certainty >= 2) INTO known, unknown
        FROM sharing(m, k);
      IF NOT coalesce(known, false) AND coalesce(unknown, false) THEN RETURN '{"kind": "Awaited"}'; END IF;
    END IF;
    RETURN jsonb_build_object('kind', 'There', 'targetKey', k, 'isOwed', is_owed);
  END IF;
  IF is_pending THEN RETURN '{"kind": "Awaited"}'; END IF;
  IF reason_ IS NOT NULL THEN
    RETURN jsonb_build_object('kind', 'Absent', 'why', 'Refused', 'reason', reason_);
  END IF;
  SELECT why INTO why_ FROM absent WHERE mapping = m AND id = i;
  IF FOUND THEN RETURN jsonb_build_object('kind', 'Absent', 'why', why_); END IF;
  RETURN '{"kind": "Awaited"}';
END $$;

-- See Queue.askParents.
CREATE OR REPLACE FUNCTION ask_parents(m text, i text, questions jsonb, now_ms bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  q record; had links; has_link boolean; standing jsonb; next int; nextone record;
  standings jsonb[] := '{}'; wanted jsonb := '[]';
BEGIN
  FOR q IN SELECT * FROM jsonb_to_recordset(questions)
    AS (mapping text, id text, "isMandatory" boolean, "onlyIfOwed" boolean) LOOP
    SELECT * INTO had FROM links WHERE parent_mapping = q.mapping AND parent_id = q.id AND mapping = m AND id = i;
    has_link := FOUND;
    standing := standing_of(q.mapping, q.id, has_link AND had.state IN (1, 3));
    IF NOT (q."onlyIfOwed" AND NOT has_link) THEN
      next := CASE WHEN standing->>'kind' <> 'There' AND q."isMandatory" THEN 2
        WHEN standing->>'kind' = 'There' AND NOT (standing->>'isOwed')::boolean THEN 0 ELSE 1 END;
      -- What is not sent stays as it is in Campaign.
      wanted := wanted || jsonb_build_array(jsonb_build_object('m', q.mapping, 'i', q.id, 's', next,
        'y', CASE WHEN q."onlyIfOwed" THEN had.mandatory ELSE q."isMandatory" END));
    END IF;
    standings := standings || standing;
  END LOOP;
  FOR nextone IN SELECT w.m, w.i, max(w.s) AS state, bool_or(w.y) AS mandatory
    FROM jsonb_to_recordset(wanted) AS w (m text, i text, s int, y boolean) GROUP BY w.m, w.i LOOP
    SELECT * INTO had FROM links
      WHERE parent_mapping = nextone.m AND parent_id = nextone.i AND mapping = m AND id = i;
    has_link := FOUND;
    CONTINUE WHEN has_link AND had.state = nextone.state AND had.mandatory = nextone.mandatory;
    INSERT INTO links (parent_mapping, parent_id, mapping, id, state, mandatory)
      VALUES (nextone.m, nextone.i, m, i, nextone.state, nextone.mandatory)
      ON CONFLICT (parent_mapping, parent_id, mapping, id)
        DO UPDATE SET state = excluded.state, mandatory = excluded.mandatory;
    IF has_link AND had.mandatory AND NOT nextone.mandatory THEN PERFORM release(nextone.m, nextone.i, now_ms); END IF;
  END LOOP;
  -- What is not sent may point elsewhere in Campaign than the row does: at which of these mappings' records nobody knows.
  UPDATE links l SET state = 3 WHERE mapping = m AND id = i
    AND NOT EXISTS (SELECT FROM jsonb_to_recordset(wanted) AS w (m text, i text)
      WHERE w.m = l.parent_mapping AND w.i = l.parent_id)
    AND NOT EXISTS (SELECT FROM jsonb_to_recordset(questions) AS x (mapping text, "onlyIfOwed" boolean)
      WHERE x."onlyIfOwed" AND x.mapping = l.parent_mapping);
  -- What is waited for must be on its way, and not wait in its turn for the one who asks.
  FOR q IN SELECT x.*, n FROM ROWS FROM (
    jsonb_to_recordset(questions) AS (mapping text, id text, "isMandatory" boolean)) WITH ORDINALITY AS x (mapping, id, "isMandatory", n)
    WHERE x."isMandatory" LOOP
    CONTINUE WHEN standings[q.n]->>'kind' <> 'Awaited';
    IF leads_to(q.mapping, q.id, m, i) THEN standings[q.n] := '{"kind": "Absent", "why": "Cycle"}';
    -- Nobody knows of it: it is read, and what is found decides.
    ELSIF NOT is_loading(q.mapping) THEN PERFORM enqueue(q.mapping, q.id, now_ms);
    END IF;
  END LOOP;
  RETURN to_jsonb(standings);
END $$;
`;
