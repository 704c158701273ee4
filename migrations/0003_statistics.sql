-- Statistics: what the values of features look like, over time. Everything here is worked out from the data and can be
-- worked out again; `profiled_files` says how much of the data is in it.

-- Files of a group's history whose rows are in its profiles. A file never changes, so its path says it all; what
-- compaction writes takes the place of what it replaced, because no row changes by it.
CREATE TABLE profiled_files (
    group_id  BLOB    NOT NULL REFERENCES feature_groups (id) ON DELETE CASCADE,
    path      TEXT    NOT NULL,
    row_count INTEGER NOT NULL,
    PRIMARY KEY (group_id, path)
) STRICT, WITHOUT ROWID;

-- A profile is of all rows of a population in a window. Its rows merge: a new file adds to them.
CREATE TABLE profiles (
    id                INTEGER NOT NULL PRIMARY KEY,
    group_id          BLOB    NOT NULL REFERENCES feature_groups (id) ON DELETE CASCADE,
    -- events: every record ever. latest: the newest live record of each identifier.
    population        TEXT    NOT NULL CHECK (population IN ('events', 'latest')),
    -- whole: no window. day: one day of event time, UTC. baseline: kept by a person under a name.
    -- dataset: the rows of one training dataset.
    grain             TEXT    NOT NULL CHECK (grain IN ('whole', 'day', 'baseline', 'dataset')),
    -- Days since 1970 for a day, else 0.
    day               INTEGER NOT NULL DEFAULT 0,
    -- Name of the baseline, `name@version` of the dataset, else empty.
    label             TEXT    NOT NULL DEFAULT '',
    row_count         INTEGER NOT NULL,
    -- Delete markers among them; their features are in no figure.
    deleted_count     INTEGER NOT NULL DEFAULT 0,
    oldest_event_time INTEGER,
    newest_event_time INTEGER,
    taken             INTEGER NOT NULL,
    UNIQUE (group_id, population, grain, day, label)
) STRICT;

-- One column of a profile. Scalars stay for ever; a line of a null rate over a year reads no sketch.
CREATE TABLE profile_columns (
    profile_id  INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    feature     TEXT    NOT NULL,
    -- Rows, and those without a value.
    n           INTEGER NOT NULL,
    n_null      INTEGER NOT NULL,
    mean        REAL,
    -- Bounds of the number of distinct values; equal where it is exact.
    distinct_lo REAL,
    distinct_hi REAL,
    -- The other scalars, quantiles and top values as JSON, in the form `statistics` gives them.
    figures     TEXT    NOT NULL CHECK (json_valid(figures)),
    PRIMARY KEY (profile_id, feature)
) STRICT, WITHOUT ROWID;

-- What profiles are merged and compared by. Kept for the whole, for baselines and datasets, and for the newest days.
CREATE TABLE profile_sketches (
    profile_id INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
    feature    TEXT    NOT NULL,
    bytes      BLOB    NOT NULL,
    PRIMARY KEY (profile_id, feature)
) STRICT, WITHOUT ROWID;

-- The last comparison of each feature with each kind of baseline.
CREATE TABLE drift_results (
    group_id BLOB    NOT NULL REFERENCES feature_groups (id) ON DELETE CASCADE,
    feature  TEXT    NOT NULL,
    baseline TEXT    NOT NULL,
    metric   TEXT    NOT NULL,
    value    REAL,
    noise    REAL,
    watch    REAL,
    alert    REAL,
    level    TEXT    NOT NULL CHECK (level IN ('ok', 'watch', 'alert', 'few')),
    detail   TEXT,
    taken    INTEGER NOT NULL,
    PRIMARY KEY (group_id, feature, baseline, metric)
) STRICT, WITHOUT ROWID;

-- What is expected of a group as a whole, as JSON; NULL: nothing. What is expected of a feature is in its definition.
ALTER TABLE feature_groups ADD COLUMN expectations TEXT CHECK (expectations IS NULL OR json_valid(expectations));
