-- The catalog: what exists. Every row here can be rebuilt from the definition files and Delta logs beside the
-- data, so the tables hold no secret of their own except run history and resumable marks.
--
-- Conventions. Tables are STRICT, because a text in a number column is a bug to be found on writing. Instants are
-- INTEGER microseconds since 1970 UTC, the precision of the offline store. Feature groups are known by their
-- 16-byte uuid, never by name: a group that is dropped and made again under the same name is another group.

-- Facts about the store as a whole: its id, the format it is written in, what people set.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The layout of everything under the store's folder. A program that knows only older layouts refuses to open.
INSERT INTO settings (name, value) VALUES ('format_version', '1');

CREATE TABLE feature_groups (
    id                  BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name                TEXT    NOT NULL,
    -- Names differ by more than case, because catalogues downstream (Glue, Athena) fold it.
    folded_name         TEXT    NOT NULL UNIQUE,
    status              TEXT    NOT NULL
                        CHECK (status IN ('Creating', 'Created', 'CreateFailed', 'Deleting', 'DeleteFailed')),
    failure_reason      TEXT,
    -- By name, not by position: the definition file says it so, and so does a reader of this table.
    identifier_feature  TEXT    NOT NULL,
    event_time_feature  TEXT    NOT NULL,
    -- The settings as JSON objects: they are read and written whole, and grow members with time. NULL: no such store.
    online_settings     TEXT    CHECK (online_settings IS NULL OR json_valid(online_settings)),
    offline_settings    TEXT    CHECK (offline_settings IS NULL OR json_valid(offline_settings)),
    description         TEXT,
    owner               TEXT,
    created             INTEGER NOT NULL,
    modified            INTEGER NOT NULL,
    CHECK (online_settings IS NOT NULL OR offline_settings IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- One row for each feature, in definition order. `definition` is the feature as the definition file has it (JSON:
-- name, type, collection, description, parameters). It is kept whole because a catalog of 50,000 features is read at
-- a start: joining ready texts in SQL hands over one row a group, where one row a feature costs ten times as much.
CREATE TABLE features (
    group_id    BLOB    NOT NULL REFERENCES feature_groups (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL CHECK (position >= 0),
    folded_name TEXT    NOT NULL,
    definition  TEXT    NOT NULL CHECK (json_valid(definition)),
    PRIMARY KEY (group_id, position),
    UNIQUE (group_id, folded_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE tags (
    group_id BLOB NOT NULL REFERENCES feature_groups (id) ON DELETE CASCADE,
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (group_id, key)
) STRICT, WITHOUT ROWID;

-- "Which groups carry this tag": the primary key answers only the other direction.
CREATE INDEX tags_by_key ON tags (key, value);

-- What the offline store of a group held at one Delta version, so that a list of a thousand groups need not open a
-- thousand logs. A row may be behind the log; `delta_version` says by how much.
CREATE TABLE offline_summaries (
    group_id          BLOB    NOT NULL PRIMARY KEY REFERENCES feature_groups (id) ON DELETE CASCADE,
    delta_version     INTEGER NOT NULL,
    files             INTEGER NOT NULL,
    row_count         INTEGER NOT NULL,
    bytes             INTEGER NOT NULL,
    oldest_event_time INTEGER,
    newest_event_time INTEGER,
    updated           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One load, drain, sync or build. Runs outlive their group (history of what happened), hence the name beside the id
-- and no cascade.
CREATE TABLE runs (
    -- uuid v7: ordered by start, so the primary key serves "newest first".
    id              BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind            TEXT    NOT NULL,
    group_id        BLOB    REFERENCES feature_groups (id) ON DELETE SET NULL,
    group_name      TEXT,
    state           TEXT    NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted')),
    -- Who runs it. A process id alone is reused by the system; with its start time and machine it is not.
    process_id      INTEGER NOT NULL,
    process_started TEXT    NOT NULL,
    process_machine TEXT    NOT NULL,
    started         INTEGER NOT NULL,
    updated         INTEGER NOT NULL,
    finished        INTEGER,
    message         TEXT,
    row_count       INTEGER NOT NULL DEFAULT 0,
    accepted        INTEGER NOT NULL DEFAULT 0,
    rejected        INTEGER NOT NULL DEFAULT 0,
    -- Digest of the inputs: an interrupted run may be taken up again only by a run of the same inputs.
    fingerprint     TEXT
) STRICT, WITHOUT ROWID;

-- Both are partial: of thousands of runs, few run and few can be resumed.
CREATE INDEX runs_unfinished ON runs (fingerprint) WHERE state IN ('running', 'interrupted');
CREATE INDEX runs_of_group ON runs (group_id) WHERE group_id IS NOT NULL;

-- How far a run came, by name, so that the next run with the same fingerprint continues there.
CREATE TABLE run_marks (
    run_id BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;
