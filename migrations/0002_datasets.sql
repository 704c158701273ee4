-- Training datasets: what was built, from what, and where each of their columns comes from. The manifest of each also
-- lies in the store's folder and beside the file it describes, so these rows can be rebuilt, too.

CREATE TABLE datasets (
    -- uuid v7: ordered by time of building.
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name           TEXT    NOT NULL,
    -- Names differ by more than case, as those of groups do: their folders may lie on a disk that folds it.
    folded_name    TEXT    NOT NULL,
    -- 1, 2, …: building under a name again makes its next version, and what was built before stays known.
    version        INTEGER NOT NULL CHECK (version >= 1),
    created        INTEGER NOT NULL,
    -- No reference: runs are forgotten after some time, datasets are not.
    run_id         BLOB,
    -- Where the rows were written; the file is the user's, and may be gone.
    path           TEXT    NOT NULL,
    format         TEXT    NOT NULL,
    description    TEXT,
    -- The spine in words: a path, or SQL.
    spine          TEXT    NOT NULL,
    row_count      INTEGER NOT NULL,
    content_hash   TEXT    NOT NULL,
    larder_version TEXT    NOT NULL,
    manifest       TEXT    NOT NULL CHECK (json_valid(manifest)),
    UNIQUE (folded_name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE dataset_columns (
    dataset_id BLOB    NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL CHECK (position >= 0),
    name       TEXT    NOT NULL,
    data_type  TEXT    NOT NULL,
    -- All three NULL: a column of the spine. No reference: a dataset outlives the groups it was built from.
    group_id   BLOB,
    group_name TEXT,
    feature    TEXT,
    PRIMARY KEY (dataset_id, position),
    CHECK ((group_id IS NULL) = (group_name IS NULL) AND (group_id IS NULL) = (feature IS NULL))
) STRICT, WITHOUT ROWID;

-- "Which datasets use this group": the primary key answers only the other direction.
CREATE INDEX dataset_columns_of_group ON dataset_columns (group_id) WHERE group_id IS NOT NULL;
