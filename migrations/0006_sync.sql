-- Sync: what other places say of feature groups. An observation is kept per source and never mixed with the groups of this store;
-- removing a source leaves its observations, hence no reference from them to it.

CREATE TABLE sync_sources (
    name     TEXT    NOT NULL PRIMARY KEY,
    kind     TEXT    NOT NULL,
    location TEXT    NOT NULL,
    -- A JSON object of texts.
    options  TEXT    NOT NULL,
    priority INTEGER NOT NULL,
    added    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far a source was read, committed together with what was read. It stands apart because the observations of a removed
-- source keep their age.
CREATE TABLE sync_cursors (
    source TEXT    NOT NULL PRIMARY KEY,
    cursor TEXT,
    seen   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A group made anew under its name has another incarnation and is another row. A row that is deleted is a tombstone.
CREATE TABLE sync_groups (
    source      TEXT NOT NULL,
    native_id   TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    name        TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    token       TEXT,
    hash        TEXT NOT NULL,
    content     TEXT NOT NULL,
    fault       TEXT,
    first_seen  INTEGER NOT NULL,
    changed     INTEGER NOT NULL,
    deleted     INTEGER,
    reason      TEXT,
    PRIMARY KEY (source, native_id, incarnation)
) STRICT;

CREATE INDEX sync_groups_by_name ON sync_groups (folded_name) WHERE deleted IS NULL;

CREATE TABLE sync_reports (
    run_id BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (run_id, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE sync_changes (
    run_id    BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    source    TEXT    NOT NULL,
    position  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    operation TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    -- A JSON array of {path, old, new}.
    fields    TEXT    NOT NULL,
    PRIMARY KEY (run_id, source, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX sync_changes_by_time ON sync_changes (at);
