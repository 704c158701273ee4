//! Lineage as rows: nodes, edges between them, who said so and since when.
//!
//! A node is known by kind, namespace, name and field, in the scheme of OpenLineage. An edge that is said again is the same
//! edge, seen once more; one that holds no longer is closed, never removed, so that a question about the past has its
//! answer. Columns hang on their table by an edge `contains`, written with the first edge that names them. Thousands of edges
//! are written by three statements, through one JSON text each: a dataset of a thousand features is noted in its transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::{Catalog, from_sql};
use crate::model::{EventTime, GroupId, Result};

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant),+
        }

        impl $type {
            /// All of them, in the order they are offered.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that is stored and shown.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The one with that word.
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// What a node is.
    NodeKind {
        /// A feature group.
        Group = "group",
        /// A feature of a group.
        Feature = "feature",
        /// A training dataset, in one version.
        Dataset = "dataset",
        /// A table, file or stream outside.
        Source = "source",
        /// A column of something outside, or of a dataset.
        Column = "column",
        /// What reads and writes: a pipeline, a query.
        Job = "job",
        /// A saved selection of features.
        View = "view",
        /// A model.
        Model = "model",
        /// What serves a model, and reads records while it does.
        Endpoint = "endpoint",
        /// A dashboard or report.
        Dashboard = "dashboard",
        /// A notebook.
        Notebook = "notebook",
        /// A program that reads records as it runs.
        Service = "service",
        /// Any other reader.
        Consumer = "consumer",
    }
}

impl NodeKind {
    /// True for what is a part of something else.
    pub fn is_field(self) -> bool {
        matches!(self, Self::Feature | Self::Column)
    }

    /// True for what reads records while it runs: a change reaches it at once.
    pub fn reads_online(self) -> bool {
        matches!(self, Self::Endpoint | Self::Service)
    }
}

words! {
    /// How data flows along an edge.
    EdgeKind {
        /// A job or a consumer reads it.
        Reads = "reads",
        /// A job writes it.
        Writes = "writes",
        /// Rows of a file went into a group.
        Loads = "loads",
        /// A table has this column, a group this feature.
        Contains = "contains",
        /// Values were made from it.
        Derives = "derives",
        /// A view selects it.
        Selects = "selects",
        /// A model was trained on it.
        Trains = "trains",
        /// An endpoint serves a model.
        Serves = "serves",
    }
}

words! {
    /// Who says that an edge is there.
    EdgeMethod {
        /// This program did it.
        Observed = "observed",
        /// A person said so.
        Declared = "declared",
        /// Another system said so.
        Imported = "imported",
        /// It follows from what was said, unless more than that is known.
        Inferred = "inferred",
    }
}

/// What a node is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey {
    /// What it is.
    pub kind: NodeKind,
    /// Where its name means something.
    pub namespace: String,
    /// Its name there; of a field, that of the whole.
    pub name: String,
    /// Feature or column, else empty.
    pub field: String,
}

impl NodeKey {
    /// A node that is no field.
    pub fn new(kind: NodeKind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into(), field: String::new() }
    }

    /// A field of it.
    pub fn field(&self, field: impl Into<String>) -> Self {
        let kind = if self.kind == NodeKind::Group { NodeKind::Feature } else { NodeKind::Column };
        Self { kind, field: field.into(), ..self.clone() }
    }
}

/// An edge to be noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEdge {
    /// Where data comes from.
    pub source: NodeKey,
    /// Where it goes.
    pub target: NodeKey,
    /// How.
    pub kind: EdgeKind,
    /// OpenLineage's subtype; empty if nobody said.
    pub transform: String,
    /// True where values only decide which rows there are.
    pub indirect: bool,
    /// True where the values can't be told from the outcome.
    pub masking: bool,
    /// Who says so.
    pub method: EdgeMethod,
    /// The job that makes it so, where the edge passes it by.
    pub job: Option<NodeKey>,
}

impl NewEdge {
    /// A plain edge.
    pub fn new(source: NodeKey, target: NodeKey, kind: EdgeKind, method: EdgeMethod) -> Self {
        Self { source, target, kind, transform: String::new(), indirect: false, masking: false, method, job: None }
    }
}

/// Edges that were said together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineageNote {
    /// The edges.
    pub edges: Vec<NewEdge>,
    /// The whole that a field belongs to, where its name does not say (the target of an edge may be a file with columns).
    pub nodes: Vec<NodeKey>,
    /// Who answers for some of the nodes.
    pub owners: BTreeMap<NodeKey, String>,
    /// Identities of the groups among the nodes, by namespace and name.
    pub groups: BTreeMap<(String, String), GroupId>,
    /// The run that showed it.
    pub run: Option<Uuid>,
}

/// What an edge note says of the job's other edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// Nothing: more may be said later.
    Partial,
    /// These, with all of the same run, are the job's edges now; those of earlier runs have ended.
    Complete,
}

/// What noting edges changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noted {
    /// Nodes that were not known.
    pub nodes: u64,
    /// Edges that were not known, or did not hold any more.
    pub edges: u64,
    /// Edges that ended.
    pub ended: u64,
}

impl std::ops::AddAssign for Noted {
    fn add_assign(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.edges += other.edges;
        self.ended += other.ended;
    }
}

impl Catalog {
    /// Notes edges as of an instant.
    pub async fn note_lineage(&self, note: &LineageNote, at: EventTime) -> Result<Noted> {
        let what = "note lineage";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let noted = note_edges(&mut transaction, note, at).await.map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(noted)
    }

    /// Takes in an event of another system: its edges, and what it says of its job's earlier ones. None if it was taken
    /// in before.
    pub async fn take_in_event(
        &self,
        digest: u128,
        note: &LineageNote,
        job: Option<(&NodeKey, Statement)>,
        gone: &[NodeKey],
        (at, received): (EventTime, EventTime),
    ) -> Result<Option<Noted>> {
        let what = "take in a lineage event";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let inserted = sqlx::query("INSERT INTO lineage_events (digest, event_time, received) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")
            .bind(digest.to_be_bytes().as_slice())
            .bind(at.unix_micros())
            .bind(received.unix_micros())
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        if inserted.rows_affected() == 0 {
            return Ok(None);
        }
        let mut noted = note_edges(&mut transaction, note, at).await.map_err(self.fault(what))?;
        if let Some((job, statement)) = job {
            noted.ended += settle_job(&mut transaction, job, statement, note.run, at).await.map_err(self.fault(what))?;
        }
        for key in gone {
            sqlx::query("UPDATE lineage_nodes SET state = 'deleted' WHERE namespace = ?1 AND name = ?2 AND last_seen <= ?3")
                .bind(&key.namespace)
                .bind(&key.name)
                .bind(at.unix_micros())
                .execute(&mut *transaction)
                .await
                .map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await?;
        Ok(Some(noted))
    }

    /// Ends edges that hold, from one node to another; returns how many.
    pub async fn end_lineage(&self, source: &NodeKey, target: &NodeKey, at: EventTime) -> Result<u64> {
        let what = "end a lineage edge";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let ended = sqlx::query(
            "UPDATE lineage_edges SET valid_to = max(valid_from, ?9) WHERE valid_to IS NULL AND method = 'declared'
             AND source = (SELECT id FROM lineage_nodes WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND field = ?4)
             AND target = (SELECT id FROM lineage_nodes WHERE kind = ?5 AND namespace = ?6 AND name = ?7 AND field = ?8)",
        )
        .bind(source.kind.as_str())
        .bind(&source.namespace)
        .bind(&source.name)
        .bind(&source.field)
        .bind(target.kind.as_str())
        .bind(&target.namespace)
        .bind(&target.name)
        .bind(&target.field)
        .bind(at.unix_micros())
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?
        .rows_affected();
        self.commit(transaction, what).await?;
        Ok(ended)
    }
}

type SqlResult<T> = std::result::Result<T, sqlx::Error>;

/// Notes edges within a transaction, such as the one that makes what they are about visible.
pub(super) async fn note_edges(transaction: &mut Transaction<'_, Sqlite>, note: &LineageNote, at: EventTime) -> SqlResult<Noted> {
    let contained = contained(note);
    let mut keys: BTreeSet<&NodeKey> = note.nodes.iter().collect();
    for edge in note.edges.iter().chain(&contained) {
        keys.extend([&edge.source, &edge.target]);
        keys.extend(edge.job.as_ref());
    }
    keys.extend(note.owners.keys());
    let before = counts(transaction).await?;
    let cells: Vec<_> = keys.iter().map(|key| node_cells(key, &note.groups)).collect();
    end_earlier_incarnations(transaction, &note.groups, at).await?;
    sqlx::query(
        "INSERT INTO lineage_nodes (kind, namespace, name, field, group_id, first_seen, last_seen)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), ?2, ?2 FROM json_each(?1) WHERE true
         ON CONFLICT (kind, namespace, name, field) DO UPDATE SET
             first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen),
             group_id = coalesce(excluded.group_id, group_id),
             state = iif(excluded.last_seen >= last_seen, 'active', state)",
    )
    .bind(encode(&cells)?)
    .bind(at.unix_micros())
    .execute(&mut **transaction)
    .await?;
    for (key, owner) in &note.owners {
        sqlx::query("UPDATE lineage_nodes SET owner = ?5 WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND field = ?4")
            .bind(key.kind.as_str())
            .bind(&key.namespace)
            .bind(&key.name)
            .bind(&key.field)
            .bind(owner)
            .execute(&mut **transaction)
            .await?;
    }
    insert_edges(transaction, note.edges.iter().chain(&contained), note.run, at).await?;
    let after = counts(transaction).await?;
    Ok(Noted { nodes: after.0.saturating_sub(before.0), edges: after.1.saturating_sub(before.1), ended: 0 })
}

async fn insert_edges(
    transaction: &mut Transaction<'_, Sqlite>,
    edges: impl Iterator<Item = &NewEdge>,
    run: Option<Uuid>,
    at: EventTime,
) -> SqlResult<()> {
    let cells: Vec<_> = edges
        .map(|edge| {
            let ends = [&edge.source, &edge.target].map(|key| (key.kind.as_str(), &key.namespace, &key.name, &key.field));
            let job = edge.job.as_ref().map(|job| (&job.namespace, &job.name));
            let words = (edge.kind.as_str(), &edge.transform, u8::from(edge.indirect), u8::from(edge.masking), edge.method.as_str());
            (ends, words, job)
        })
        .collect();
    // Paths into nested arrays would parse the text anew for each cell, hence one level of json_each and short paths.
    sqlx::query(
        "INSERT INTO lineage_edges (source, target, kind, transform, indirect, masking, method, job, run_id, valid_from, last_seen)
         SELECT s.id, t.id, e.value ->> '$[1][0]', e.value ->> '$[1][1]', e.value ->> '$[1][2]', e.value ->> '$[1][3]',
                e.value ->> '$[1][4]', j.id, ?2, ?3, ?3
         FROM json_each(?1) e
         CROSS JOIN lineage_nodes s ON s.kind = e.value ->> '$[0][0][0]' AND s.namespace = e.value ->> '$[0][0][1]'
              AND s.name = e.value ->> '$[0][0][2]' AND s.field = e.value ->> '$[0][0][3]'
         CROSS JOIN lineage_nodes t ON t.kind = e.value ->> '$[0][1][0]' AND t.namespace = e.value ->> '$[0][1][1]'
              AND t.name = e.value ->> '$[0][1][2]' AND t.field = e.value ->> '$[0][1][3]'
         LEFT JOIN lineage_nodes j ON j.kind = 'job' AND j.namespace = e.value ->> '$[2][0]' AND j.name = e.value ->> '$[2][1]' AND j.field = ''
         WHERE s.id <> t.id
         ON CONFLICT (source, target, kind, transform, method, coalesce(job, 0)) WHERE valid_to IS NULL DO UPDATE SET
             valid_from = min(valid_from, excluded.valid_from), seen = seen + 1,
             run_id = iif(excluded.last_seen >= last_seen, excluded.run_id, run_id),
             last_seen = max(last_seen, excluded.last_seen)",
    )
    .bind(encode(&cells)?)
    .bind(run.as_ref().map(|run| run.as_bytes().as_slice()))
    .bind(at.unix_micros())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The edges by which fields hang on their whole. Observed: a name that was used has told them.
fn contained(note: &LineageNote) -> Vec<NewEdge> {
    let ends = note.edges.iter().flat_map(|edge| [&edge.source, &edge.target]);
    let fields: BTreeSet<&NodeKey> = ends.chain(&note.nodes).filter(|key| key.kind.is_field()).collect();
    let known: BTreeSet<&NodeKey> = note.edges.iter().flat_map(|edge| [&edge.source, &edge.target]).chain(&note.nodes).collect();
    let whole_of = |field: &NodeKey| {
        let kinds: &[NodeKind] = if field.kind == NodeKind::Feature { &[NodeKind::Group] } else { &[NodeKind::Dataset, NodeKind::Source] };
        let candidates = kinds.iter().map(|kind| NodeKey::new(*kind, field.namespace.clone(), field.name.clone()));
        let candidates: Vec<NodeKey> = candidates.collect();
        candidates.iter().find(|key| known.contains(key)).or_else(|| candidates.last()).cloned()
    };
    let contains =
        |field: &&NodeKey| whole_of(field).map(|whole| NewEdge::new(whole, (*field).clone(), EdgeKind::Contains, EdgeMethod::Observed));
    fields.iter().filter_map(contains).collect()
}

type NodeCells<'a> = (&'a str, &'a str, &'a str, &'a str, Option<String>);

fn node_cells<'a>(key: &'a NodeKey, groups: &BTreeMap<(String, String), GroupId>) -> NodeCells<'a> {
    let is_of_group = matches!(key.kind, NodeKind::Group | NodeKind::Feature);
    let id = is_of_group.then(|| groups.get(&(key.namespace.clone(), key.name.clone()))).flatten();
    (key.kind.as_str(), &key.namespace, &key.name, &key.field, id.map(|id| id.0.simple().to_string()))
}

/// A group that was dropped and made again is another one: what flowed through the first does not flow through the second.
async fn end_earlier_incarnations(
    transaction: &mut Transaction<'_, Sqlite>,
    groups: &BTreeMap<(String, String), GroupId>,
    at: EventTime,
) -> SqlResult<()> {
    for ((namespace, name), id) in groups {
        sqlx::query(
            "UPDATE lineage_edges SET valid_to = max(valid_from, ?4) WHERE valid_to IS NULL AND EXISTS (
                 SELECT 1 FROM lineage_nodes n WHERE n.id IN (lineage_edges.source, lineage_edges.target)
                 AND n.namespace = ?1 AND n.name = ?2 AND n.kind IN ('group', 'feature') AND n.group_id <> ?3)
             AND (source IN (SELECT id FROM lineage_nodes WHERE namespace = ?1 AND name = ?2)
                  OR target IN (SELECT id FROM lineage_nodes WHERE namespace = ?1 AND name = ?2))",
        )
        .bind(namespace)
        .bind(name)
        .bind(id.bytes().as_slice())
        .bind(at.unix_micros())
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Ends what a job's complete statement leaves out; or, if a later one is known already, ends what this one said.
async fn settle_job(
    transaction: &mut Transaction<'_, Sqlite>,
    job: &NodeKey,
    statement: Statement,
    run: Option<Uuid>,
    at: EventTime,
) -> SqlResult<u64> {
    let found: Option<(i64, Option<i64>)> =
        sqlx::query_as("SELECT id, stated FROM lineage_nodes WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND field = ''")
            .bind(job.kind.as_str())
            .bind(&job.namespace)
            .bind(&job.name)
            .fetch_optional(&mut **transaction)
            .await?;
    let Some((id, stated)) = found else { return Ok(0) };
    let run = run.as_ref().map(|run| run.as_bytes().as_slice());
    // Said by one event, only to be inferred from another: it is known.
    sqlx::query(
        "UPDATE lineage_edges SET valid_to = valid_from WHERE source = ?1 AND method = 'inferred' AND valid_to IS NULL AND EXISTS (
             SELECT 1 FROM lineage_edges known WHERE known.source = ?1 AND known.target = lineage_edges.target
             AND known.kind = lineage_edges.kind AND known.method <> 'inferred' AND known.valid_to IS NULL)",
    )
    .bind(id)
    .execute(&mut **transaction)
    .await?;
    if let Some(later) = stated.filter(|stated| *stated > at.unix_micros()) {
        // Arrived late: edges that only this run knows have ended by the time of the later statement.
        let ended = sqlx::query(
            "UPDATE lineage_edges SET valid_to = max(valid_from, ?3)
             WHERE valid_to IS NULL AND method IN ('imported', 'inferred') AND run_id IS ?2 AND last_seen < ?3
             AND (source = ?1 OR target = ?1 OR job = ?1)
             -- Not if it is the very run that made the later statement: its own facts add up.
             AND NOT EXISTS (SELECT 1 FROM lineage_edges c WHERE (c.source = ?1 OR c.target = ?1 OR c.job = ?1) AND c.run_id IS ?2 AND c.last_seen = ?3)",
        )
        .bind(id)
        .bind(run)
        .bind(later)
        .execute(&mut **transaction)
        .await?;
        return Ok(ended.rows_affected());
    }
    if statement == Statement::Partial {
        return Ok(0);
    }
    // Only sides of which this run said something: to be silent about inputs is not to say that there are none.
    let ended = sqlx::query(
        "UPDATE lineage_edges SET valid_to = max(valid_from, ?3)
         WHERE valid_to IS NULL AND method IN ('imported', 'inferred') AND run_id IS NOT ?2 AND last_seen < ?3
         AND ((target = ?1 AND EXISTS (SELECT 1 FROM lineage_edges n WHERE n.target = ?1 AND n.valid_to IS NULL AND n.run_id IS ?2 AND n.last_seen <= ?3))
           OR (source = ?1 AND EXISTS (SELECT 1 FROM lineage_edges n WHERE n.source = ?1 AND n.valid_to IS NULL AND n.run_id IS ?2 AND n.last_seen <= ?3))
           OR (job = ?1 AND EXISTS (SELECT 1 FROM lineage_edges n WHERE (n.job = ?1 OR n.source = ?1) AND n.valid_to IS NULL AND n.run_id IS ?2 AND n.last_seen <= ?3)))",
    )
    .bind(id)
    .bind(run)
    .bind(at.unix_micros())
    .execute(&mut **transaction)
    .await?;
    sqlx::query("UPDATE lineage_nodes SET stated = ?2 WHERE id = ?1").bind(id).bind(at.unix_micros()).execute(&mut **transaction).await?;
    Ok(ended.rows_affected())
}

/// The job that stands for a source of sync: edges that the source told pass it by, so that what it tells no more can end.
pub fn sync_job(source: &str) -> NodeKey {
    NodeKey::new(NodeKind::Job, "larder", format!("sync.{source}"))
}

/// Ends the edges that a source told, but those of a run; its views and datasets that nothing leads to any more are gone.
pub(super) async fn end_told_lineage(
    transaction: &mut Transaction<'_, Sqlite>,
    source: &str,
    but_run: Option<Uuid>,
    at: EventTime,
) -> SqlResult<()> {
    let job = sync_job(source);
    let found: Option<(i64,)> =
        sqlx::query_as("SELECT id FROM lineage_nodes WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND field = ''")
            .bind(job.kind.as_str())
            .bind(&job.namespace)
            .bind(&job.name)
            .fetch_optional(&mut **transaction)
            .await?;
    let Some((id,)) = found else { return Ok(()) };
    sqlx::query("UPDATE lineage_edges SET valid_to = max(valid_from, ?3) WHERE job = ?1 AND valid_to IS NULL AND run_id IS NOT ?2")
        .bind(id)
        .bind(but_run.as_ref().map(|run| run.as_bytes().as_slice()))
        .bind(at.unix_micros())
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "UPDATE lineage_nodes SET state = 'deleted' WHERE kind IN ('view', 'dataset') AND state = 'active'
         AND id IN (SELECT target FROM lineage_edges WHERE job = ?1)
         AND NOT EXISTS (SELECT 1 FROM lineage_edges e WHERE e.target = lineage_nodes.id AND e.valid_to IS NULL)",
    )
    .bind(id)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Nodes, and edges that hold.
async fn counts(transaction: &mut Transaction<'_, Sqlite>) -> SqlResult<(u64, u64)> {
    // The highest numbers rather than counts: both tables only grow, and counting reads them whole.
    let row: (i64, i64) =
        sqlx::query_as("SELECT (SELECT coalesce(max(id), 0) FROM lineage_nodes), (SELECT coalesce(max(id), 0) FROM lineage_edges)")
            .fetch_one(&mut **transaction)
            .await?;
    Ok((from_sql(row.0), from_sql(row.1)))
}

fn encode(cells: &impl serde::Serialize) -> SqlResult<String> {
    serde_json::to_string(cells).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// How long the digests of events are kept: nobody sends one again after that.
const EVENTS_KEPT: i64 = 30 * 86_400 * 1_000_000;

impl Catalog {
    /// Forgets the digests of events that were taken in long ago; returns how many.
    pub async fn forget_old_events(&self, now: EventTime) -> Result<u64> {
        let what = "forget old lineage events";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let forgotten = sqlx::query("DELETE FROM lineage_events WHERE received < ?1")
            .bind(now.unix_micros().saturating_sub(EVENTS_KEPT))
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(forgotten.rows_affected())
    }
}
