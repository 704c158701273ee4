//! Entities of the wire API's lineage as rows: artifacts, contexts, actions, and the associations between them.
//!
//! An entity stands for one node of the graph; what the graph has no word for (type, source, properties) is kept here. Ends of
//! an association are written as in an ARN, because the contexts of groups and the entities of plain nodes have no row.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::lineage::{LineageNote, NodeKey, NodeKind, note_edges};
use super::{Catalog, group_rows};
use crate::model::{Error, ErrorKind, EventTime, Result};

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntityKind {
    /// A thing: data, code, a model.
    Artifact,
    /// What things belong to: a pipeline, an endpoint, a feature group.
    Context,
    /// What was done.
    Action,
}

impl EntityKind {
    /// The word in an ARN.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Context => "context",
            Self::Action => "action",
        }
    }

    /// The kind of that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Artifact, Self::Context, Self::Action].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What an entity is known by: the end of its ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityId {
    /// What it is.
    pub kind: EntityKind,
    /// Its name, or an artifact's number.
    pub id: String,
}

impl EntityId {
    /// One of a kind.
    pub fn new(kind: EntityKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }

    /// The one that the end of an ARN names.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once('/')?;
        (!id.is_empty()).then(|| EntityKind::parse(kind).map(|kind| Self::new(kind, id)))?
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.id)
    }
}

/// Where an entity comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EntitySource {
    /// Its place.
    pub uri: String,
    /// Of an artifact: kinds of identity (`S3ETag`, `Custom`, …) and their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<(String, String)>,
    /// Of a context or action: what the place is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// Of a context or action: its name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
}

/// What is written about an entity.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EntityContent {
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Of an action: how it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whatever clients note.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// Of what commit, by whom: `CommitId`, `Repository`, `GeneratedBy`, `ProjectId`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// An entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityRow {
    /// What it is known by.
    pub id: EntityId,
    /// What it is called; an artifact may have no name.
    pub name: Option<String>,
    /// What sort of thing it is: `DataSet`, `Model`, `Endpoint`, ….
    pub entity_type: String,
    /// Where it comes from.
    pub source: EntitySource,
    /// What is written about it.
    pub content: EntityContent,
    /// When it was made.
    pub created: EventTime,
    /// When it was last changed.
    pub modified: EventTime,
}

/// An association of two entities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssociationRow {
    /// Where it goes out.
    pub source: EntityId,
    /// Where it comes in.
    pub destination: EntityId,
    /// `ContributedTo`, `DerivedFrom`, …; none if nobody said.
    pub association_type: Option<String>,
    /// When it was made.
    pub created: EventTime,
}

/// What a page of entities or nodes is to show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntityPage {
    /// From that place alone.
    pub source_uri: Option<String>,
    /// Of that type alone.
    pub entity_type: Option<String>,
    /// Made after this, in microseconds.
    pub after: Option<i64>,
    /// Made before this, in microseconds.
    pub before: Option<i64>,
    /// By name instead of by time.
    pub by_name: bool,
    /// The smallest first.
    pub ascending: bool,
    /// Go on behind this place: see [`EntityPage::place`].
    pub shown: Option<(String, String)>,
    /// Most rows.
    pub limit: u32,
}

impl EntityPage {
    /// Where an entity stands in the order: the text it is sorted by, and its number or name.
    pub fn place(&self, entity: &EntityRow) -> (String, String) {
        let sorted_by = match self.by_name {
            true => entity.name.clone().unwrap_or_else(|| entity.id.id.clone()),
            // Twenty digits order as numbers do; no instant here lies before 1970.
            false => format!("{:020}", entity.created.unix_micros().max(0)),
        };
        (sorted_by, entity.id.id.clone())
    }
}

macro_rules! page {
    ($compare:literal, $order:literal) => {
        concat!(
            "SELECT e.kind, e.id, e.name, e.type, e.source, e.content, e.created, e.modified FROM (
                 SELECT *, CASE WHEN ?6 THEN coalesce(name, id) ELSE printf('%020d', created) END AS place FROM lineage_entities
                 WHERE kind = ?1 AND (?2 IS NULL OR source_uri = ?2) AND (?3 IS NULL OR type = ?3)
                 AND (?4 IS NULL OR created > ?4) AND (?5 IS NULL OR created < ?5)) e
             WHERE ?7 IS NULL OR (e.place, e.id) ",
            $compare,
            " (?7, ?8) ORDER BY e.place ",
            $order,
            ", e.id ",
            $order,
            " LIMIT ?9"
        )
    };
}

macro_rules! nodes {
    ($compare:literal, $order:literal) => {
        concat!(
            "SELECT n.number, n.kind, n.namespace, n.name, n.field, n.first_seen, n.last_seen FROM (
                 SELECT id AS number, kind, namespace, name, field, first_seen, last_seen, 'node-' || id AS id,
                        CASE WHEN ?4 THEN name ELSE printf('%020d', first_seen) END AS place FROM lineage_nodes
                 WHERE field = '' AND kind IN (SELECT value FROM json_each(?1))
                 AND (?2 IS NULL OR first_seen > ?2) AND (?3 IS NULL OR first_seen < ?3)
                 AND id NOT IN (SELECT node FROM lineage_entities)) n
             WHERE ?5 IS NULL OR (n.place, n.id) ",
            $compare,
            " (?5, ?6) ORDER BY n.place ",
            $order,
            ", n.id ",
            $order,
            " LIMIT ?7"
        )
    };
}

impl Catalog {
    /// Adds an entity and the node it stands for.
    ///
    /// # Errors
    /// `AlreadyExists` if its name is taken, or an artifact has the same source.
    pub async fn add_entity(&self, entity: &EntityRow, node: &NodeKey) -> Result<()> {
        let what = "add a lineage entity";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let note = LineageNote { nodes: vec![node.clone()], ..LineageNote::default() };
        note_edges(&mut transaction, &note, entity.created).await.map_err(self.fault(what))?;
        let added = sqlx::query(
            "INSERT INTO lineage_entities (kind, id, name, type, source_uri, source, content, node, created, modified)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, n.id, ?8, ?9 FROM lineage_nodes n
             WHERE n.kind = ?10 AND n.namespace = ?11 AND n.name = ?12 AND n.field = ?13 ON CONFLICT DO NOTHING",
        )
        .bind(entity.id.kind.as_str())
        .bind(&entity.id.id)
        .bind(&entity.name)
        .bind(&entity.entity_type)
        .bind(&entity.source.uri)
        .bind(encode(&entity.source)?)
        .bind(encode(&entity.content)?)
        .bind(entity.created.unix_micros())
        .bind(entity.modified.unix_micros())
        .bind(node.kind.as_str())
        .bind(&node.namespace)
        .bind(&node.name)
        .bind(&node.field)
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        if added.rows_affected() == 0 {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("{} already exists", entity.id)));
        }
        self.commit(transaction, what).await
    }

    /// Writes what is said of an entity anew: name, content and when it was changed. False if there is none.
    pub async fn change_entity(&self, entity: &EntityRow) -> Result<bool> {
        let what = "change a lineage entity";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let changed = sqlx::query("UPDATE lineage_entities SET name = ?3, content = ?4, modified = ?5 WHERE kind = ?1 AND id = ?2")
            .bind(entity.id.kind.as_str())
            .bind(&entity.id.id)
            .bind(&entity.name)
            .bind(encode(&entity.content)?)
            .bind(entity.modified.unix_micros())
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Removes an entity; its node stays, as lineage forgets nothing. False if there is none.
    pub async fn remove_entity(&self, id: &EntityId) -> Result<bool> {
        let what = "remove a lineage entity";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let removed = sqlx::query("DELETE FROM lineage_entities WHERE kind = ?1 AND id = ?2")
            .bind(id.kind.as_str())
            .bind(&id.id)
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(removed.rows_affected() > 0)
    }

    /// An entity and its node.
    pub async fn entity(&self, id: &EntityId) -> Result<Option<(EntityRow, NodeKey)>> {
        let what = "read a lineage entity";
        let mut reader = self.reader.lock().await;
        let row = sqlx::query(
            "SELECT e.kind, e.id, e.name, e.type, e.source, e.content, e.created, e.modified, n.kind, n.namespace, n.name, n.field
             FROM lineage_entities e JOIN lineage_nodes n ON n.id = e.node WHERE e.kind = ?1 AND e.id = ?2",
        )
        .bind(id.kind.as_str())
        .bind(&id.id)
        .fetch_optional(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        let with_node = |row: SqliteRow| Ok::<_, sqlx::Error>((decode(&row)?, decode_key(&row, 8)?));
        row.map(with_node).transpose().map_err(self.fault(what))
    }

    /// The artifact of a source.
    pub async fn artifact_of(&self, source: &EntitySource) -> Result<Option<EntityRow>> {
        let what = "look for an artifact";
        let mut reader = self.reader.lock().await;
        let row = sqlx::query(
            "SELECT kind, id, name, type, source, content, created, modified FROM lineage_entities
             WHERE kind = 'artifact' AND source = ?1",
        )
        .bind(encode(source)?)
        .fetch_optional(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        row.map(|row| decode(&row)).transpose().map_err(self.fault(what))
    }

    /// A page of the entities of a kind.
    pub async fn entities(&self, kind: EntityKind, page: &EntityPage) -> Result<Vec<EntityRow>> {
        let what = "list lineage entities";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(if page.ascending { page!(">", "ASC") } else { page!("<", "DESC") })
            .bind(kind.as_str())
            .bind(&page.source_uri)
            .bind(&page.entity_type)
            .bind(page.after)
            .bind(page.before)
            .bind(page.by_name)
            .bind(page.shown.as_ref().map(|shown| &shown.0))
            .bind(page.shown.as_ref().map(|shown| &shown.1))
            .bind(page.limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        rows.iter().map(decode).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// The entities that stand for nodes.
    pub async fn entities_of_nodes(&self, nodes: &[NodeKey]) -> Result<Vec<(NodeKey, Option<EntityRow>, i64)>> {
        let what = "look for lineage entities";
        let cells: Vec<_> = nodes.iter().map(|key| (key.kind.as_str(), &key.namespace, &key.name, &key.field)).collect();
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT e.kind, e.id, e.name, e.type, e.source, e.content, e.created, e.modified, n.kind, n.namespace, n.name, n.field, n.id
             FROM json_each(?1) w CROSS JOIN lineage_nodes n ON n.kind = w.value ->> 0 AND n.namespace = w.value ->> 1
                  AND n.name = w.value ->> 2 AND n.field = w.value ->> 3
             LEFT JOIN lineage_entities e ON e.node = n.id ORDER BY w.key, e.kind, e.id",
        )
        .bind(encode(&cells)?)
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        let found = |row: &SqliteRow| {
            let entity = row.try_get::<Option<&str>, _>(0)?.is_some().then(|| decode(row)).transpose()?;
            Ok::<_, sqlx::Error>((decode_key(row, 8)?, entity, row.try_get(12)?))
        };
        rows.iter().map(found).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Adds an association.
    ///
    /// # Errors
    /// `AlreadyExists` if the two are associated.
    pub async fn add_association(&self, association: &AssociationRow) -> Result<()> {
        let what = "add a lineage association";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let added = sqlx::query(
            "INSERT INTO lineage_associations (source, destination, type, created) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )
        .bind(association.source.to_string())
        .bind(association.destination.to_string())
        .bind(&association.association_type)
        .bind(association.created.unix_micros())
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        if added.rows_affected() == 0 {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("{} and {} are associated already", association.source, association.destination),
            ));
        }
        self.commit(transaction, what).await
    }

    /// Removes an association. False if there is none.
    pub async fn remove_association(&self, source: &EntityId, destination: &EntityId) -> Result<bool> {
        let what = "remove a lineage association";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let removed = sqlx::query("DELETE FROM lineage_associations WHERE source = ?1 AND destination = ?2")
            .bind(source.to_string())
            .bind(destination.to_string())
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(removed.rows_affected() > 0)
    }

    /// Associations that go out of one entity, come in at another, or all; at most so many.
    pub async fn associations(&self, source: Option<&EntityId>, destination: Option<&EntityId>, limit: u32) -> Result<Vec<AssociationRow>> {
        let what = "list lineage associations";
        let mut reader = self.reader.lock().await;
        let rows: Vec<AssociationCells> = sqlx::query_as(
            "SELECT source, destination, type, created FROM lineage_associations
             WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR destination = ?2) ORDER BY created DESC, source, destination LIMIT ?3",
        )
        .bind(source.map(ToString::to_string))
        .bind(destination.map(ToString::to_string))
        .bind(limit)
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        Ok(rows.into_iter().filter_map(association).collect())
    }

    /// Associations between any two of some entities.
    pub async fn associations_among(&self, entities: &[EntityId]) -> Result<Vec<AssociationRow>> {
        let what = "look for lineage associations";
        let ids: Vec<String> = entities.iter().map(ToString::to_string).collect();
        let mut reader = self.reader.lock().await;
        let rows: Vec<AssociationCells> = sqlx::query_as(
            "WITH wanted (id) AS MATERIALIZED (SELECT value FROM json_each(?1))
             SELECT a.source, a.destination, a.type, a.created FROM wanted JOIN lineage_associations a ON a.source = wanted.id
             WHERE a.destination IN (SELECT id FROM wanted) ORDER BY a.source, a.destination",
        )
        .bind(encode(&ids)?)
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        Ok(rows.into_iter().filter_map(association).collect())
    }

    /// A page of the nodes of some kinds that no entity stands for, each with its number as the end of its entity's name.
    pub async fn plain_nodes(&self, kinds: &[NodeKind], page: &EntityPage) -> Result<Vec<(i64, NodeKey, EventTime, EventTime)>> {
        let what = "list lineage nodes";
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(if page.ascending { nodes!(">", "ASC") } else { nodes!("<", "DESC") })
            .bind(encode(&kinds)?)
            .bind(page.after)
            .bind(page.before)
            .bind(page.by_name)
            .bind(page.shown.as_ref().map(|shown| &shown.0))
            .bind(page.shown.as_ref().map(|shown| &shown.1))
            .bind(page.limit)
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        let node = |row: &SqliteRow| {
            let seen = (group_rows::instant(row.try_get(5)?)?, group_rows::instant(row.try_get(6)?)?);
            Ok::<_, sqlx::Error>((row.try_get(0)?, decode_key(row, 1)?, seen.0, seen.1))
        };
        rows.iter().map(node).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }
}

/// Both ends, the type, and when it was made.
type AssociationCells = (String, String, Option<String>, i64);

fn association((source, destination, association_type, created): AssociationCells) -> Option<AssociationRow> {
    let (source, destination) = (EntityId::parse(&source)?, EntityId::parse(&destination)?);
    Some(AssociationRow { source, destination, association_type, created: EventTime::from_unix_micros(created)? })
}

fn encode(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a lineage entity can't be encoded").source(error))
}

fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

fn decode(row: &SqliteRow) -> std::result::Result<EntityRow, sqlx::Error> {
    let kind: &str = row.try_get(0)?;
    let kind = EntityKind::parse(kind).ok_or_else(|| sqlx::Error::Decode(format!("'{kind}' is no kind of lineage entity").into()))?;
    Ok(EntityRow {
        id: EntityId::new(kind, row.try_get::<String, _>(1)?),
        name: row.try_get(2)?,
        entity_type: row.try_get(3)?,
        source: serde_json::from_str(row.try_get(4)?).map_err(undecodable)?,
        content: serde_json::from_str(row.try_get(5)?).map_err(undecodable)?,
        created: group_rows::instant(row.try_get(6)?)?,
        modified: group_rows::instant(row.try_get(7)?)?,
    })
}

fn decode_key(row: &SqliteRow, first: usize) -> std::result::Result<NodeKey, sqlx::Error> {
    let kind: &str = row.try_get(first)?;
    let kind = NodeKind::parse(kind).ok_or_else(|| sqlx::Error::Decode(format!("'{kind}' is no kind of lineage node").into()))?;
    Ok(NodeKey { kind, namespace: row.try_get(first + 1)?, name: row.try_get(first + 2)?, field: row.try_get(first + 3)? })
}
