//! Reading lineage: the neighbourhood of nodes for a walk, then the details of what was reached.
//!
//! A walk asks for the edges of a whole frontier at once and gets them as one text of numbers: sqlx hands rows over one by
//! one from its thread, which for a hundred thousand edges takes longer than reading them.

use serde::Deserialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::lineage::{EdgeKind, EdgeMethod, NodeKey, NodeKind};
use super::{Catalog, group_rows};
use crate::model::{Error, EventTime, GroupId, Result};

/// An edge as a walk needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The edge.
    pub id: i64,
    /// Where data comes from.
    pub source: i64,
    /// Where it goes.
    pub target: i64,
    /// True if the target is a field of the source.
    pub contains: bool,
    /// True where values only decide which rows there are.
    pub indirect: bool,
    /// True if it follows from what was said, unless more is known.
    pub inferred: bool,
    /// The job that makes it so; 0 for none.
    pub job: i64,
    /// Since when it holds, in microseconds since 1970.
    pub valid_from: i64,
    /// Until when it held.
    pub valid_to: Option<i64>,
    /// What the end is that was not asked for.
    pub far_kind: NodeKind,
}

/// Which end of an edge a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkSide {
    /// Edges that leave it.
    Out,
    /// Edges that come in.
    Into,
}

/// Edges that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgesWanted<'a> {
    /// The nodes.
    pub nodes: &'a [i64],
    /// Which side of them.
    pub side: LinkSide,
    /// Those that have ended, too.
    pub ended: bool,
}

/// A node with all there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its number.
    pub id: i64,
    /// What it is known by.
    pub key: NodeKey,
    /// The incarnation of the group.
    pub group: Option<GroupId>,
    /// True if it is known to be gone.
    pub is_deleted: bool,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When it was first and last spoken of.
    pub seen: (EventTime, EventTime),
}

/// An edge with all there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeRow {
    /// Its number.
    pub id: i64,
    /// Where data comes from, and where it goes.
    pub ends: (i64, i64),
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
    /// The job that makes it so.
    pub job: Option<i64>,
    /// The latest run that showed it.
    pub run: Option<Uuid>,
    /// Since when it holds.
    pub valid_from: EventTime,
    /// Until when it held.
    pub valid_to: Option<EventTime>,
    /// How often it was said.
    pub seen: u64,
}

/// Since when edges of a kind are known by a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodSince {
    /// The kind.
    pub kind: EdgeKind,
    /// The method.
    pub method: EdgeMethod,
    /// Since when.
    pub since: EventTime,
}

/// As the details come from SQL.
#[derive(Deserialize)]
struct EdgeCells(i64, i64, i64, String, String, u8, u8, String, Option<i64>, Option<String>, i64, Option<i64>, u64);

/// Source and target of an edge, each as kind, namespace, name, field.
type EdgeEnds = (String, String, String, String, String, String, String, String);

macro_rules! select_nodes {
    ($rest:literal) => {
        concat!(
            "SELECT n.id, n.kind, n.namespace, n.name, n.field, n.group_id, n.state, n.owner, n.first_seen, n.last_seen FROM lineage_nodes n ",
            $rest
        )
    };
}

impl Catalog {
    /// The number of a node.
    pub async fn lineage_node(&self, key: &NodeKey) -> Result<Option<i64>> {
        let mut reader = self.reader.lock().await;
        sqlx::query_scalar("SELECT id FROM lineage_nodes WHERE kind = ?1 AND namespace = ?2 AND name = ?3 AND field = ?4")
            .bind(key.kind.as_str())
            .bind(&key.namespace)
            .bind(&key.name)
            .bind(&key.field)
            .fetch_optional(&mut *reader)
            .await
            .map_err(self.fault("look for a lineage node"))
    }

    /// Nodes of that name, whatever they are; no fields.
    pub async fn lineage_nodes_named(&self, name: &str) -> Result<Vec<NodeRow>> {
        let what = "look for lineage nodes";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(select_nodes!("WHERE n.name = ?1 AND n.field = '' ORDER BY n.kind, n.namespace"))
            .bind(name)
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        rows.iter().map(decode_node).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Nodes by their numbers, in that order.
    pub async fn lineage_node_rows(&self, ids: &[i64]) -> Result<Vec<NodeRow>> {
        let what = "read lineage nodes";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(select_nodes!("JOIN json_each(?1) wanted ON n.id = wanted.value ORDER BY wanted.key"))
            .bind(numbers(ids))
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        rows.iter().map(decode_node).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Some nodes that are no fields, those spoken of last first: for suggestions.
    pub async fn recent_lineage_nodes(&self, limit: u32) -> Result<Vec<NodeRow>> {
        let what = "list lineage nodes";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(select_nodes!("WHERE n.field = '' ORDER BY n.last_seen DESC, n.id DESC LIMIT ?1"))
            .bind(limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        rows.iter().map(decode_node).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// The edges on one side of nodes.
    pub async fn lineage_links(&self, wanted: EdgesWanted<'_>) -> Result<Vec<Link>> {
        let what = "walk the lineage";
        macro_rules! links {
            ($near:literal, $far:literal) => {
                concat!(
                    "SELECT group_concat(e.id || ' ' || e.source || ' ' || e.target || ' ' || (e.kind = 'contains') || ' ' || e.indirect || ' ' ||
                            (e.method = 'inferred') || ' ' || coalesce(e.job, 0) || ' ' || e.valid_from || ' ' || coalesce(e.valid_to, '-') ||
                            ' ' || n.kind, char(10))
                     FROM json_each(?1) f CROSS JOIN lineage_edges e ON e.",
                    $near,
                    " = f.value CROSS JOIN lineage_nodes n ON n.id = e.",
                    $far,
                    " WHERE ?2 OR e.valid_to IS NULL"
                )
            };
        }
        let sql = match wanted.side {
            LinkSide::Out => links!("source", "target"),
            LinkSide::Into => links!("target", "source"),
        };
        let mut reader = self.reader.lock().await;
        let text: Option<String> = sqlx::query_scalar(sql)
            .bind(numbers(wanted.nodes))
            .bind(wanted.ended)
            .fetch_one(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        let damaged = || Error::corrupt("the catalog has a lineage edge that can't be read").remedy("`larder doctor` checks the catalog");
        text.unwrap_or_default().lines().map(|line| parse_link(line).ok_or_else(damaged)).collect()
    }

    /// Edges by their numbers, in no order.
    pub async fn lineage_edge_rows(&self, ids: &[i64]) -> Result<Vec<EdgeRow>> {
        let what = "read lineage edges";
        let mut reader = self.reader.lock().await;
        let text: String = sqlx::query_scalar(
            "SELECT json_group_array(json_array(e.id, e.source, e.target, e.kind, e.transform, e.indirect, e.masking, e.method, e.job,
                    lower(hex(e.run_id)), e.valid_from, e.valid_to, e.seen))
             FROM json_each(?1) wanted CROSS JOIN lineage_edges e ON e.id = wanted.value",
        )
        .bind(numbers(ids))
        .fetch_one(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        let cells: Vec<EdgeCells> =
            serde_json::from_str(&text).map_err(|error| Error::internal("lineage edges can't be decoded").source(error))?;
        // A kind of a newer version is left out rather than guessed.
        Ok(cells.into_iter().filter_map(edge_row).collect())
    }

    /// Ends of the edges that people declared, and that hold, between a group or its features and anything else; in a fixed order.
    pub async fn declared_edges(&self, group: &NodeKey) -> Result<Vec<(NodeKey, NodeKey)>> {
        let what = "read declared lineage";
        let mut reader = self.reader.lock().await;
        let rows: Vec<EdgeEnds> = sqlx::query_as(
            "WITH own (id) AS MATERIALIZED (
                 SELECT id FROM lineage_nodes WHERE kind IN ('group', 'feature') AND namespace = ?1 AND name = ?2)
             SELECT s.kind, s.namespace, s.name, s.field, t.kind, t.namespace, t.name, t.field
             FROM (SELECT e.id FROM own JOIN lineage_edges e ON e.source = own.id
                   UNION SELECT e.id FROM own JOIN lineage_edges e ON e.target = own.id) near
             JOIN lineage_edges e ON e.id = near.id
             JOIN lineage_nodes s ON s.id = e.source JOIN lineage_nodes t ON t.id = e.target
             WHERE e.method = 'declared' AND e.valid_to IS NULL
             ORDER BY s.kind, s.namespace, s.name, s.field, t.kind, t.namespace, t.name, t.field",
        )
        .bind(&group.namespace)
        .bind(&group.name)
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        let node = |kind: &str, namespace: String, name: String, field: String| {
            Some(NodeKey { field, ..NodeKey::new(NodeKind::parse(kind)?, namespace, name) })
        };
        // A kind of a newer version is left out rather than guessed.
        let ends = |row: EdgeEnds| Some((node(&row.0, row.1, row.2, row.3)?, node(&row.4, row.5, row.6, row.7)?));
        Ok(rows.into_iter().filter_map(ends).collect())
    }

    /// Since when edges are known, by kind and method.
    pub async fn lineage_since(&self) -> Result<Vec<MethodSince>> {
        let what = "look how far lineage is known";
        let words = |words: Vec<&str>| serde_json::to_string(&words).unwrap_or_default();
        let kinds = words(EdgeKind::ALL.iter().filter(|kind| **kind != EdgeKind::Contains).map(|kind| kind.as_str()).collect());
        let methods = words(EdgeMethod::ALL.iter().map(|method| method.as_str()).collect());
        let mut reader = self.reader.lock().await;
        let rows: Vec<(String, String, Option<i64>)> = sqlx::query_as(
            "SELECT k.value, m.value, (SELECT min(valid_from) FROM lineage_edges WHERE kind = k.value AND method = m.value)
             FROM json_each(?1) k, json_each(?2) m",
        )
        .bind(kinds)
        .bind(methods)
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        let since = |(kind, method, since): (String, String, Option<i64>)| {
            let since = since.and_then(EventTime::from_unix_micros)?;
            Some(MethodSince { kind: EdgeKind::parse(&kind)?, method: EdgeMethod::parse(&method)?, since })
        };
        Ok(rows.into_iter().filter_map(since).collect())
    }
}

fn numbers(ids: &[i64]) -> String {
    serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned())
}

fn parse_link(line: &str) -> Option<Link> {
    let mut words = line.split(' ');
    let mut number = || words.next()?.parse::<i64>().ok();
    let (id, source, target) = (number()?, number()?, number()?);
    let (contains, indirect, inferred) = (number()? != 0, number()? != 0, number()? != 0);
    let (job, valid_from) = (number()?, number()?);
    let valid_to = match words.next()? {
        "-" => None,
        text => Some(text.parse().ok()?),
    };
    let far_kind = NodeKind::parse(words.next()?)?;
    Some(Link { id, source, target, contains, indirect, inferred, job, valid_from, valid_to, far_kind })
}

fn edge_row(cells: EdgeCells) -> Option<EdgeRow> {
    let EdgeCells(id, source, target, kind, transform, indirect, masking, method, job, run, valid_from, valid_to, seen) = cells;
    Some(EdgeRow {
        id,
        ends: (source, target),
        kind: EdgeKind::parse(&kind)?,
        transform,
        indirect: indirect != 0,
        masking: masking != 0,
        method: EdgeMethod::parse(&method)?,
        job,
        run: run.and_then(|run| Uuid::try_parse(&run).ok()),
        valid_from: EventTime::from_unix_micros(valid_from)?,
        valid_to: valid_to.and_then(EventTime::from_unix_micros),
        seen,
    })
}

fn decode_node(row: &SqliteRow) -> std::result::Result<NodeRow, sqlx::Error> {
    let kind: String = row.try_get(1)?;
    let kind = NodeKind::parse(&kind).ok_or_else(|| sqlx::Error::Decode(format!("'{kind}' is no kind of lineage node").into()))?;
    let group = row.try_get::<Option<&[u8]>, _>(5)?.map(Uuid::from_slice).transpose();
    Ok(NodeRow {
        id: row.try_get(0)?,
        key: NodeKey { kind, namespace: row.try_get(2)?, name: row.try_get(3)?, field: row.try_get(4)? },
        group: group.map_err(|error| sqlx::Error::Decode(error.into()))?.map(GroupId),
        is_deleted: row.try_get::<String, _>(6)? == "deleted",
        owner: row.try_get(7)?,
        seen: (group_rows::instant(row.try_get(8)?)?, group_rows::instant(row.try_get(9)?)?),
    })
}
