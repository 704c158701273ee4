-- What clients of the wire API make of lineage: artifacts, contexts and actions, each standing for one node of the graph, and the
-- associations between them. Their associations are edges as well, declared ones; here stands only what the graph has no word for.

CREATE TABLE lineage_entities (
    kind       TEXT    NOT NULL CHECK (kind IN ('artifact', 'context', 'action')),
    -- The last part of its ARN: of a context or action its name, of an artifact a number of its own.
    id         TEXT    NOT NULL,
    name       TEXT,
    type       TEXT    NOT NULL,
    source_uri TEXT    NOT NULL,
    -- JSON: the whole source, in a fixed order of members. Two artifacts never have the same.
    source     TEXT    NOT NULL,
    -- JSON: description, status, properties, metadata.
    content    TEXT    NOT NULL,
    node       INTEGER NOT NULL REFERENCES lineage_nodes (id) ON DELETE CASCADE,
    created    INTEGER NOT NULL,
    modified   INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX lineage_artifacts_by_source ON lineage_entities (source) WHERE kind = 'artifact';
CREATE INDEX lineage_entities_by_uri ON lineage_entities (source_uri);
CREATE INDEX lineage_entities_by_node ON lineage_entities (node);

-- Ends are named as in an ARN (context/name): the contexts of groups and the entities of plain nodes have no row above.
CREATE TABLE lineage_associations (
    source      TEXT    NOT NULL,
    destination TEXT    NOT NULL,
    type        TEXT,
    created     INTEGER NOT NULL,
    PRIMARY KEY (source, destination)
) STRICT, WITHOUT ROWID;

CREATE INDEX lineage_associations_by_destination ON lineage_associations (destination, source);
