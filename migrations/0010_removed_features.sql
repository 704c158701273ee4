-- Features that were removed from a group. Their values stay in its rows and files, so their slot and their column stay taken.

CREATE TABLE removed_features (
    group_id BLOB    NOT NULL REFERENCES feature_groups (id) ON DELETE CASCADE,
    slot     INTEGER NOT NULL CHECK (slot >= 0),
    -- JSON: slot, the feature as its definition had it, when it was removed.
    removal  TEXT    NOT NULL CHECK (json_valid(removal)),
    PRIMARY KEY (group_id, slot)
) STRICT, WITHOUT ROWID;
