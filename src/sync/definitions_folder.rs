//! The source `definitions`: a folder, such as a git checkout, of definition files; what a team means its groups to be.
//!
//! Files say what is intended, and nothing of what exists; so a group told from here has no status and no times. A file with a fault
//! names no group that could be counted as seen: the source is degraded then, nothing is deleted, and every other file is taken.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::definitions::{Definition, Reading, gather, read};
use super::kinds::{Kind, SourcePlace, absolute_path};
use super::observed::{ObservedFeature, ObservedFlow, ObservedGroup, ObservedNode};
use super::source::{Besides, Fetched, Listed, Listing, Source, SourceError, Trouble};
use crate::catalog::{EdgeKind, NodeKey, NodeKind};
use crate::model::{Collection, Error, FeatureDefinition, Result};
use crate::store::lineage::{declared_key, fitting};

/// The kind `definitions`.
pub(super) const KIND: Kind =
    Kind { name: "definitions", location: "a folder of definition files, or one such file", options: &[], settle: absolute_path, make };

/// The tag in which a definition keeps what its records are about.
const ENTITY: &str = "entity";

fn make(place: &SourcePlace<'_>) -> Result<Box<dyn Source>> {
    Ok(Box::new(DefinitionFolder { location: place.location.to_owned(), last: Mutex::default() }))
}

/// A folder of definition files.
struct DefinitionFolder {
    location: String,
    last: Mutex<Last>,
}

/// What the last listing read.
#[derive(Default)]
struct Last {
    groups: BTreeMap<String, ObservedGroup>,
    faults: Vec<(String, SourceError)>,
}

#[async_trait]
impl Source for DefinitionFolder {
    async fn list(&self, _cursor: Option<&str>) -> std::result::Result<Listing, SourceError> {
        let location = self.location.clone();
        let reading = tokio::task::spawn_blocking(move || gather(&[location]).map(|texts| read(&texts))).await;
        let Reading { definitions, faults } =
            reading.map_err(|error| Error::internal("reading definition files stopped").source(error))??;
        let mut last = Last::default();
        let mut listing = Listing { complete: true, ..Listing::default() };
        for definition in &definitions {
            let group = observed(definition);
            let native_id = definition.name.folded();
            let (_, hash) = group.stored()?;
            listing.groups.push(Listed {
                native_id: native_id.clone(),
                // A file is no group that could be made twice.
                incarnation: String::new(),
                name: group.name.clone(),
                token: Some(hash),
            });
            last.groups.insert(native_id, group);
        }
        let of_fault = |place: String, message: String| (place, SourceError::new(Trouble::Corrupt, Error::invalid(message)));
        last.faults = faults.into_iter().map(|fault| of_fault(fault.place.to_string(), fault.message)).collect();
        *self.last.lock().await = last;
        Ok(listing)
    }

    async fn fetch(&self, wanted: &[Listed]) -> std::result::Result<Vec<Fetched>, SourceError> {
        let last = self.last.lock().await;
        let missing = |group: &Listed| SourceError::new(Trouble::Other, Error::not_found(format!("'{}' was not listed", group.name)));
        let read = |group: &Listed| last.groups.get(&group.native_id).cloned().ok_or_else(|| missing(group));
        Ok(wanted.iter().map(|group| (group.clone(), read(group))).collect())
    }

    async fn besides(&self) -> Besides {
        Besides { faults: std::mem::take(&mut self.last.lock().await.faults), ..Besides::default() }
    }
}

fn observed(definition: &Definition) -> ObservedGroup {
    let storage = &definition.storage;
    let is_external = storage.external.is_some();
    ObservedGroup {
        name: definition.name.as_str().to_owned(),
        description: definition.description.clone(),
        owner: definition.owner.clone(),
        entity: definition.tags.get(ENTITY).cloned(),
        tags: Some(definition.tags.clone()),
        features: definition.schema.features().iter().map(feature).collect(),
        record_identifier: Some(definition.schema.identifier().name.as_str().to_owned()),
        event_time: Some(definition.schema.event_time().name.as_str().to_owned()),
        ttl: definition.ttl.map(|ttl| ttl.to_string()),
        online: Some(storage.online.unwrap_or(!is_external)),
        offline: Some(storage.offline.unwrap_or(true)),
        s3_uri: storage.s3_uri.clone(),
        table: storage.glue_table.as_ref().map(|table| format!("{}.{}", table.database, table.table)),
        flows: definition.flows.iter().filter_map(|flow| flow_between(&flow.from, &flow.to, definition)).collect(),
        ..ObservedGroup::default()
    }
}

fn feature(feature: &FeatureDefinition) -> ObservedFeature {
    ObservedFeature {
        name: feature.name.as_str().to_owned(),
        feature_type: Some(feature.feature_type.as_str().to_owned()),
        collection: feature.collection.map(|collection| collection.as_str().to_owned()),
        dimension: match feature.collection {
            Some(Collection::Vector { dimension }) => Some(dimension),
            _ => None,
        },
        description: feature.description.clone(),
        parameters: feature.parameters.clone(),
        ..ObservedFeature::default()
    }
}

/// A flow between two things as a definition has them: the group itself, a feature of it, or `kind:name` of something outside.
fn flow_between(from: &str, to: &str, definition: &Definition) -> Option<ObservedFlow> {
    let end = |text: &str| -> Option<(NodeKind, ObservedNode, String)> {
        let group = definition.name.as_str();
        if text.eq_ignore_ascii_case(group) {
            return Some((NodeKind::Group, ObservedNode::group(group), String::new()));
        }
        if let Some((name, field)) = text.split_once('.')
            && name.eq_ignore_ascii_case(group)
        {
            return Some((NodeKind::Feature, ObservedNode::group(group), field.to_owned()));
        }
        let (kind, name) = text.split_once(':')?;
        let kind = NodeKind::parse(kind)?;
        let NodeKey { namespace, name, .. } = declared_key(kind, name);
        Some((kind, ObservedNode::outside(kind, namespace, name), String::new()))
    };
    let ((source, from, column), (target, to, feature)) = (end(from)?, end(to)?);
    let kind: EdgeKind = fitting(source, target);
    let fields = if column.is_empty() && feature.is_empty() { Vec::new() } else { vec![(column, feature)] };
    Some(ObservedFlow { from, to, kind: kind.as_str().to_owned(), transform: String::new(), fields })
}
