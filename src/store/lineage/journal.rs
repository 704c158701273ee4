//! The journal: what people and clients declared and other systems sent, a JSON line each, in the order it was taken in.
//!
//! ```text
//! <store>/lineage/journal.jsonl    {"at":…,"declared":{…}}   {"at":…,"ended":{…}}   {"at":…,"event":{…}}
//!                                {"at":…,"entity":{…}}     {"at":…,"association":{…}}
//! ```
//!
//! The catalog is an index and may be lost; nobody would declare all this again. A line is written after the catalog has taken it in,
//! and synced; a new catalog is filled from here. A line that can't be read hides no other.

use std::io::Write;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entities::node_of;
use crate::catalog::{AssociationRow, EdgeKind, EntityRow, NodeKey, NodeKind};
use crate::model::{Error, EventTime, Result};
use crate::store::FeatureStore;

/// Where it lies, below the store.
const FOLDER: &str = "lineage";
const FILE: &str = "journal.jsonl";

/// A line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    /// When it was taken in.
    pub(super) at: EventTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) declared: Option<WrittenEdge>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<WrittenEdge>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entity: Option<Written<EntityRow>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) association: Option<Written<AssociationRow>>,
}

impl Line {
    /// A line that says nothing yet.
    pub(super) fn at(at: EventTime) -> Self {
        Self { at, declared: None, ended: None, event: None, entity: None, association: None }
    }
}

/// Something that is there from now on, or no more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Written<T> {
    #[serde(flatten)]
    row: T,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

impl<T> Written<T> {
    /// It is there, as it is here.
    pub(super) fn there(row: T) -> Self {
        Self { row, gone: false }
    }

    /// It is there no more.
    pub(super) fn gone(row: T) -> Self {
        Self { row, gone: true }
    }
}

/// An edge, written out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WrittenEdge {
    pub(super) source: WrittenNode,
    pub(super) target: WrittenNode,
    pub(super) kind: String,
    /// Since when it holds.
    pub(super) since: EventTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
}

/// A node, written out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct WrittenNode {
    kind: String,
    namespace: String,
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    field: String,
}

impl WrittenNode {
    pub(super) fn of(key: &NodeKey) -> Self {
        let kind = key.kind.as_str().to_owned();
        Self { kind, namespace: key.namespace.clone(), name: key.name.clone(), field: key.field.clone() }
    }

    fn key(&self) -> Option<NodeKey> {
        let kind = NodeKind::parse(&self.kind)?;
        Some(NodeKey { field: self.field.clone(), ..NodeKey::new(kind, &self.namespace, &self.name) })
    }
}

impl WrittenEdge {
    /// Both ends and the kind; none for one of a newer version.
    pub(super) fn parts(&self) -> Option<(NodeKey, NodeKey, EdgeKind)> {
        Some((self.source.key()?, self.target.key()?, EdgeKind::parse(&self.kind)?))
    }
}

impl FeatureStore {
    /// Appends lines, durably.
    pub(super) fn write_journal(&self, lines: &[Line]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let path = self.inner.folder.join(FOLDER).join(FILE);
        let mut text = String::new();
        for line in lines {
            text += &serde_json::to_string(line)
                .map_err(|error| Error::internal("a line of the lineage journal can't be encoded").source(error))?;
            text.push('\n');
        }
        let append = || -> std::io::Result<()> {
            std::fs::create_dir_all(self.inner.folder.join(FOLDER))?;
            let mut file = std::fs::File::options().create(true).append(true).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()
        };
        append().map_err(|error| Error::io(format!("can't write {}", path.display()), error))
    }

    /// Fills a new catalog from the journal.
    pub(in crate::store) async fn take_in_journal(&self) -> Result<()> {
        let path = self.inner.folder.join(FOLDER).join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io(format!("can't read {}", path.display()), error)),
        };
        for (number, text) in text.lines().enumerate() {
            match serde_json::from_str::<Line>(text) {
                Ok(line) => self.take_in_line(line).await?,
                Err(error) => tracing::warn!(line = number + 1, %error, "a line of the lineage journal can't be read; it is left out"),
            }
        }
        Ok(())
    }

    async fn take_in_line(&self, line: Line) -> Result<()> {
        if let Some(written) = &line.declared
            && let Some((source, target, kind)) = written.parts()
        {
            self.note_declared(source, target, kind, written.since, written.owner.as_deref()).await?;
        }
        if let Some(written) = &line.ended
            && let Some((source, target, _)) = written.parts()
        {
            self.inner.catalog.end_lineage(&source, &target, line.at).await?;
        }
        if let Some(event) = &line.event
            && let Err(error) = self.take_in_event(event.get()).await
        {
            tracing::warn!(%error, "an event of the lineage journal can't be taken in; it is left out");
        }
        if let Some(written) = &line.entity {
            self.take_in_entity(written).await?;
        }
        if let Some(Written { row, gone }) = &line.association {
            let ends = (self.entity_and_node(&row.source).await, self.entity_and_node(&row.destination).await);
            match gone {
                true => _ = self.inner.catalog.remove_association(&row.source, &row.destination).await?,
                false => self.inner.catalog.add_association(row).await?,
            }
            match ends {
                (Ok((_, from)), Ok((_, to))) if *gone => _ = self.inner.catalog.end_lineage(&from, &to, line.at).await?,
                (Ok((_, from)), Ok((_, to))) => self.note_association(from, to, row.created).await?,
                // An end that is gone by now, such as a group: the association is known, the edge is not.
                _ => {}
            }
        }
        Ok(())
    }

    async fn take_in_entity(&self, Written { row, gone }: &Written<EntityRow>) -> Result<()> {
        let catalog = &self.inner.catalog;
        if *gone {
            catalog.remove_entity(&row.id).await?;
        } else if !catalog.change_entity(row).await? {
            catalog.add_entity(row, &node_of(row)).await?;
        }
        Ok(())
    }
}
