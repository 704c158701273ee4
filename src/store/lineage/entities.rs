//! Artifacts, contexts and actions: the graph as clients of the wire API know it.
//!
//! ```text
//! made by a client        artifact/<number>, context/<name>, action/<name>          a row, and a node of the graph
//! of every group          context/<group>-<epoch>-feature-group-pipeline[-version]  no row: made of the group
//! of every other node     artifact/node-<n>, context/node-<n>, action/node-<n>      no row: made of the node
//! ```
//!
//! SageMaker keeps the two contexts of a group, whose names its SDK works out and never asks for. What must stay true: whatever
//! the graph knows can be asked for here, and what is said here is in the graph: an association is a declared edge.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::journal::{Line, Written};
use crate::catalog::{AssociationRow, EntityContent, EntityId, EntityKind, EntityPage, EntityRow, EntitySource, NodeKey, NodeKind};
use crate::lineage::names::{FILE, LARDER};
use crate::model::{Error, ErrorKind, EventTime, FeatureGroup, Result};
use crate::store::FeatureStore;

/// Ends of the names of a group's contexts.
const PIPELINE: &str = "-feature-group-pipeline";
const VERSION: &str = "-version";
/// Begins the entity of a plain node.
const NODE: &str = "node-";
/// Most properties of an entity.
const MAX_PROPERTIES: usize = 30;
/// Most associations that are looked through at once.
pub(super) const MAX_ASSOCIATIONS: u32 = 100_000;

/// An entity to be made.
#[derive(Debug, Clone)]
pub struct NewEntity {
    /// What it is.
    pub kind: EntityKind,
    /// What it is called; only an artifact may have no name.
    pub name: Option<String>,
    /// What sort of thing it is.
    pub entity_type: String,
    /// Where it comes from.
    pub source: EntitySource,
    /// What is written about it.
    pub content: EntityContent,
}

/// What is to be written about an entity anew.
#[derive(Debug, Clone, Default)]
pub struct EntityChange {
    /// What an artifact is called.
    pub name: Option<String>,
    /// In words; empty is none.
    pub description: Option<String>,
    /// How an action stands.
    pub status: Option<String>,
    /// Properties that are set.
    pub properties: BTreeMap<String, String>,
    /// Properties that are taken away.
    pub remove_properties: Vec<String>,
}

impl FeatureStore {
    /// Makes an entity.
    ///
    /// # Errors
    /// `AlreadyExists` if its name is taken, or an artifact has the same source.
    pub async fn create_entity(&self, new: NewEntity) -> Result<EntityRow> {
        self.check_writable()?;
        let id = match (new.kind, &new.name) {
            (EntityKind::Artifact, _) => Uuid::now_v7().simple().to_string(),
            (_, Some(name)) => name.clone(),
            (kind, None) => return Err(Error::usage(format!("a lineage {} needs a name", kind.as_str()))),
        };
        let id = EntityId::new(new.kind, id);
        if new.kind != EntityKind::Artifact && self.unwritten_entity(&id).await?.is_some() {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("{id} already exists")));
        }
        let now = self.now();
        let entity = EntityRow {
            id,
            name: new.name,
            entity_type: new.entity_type,
            source: new.source,
            content: new.content,
            created: now,
            modified: now,
        };
        check_properties(&entity)?;
        self.inner.catalog.add_entity(&entity, &node_of(&entity)).await?;
        self.write_journal(&[Line { entity: Some(Written::there(entity.clone())), ..Line::at(now) }])?;
        Ok(entity)
    }

    /// An entity, whoever made it.
    pub async fn entity(&self, id: &EntityId) -> Result<EntityRow> {
        Ok(self.entity_and_node(id).await?.0)
    }

    /// The artifact of a source.
    pub async fn artifact_of(&self, source: &EntitySource) -> Result<Option<EntityRow>> {
        self.inner.catalog.artifact_of(source).await
    }

    /// Writes something else about an entity that a client made.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for one that is made of a group or node.
    pub async fn change_entity(&self, id: &EntityId, change: &EntityChange) -> Result<EntityRow> {
        self.check_writable()?;
        let mut entity = self.written_entity(id).await?;
        if entity.id.kind == EntityKind::Artifact {
            entity.name = change.name.clone().or(entity.name);
        }
        if let Some(description) = &change.description {
            entity.content.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        entity.content.status = change.status.clone().or(entity.content.status);
        entity.content.properties.extend(change.properties.clone());
        entity.content.properties.retain(|name, _| !change.remove_properties.contains(name));
        entity.modified = self.now();
        check_properties(&entity)?;
        self.inner.catalog.change_entity(&entity).await?;
        self.write_journal(&[Line { entity: Some(Written::there(entity.clone())), ..Line::at(self.now()) }])?;
        Ok(entity)
    }

    /// Removes an entity that a client made.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for one that is made of a group or node, or is still associated with another.
    pub async fn remove_entity(&self, id: &EntityId) -> Result<()> {
        self.check_writable()?;
        let entity = self.written_entity(id).await?;
        let catalog = &self.inner.catalog;
        if !catalog.associations(Some(id), None, 1).await?.is_empty() || !catalog.associations(None, Some(id), 1).await?.is_empty() {
            return Err(Error::invalid(format!("{id} has associations")).remedy("delete its associations first"));
        }
        catalog.remove_entity(id).await?;
        self.write_journal(&[Line { entity: Some(Written::gone(entity)), ..Line::at(self.now()) }])
    }

    /// A page of the entities of a kind: those that clients made, those of groups, those of plain nodes.
    pub async fn entities(&self, kind: EntityKind, page: &EntityPage) -> Result<Vec<EntityRow>> {
        let mut found = self.inner.catalog.entities(kind, page).await?;
        if kind == EntityKind::Context {
            let contexts = self.list_groups().await?.iter().flat_map(|group| self.group_contexts(group)).collect::<Vec<_>>();
            found.extend(contexts.into_iter().filter(|context| is_on(page, context)));
        }
        let kinds: Vec<NodeKind> = NodeKind::ALL
            .iter()
            .copied()
            .filter(|node| *node != NodeKind::Group && !node.is_field() && entity_kind(*node) == kind)
            .filter(|node| page.entity_type.as_deref().is_none_or(|wanted| wanted == node_type(*node)))
            .collect();
        if page.source_uri.is_none() && !kinds.is_empty() {
            let nodes = self.inner.catalog.plain_nodes(&kinds, page).await?;
            found.extend(nodes.into_iter().map(|(number, key, first, last)| self.node_entity(number, &key, (first, last))));
        }
        found.sort_by_cached_key(|entity| page.place(entity));
        if !page.ascending {
            found.reverse();
        }
        found.truncate(page.limit as usize);
        Ok(found)
    }

    /// Associates two entities, and notes it in the graph.
    ///
    /// # Errors
    /// `NotFound` for an entity that is not there; `AlreadyExists`; `Usage` for an entity with itself.
    pub async fn associate(&self, source: &EntityId, destination: &EntityId, association_type: Option<&str>) -> Result<()> {
        self.check_writable()?;
        let (_, from) = self.entity_and_node(source).await?;
        let (_, to) = self.entity_and_node(destination).await?;
        if source == destination {
            return Err(Error::usage(format!("{source} can't be associated with itself")));
        }
        let now = self.now();
        let association = AssociationRow {
            source: source.clone(),
            destination: destination.clone(),
            association_type: association_type.map(str::to_owned),
            created: now,
        };
        self.inner.catalog.add_association(&association).await?;
        self.note_association(from, to, now).await?;
        self.write_journal(&[Line { association: Some(Written::there(association)), ..Line::at(now) }])
    }

    pub(super) async fn note_association(&self, from: NodeKey, to: NodeKey, at: EventTime) -> Result<()> {
        // The two contexts of a group stand for one node, artifacts of one file too: such are kept as associations alone.
        if from != to {
            let kind = super::declare::fitting(from.kind, to.kind);
            self.note_declared(from, to, kind, at, None).await?;
        }
        Ok(())
    }

    /// Ends an association. False if there is none.
    pub async fn dissociate(&self, source: &EntityId, destination: &EntityId) -> Result<bool> {
        self.check_writable()?;
        let found = self.inner.catalog.associations(Some(source), Some(destination), 1).await?;
        let Some(association) = found.into_iter().next() else { return Ok(false) };
        self.inner.catalog.remove_association(source, destination).await?;
        let now = self.now();
        if let (Ok((_, from)), Ok((_, to))) = (self.entity_and_node(source).await, self.entity_and_node(destination).await) {
            self.inner.catalog.end_lineage(&from, &to, now).await?;
        }
        self.write_journal(&[Line { association: Some(Written::gone(association)), ..Line::at(now) }])?;
        Ok(true)
    }

    /// Associations that clients made: out of an entity, into one, or all, the newest first.
    pub async fn associations(&self, source: Option<&EntityId>, destination: Option<&EntityId>) -> Result<Vec<AssociationRow>> {
        self.inner.catalog.associations(source, destination, MAX_ASSOCIATIONS).await
    }

    /// An entity and the node it stands for.
    pub(super) async fn entity_and_node(&self, id: &EntityId) -> Result<(EntityRow, NodeKey)> {
        if let Some(found) = self.inner.catalog.entity(id).await? {
            return Ok(found);
        }
        self.unwritten_entity(id).await?.ok_or_else(|| no_entity(id))
    }

    async fn written_entity(&self, id: &EntityId) -> Result<EntityRow> {
        match self.inner.catalog.entity(id).await? {
            Some((entity, _)) => Ok(entity),
            None if self.unwritten_entity(id).await?.is_some() => {
                Err(Error::invalid(format!("{id} is made of what the store holds")).remedy("change the group or the lineage itself"))
            }
            None => Err(no_entity(id)),
        }
    }

    /// The entity of a group or of a plain node.
    async fn unwritten_entity(&self, id: &EntityId) -> Result<Option<(EntityRow, NodeKey)>> {
        if id.kind == EntityKind::Context
            && let Some(name) = group_of_context(&id.id)
        {
            let Some(group) = self.inner.catalog.group(name).await? else { return Ok(None) };
            let found = self.group_contexts(&group).into_iter().find(|context| context.id == *id);
            return Ok(found.map(|context| (context, self.lineage_names().group(group.name.as_str()))));
        }
        let Some(number) = id.id.strip_prefix(NODE).and_then(|number| number.parse::<i64>().ok()) else { return Ok(None) };
        let found = self.inner.catalog.lineage_node_rows(&[number]).await?.into_iter().next();
        let of_kind = found.filter(|node| !node.key.kind.is_field() && entity_kind(node.key.kind) == id.kind);
        Ok(of_kind.map(|node| (self.node_entity(number, &node.key, node.seen), node.key)))
    }

    /// The two contexts of a group.
    pub(super) fn group_contexts(&self, group: &FeatureGroup) -> [EntityRow; 2] {
        let epoch = group.created.unix_micros().div_euclid(1_000_000);
        let context = |end: &str, entity_type: &str| {
            let name = format!("{}-{epoch}{PIPELINE}{end}", group.name);
            EntityRow {
                id: EntityId::new(EntityKind::Context, &name),
                name: Some(name),
                entity_type: entity_type.to_owned(),
                source: EntitySource {
                    uri: format!("{}:feature-group/{}", self.lineage_names().group_namespace(), group.name.folded()),
                    source_type: Some(epoch.to_string()),
                    ..EntitySource::default()
                },
                content: EntityContent {
                    properties: BTreeMap::from([
                        ("FeatureGroupName".to_owned(), group.name.to_string()),
                        ("FeatureGroupCreationTime".to_owned(), epoch.to_string()),
                    ]),
                    ..EntityContent::default()
                },
                created: group.created,
                modified: group.created,
            }
        };
        [context("", "FeatureGroupPipeline"), context(VERSION, "FeatureGroupPipelineVersion")]
    }

    /// The entity of a plain node.
    pub(super) fn node_entity(&self, number: i64, key: &NodeKey, (created, modified): (EventTime, EventTime)) -> EntityRow {
        let uri = match (key.kind, key.namespace.as_str()) {
            (NodeKind::Source, FILE) => format!("file://{}", key.name),
            (NodeKind::Source, namespace) if namespace != LARDER => format!("{namespace}/{}", key.name),
            _ => self.lineage_names().reference(key),
        };
        EntityRow {
            id: EntityId::new(entity_kind(key.kind), format!("{NODE}{number}")),
            name: Some(key.name.clone()),
            entity_type: node_type(key.kind).to_owned(),
            source: EntitySource { uri, ..EntitySource::default() },
            content: EntityContent::default(),
            created,
            modified,
        }
    }
}

/// The node that an entity of a client stands for.
pub(super) fn node_of(entity: &EntityRow) -> NodeKey {
    let name = entity.name.clone().unwrap_or_else(|| entity.source.uri.clone());
    match entity.id.kind {
        EntityKind::Action => NodeKey::new(NodeKind::Job, LARDER, name),
        EntityKind::Context if entity.entity_type == "Endpoint" => NodeKey::new(NodeKind::Endpoint, LARDER, name),
        EntityKind::Context => NodeKey::new(NodeKind::Job, LARDER, name),
        EntityKind::Artifact if entity.entity_type == "Model" => NodeKey::new(NodeKind::Model, LARDER, name),
        EntityKind::Artifact => {
            // As OpenLineage names what lies in a bucket, so that events of other systems mean the same node.
            let bucket = entity.source.uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
            match bucket.filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()) {
                Some((bucket, key)) => NodeKey::new(NodeKind::Source, format!("s3://{bucket}"), key),
                None => NodeKey::new(NodeKind::Source, LARDER, entity.source.uri.clone()),
            }
        }
    }
}

/// What a node is to clients of the wire API.
fn entity_kind(node: NodeKind) -> EntityKind {
    match node {
        NodeKind::Dataset | NodeKind::Source | NodeKind::Column | NodeKind::Model | NodeKind::View => EntityKind::Artifact,
        NodeKind::Job => EntityKind::Action,
        NodeKind::Group
        | NodeKind::Feature
        | NodeKind::Endpoint
        | NodeKind::Dashboard
        | NodeKind::Notebook
        | NodeKind::Service
        | NodeKind::Consumer => EntityKind::Context,
    }
}

/// The type of a node's entity, in the words of SageMaker where it has one.
fn node_type(node: NodeKind) -> &'static str {
    match node {
        NodeKind::Group | NodeKind::Feature => "FeatureGroup",
        NodeKind::Dataset | NodeKind::Source | NodeKind::Column => "DataSet",
        NodeKind::Job => "Job",
        NodeKind::View => "View",
        NodeKind::Model => "Model",
        NodeKind::Endpoint => "Endpoint",
        NodeKind::Dashboard => "Dashboard",
        NodeKind::Notebook => "Notebook",
        NodeKind::Service => "Service",
        NodeKind::Consumer => "Consumer",
    }
}

/// The group in the name of one of its contexts.
fn group_of_context(name: &str) -> Option<&str> {
    let name = name.strip_suffix(VERSION).unwrap_or(name).strip_suffix(PIPELINE)?;
    let (group, epoch) = name.rsplit_once('-')?;
    (!group.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_digit())).then_some(group)
}

fn is_on(page: &EntityPage, entity: &EntityRow) -> bool {
    let created = entity.created.unix_micros();
    let place = page.place(entity);
    page.source_uri.as_ref().is_none_or(|uri| *uri == entity.source.uri)
        && page.entity_type.as_ref().is_none_or(|wanted| *wanted == entity.entity_type)
        && page.after.is_none_or(|after| created > after)
        && page.before.is_none_or(|before| created < before)
        && page.shown.as_ref().is_none_or(|shown| if page.ascending { place > *shown } else { place < *shown })
}

fn check_properties(entity: &EntityRow) -> Result<()> {
    match entity.content.properties.len() {
        0..=MAX_PROPERTIES => Ok(()),
        count => Err(Error::invalid(format!("{} would have {count} properties", entity.id)).remedy(format!("at most {MAX_PROPERTIES}"))),
    }
}

fn no_entity(id: &EntityId) -> Error {
    Error::not_found(format!("there is no {} '{}'", id.kind.as_str(), id.id.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contexts_of_a_group_are_told_by_their_names() {
        assert_eq!(group_of_context("orders-daily-1700000000-feature-group-pipeline"), Some("orders-daily"));
        assert_eq!(group_of_context("orders-1-feature-group-pipeline-version"), Some("orders"));
        for other in ["orders-feature-group-pipeline", "-1-feature-group-pipeline", "orders-x1-feature-group-pipeline", "orders-1"] {
            assert_eq!(group_of_context(other), None, "{other}");
        }
    }
}
