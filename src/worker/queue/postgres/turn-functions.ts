/**
 * The turns of records at the writer, in the database: see sqlite/turns.ts and sqlite/keys.ts, which these follow. One
 * statement does all that was asked for in one moment, so that no process can stand still within a transaction.
 */
import { parkedUntil } from "../sqlite/link-news.ts";

/** Beyond so many, what waits for another record is kept by its key alone, so that the store stays small. */
const parkedWithContent = 50_000;

/** Milliseconds in which the store's clock may seem to stand still when the machine's was set back. */
const clockSavedEveryMs = 1000;

/** Whether Campaign's record is, or by a call without an answer may be, as the row says. */
export const holds = "(departed = 0 OR certainty IN (1, 2))";
/** Whether it is the row's, or may be next. */
export const claims = "(departed <> 1 OR certainty IN (1, 2))";

export const turnFunctions = `
CREATE OR REPLACE FUNCTION wall_ms() RETURNS bigint LANGUAGE sql AS $$
  SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- The clock of places, leases and tries. When the machine's is set back it goes on from where it was, for otherwise nothing
-- that was queued before would be due until the old time came again.
CREATE OR REPLACE FUNCTION clock_ms() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE c clock; t bigint;
BEGIN
  SELECT * INTO c FROM clock;
  t := wall_ms() + c.ahead;
  IF t < c.last THEN
    UPDATE clock SET ahead = c.ahead + c.last - t;
    RETURN c.last;
  END IF;
  IF t - c.last >= ${clockSavedEveryMs} THEN UPDATE clock SET last = t; END IF;
  RETURN t;
END $$;

-- Everything that changes the store begins with this: one transaction at a time.
CREATE OR REPLACE FUNCTION enter() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('integration-workflow ' || current_schema(), 0));
  RETURN clock_ms();
END $$;

-- As who reads the mapping, which is nobody else by now, and who marked the store last: from now on by another mark.
-- number_ NULL: nobody is to read it.
CREATE OR REPLACE FUNCTION enter_as_reader(m text, number_ bigint, marks text[], next_ text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE now_ms bigint := enter();
BEGIN
  IF number_ IS NULL THEN
    IF EXISTS (SELECT FROM reader WHERE mapping = m AND until > wall_ms()) THEN
      RAISE 'another process reads %', m USING ERRCODE = 'IW001';
    END IF;
    RETURN now_ms;
  END IF;
  UPDATE reader SET mark = next_ WHERE mapping = m AND number = number_ AND mark = ANY (marks);
  IF NOT FOUND THEN RAISE 'another process reads %', m USING ERRCODE = 'IW001'; END IF;
  RETURN now_ms;
END $$;

-- A row has given up the record, or was to have it next: the newest of the others is read again and written, unless one of
-- them has it.
CREATE OR REPLACE FUNCTION pass_on(m text, i text, k text, was_held boolean, now_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE heir text;
BEGIN
  SELECT r.id INTO heir FROM sharing(m, k) r WHERE r.id <> i AND departed = 2 AND certainty <> 3
    AND (was_held OR NOT EXISTS (SELECT FROM sharing(m, k) o WHERE o.id <> i AND certainty <> 3 AND ${holds}))
    ORDER BY version DESC LIMIT 1;
  IF NOT FOUND THEN RETURN; END IF;
  UPDATE pending SET revision = revision + 1 WHERE mapping = m AND id = heir;
  IF NOT FOUND THEN PERFORM enqueue(m, heir, now_ms); END IF;
END $$;

-- The row's written key is no longer its own, or another; is_removed: and the key's record was removed.
CREATE OR REPLACE FUNCTION leave_key(m text, i text, next text, is_removed boolean, now_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE had text; held boolean; claimed boolean; other text;
BEGIN
  SELECT coalesce(target_key, id), ${holds}, ${claims} INTO had, held, claimed FROM written WHERE mapping = m AND id = i;
  IF NOT FOUND OR had = next THEN RETURN; END IF;
  IF is_removed THEN
    FOR other IN SELECT id FROM sharing(m, had) WHERE departed = 1 LOOP
      DELETE FROM written WHERE mapping = m AND id = other;
    END LOOP;
  ELSIF claimed THEN PERFORM pass_on(m, i, had, held, now_ms);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION put_written(m text, i text, seen_ bigint, w jsonb, at bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO written (mapping, id, target_key, certainty, hash, checked, version, generation, seen, departed, written_at)
    VALUES (m, i, nullif(w->>'targetKey', i), (w->>'certainty')::int, w->>'hash', (w->>'checked')::bigint,
      (w->>'version')::bigint, (w->>'generation')::bigint, seen_, (w->>'left')::int, at)
    ON CONFLICT (mapping, id) DO UPDATE SET target_key = excluded.target_key, certainty = excluded.certainty,
      hash = excluded.hash, checked = excluded.checked, version = excluded.version, generation = excluded.generation,
      seen = greatest(written.seen, excluded.seen), departed = excluded.departed,
      written_at = coalesce(excluded.written_at, written.written_at);
END $$;

CREATE OR REPLACE FUNCTION row_of(r written) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('targetKey', coalesce(r.target_key, r.id), 'certainty', r.certainty, 'hash', r.hash,
    'checked', r.checked, 'version', r.version::text, 'generation', r.generation, 'left', r.departed,
    'writtenAt', r.written_at) $$;

CREATE OR REPLACE FUNCTION free(s bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE pending SET token = NULL, begun = false, ready_at = first_read_at WHERE seq = s;
END $$;

CREATE OR REPLACE FUNCTION bury(m text, i text, version_ bigint, generation_ bigint, reason_ text, message_ text, at bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO dead (mapping, id, version, generation, reason, message, refused_at)
    VALUES (m, i, version_, generation_, reason_, message_, at)
    ON CONFLICT (mapping, id) DO UPDATE SET version = excluded.version, generation = excluded.generation,
      reason = excluded.reason, message = excluded.message, refused_at = excluded.refused_at;
  PERFORM refused(m, i);
END $$;

${[
  ["changed", "attempts = 0 AND bulk = false"],
  ["bulk", "attempts = 0 AND bulk = true"],
  ["again", "attempts > 0"],
]
  .map(
    ([name, which]) => `
CREATE OR REPLACE FUNCTION lease_${name}(m text, most int, until_ bigint, token_ bigint, now_ms bigint) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE seqs bigint[];
BEGIN
  IF most <= 0 THEN RETURN '{}'; END IF;
  SELECT array_agg(seq ORDER BY seq) INTO seqs FROM (SELECT seq FROM pending
    WHERE mapping = m AND held = 0 AND ${which} AND ready_at <= now_ms ORDER BY ready_at, seq LIMIT most) due;
  UPDATE pending SET ready_at = until_, token = token_, begun = false WHERE seq = ANY (seqs);
  RETURN coalesce(seqs, '{}');
END $$;`,
  )
  .join("\n")}

-- See Queue.lease: what changed is before what was read with its whole table, and that before what is tried again. But for
-- one place each. Nothing to a process that does not know the newest generation: by its hashes it would judge wrongly.
CREATE OR REPLACE FUNCTION turn_lease(w jsonb, now_ms bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  m text := w->>'mapping'; most int := (w->>'limit')::int; t bigint := (w->>'token')::bigint;
  until_ bigint := now_ms + (w->>'leaseMs')::numeric::bigint;
  kept int := CASE WHEN most > 2 THEN 1 ELSE 0 END;
  again bigint[] := '{}'; taken bigint[]; bulk_ bigint[]; is_full boolean; left_ int;
BEGIN
  IF (w->>'generation')::bigint < (SELECT generation FROM checkpoint WHERE mapping = m) THEN RETURN '[]'; END IF;
  PERFORM tell_news(now_ms);
  IF most > 1 THEN again := lease_again(m, 1, until_, t, now_ms); END IF;
  left_ := most - cardinality(again);
  taken := lease_changed(m, left_ - kept, until_, t, now_ms);
  is_full := cardinality(taken) = left_ - kept;
  bulk_ := lease_bulk(m, left_ - cardinality(taken), until_, t, now_ms);
  IF is_full THEN
    taken := taken || lease_changed(m, left_ - cardinality(taken) - cardinality(bulk_), until_, t, now_ms);
  END IF;
  taken := taken || bulk_ || again;
  taken := taken || lease_again(m, most - cardinality(taken), until_, t, now_ms);
  RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('seq', p.seq, 'id', p.id, 'revision', p.revision, 'token', p.token,
      'removal', p.operation = 1 AND p.version IS NOT NULL, 'version', p.version::text, 'targetKey', p.target_key,
      'payload', p.payload, 'generation', p.generation, 'replay', p.replay, 'attempts', p.attempts,
      'listedThere', CASE WHEN p.fingerprint IS NOT NULL AND p.payload IS NOT NULL AND r.id IS NULL
        THEN EXISTS (SELECT FROM listed l WHERE l.mapping = m AND l.fingerprint = p.fingerprint) END,
      'written', CASE WHEN r.id IS NOT NULL THEN row_of(r) END) ORDER BY o.n), '[]')
    FROM unnest(taken) WITH ORDINALITY AS o (seq, n) JOIN pending p ON p.seq = o.seq
      LEFT JOIN written r ON r.mapping = p.mapping AND r.id = p.id);
END $$;

CREATE OR REPLACE FUNCTION turn_begin(w jsonb, now_ms bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  m text := w->>'mapping'; i text := w->>'id'; s bigint := (w->>'seq')::bigint; wr jsonb := w->'written';
  k text := w->'written'->>'targetKey'; mine record; st record; needed text; other text;
BEGIN
  SELECT revision, begun INTO mine FROM pending WHERE seq = s AND token = (w->>'token')::bigint;
  IF NOT FOUND THEN RETURN '"Superseded"'; END IF;
  IF mine.revision <> (w->>'revision')::bigint AND NOT mine.begun THEN
    PERFORM free(s);
    RETURN '"Superseded"';
  END IF;
  SELECT count(*) AS others, coalesce(bool_or(
        (SELECT begun FROM pending p WHERE p.mapping = m AND p.id = r.id)), false) AS busy,
      coalesce(bool_or(certainty <> 3 AND (${holds} OR departed = 2)), false) AS wanted,
      max(r.version) FILTER (WHERE certainty <> 3 AND ${holds}) AS holder
    INTO st FROM sharing(m, k) r WHERE r.id <> i;
  IF st.busy THEN RETURN '"KeyBusy"'; END IF;
  IF (wr->>'certainty')::int = 3 THEN
    IF st.wanted OR is_needed_beside(m, i, k) THEN
      PERFORM leave_key(m, i, NULL, false, now_ms);
      DELETE FROM written WHERE mapping = m AND id = i;
      RETURN '"KeyTaken"';
    END IF;
    needed := is_needed(m, i);
    IF needed = 'Yes' THEN RETURN '"StillLinked"'; END IF;
    IF needed = 'ForNow' THEN RETURN '"LinkedForNow"'; END IF;
  ELSE
    PERFORM leave_key(m, i, k, mine.begun, now_ms);
    IF st.holder > (wr->>'version')::bigint THEN
      PERFORM put_written(m, i, (w->>'generation')::bigint,
        (wr - 'hash') || '{"certainty": 0, "left": 2}', NULL);
      RETURN '"KeyTaken"';
    END IF;
    IF st.others > 0 THEN
      FOR other IN SELECT id FROM sharing(m, k) WHERE id <> i AND departed = 0 LOOP
        UPDATE written SET departed = 2, hash = NULL WHERE mapping = m AND id = other;
      END LOOP;
    END IF;
  END IF;
  PERFORM put_written(m, i, (w->>'generation')::bigint, wr, NULL);
  UPDATE pending SET begun = true, ready_at = now_ms + (w->>'leaseMs')::numeric::bigint WHERE seq = s;
  RETURN CASE WHEN st.others > 0 THEN '"BegunBeside"' ELSE '"Begun"' END::jsonb;
END $$;

-- Of a write that follows another of the same record, nobody wants to know.
CREATE OR REPLACE FUNCTION tell_landing(m text, i text, wr jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF (wr->>'left')::int <> 2 AND EXISTS (SELECT FROM written WHERE mapping = m AND id = i AND certainty < 2
    AND coalesce(target_key, id) = wr->>'targetKey') THEN RETURN; END IF;
  PERFORM landed(m, i, wr->>'targetKey');
END $$;

-- A call that was begun was not done. Whoever asked meanwhile was told that the record may come or go.
CREATE OR REPLACE FUNCTION restore(m text, i text, generation_ bigint, before_ jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE begun_ written;
BEGIN
  SELECT * INTO begun_ FROM written WHERE mapping = m AND id = i;
  IF before_ IS NULL THEN DELETE FROM written WHERE mapping = m AND id = i;
  ELSE PERFORM put_written(m, i, generation_, before_, NULL);
  END IF;
  IF begun_.certainty >= 2 AND coalesce((before_->>'certainty')::int, 0) < 2 THEN
    PERFORM stays(m, coalesce(begun_.target_key, i));
  END IF;
END $$;

CREATE OR REPLACE FUNCTION turn_settle(w jsonb, now_ms bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  m text := w->>'mapping'; i text := w->>'id'; s bigint := (w->>'seq')::bigint; e jsonb := w->'settlement';
  kind text := w->'settlement'->>'kind'; sent_ boolean := coalesce((w->'settlement'->>'sent')::boolean, false);
  g bigint := (w->>'generation')::bigint; wr jsonb; mine pending; is_newest boolean; wall bigint := wall_ms();
BEGIN
  SELECT * INTO mine FROM pending WHERE seq = s AND token = (w->>'token')::bigint;
  IF NOT FOUND THEN RETURN; END IF; -- The lease is over, or the mapping was dropped: what is known stays as it is.
  is_newest := mine.revision = (w->>'revision')::bigint;
  CASE kind
  WHEN 'Written' THEN
    wr := e->'written';
    IF NOT mine.begun AND (wr->>'left')::int = 0
      AND EXISTS (SELECT FROM written WHERE mapping = m AND id = i AND departed = 2) THEN
      PERFORM free(s); -- A newer row took the key while this one was found to need no call.
      RETURN;
    END IF;
    PERFORM tell_landing(m, i, wr);
    IF sent_ THEN
      -- A new generation may have begun meanwhile, whose hashes tell something else.
      IF NOT is_newest THEN wr := wr - 'hash'; END IF;
      -- Another process may have begun a check of the metadata that this one does not know of yet.
      wr := wr || jsonb_build_object('checked',
        greatest((wr->>'checked')::bigint, (SELECT checked FROM checkpoint WHERE mapping = m)));
    END IF;
    PERFORM put_written(m, i, g, wr, CASE WHEN sent_ THEN wall END);
    IF is_newest THEN PERFORM linked(m, i, e->'linked', now_ms); END IF;
  WHEN 'Removed' THEN
    PERFORM leave_key(m, i, NULL, sent_, now_ms);
    PERFORM tell(m, i, 1);
    DELETE FROM written WHERE mapping = m AND id = i;
    IF is_newest THEN
      PERFORM drop_links(m, i, NULL, now_ms);
      PERFORM is_absent(m, i, 'Gone');
    END IF;
  WHEN 'Left' THEN
    PERFORM leave_key(m, i, NULL, false, now_ms);
    UPDATE written SET departed = 1, version = (e->>'version')::bigint WHERE mapping = m AND id = i;
    IF is_newest THEN PERFORM is_absent(m, i, 'FilteredOut'); END IF;
  WHEN 'RemoveLater' THEN
    IF NOT is_newest THEN PERFORM free(s);
    ELSE
      UPDATE pending SET operation = 1, version = (e->>'version')::bigint, target_key = NULL, payload = NULL,
        inferred = true, held = 1, token = NULL, begun = false, ready_at = first_read_at WHERE seq = s;
    END IF;
    RETURN;
  WHEN 'Retry' THEN
    IF mine.begun THEN PERFORM restore(m, i, g, e->'before'); END IF;
    UPDATE pending SET token = NULL, begun = false, ready_at = now_ms + (e->>'afterMs')::numeric::bigint,
      attempts = attempts + (e->>'counts')::boolean::int WHERE seq = s;
    RETURN;
  WHEN 'Unknown' THEN
    UPDATE pending SET attempts = attempts + 1 WHERE seq = s;
    RETURN;
  WHEN 'Park' THEN
    -- If it would wait for itself it is due at once, and is told so when it asks again.
    IF is_newest AND NOT is_in_cycle(m, i) THEN
      UPDATE pending SET parked = true, token = NULL, begun = false, ready_at = ${parkedUntil} WHERE seq = s;
      IF (SELECT parked FROM counters WHERE mapping = m) > ${parkedWithContent} THEN
        UPDATE pending SET target_key = NULL, payload = NULL WHERE seq = s;
      END IF;
    ELSE PERFORM free(s);
    END IF;
    RETURN;
  WHEN 'Dead' THEN
    IF mine.begun THEN PERFORM restore(m, i, g, e->'before'); END IF;
    IF is_newest THEN
      PERFORM bury(m, i, coalesce((e->>'version')::bigint, (w->>'version')::bigint), g,
        e->'refusal'->>'reason', e->'refusal'->>'message', wall);
    END IF;
    IF NOT EXISTS (SELECT FROM written WHERE mapping = m AND id = i) THEN PERFORM tell(m, i, 1); END IF;
  END CASE;
  IF sent_ THEN UPDATE counters SET last_written_at = wall, sent = sent + 1 WHERE mapping = m; END IF;
  IF NOT is_newest THEN
    PERFORM free(s);
    RETURN;
  END IF;
  DELETE FROM pending WHERE seq = s;
  IF kind <> 'Dead' THEN DELETE FROM dead WHERE mapping = m AND id = i; END IF;
END $$;
`;
