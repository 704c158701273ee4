-- Discovery: what is searched, and which duplicates people said are none.

-- One row for each thing that can be found: a group, one of its features, or the newest version of a training dataset. It is
-- derived from the tables above; the index over it says which words are in it.
CREATE TABLE search_documents (
    id          INTEGER NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('group', 'feature', 'dataset')),
    -- Id of the group; of a dataset its folded name.
    owner_key   BLOB    NOT NULL,
    -- Of a feature its position, else -1.
    position    INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    folded_name TEXT    NOT NULL,
    -- Words, pieces and the whole of the name, as the index wants them.
    parts       TEXT    NOT NULL,
    -- The group's name; empty for a dataset.
    group_name  TEXT    NOT NULL,
    description TEXT    NOT NULL,
    -- Keys and values of tags, a feature's own parameters and its group's tags together.
    tags        TEXT    NOT NULL,
    owner       TEXT    NOT NULL,
    -- What its records are about: `customer`.
    entity      TEXT    NOT NULL,
    -- Type of a feature, format of a dataset, empty for a group.
    value_type  TEXT    NOT NULL,
    -- The tags once more as JSON, for filters that ask for one key.
    labels      TEXT    NOT NULL CHECK (json_valid(labels)),
    -- 1 if it is marked as deprecated.
    deprecated  INTEGER NOT NULL CHECK (deprecated IN (0, 1)),
    -- Hash of all the above, so that an update writes only what changed.
    digest      INTEGER NOT NULL,
    UNIQUE (kind, owner_key, position)
) STRICT;

-- Exact names and beginnings of names.
CREATE INDEX search_documents_by_name ON search_documents (folded_name);
CREATE INDEX search_documents_of_owner ON search_documents (owner_key);

CREATE VIRTUAL TABLE search_index USING fts5 (
    name, parts, group_name, description, tags, owner, entity,
    content = 'search_documents', content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);

-- The words of the index, for what is misspelt.
CREATE VIRTUAL TABLE search_words USING fts5vocab (search_index, 'row');

CREATE TRIGGER search_documents_inserted AFTER INSERT ON search_documents BEGIN
    INSERT INTO search_index (rowid, name, parts, group_name, description, tags, owner, entity)
    VALUES (new.id, new.name, new.parts, new.group_name, new.description, new.tags, new.owner, new.entity);
END;
CREATE TRIGGER search_documents_deleted AFTER DELETE ON search_documents BEGIN
    INSERT INTO search_index (search_index, rowid, name, parts, group_name, description, tags, owner, entity)
    VALUES ('delete', old.id, old.name, old.parts, old.group_name, old.description, old.tags, old.owner, old.entity);
END;
CREATE TRIGGER search_documents_updated AFTER UPDATE ON search_documents BEGIN
    INSERT INTO search_index (search_index, rowid, name, parts, group_name, description, tags, owner, entity)
    VALUES ('delete', old.id, old.name, old.parts, old.group_name, old.description, old.tags, old.owner, old.entity);
    INSERT INTO search_index (rowid, name, parts, group_name, description, tags, owner, entity)
    VALUES (new.id, new.name, new.parts, new.group_name, new.description, new.tags, new.owner, new.entity);
END;

-- What changed and is not in the index yet. Triggers write it, so that no change of any code path, cascades included, can be
-- forgotten; whoever changes something takes it into the index before the commit.
CREATE TABLE search_stale (
    kind      TEXT NOT NULL CHECK (kind IN ('group', 'dataset')),
    owner_key BLOB NOT NULL,
    PRIMARY KEY (kind, owner_key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER feature_groups_inserted_search AFTER INSERT ON feature_groups BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('group', new.id);
END;
CREATE TRIGGER feature_groups_updated_search AFTER UPDATE ON feature_groups
WHEN old.description IS NOT new.description OR old.owner IS NOT new.owner OR old.name IS NOT new.name
BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('group', new.id);
END;
CREATE TRIGGER feature_groups_deleted_search AFTER DELETE ON feature_groups BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('group', old.id);
END;
CREATE TRIGGER features_inserted_search AFTER INSERT ON features BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('group', new.group_id);
END;
CREATE TRIGGER features_updated_search AFTER UPDATE ON features BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('group', new.group_id);
END;
CREATE TRIGGER features_deleted_search AFTER DELETE ON features BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('group', old.group_id);
END;
CREATE TRIGGER tags_inserted_search AFTER INSERT ON tags BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('group', new.group_id);
END;
CREATE TRIGGER tags_updated_search AFTER UPDATE ON tags BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('group', new.group_id);
END;
CREATE TRIGGER tags_deleted_search AFTER DELETE ON tags BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('group', old.group_id);
END;
CREATE TRIGGER datasets_inserted_search AFTER INSERT ON datasets BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('dataset', CAST(new.folded_name AS BLOB));
END;
CREATE TRIGGER datasets_deleted_search AFTER DELETE ON datasets BEGIN
    INSERT OR IGNORE INTO search_stale VALUES ('dataset', CAST(old.folded_name AS BLOB));
END;

-- What is there already; taken into the index in the transaction that makes these tables.
INSERT INTO search_stale SELECT 'group', id FROM feature_groups;
INSERT INTO search_stale SELECT DISTINCT 'dataset', CAST(folded_name AS BLOB) FROM datasets;

-- Pairs of features that were reported as duplicates and that a person said are none. Kept here only: if the catalog is
-- lost, the pairs are reported again. The lesser of the two features stands first.
CREATE TABLE duplicate_dismissals (
    one_group     BLOB    NOT NULL REFERENCES feature_groups (id) ON DELETE CASCADE,
    one_feature   TEXT    NOT NULL,
    other_group   BLOB    NOT NULL REFERENCES feature_groups (id) ON DELETE CASCADE,
    other_feature TEXT    NOT NULL,
    dismissed     INTEGER NOT NULL,
    PRIMARY KEY (one_group, one_feature, other_group, other_feature)
) STRICT, WITHOUT ROWID;
