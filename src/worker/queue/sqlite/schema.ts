/**
 * The tables. A row carries the generation that made it, and a generation has one mapping hash (table `checkpoint`).
 * Payloads are in `pending` alone.
 */
export const schemaVersion = 5;

/** The oldest program that can still use a store of this version: going back by one version stays possible. */
export const oldestReader = 2;

/** "IWFQ": a file that is something else is never touched. */
export const applicationId = 0x49574651;

/** `migrations[n]` brings a store from version n to n + 1. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  CREATE TABLE checkpoint (
    mapping TEXT PRIMARY KEY,
    mapping_hash TEXT NOT NULL,
    generation INTEGER NOT NULL,
    replay TEXT,
    delta_link TEXT, delta_issued_at INTEGER, delta_next TEXT,
    snapshot_purpose TEXT, snapshot_next TEXT, snapshot_sweeping INTEGER NOT NULL DEFAULT 0,
    listing INTEGER NOT NULL DEFAULT 0, listing_next TEXT,
    pause_reason TEXT, pause_message TEXT, pause_since INTEGER
  ) WITHOUT ROWID;

  CREATE TABLE pending (
    seq INTEGER PRIMARY KEY,
    mapping TEXT NOT NULL,
    id TEXT NOT NULL,
    operation INTEGER NOT NULL,          -- 0 upsert, 1 delete
    version INTEGER,
    target_key TEXT,
    payload TEXT,                        -- absent: read again
    generation INTEGER NOT NULL,
    held INTEGER NOT NULL DEFAULT 0,     -- 0 no, 1 until the round ends, 2 until the snapshot ends
    inferred INTEGER NOT NULL DEFAULT 0, -- a deletion that Dataverse did not tell
    replay INTEGER NOT NULL DEFAULT 0,
    listed INTEGER NOT NULL DEFAULT 0,
    first_read_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    ready_at INTEGER NOT NULL,           -- its place in the queue; later when it is leased or tried again
    revision INTEGER NOT NULL DEFAULT 0, -- changes whenever the reader changes the row
    token INTEGER,                       -- whose lease it is
    begun INTEGER NOT NULL DEFAULT 0     -- a call was begun under the lease
  );
  CREATE UNIQUE INDEX pending_record ON pending (mapping, id);
  CREATE INDEX pending_due ON pending (mapping, ready_at, seq) WHERE held = 0;
  CREATE INDEX pending_held ON pending (mapping, held) WHERE held <> 0;

  CREATE TABLE dead (
    mapping TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER,
    generation INTEGER NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    refused_at INTEGER NOT NULL,
    PRIMARY KEY (mapping, id)
  ) WITHOUT ROWID;
  CREATE INDEX dead_age ON dead (refused_at);

  CREATE TABLE written (
    mapping TEXT NOT NULL,
    id TEXT NOT NULL,
    target_key TEXT,                     -- absent: the id itself
    certainty INTEGER NOT NULL,          -- 0 known, 1 unknown, 2 inserting
    hash TEXT,
    version INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    seen INTEGER NOT NULL,               -- the last generation that read the record
    departed INTEGER NOT NULL DEFAULT 0, -- outside the filter, and still in Campaign
    PRIMARY KEY (mapping, id)
  ) WITHOUT ROWID;

  -- Keys that Campaign had when the first load listed them, as fingerprints.
  CREATE TABLE listed (mapping TEXT NOT NULL, fingerprint TEXT NOT NULL, PRIMARY KEY (mapping, fingerprint)) WITHOUT ROWID;

  -- Files that Egress read or is reading.
  CREATE TABLE files (
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    read_bytes INTEGER NOT NULL DEFAULT 0,
    read_lines INTEGER NOT NULL DEFAULT 0,
    done_at INTEGER,
    PRIMARY KEY (name, digest)
  ) WITHOUT ROWID;

  -- Kept by the triggers below, and so exact in every transaction.
  CREATE TABLE counters (
    mapping TEXT PRIMARY KEY,
    pending INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    written INTEGER NOT NULL DEFAULT 0,
    last_written_at INTEGER
  ) WITHOUT ROWID;
  ${["pending", "dead", "written"].map(counting).join("\n")}
  `,
  `
  ALTER TABLE checkpoint ADD COLUMN pause_replay TEXT;
  UPDATE checkpoint SET pause_replay = replay WHERE pause_reason IS NOT NULL;
  -- Whose key it is; rows whose key is their id are found by that.
  CREATE INDEX written_key ON written (mapping, target_key) WHERE target_key IS NOT NULL;
  -- What is tried again does not stand before what was never tried.
  DROP INDEX pending_due;
  CREATE INDEX pending_due ON pending (mapping, ready_at, seq) WHERE held = 0 AND attempts = 0;
  CREATE INDEX pending_again ON pending (mapping, ready_at, seq) WHERE held = 0 AND attempts > 0;
  `,
  [linkTables(), checkColumns(), redriveColumns(), progressColumns(), fileTable()].join("\n"),
  `
  -- What is agreed of a contact's opt-outs, in the words of the flow.
  CREATE TABLE agreements (
    mapping TEXT NOT NULL,
    id TEXT NOT NULL,
    agreement TEXT NOT NULL,
    PRIMARY KEY (mapping, id)
  ) WITHOUT ROWID;
  `,
  "CREATE INDEX links_owed ON links (parent_mapping, parent_id, mapping, id) WHERE state = 1;",
];

/** Which records point at which, and which wait for them. */
function linkTables(): string {
  return `
  ALTER TABLE pending ADD COLUMN parked INTEGER NOT NULL DEFAULT 0; -- waits for another record
  ALTER TABLE counters ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;
  CREATE TRIGGER pending_parked AFTER UPDATE OF parked ON pending WHEN NEW.parked <> OLD.parked BEGIN
    UPDATE counters SET parked = parked + NEW.parked - OLD.parked WHERE mapping = NEW.mapping;
  END;
  CREATE TRIGGER pending_parked_out AFTER DELETE ON pending WHEN OLD.parked <> 0 BEGIN
    UPDATE counters SET parked = parked - 1 WHERE mapping = OLD.mapping;
  END;

  CREATE TABLE links (
    parent_mapping TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    id TEXT NOT NULL,
    state INTEGER NOT NULL, -- 0 linked, 1 owed: to be sent when the parent is there, 2 not written without it, 3 given up
    mandatory INTEGER NOT NULL,
    PRIMARY KEY (parent_mapping, parent_id, mapping, id)
  ) WITHOUT ROWID;
  CREATE INDEX links_of ON links (mapping, id);
  CREATE INDEX links_waiting ON links (parent_mapping, parent_id, mapping, id) WHERE state = 2;

  -- Parents that were looked at and are not to be written.
  CREATE TABLE absent (
    mapping TEXT NOT NULL,
    id TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (mapping, id)
  ) WITHOUT ROWID;

  -- What happened to parents and is yet to be told to what points at them; the place is the last that was told.
  CREATE TABLE link_news (
    seq INTEGER PRIMARY KEY,
    mapping TEXT NOT NULL,
    id TEXT,                -- absent: all of the mapping
    kind INTEGER NOT NULL,
    place_parent TEXT NOT NULL DEFAULT '',
    place_mapping TEXT NOT NULL DEFAULT '',
    place_id TEXT NOT NULL DEFAULT ''
  );`;
}

/** What was written since both systems were last seen to fit. */
function checkColumns(): string {
  return `
  ALTER TABLE checkpoint ADD COLUMN checks TEXT;  -- SchemaChecks, as JSON
  ALTER TABLE written ADD COLUMN checked INTEGER; -- the epoch of the check after which the hash was stored
  `;
}

/** When a record was sent. In milliseconds since 1970; absent: by an older program, or never. */
function redriveColumns(): string {
  return "ALTER TABLE written ADD COLUMN written_at INTEGER;";
}

/** How far a mapping has come, and whose turn is before whose. */
function progressColumns(): string {
  return `
  ALTER TABLE counters ADD COLUMN read INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE counters ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
  -- Absent in a reading that an older program began.
  ALTER TABLE checkpoint ADD COLUMN snapshot_read INTEGER;
  ALTER TABLE checkpoint ADD COLUMN snapshot_estimate INTEGER;
  -- Read with its whole table: what changed since has its turn first.
  ALTER TABLE pending ADD COLUMN bulk INTEGER NOT NULL DEFAULT 0;
  DROP INDEX pending_due;
  CREATE INDEX pending_due ON pending (mapping, bulk, ready_at, seq) WHERE held = 0 AND attempts = 0;
  `;
}

/** Files that Egress read or is reading. Nothing was ever kept in the table that this one replaces. */
function fileTable(): string {
  return `
  DROP TABLE files;
  CREATE TABLE files (name TEXT PRIMARY KEY, progress TEXT NOT NULL) WITHOUT ROWID;
  `;
}

function counting(table: string): string {
  return `
  CREATE TRIGGER ${table}_in AFTER INSERT ON ${table} BEGIN
    UPDATE counters SET ${table} = ${table} + 1 WHERE mapping = NEW.mapping;
  END;
  CREATE TRIGGER ${table}_out AFTER DELETE ON ${table} BEGIN
    UPDATE counters SET ${table} = ${table} - 1 WHERE mapping = OLD.mapping;
  END;`;
}
