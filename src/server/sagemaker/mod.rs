//! The control plane: feature groups, their metadata, tags and the search over them, in awsJson1.1.
//!
//! A request is checked against the wire model as a whole, then read into a typed struct, then carried out. Names may be given
//! as ARNs wherever AWS takes one.

mod create;
mod describe;
mod faults;
mod filter;
mod group_json;
mod groups;
mod lineage;
mod list;
mod metadata;
mod search;
mod tags;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::constraints::{self, Model};
use super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::wire::{self, Fault, Protocol};
use crate::store::audit::{Actor, acting_as};

/// Who asks where signatures are not checked.
const NOBODY: &str = "anyone";

/// What an operation answers; none for an empty answer.
type Answer = Result<Option<Json>, Fault>;

/// Answers one request. What it changes is noted as done by its caller.
pub(super) async fn answer(state: &Arc<ServerState>, request: ServiceRequest) -> ServiceResponse {
    let actor = Actor {
        principal: request.caller.access_key.as_deref().unwrap_or(NOBODY).to_owned(),
        request: Some((request.operation.to_string(), request.request_id.to_string())),
    };
    acting_as(actor, carry_out(state, request)).await
}

async fn carry_out(state: &Arc<ServerState>, request: ServiceRequest) -> ServiceResponse {
    let (name, answered) = match &*request.operation {
        "CreateFeatureGroup" => ("CreateFeatureGroup", create::create(state, &request).await),
        "DescribeFeatureGroup" => ("DescribeFeatureGroup", describe::describe(state, &request).await),
        "UpdateFeatureGroup" => ("UpdateFeatureGroup", groups::update(state, &request).await),
        "DeleteFeatureGroup" => ("DeleteFeatureGroup", groups::delete(state, &request).await),
        "ListFeatureGroups" => ("ListFeatureGroups", list::list(state, &request).await),
        "UpdateFeatureMetadata" => ("UpdateFeatureMetadata", metadata::update(state, &request).await),
        "DescribeFeatureMetadata" => ("DescribeFeatureMetadata", metadata::describe(state, &request).await),
        "Search" => ("Search", search::search(state, &request).await),
        "GetSearchSuggestions" => ("GetSearchSuggestions", search::suggest(&request)),
        "AddTags" => ("AddTags", tags::add(state, &request).await),
        "ListTags" => ("ListTags", tags::list(state, &request).await),
        "DeleteTags" => ("DeleteTags", tags::delete(state, &request).await),
        other => match lineage::operation(other) {
            Some((name, operation)) => (name, lineage::answer(state, &request, operation).await),
            None => return wire::unknown_operation(other),
        },
    };
    match answered {
        Ok(document) => wire::json(Protocol::Json11, name, document.unwrap_or_else(|| Json::Object(serde_json::Map::new())).to_string()),
        Err(fault) => fault.answer(Protocol::Json11, name),
    }
}

/// Reads and checks the request of an operation.
fn parse<T: DeserializeOwned>(operation: &str, request: &ServiceRequest) -> Result<T, Fault> {
    let body = request.whole_body();
    let document: Json = if body.is_empty() {
        Json::Object(serde_json::Map::new())
    } else {
        serde_json::from_slice(body).map_err(|error| faults::serialization(format!("The body can't be read: {error}.")))?
    };
    constraints::check(Model::SageMaker, operation, &document).map_err(faults::of_violation)?;
    serde_json::from_value(document).map_err(|error| faults::serialization(format!("The request can't be read: {error}.")))
}
