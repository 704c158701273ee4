//! Associations: which entity contributed to, produced or belongs with which.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::super::page_token;
use super::super::super::service::{ServerState, ServiceRequest};
use super::super::group_json::seconds;
use super::super::list::micros;
use super::super::{Answer, faults, parse};
use super::{arn, fault, of_arn, set, shown};
use crate::store::lineage::{AssociationRow, EntityRow};

/// Associations of a page unless the request says how many.
const PAGE: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ends {
    source_arn: String,
    destination_arn: String,
    association_type: Option<String>,
}

pub(super) async fn add(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Ends = parse("AddAssociation", request)?;
    let (source, destination) = (of_arn(&body.source_arn)?, of_arn(&body.destination_arn)?);
    state.store.associate(&source, &destination, body.association_type.as_deref()).await.map_err(|error| fault(&error))?;
    Ok(Some(json!({ "SourceArn": body.source_arn, "DestinationArn": body.destination_arn })))
}

pub(super) async fn delete(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Ends = parse("DeleteAssociation", request)?;
    let (source, destination) = (of_arn(&body.source_arn)?, of_arn(&body.destination_arn)?);
    if !state.store.dissociate(&source, &destination).await.map_err(|error| fault(&error))? {
        let mut fault = faults::no_group("");
        fault.message = format!("Resource Not Found: there is no association from {} to {}", body.source_arn, body.destination_arn);
        return Err(fault);
    }
    Ok(Some(json!({ "SourceArn": body.source_arn, "DestinationArn": body.destination_arn })))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    source_arn: Option<String>,
    destination_arn: Option<String>,
    source_type: Option<String>,
    destination_type: Option<String>,
    association_type: Option<String>,
    created_after: Option<Json>,
    created_before: Option<Json>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// An association with both its entities, as far as they are there.
struct Found {
    row: AssociationRow,
    source: Option<EntityRow>,
    destination: Option<EntityRow>,
}

impl Found {
    fn place(&self, sort_by: &str) -> (String, String) {
        let entity_type = |entity: &Option<EntityRow>| entity.as_ref().map_or_else(String::new, |entity| entity.entity_type.clone());
        let (source, destination) = (self.row.source.to_string(), self.row.destination.to_string());
        let first = match sort_by {
            "SourceArn" => source.clone(),
            "DestinationArn" => destination.clone(),
            "SourceType" => entity_type(&self.source),
            "DestinationType" => entity_type(&self.destination),
            _ => format!("{:020}", self.row.created.unix_micros().max(0)),
        };
        (first, format!("{source} {destination}"))
    }
}

pub(super) async fn list(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: List = parse("ListAssociations", request)?;
    let source = body.source_arn.as_deref().map(of_arn).transpose()?;
    let destination = body.destination_arn.as_deref().map(of_arn).transpose()?;
    let (after, before) = (body.created_after.as_ref().and_then(micros), body.created_before.as_ref().and_then(micros));
    let rows = state.store.associations(source.as_ref(), destination.as_ref()).await.map_err(|error| fault(&error))?;
    let mut found = Vec::new();
    for row in rows {
        let created = row.created.unix_micros();
        let is_wanted = body.association_type.is_none() || body.association_type == row.association_type;
        if !is_wanted || after.is_some_and(|after| created <= after) || before.is_some_and(|before| created >= before) {
            continue;
        }
        let (source, destination) = (state.store.entity(&row.source).await.ok(), state.store.entity(&row.destination).await.ok());
        let is_of = |wanted: &Option<String>, entity: &Option<EntityRow>| {
            wanted.is_none() || entity.as_ref().map(|entity| &entity.entity_type) == wanted.as_ref()
        };
        if is_of(&body.source_type, &source) && is_of(&body.destination_type, &destination) {
            found.push(Found { row, source, destination });
        }
    }
    let (sort_by, ascending) = (body.sort_by.as_deref().unwrap_or_default(), body.sort_order.as_deref() == Some("Ascending"));
    found.sort_by_cached_key(|association| association.place(sort_by));
    if !ascending {
        found.reverse();
    }
    if let Some(shown) = shown(body.next_token.as_deref())? {
        found.retain(|association| if ascending { association.place(sort_by) > shown } else { association.place(sort_by) < shown });
    }
    let limit = body.max_results.unwrap_or(PAGE);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let summaries: Vec<Json> = found.iter().map(|association| summary(state, request, association)).collect();
    let mut answer = json!({ "AssociationSummaries": summaries });
    if let Some(last) = found.last().filter(|_| has_more) {
        answer["NextToken"] = page_token::write(&last.place(sort_by)).into();
    }
    Ok(Some(answer))
}

fn summary(state: &ServerState, request: &ServiceRequest, association: &Found) -> Json {
    let row = &association.row;
    let mut document = json!({
        "SourceArn": arn(state, request, &row.source),
        "DestinationArn": arn(state, request, &row.destination),
        "CreationTime": seconds(row.created),
    });
    set(&mut document, "AssociationType", row.association_type.as_deref());
    for (end, entity) in [("Source", &association.source), ("Destination", &association.destination)] {
        let Some(entity) = entity else { continue };
        document[format!("{end}Type")] = entity.entity_type.as_str().into();
        set(&mut document, &format!("{end}Name"), entity.name.as_deref());
    }
    document
}
