//! Operations on the records of one group.

use std::borrow::Cow;

use axum::http::HeaderName;
use serde::{Deserialize, Serialize};

use super::super::constraints::violated;
use super::super::page_token;
use super::super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::super::wire::{self, Fault, Protocol};
use super::record_json::{
    self, WireTarget, WireTtl, WireValue, out_of_bounds, owned, pairs, parse, positions, targets, ttl, write_record, write_text,
};
use super::{faults, names};
use crate::store::{DeleteOptions, FeatureChange, OnlineEffect, PutOptions};

/// Identifiers of a page unless the request says how many.
const PAGE: usize = 100;

pub(super) async fn get(state: &ServerState, request: &ServiceRequest) -> Result<ServiceResponse, Fault> {
    const NAME: &str = "GetRecord";
    let group = names::group(state, request, false).await?;
    let query = request.query();
    let identifier = names::required(query, "RecordIdentifierValueAsString", "recordIdentifierValueAsString")?;
    let with_expiry = names::choice(query, "ExpirationTimeResponse", "expirationTimeResponse", ["Disabled", "Enabled"])?;
    let wanted: Vec<Cow<'_, str>> = names::parameters(query, "FeatureName").collect();
    let wanted = positions(&group, wanted.iter().map(Cow::as_ref))?;
    let mut body = Vec::with_capacity(64 * group.schema.len());
    state
        .store
        .view(&group, &identifier, wanted.as_deref(), |row| {
            body.extend_from_slice(b"{\"Record\":");
            write_record(&mut body, &group, row, wanted.as_deref());
            if let Some(expires_at) = row.expires_at().filter(|_| with_expiry) {
                body.extend_from_slice(b",\"ExpiresAt\":");
                write_text(&mut body, &expires_at.to_iso8601());
            }
            body.push(b'}');
        })
        .await
        .map_err(|error| faults::of_error(NAME, &error))?;
    if body.is_empty() {
        body.extend_from_slice(b"{}");
    }
    Ok(wire::json(Protocol::RestJson, NAME, body))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutBody<'a> {
    #[serde(borrow)]
    record: Vec<WireValue<'a>>,
    target_stores: Option<Vec<WireTarget>>,
    ttl_duration: Option<WireTtl>,
}

pub(super) async fn put(state: &ServerState, request: &ServiceRequest) -> Result<ServiceResponse, Fault> {
    const NAME: &str = "PutRecord";
    let group = names::group(state, request, true).await?;
    let body: PutBody<'_> = parse(NAME, request.whole_body())?;
    out_of_bounds("record", body.record.len(), 1, usize::MAX)?;
    let options = PutOptions { targets: targets(body.target_stores.as_deref())?, ttl: ttl(body.ttl_duration)? };
    let pairs = pairs(body.record)?;
    let receipt = state.store.put_into(&group, pairs, options).await.map_err(|error| faults::of_error(NAME, &error))?;
    Ok(written(wire::empty(NAME), receipt.online))
}

/// Says of a write that the online store, which does not answer, gets it later. The API has no word for it; clients ignore the header.
fn written(response: ServiceResponse, online: OnlineEffect) -> ServiceResponse {
    if online == OnlineEffect::Queued { response.with_header(HeaderName::from_static("x-larder-online"), "queued") } else { response }
}

pub(super) async fn delete(state: &ServerState, request: &ServiceRequest) -> Result<ServiceResponse, Fault> {
    const NAME: &str = "DeleteRecord";
    let group = names::group(state, request, true).await?;
    let query = request.query();
    let identifier = names::required(query, "RecordIdentifierValueAsString", "recordIdentifierValueAsString")?;
    let event_time = names::required(query, "EventTime", "eventTime")?;
    let hard = names::choice(query, "DeletionMode", "deletionMode", ["SoftDelete", "HardDelete"])?;
    let mut asked = Vec::new();
    for target in names::parameters(query, "TargetStores") {
        asked.push(match target.as_ref() {
            "OnlineStore" => WireTarget::OnlineStore,
            "OfflineStore" => WireTarget::OfflineStore,
            other => {
                let constraint = "Member must satisfy enum value set: [OnlineStore, OfflineStore]";
                let path = format!("targetStores.{}.member", asked.len() + 1);
                return Err(faults::validation(format!("1 validation error detected: {}", violated(other, &path, constraint))));
            }
        });
    }
    let targets = targets((!asked.is_empty()).then_some(&asked[..]))?;
    let options = DeleteOptions { hard, targets };
    let receipt =
        state.store.delete(group.name.as_str(), &identifier, &event_time, options).await.map_err(|error| faults::of_error(NAME, &error))?;
    Ok(written(wire::empty(NAME), receipt.online))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateBody<'a> {
    record_identifier_value_as_string: String,
    #[serde(borrow)]
    features: Vec<WireValue<'a>>,
    target_stores: Option<Vec<WireTarget>>,
    ttl_duration: Option<WireTtl>,
}

pub(super) async fn update(state: &ServerState, request: &ServiceRequest) -> Result<ServiceResponse, Fault> {
    const NAME: &str = "UpdateRecord";
    let group = names::group(state, request, true).await?;
    let body: UpdateBody<'_> = parse(NAME, request.whole_body())?;
    out_of_bounds("features", body.features.len(), 1, 100)?;
    let change = FeatureChange {
        identifier: body.record_identifier_value_as_string,
        targets: targets(body.target_stores.as_deref())?,
        ttl: ttl(body.ttl_duration)?,
        pairs: owned(pairs(body.features)?),
    };
    // A feature that is not there is the request's mistake, not a record that is missing.
    positions(&group, change.pairs.iter().map(|(name, _)| name.as_str()))?;
    state.store.update_record(group.name.as_str(), change).await.map_err(|error| faults::of_error(NAME, &error))?;
    Ok(wire::empty(NAME))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct ListBody {
    max_results: Option<i64>,
    next_token: Option<String>,
    #[serde(default)]
    include_soft_deleted_records: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    record_identifiers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(super) async fn list(state: &ServerState, request: &ServiceRequest) -> Result<ServiceResponse, Fault> {
    const NAME: &str = "ListRecords";
    let group = names::group(state, request, false).await?;
    let body: ListBody = if request.whole_body().is_empty() { ListBody::default() } else { parse(NAME, request.whole_body())? };
    let limit = match body.max_results {
        None => PAGE,
        Some(limit @ 1..=100) => limit as usize,
        Some(limit) => {
            let bound = if limit < 1 { "greater than or equal to 1" } else { "less than or equal to 100" };
            let told = violated(&limit.to_string(), "maxResults", &format!("Member must have value {bound}"));
            return Err(faults::validation(format!("1 validation error detected: {told}")));
        }
    };
    let after = match &body.next_token {
        None => None,
        Some(token) => {
            Some(page_token::read::<String>(token).ok_or_else(|| faults::validation("Validation Error: NextToken is not valid."))?)
        }
    };
    let page = state
        .store
        .identifier_page(group.name.as_str(), after.as_deref(), limit, body.include_soft_deleted_records.unwrap_or(false))
        .await
        .map_err(|error| faults::of_error(NAME, &error))?;
    let next_token = page.identifiers.last().filter(|_| page.has_more).map(page_token::write);
    let answer = Listed { next_token, record_identifiers: page.identifiers };
    record_json::document(NAME, &answer)
}
