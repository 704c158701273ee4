-- Statistics of groups of other places, worked out from the values in the files that a source lists. They can be worked out again;
-- `sync_profiled_files` says which files are in them. Removing a source leaves them, as it leaves what it told.

CREATE TABLE sync_profiles (
    source        TEXT    NOT NULL,
    -- Native id and incarnation of the group, as in sync_files.
    owner         TEXT    NOT NULL,
    row_count     INTEGER NOT NULL,
    -- Delete markers among them; their features are in no figure.
    deleted_count INTEGER NOT NULL,
    taken         INTEGER NOT NULL,
    PRIMARY KEY (source, owner)
) STRICT, WITHOUT ROWID;

-- One feature of a profile, as in profile_columns and profile_sketches.
CREATE TABLE sync_profile_columns (
    source  TEXT    NOT NULL,
    owner   TEXT    NOT NULL,
    feature TEXT    NOT NULL,
    n       INTEGER NOT NULL,
    n_null  INTEGER NOT NULL,
    mean    REAL,
    figures TEXT    NOT NULL CHECK (json_valid(figures)),
    state   BLOB    NOT NULL,
    PRIMARY KEY (source, owner, feature)
) STRICT;

-- Unlike files of our own, one of theirs may be replaced under its path: the version tells.
CREATE TABLE sync_profiled_files (
    source  TEXT NOT NULL,
    path    TEXT NOT NULL,
    owner   TEXT NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (source, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX sync_profiled_files_of_group ON sync_profiled_files (source, owner);
