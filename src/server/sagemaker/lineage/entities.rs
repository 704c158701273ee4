//! Artifacts, contexts and actions: making, describing, changing, deleting and listing them.
//!
//! The three differ in the names of their members alone (`ArtifactArn`, `ContextArn`, `ActionArn`), so one struct reads them all;
//! the wire model has checked before which members an operation takes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::super::page_token;
use super::super::super::service::{ServerState, ServiceRequest};
use super::super::super::wire::Fault;
use super::super::group_json::seconds;
use super::super::list::micros;
use super::super::{Answer, faults, parse};
use super::{arn, fault, no_entity, of_arn, set, shown};
use crate::store::lineage::{EntityChange, EntityContent, EntityId, EntityKind, EntityPage, EntityRow, EntitySource, NewEntity};

/// Entities of a page unless the request says how many.
const PAGE: u32 = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    #[serde(alias = "ContextName", alias = "ActionName")]
    artifact_name: Option<String>,
    artifact_arn: Option<String>,
    #[serde(alias = "ContextType", alias = "ActionType")]
    artifact_type: Option<String>,
    source: Option<Source>,
    description: Option<String>,
    status: Option<String>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
    #[serde(default)]
    properties_to_remove: Vec<String>,
    #[serde(default)]
    metadata_properties: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Source {
    source_uri: String,
    source_types: Option<Vec<SourceType>>,
    source_type: Option<String>,
    source_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SourceType {
    source_id_type: String,
    value: String,
}

impl From<Source> for EntitySource {
    fn from(source: Source) -> Self {
        let identities = source.source_types.unwrap_or_default();
        Self {
            uri: source.source_uri,
            identities: identities.into_iter().map(|identity| (identity.source_id_type, identity.value)).collect(),
            source_type: source.source_type,
            source_id: source.source_id,
        }
    }
}

/// `Artifact`, `Context` or `Action`: how the members of a kind begin.
fn word(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Artifact => "Artifact",
        EntityKind::Context => "Context",
        EntityKind::Action => "Action",
    }
}

fn answer_with_arn(state: &ServerState, request: &ServiceRequest, id: &EntityId) -> Answer {
    Ok(Some(json!({ format!("{}Arn", word(id.kind)): arn(state, request, id) })))
}

/// The entity that a request names: an artifact by ARN, others by name or ARN.
fn named(kind: EntityKind, body: &Request) -> Result<EntityId, Fault> {
    let name = match kind {
        EntityKind::Artifact => body.artifact_arn.as_deref(),
        EntityKind::Context | EntityKind::Action => body.artifact_name.as_deref(),
    };
    let name = name.unwrap_or_default();
    let id = if name.starts_with("arn:") { of_arn(name)? } else { EntityId::new(kind, name) };
    if id.kind == kind { Ok(id) } else { Err(no_entity(name)) }
}

pub(super) async fn create(state: &ServerState, request: &ServiceRequest, kind: EntityKind) -> Answer {
    let body: Request = parse(&format!("Create{}", word(kind)), request)?;
    let new = NewEntity {
        kind,
        name: body.artifact_name,
        entity_type: body.artifact_type.unwrap_or_default(),
        source: body.source.map(EntitySource::from).unwrap_or_default(),
        content: EntityContent {
            description: body.description.filter(|text| !text.is_empty()),
            status: body.status,
            properties: body.properties,
            metadata: body.metadata_properties,
        },
    };
    let made = state.store.create_entity(new).await.map_err(|error| fault(&error))?;
    answer_with_arn(state, request, &made.id)
}

pub(super) async fn describe(state: &ServerState, request: &ServiceRequest, kind: EntityKind) -> Answer {
    let body: Request = parse(&format!("Describe{}", word(kind)), request)?;
    let entity = state.store.entity(&named(kind, &body)?).await.map_err(|error| fault(&error))?;
    let mut document = summary(state, request, &entity);
    document["Properties"] = json!(entity.content.properties);
    set(&mut document, "Description", entity.content.description.as_deref());
    if !entity.content.metadata.is_empty() {
        document["MetadataProperties"] = json!(entity.content.metadata);
    }
    Ok(Some(document))
}

pub(super) async fn update(state: &ServerState, request: &ServiceRequest, kind: EntityKind) -> Answer {
    let body: Request = parse(&format!("Update{}", word(kind)), request)?;
    let id = named(kind, &body)?;
    let change = EntityChange {
        name: body.artifact_name,
        description: body.description,
        status: body.status,
        properties: body.properties,
        remove_properties: body.properties_to_remove,
    };
    let changed = state.store.change_entity(&id, &change).await.map_err(|error| fault(&error))?;
    answer_with_arn(state, request, &changed.id)
}

pub(super) async fn delete(state: &ServerState, request: &ServiceRequest, kind: EntityKind) -> Answer {
    let body: Request = parse(&format!("Delete{}", word(kind)), request)?;
    // An artifact may be named by its source as well.
    let id = match (kind, &body.artifact_arn, body.source.is_some()) {
        (EntityKind::Artifact, None, false) => {
            return Err(faults::validation("Validation Error: one of ArtifactArn and Source must be given."));
        }
        (EntityKind::Artifact, None, true) => {
            let source = body.source.map(EntitySource::from).unwrap_or_default();
            let found = state.store.artifact_of(&source).await.map_err(|error| fault(&error))?;
            found.ok_or_else(|| no_entity(&source.uri))?.id
        }
        _ => named(kind, &body)?,
    };
    state.store.remove_entity(&id).await.map_err(|error| fault(&error))?;
    answer_with_arn(state, request, &id)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    source_uri: Option<String>,
    #[serde(alias = "ContextType", alias = "ActionType")]
    artifact_type: Option<String>,
    created_after: Option<Json>,
    created_before: Option<Json>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    next_token: Option<String>,
    max_results: Option<u32>,
}

pub(super) async fn list(state: &ServerState, request: &ServiceRequest, kind: EntityKind) -> Answer {
    let body: List = parse(&format!("List{}s", word(kind)), request)?;
    let limit = body.max_results.unwrap_or(PAGE);
    let page = EntityPage {
        source_uri: body.source_uri.map(|uri| in_region(&uri, &request.region, &state.store.settings().region)),
        entity_type: body.artifact_type,
        after: body.created_after.as_ref().and_then(micros),
        before: body.created_before.as_ref().and_then(micros),
        by_name: body.sort_by.as_deref() == Some("Name"),
        ascending: body.sort_order.as_deref() == Some("Ascending"),
        shown: shown(body.next_token.as_deref())?,
        // One more tells whether there is another page.
        limit: limit + 1,
    };
    let mut found = state.store.entities(kind, &page).await.map_err(|error| fault(&error))?;
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let summaries: Vec<Json> = found.iter().map(|entity| summary(state, request, entity)).collect();
    let mut answer = json!({ format!("{}Summaries", word(kind)): summaries });
    if let Some(last) = found.last().filter(|_| has_more) {
        answer["NextToken"] = page_token::write(&page.place(last)).into();
    }
    Ok(Some(answer))
}

/// The ARN of a group as a region knows it: a client sees the region that it asks, whatever the store's own is called.
fn in_region(uri: &str, from: &str, to: &str) -> String {
    match uri.strip_prefix("arn:aws:sagemaker:").and_then(|rest| rest.strip_prefix(from)) {
        Some(rest) if rest.contains(":feature-group/") => format!("arn:aws:sagemaker:{to}{rest}"),
        _ => uri.to_owned(),
    }
}

/// What a list shows of an entity, and a description begins with.
fn summary(state: &ServerState, request: &ServiceRequest, entity: &EntityRow) -> Json {
    let word = word(entity.id.kind);
    let uri = in_region(&entity.source.uri, &state.store.settings().region, &request.region);
    let mut source = json!({ "SourceUri": uri });
    if entity.id.kind == EntityKind::Artifact {
        let identity = |(kind, value): &(String, String)| json!({ "SourceIdType": kind, "Value": value });
        source["SourceTypes"] = entity.source.identities.iter().map(identity).collect();
    }
    set(&mut source, "SourceType", entity.source.source_type.as_deref());
    set(&mut source, "SourceId", entity.source.source_id.as_deref());
    let mut document = json!({
        format!("{word}Arn"): arn(state, request, &entity.id),
        format!("{word}Type"): entity.entity_type,
        "Source": source,
        "CreationTime": seconds(entity.created),
        "LastModifiedTime": seconds(entity.modified),
    });
    set(&mut document, &format!("{word}Name"), entity.name.as_deref());
    set(&mut document, "Status", entity.content.status.as_deref());
    document
}
