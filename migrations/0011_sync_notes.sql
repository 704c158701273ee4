-- What people here say of groups that sources tell of: notes over what was told. No sync touches them, and a source that is forgotten
-- leaves them. They are kept here only: nothing else in the store says them.

CREATE TABLE sync_notes (
    -- Name of the group, in lower case.
    folded_name TEXT    NOT NULL,
    -- description, owner, tags.KEY, features.NAME.description, features.NAME.parameters.KEY.
    path        TEXT    NOT NULL,
    value       TEXT    NOT NULL,
    noted       INTEGER NOT NULL,
    principal   TEXT    NOT NULL,
    PRIMARY KEY (folded_name, path)
) STRICT, WITHOUT ROWID;
