-- Lineage: what flows into what, who said so, and since when. Everything observed can be observed again (loads, builds) or
-- lies beside the data (manifests); what people declared and what other systems sent lies in the store's lineage journal
-- as well, so these rows, too, can be rebuilt.

CREATE TABLE lineage_nodes (
    id         INTEGER NOT NULL PRIMARY KEY,
    -- group, feature, dataset, source, column, job, view, model, endpoint, dashboard, notebook, service, consumer.
    kind       TEXT    NOT NULL,
    -- Names of OpenLineage, so that what other systems say of the same thing meets here. They never change their scheme:
    -- nodes would split.
    namespace  TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    -- Feature or column; empty for the whole.
    field      TEXT    NOT NULL DEFAULT '',
    -- The incarnation of the group that was meant. No reference: lineage outlives what it is about.
    group_id   BLOB    CHECK (group_id IS NULL OR length(group_id) = 16),
    state      TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'deleted')),
    owner      TEXT,
    -- Of a job: the newest complete statement of what it reads and writes. An older one that arrives later is history.
    stated     INTEGER,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    UNIQUE (kind, namespace, name, field)
) STRICT;

-- "Whatever is called so": names are typed without kind and namespace.
CREATE INDEX lineage_nodes_by_name ON lineage_nodes (name, field);

CREATE TABLE lineage_edges (
    id         INTEGER NOT NULL PRIMARY KEY,
    -- Data flows from source to target.
    source     INTEGER NOT NULL REFERENCES lineage_nodes (id) ON DELETE CASCADE,
    target     INTEGER NOT NULL REFERENCES lineage_nodes (id) ON DELETE CASCADE,
    -- reads, writes, loads, contains, derives, selects, trains, serves.
    kind       TEXT    NOT NULL,
    -- OpenLineage's subtype: IDENTITY, TRANSFORMATION, AGGREGATION, JOIN, FILTER, …; empty if nobody said.
    transform  TEXT    NOT NULL DEFAULT '',
    -- 1 where the values only decide which rows there are, or how they are paired.
    indirect   INTEGER NOT NULL DEFAULT 0 CHECK (indirect IN (0, 1)),
    masking    INTEGER NOT NULL DEFAULT 0 CHECK (masking IN (0, 1)),
    method     TEXT    NOT NULL CHECK (method IN ('observed', 'declared', 'imported', 'inferred')),
    -- The job that makes it so, where an edge between columns passes one by.
    job        INTEGER REFERENCES lineage_nodes (id) ON DELETE CASCADE,
    -- The latest run that showed it. No reference: runs are forgotten, and those of other systems were never here.
    run_id     BLOB    CHECK (run_id IS NULL OR length(run_id) = 16),
    valid_from INTEGER NOT NULL,
    valid_to   INTEGER,
    last_seen  INTEGER NOT NULL,
    seen       INTEGER NOT NULL DEFAULT 1
) STRICT;

-- Said again, an edge that holds is the same edge.
CREATE UNIQUE INDEX lineage_edges_open ON lineage_edges (source, target, kind, transform, method, coalesce(job, 0)) WHERE valid_to IS NULL;
-- Closed edges are walked, too, when the question is about the past.
CREATE INDEX lineage_edges_by_source ON lineage_edges (source, target);
CREATE INDEX lineage_edges_by_target ON lineage_edges (target, source);
-- "Since when is anything known from there", for the coverage of an answer.
CREATE INDEX lineage_edges_by_kind ON lineage_edges (kind, method, valid_from);
CREATE INDEX lineage_edges_by_job ON lineage_edges (job) WHERE job IS NOT NULL;

-- Events of other systems that were taken in, so that one that is sent twice adds nothing.
CREATE TABLE lineage_events (
    -- Digest of the event's body.
    digest     BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 16),
    event_time INTEGER NOT NULL,
    received   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who read what: one row a day, not a call. The days are those since 1970, UTC.
CREATE TABLE usage_days (
    day       INTEGER NOT NULL,
    group_id  BLOB    NOT NULL REFERENCES feature_groups (id) ON DELETE CASCADE,
    -- Empty for whole records: every feature was read.
    feature   TEXT    NOT NULL,
    principal TEXT    NOT NULL,
    -- get, batch-get, history, query.
    operation TEXT    NOT NULL,
    reads     INTEGER NOT NULL,
    PRIMARY KEY (day, group_id, feature, principal, operation)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_days_of_group ON usage_days (group_id, day);

-- Spool files whose lines are in the table already; a file that a killed process could not remove is not counted twice.
CREATE TABLE usage_spools (
    name   TEXT    NOT NULL PRIMARY KEY,
    folded INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
