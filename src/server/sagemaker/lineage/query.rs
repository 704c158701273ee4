//! QueryLineage: what lies around an entity.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::super::page_token;
use super::super::super::service::{ServerState, ServiceRequest};
use super::super::list::micros;
use super::super::{Answer, faults, parse};
use super::{arn, fault, of_arn, set};
use crate::store::lineage::{Direction, EntityKind, EntityRow};

/// How far a walk goes, and how much a page holds, unless the request says so.
const DEPTH: u32 = 10;
const PAGE: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    #[serde(default)]
    start_arns: Vec<String>,
    direction: Option<String>,
    include_edges: Option<bool>,
    #[serde(default)]
    filters: Filters,
    max_depth: Option<u32>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Filters {
    types: Vec<String>,
    lineage_types: Vec<String>,
    created_before: Option<Json>,
    created_after: Option<Json>,
    modified_before: Option<Json>,
    modified_after: Option<Json>,
    properties: BTreeMap<String, String>,
}

impl Filters {
    fn admit(&self, entity: &EntityRow) -> bool {
        let limit = |limit: &Option<Json>| limit.as_ref().and_then(micros);
        let (created, modified) = (entity.created.unix_micros(), entity.modified.unix_micros());
        (self.types.is_empty() || self.types.contains(&entity.entity_type))
            && (self.lineage_types.is_empty() || self.lineage_types.iter().any(|wanted| wanted == lineage_type(entity)))
            && limit(&self.created_before).is_none_or(|limit| created < limit)
            && limit(&self.created_after).is_none_or(|limit| created > limit)
            && limit(&self.modified_before).is_none_or(|limit| modified < limit)
            && limit(&self.modified_after).is_none_or(|limit| modified > limit)
            && self.properties.iter().all(|(name, value)| entity.content.properties.get(name) == Some(value))
    }
}

fn lineage_type(entity: &EntityRow) -> &'static str {
    match entity.id.kind {
        EntityKind::Artifact => "Artifact",
        EntityKind::Context => "Context",
        EntityKind::Action => "Action",
    }
}

pub(super) async fn query(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Query = parse("QueryLineage", request)?;
    let [start] = body.start_arns.as_slice() else {
        return Err(faults::validation("Validation Error: StartArns must name one lineage entity."));
    };
    let directions: &[Direction] = match body.direction.as_deref() {
        Some("Ascendants") => &[Direction::Up],
        Some("Descendants") => &[Direction::Down],
        _ => &[Direction::Up, Direction::Down],
    };
    let start = of_arn(start)?;
    let graph = state.store.entity_lineage(&start, directions, body.max_depth.unwrap_or(DEPTH)).await.map_err(|error| fault(&error))?;
    let mut found: Vec<&EntityRow> = graph.vertices.iter().filter(|entity| body.filters.admit(entity)).collect();
    if let Some(token) = &body.next_token {
        let shown: usize = page_token::read(token).ok_or_else(|| faults::validation("Validation Error: NextToken is not valid."))?;
        found.drain(..shown.min(found.len()));
    }
    let limit = body.max_results.unwrap_or(PAGE);
    let before = graph.vertices.iter().filter(|entity| body.filters.admit(entity)).count() - found.len();
    let has_more = found.len() > limit;
    found.truncate(limit);
    let vertices: Vec<Json> = found
        .iter()
        .map(|entity| json!({ "Arn": arn(state, request, &entity.id), "Type": entity.entity_type, "LineageType": lineage_type(entity) }))
        .collect();
    let mut edges = Vec::new();
    if body.include_edges.unwrap_or(true) {
        let shown: HashSet<_> = found.iter().map(|entity| &entity.id).chain([&start]).collect();
        for edge in graph.edges.iter().filter(|edge| shown.contains(&edge.source) && shown.contains(&edge.destination)) {
            let mut document =
                json!({ "SourceArn": arn(state, request, &edge.source), "DestinationArn": arn(state, request, &edge.destination) });
            set(&mut document, "AssociationType", edge.association_type.as_deref());
            edges.push(document);
        }
    }
    let mut answer = json!({ "Vertices": vertices, "Edges": edges });
    if has_more {
        answer["NextToken"] = page_token::write(&(before + limit)).into();
    }
    Ok(Some(answer))
}
