-- Sources that tell of more than groups, and what sync knows of single files of a source, so that only new ones are read again.

-- group, entity, service, dataset, source.
ALTER TABLE sync_changes ADD COLUMN kind TEXT NOT NULL DEFAULT 'group';

CREATE TABLE sync_files (
    source  TEXT NOT NULL,
    path    TEXT NOT NULL,
    -- Native id and incarnation of the group it belongs to.
    owner   TEXT NOT NULL,
    -- ETag, or time of change, and size.
    version TEXT NOT NULL,
    -- JSON: rows, columns with types, nulls and ranges.
    footer  TEXT NOT NULL,
    PRIMARY KEY (source, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX sync_files_of_group ON sync_files (source, owner);
