-- Who changed what exists: one row for each change of a feature group, written in the transaction of the change.
-- Rows outlive their group, hence the name beside the id and no reference. A catalog that is rebuilt begins a new one.

CREATE TABLE audit (
    -- Grows with time.
    position   INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    group_id   BLOB    NOT NULL CHECK (length(group_id) = 16),
    group_name TEXT    NOT NULL,
    change     TEXT    NOT NULL CHECK (change IN ('created', 'changed', 'deleted')),
    -- An access key of the server, or the user of the system.
    principal  TEXT    NOT NULL,
    -- Operation and id of the request that asked for it; NULL where a program on the machine did.
    operation  TEXT,
    request_id TEXT,
    -- A JSON array of {path, old, new}.
    fields     TEXT    NOT NULL CHECK (json_valid(fields))
) STRICT;

CREATE INDEX audit_of_group ON audit (lower(group_name), position);
