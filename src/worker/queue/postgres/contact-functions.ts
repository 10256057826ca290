/** The turns of contacts whose opt-outs are decided: see sqlite/contacts.ts, which these follow. */
export const contactFunctions = `
CREATE OR REPLACE FUNCTION put_agreement(m text, i text, agreement_ text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF agreement_ IS NULL THEN DELETE FROM agreements WHERE mapping = m AND id = i;
  ELSE
    INSERT INTO agreements VALUES (m, i, agreement_)
      ON CONFLICT (mapping, id) DO UPDATE SET agreement = excluded.agreement;
  END IF;
END $$;

CREATE OR REPLACE FUNCTION begin_contact(w jsonb, now_ms bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE pending SET begun = true, ready_at = now_ms + (w->>'leaseMs')::numeric::bigint
    WHERE seq = (w->>'seq')::bigint AND token = (w->>'token')::bigint;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM put_agreement(w->>'mapping', w->>'id', w->>'agreement');
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION end_contact(w jsonb, now_ms bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE s bigint := (w->>'seq')::bigint; e jsonb := w->'end'; mine record;
BEGIN
  SELECT revision INTO mine FROM pending WHERE seq = s AND token = (w->>'token')::bigint;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM put_agreement(w->>'mapping', w->>'id', w->>'agreement');
  CASE e->>'kind'
  WHEN 'Decided' THEN
    PERFORM turn_settle(w || jsonb_build_object('settlement', jsonb_build_object('kind', 'Removed', 'sent', e->'sent')), now_ms);
  WHEN 'Unanswered' THEN
    PERFORM turn_settle(w || '{"settlement": {"kind": "Unknown"}}', now_ms);
  WHEN 'Later' THEN
    IF (e->>'sent')::boolean THEN
      UPDATE counters SET last_written_at = wall_ms(), sent = sent + 1 WHERE mapping = w->>'mapping';
    END IF;
    -- More was told meanwhile: it is due.
    IF mine.revision <> (w->>'revision')::bigint THEN PERFORM free(s);
    ELSE
      UPDATE pending SET parked = (e->>'parked')::boolean, token = NULL, begun = false,
        ready_at = now_ms + (e->>'afterMs')::numeric::bigint, attempts = attempts + 1 WHERE seq = s;
    END IF;
  END CASE;
  RETURN true;
END $$;
`;
