/**
 * The tables, in a schema of the workflow's own. The same as SQLite's (see sqlite/schema.ts), but for what several
 * processes need. Payloads are in `pending` alone. Texts that may hold anything are escaped (see texts.ts).
 */
export const schemaVersion = 3;

/** The oldest program that can still use a store of this version: going back by one version stays possible. */
export const oldestReader = 1;

/** Rows come and go all the time: what they leave behind is to be cleared soon, or the oldest due record is far to seek. */
const busy =
  "WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0)";

/** States of rows that wait. */
const isInState = { parked: "parked", held: "held <> 0" } as const;
type CountedState = keyof typeof isInState;

/** `migrations[n]` brings a store from version n to n + 1. */
export const migrations: readonly string[] = [
  `
  -- The clock of places, leases and tries (see clock_ms).
  CREATE TABLE clock (one boolean PRIMARY KEY DEFAULT true CHECK (one), last bigint NOT NULL, ahead bigint NOT NULL)
    WITH (fillfactor = 20);
  INSERT INTO clock (last, ahead) VALUES (0, 0);

  CREATE TABLE checkpoint (
    mapping text COLLATE "C" PRIMARY KEY,
    generation bigint NOT NULL,
    loading boolean NOT NULL, -- not everything of the table was read yet
    checked bigint,           -- the number of the newest check of the metadata
    state text NOT NULL       -- Checkpoint, as JSON
  ) WITH (fillfactor = 50);

  -- Which process reads a mapping. A later one has a higher number.
  CREATE TABLE reader (
    mapping text COLLATE "C" PRIMARY KEY,
    number bigint NOT NULL,
    until bigint NOT NULL -- by wall_ms()
  ) WITH (fillfactor = 50);

  CREATE TABLE pending (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mapping text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    operation smallint NOT NULL,           -- 0 upsert, 1 delete
    version bigint,
    target_key text COLLATE "C",
    payload text,                          -- absent: read again
    generation bigint NOT NULL,
    held smallint NOT NULL DEFAULT 0,      -- 0 no, 1 until the round ends, 2 until the snapshot ends
    inferred boolean NOT NULL DEFAULT false, -- a deletion that Dataverse did not tell
    replay boolean NOT NULL DEFAULT false,
    fingerprint text,                      -- of its key, if Campaign's keys were listed before it was read
    bulk boolean NOT NULL DEFAULT false,   -- read with its whole table
    parked boolean NOT NULL DEFAULT false, -- waits for another record
    first_read_at bigint NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    ready_at bigint NOT NULL,              -- its place in the queue; later when it is leased or tried again
    revision bigint NOT NULL DEFAULT 0,    -- changes whenever the reader changes the row
    token bigint,                          -- whose lease it is
    begun boolean NOT NULL DEFAULT false   -- a call was begun under the lease
  ) ${busy};
  CREATE UNIQUE INDEX pending_record ON pending (mapping, id);
  CREATE INDEX pending_due ON pending (mapping, bulk, ready_at, seq) WHERE held = 0 AND attempts = 0;
  CREATE INDEX pending_again ON pending (mapping, ready_at, seq) WHERE held = 0 AND attempts > 0;
  CREATE INDEX pending_held ON pending (mapping, held) WHERE held <> 0;

  CREATE TABLE dead (
    mapping text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint,
    generation bigint NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    refused_at bigint NOT NULL,
    PRIMARY KEY (mapping, id)
  );
  CREATE INDEX dead_age ON dead (refused_at);

  CREATE TABLE written (
    mapping text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    target_key text COLLATE "C",         -- absent: the id itself
    certainty smallint NOT NULL,         -- 0 known, 1 unknown, 2 inserting, 3 removing
    hash text,
    checked bigint,                      -- the number of the check after which the hash was stored
    version bigint NOT NULL,
    generation bigint NOT NULL,
    seen bigint NOT NULL,                -- the last generation that read the record
    departed smallint NOT NULL DEFAULT 0, -- 1 outside the filter and still in Campaign, 2 a newer row has its key
    written_at bigint,                   -- milliseconds since 1970; absent: it was not sent
    PRIMARY KEY (mapping, id)
  ) ${busy};
  -- Keys may be longer than what a tree's page holds.
  CREATE INDEX written_key ON written (mapping, md5(target_key)) WHERE target_key IS NOT NULL;

  -- Keys that Campaign had when the first load listed them, as fingerprints.
  CREATE TABLE listed (mapping text COLLATE "C", fingerprint text COLLATE "C", PRIMARY KEY (mapping, fingerprint));

  CREATE TABLE links (
    parent_mapping text COLLATE "C" NOT NULL,
    parent_id text COLLATE "C" NOT NULL,
    mapping text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    state smallint NOT NULL, -- 0 linked, 1 owed: to be sent when the parent is there, 2 not written without it, 3 given up
    mandatory boolean NOT NULL,
    PRIMARY KEY (parent_mapping, parent_id, mapping, id)
  );
  CREATE INDEX links_of ON links (mapping, id);
  CREATE INDEX links_waiting ON links (parent_mapping, parent_id, mapping, id) WHERE state = 2;

  -- Parents that were looked at and are not to be written.
  CREATE TABLE absent (mapping text COLLATE "C", id text COLLATE "C", why text NOT NULL, PRIMARY KEY (mapping, id));

  -- What happened to parents and is yet to be told to what points at them; the place is the last that was told.
  CREATE TABLE link_news (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mapping text COLLATE "C" NOT NULL,
    id text COLLATE "C",       -- absent: all of the mapping
    kind smallint NOT NULL, -- see sqlite/link-news.ts
    place_parent text COLLATE "C" NOT NULL DEFAULT '',
    place_mapping text COLLATE "C" NOT NULL DEFAULT '',
    place_id text COLLATE "C" NOT NULL DEFAULT ''
  );

  -- Files that Egress read or is reading.
  CREATE TABLE files (name text COLLATE "C" PRIMARY KEY, progress text NOT NULL);

  -- Kept by the triggers below, and so exact in every transaction.
  CREATE TABLE counters (
    mapping text COLLATE "C" PRIMARY KEY,
    pending bigint NOT NULL DEFAULT 0,
    parked bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    written bigint NOT NULL DEFAULT 0,
    read bigint NOT NULL DEFAULT 0,
    sent bigint NOT NULL DEFAULT 0,
    last_written_at bigint
  ) WITH (fillfactor = 20);
  ${["pending", "dead", "written"].map((table) => counting(table, table === "pending" ? ["parked"] : [])).join("\n")}

  CREATE FUNCTION count_parked() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE counters SET parked = parked + CASE WHEN NEW.parked THEN 1 ELSE -1 END WHERE mapping = NEW.mapping;
    RETURN NULL;
  END $$;
  CREATE TRIGGER pending_parked AFTER UPDATE OF parked ON pending FOR EACH ROW
    WHEN (NEW.parked <> OLD.parked) EXECUTE FUNCTION count_parked();
  `,
  [countHeld(), markReadings(), optOutTables()].join("\n"),
  "CREATE INDEX links_owed ON links (parent_mapping, parent_id, mapping, id) WHERE state = 1;",
];

/** Version 2: the contacts of workflows of type OptInOut. */
function optOutTables(): string {
  return `
  -- What is agreed of a contact's opt-outs, in the words of the flow.
  CREATE TABLE agreements (
    mapping text COLLATE "C", id text COLLATE "C", agreement text NOT NULL, PRIMARY KEY (mapping, id)
  ) ${busy};

  -- Why each opt-out was decided as it was: lines of JSON. Kept for longer than anything else.
  CREATE TABLE opt_out_audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL, -- milliseconds since 1970
    record text NOT NULL
  );
  CREATE INDEX opt_out_audit_age ON opt_out_audit (at);`;
}

/** What a reader's last transaction left, by which its next one knows that nothing is missing in between. */
function markReadings(): string {
  return "ALTER TABLE reader ADD COLUMN mark text;";
}

/** What is held is counted like the rest, and is let go in parts, in order. */
function countHeld(): string {
  return `
  DROP INDEX pending_held;
  CREATE INDEX pending_held ON pending (mapping, held, seq) WHERE held <> 0;
  ALTER TABLE counters ADD COLUMN held bigint NOT NULL DEFAULT 0;
  UPDATE counters c SET held = (SELECT count(*) FROM pending p WHERE p.mapping = c.mapping AND p.held <> 0);
  ${countingFunctions("pending", ["parked", "held"])}
  CREATE FUNCTION count_held() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE counters SET held = held + CASE WHEN NEW.held <> 0 THEN 1 ELSE -1 END WHERE mapping = NEW.mapping;
    RETURN NULL;
  END $$;
  CREATE TRIGGER pending_held AFTER UPDATE OF held ON pending FOR EACH ROW
    WHEN ((NEW.held <> 0) <> (OLD.held <> 0)) EXECUTE FUNCTION count_held();`;
}

/** By statement, not by row: a page's rows are counted once. @param states of its rows that are counted beside */
function counting(table: string, states: readonly CountedState[]): string {
  return `
  ${countingFunctions(table, states)}
  CREATE TRIGGER ${table}_in AFTER INSERT ON ${table} REFERENCING NEW TABLE AS came
    FOR EACH STATEMENT EXECUTE FUNCTION count_${table}_in();
  CREATE TRIGGER ${table}_out AFTER DELETE ON ${table} REFERENCING OLD TABLE AS went
    FOR EACH STATEMENT EXECUTE FUNCTION count_${table}_out();`;
}

function countingFunctions(table: string, states: readonly CountedState[]): string {
  const sums = states.map((state) => `, count(*) FILTER (WHERE ${isInState[state]}) AS ${state}`).join("");
  const change = (sign: "+" | "-") => states.map((state) => `, ${state} = c.${state} ${sign} g.${state}`).join("");
  return `
  CREATE OR REPLACE FUNCTION count_${table}_in() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE counters c SET ${table} = c.${table} + g.n${change("+")}
      FROM (SELECT mapping, count(*) AS n${sums} FROM came GROUP BY mapping) g WHERE c.mapping = g.mapping;
    RETURN NULL;
  END $$;
  CREATE OR REPLACE FUNCTION count_${table}_out() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE counters c SET ${table} = c.${table} - g.n${change("-")}
      FROM (SELECT mapping, count(*) AS n${sums} FROM went GROUP BY mapping) g WHERE c.mapping = g.mapping;
    RETURN NULL;
  END $$;`;
}
