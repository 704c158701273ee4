//! Operations on records of several groups, where each may fail alone.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::super::wire::{self, Fault, Protocol};
use super::record_json::{
    WireTarget, WireTtl, WireValue, document, out_of_bounds, owned, pairs, parse, positions, targets, ttl, write_record, write_text,
};
use super::{faults, names};
use crate::model::{ErrorKind, FeatureGroup};
use crate::store::{BatchEntry, PutOptions};

/// Most records of one look-up.
const MAX_RECORDS: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetBody {
    identifiers: Vec<Identifiers>,
    expiration_time_response: Option<Expiration>,
}

#[derive(Deserialize, PartialEq, Eq)]
enum Expiration {
    Enabled,
    Disabled,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identifiers {
    feature_group_name: String,
    record_identifiers_value_as_string: Vec<String>,
    feature_names: Option<Vec<String>>,
}

pub(super) async fn get(state: &ServerState, request: &ServiceRequest) -> Result<ServiceResponse, Fault> {
    const NAME: &str = "BatchGetRecord";
    let body: GetBody = parse(NAME, request.whole_body())?;
    out_of_bounds("identifiers", body.identifiers.len(), 1, 100)?;
    for (place, wanted) in body.identifiers.iter().enumerate() {
        let path = format!("identifiers.{}.member.recordIdentifiersValueAsString", place + 1);
        out_of_bounds(&path, wanted.record_identifiers_value_as_string.len(), 1, 100)?;
        if names::group_name(&wanted.feature_group_name).is_none() {
            return Err(names::illegal_name(&wanted.feature_group_name));
        }
    }
    let with_expiry = body.expiration_time_response == Some(Expiration::Enabled);
    let mut records = Vec::with_capacity(4_096);
    let mut errors = Vec::new();
    for wanted in body.identifiers.iter().take(MAX_RECORDS) {
        match readable(state, request, wanted).await {
            Ok((group, positions)) => {
                look_up(state, &group, wanted, positions.as_deref(), with_expiry, &mut records, &mut errors);
            }
            Err(fault) => errors.extend(wanted.record_identifiers_value_as_string.iter().map(|id| Failed::of(wanted, id, &fault))),
        }
    }
    let mut answer = b"{\"Records\":[".to_vec();
    answer.append(&mut records);
    answer.extend_from_slice(b"],\"Errors\":");
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(&mut answer, &errors);
    answer.extend_from_slice(b",\"UnprocessedIdentifiers\":[]}");
    Ok(wire::json(Protocol::RestJson, NAME, answer))
}

/// Why one identifier has no record though it may have one.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed<'a> {
    feature_group_name: &'a str,
    record_identifier_value_as_string: &'a str,
    error_code: String,
    error_message: String,
}

impl<'a> Failed<'a> {
    fn of(wanted: &'a Identifiers, identifier: &'a str, fault: &Fault) -> Self {
        Self {
            feature_group_name: &wanted.feature_group_name,
            record_identifier_value_as_string: identifier,
            error_code: fault.code.to_string(),
            error_message: fault.message.clone(),
        }
    }
}

async fn readable(
    state: &ServerState,
    request: &ServiceRequest,
    wanted: &Identifiers,
) -> Result<(Arc<FeatureGroup>, Option<Vec<usize>>), Fault> {
    let name = names::group_name(&wanted.feature_group_name).ok_or_else(|| names::illegal_name(&wanted.feature_group_name))?;
    faults::check_access(request, name, false)?;
    let group = state.store.group(name).await.map_err(|error| match error.kind() {
        // The entry of a batch has a code of its own, whatever the operation can say.
        ErrorKind::NotFound => faults::no_group("GetRecord", name),
        _ => faults::of_error("BatchGetRecord", &error),
    })?;
    let positions = positions(&group, wanted.feature_names.iter().flatten().map(String::as_str))?;
    Ok((group, positions))
}

fn look_up<'a>(
    state: &ServerState,
    group: &FeatureGroup,
    wanted: &'a Identifiers,
    positions: Option<&[usize]>,
    with_expiry: bool,
    out: &mut Vec<u8>,
    errors: &mut Vec<Failed<'a>>,
) {
    let identifiers = &wanted.record_identifiers_value_as_string;
    let failed = |identifier, error: &crate::model::Error| Failed::of(wanted, identifier, &faults::of_error("BatchGetRecord", error));
    let shown = state.store.view_many(group, identifiers, positions, &mut |place, row| {
        let identifier = &identifiers[place];
        let row = match row {
            Ok(Some(row)) => row,
            Ok(None) => return,
            Err(error) => return errors.push(failed(identifier, &error)),
        };
        out.extend_from_slice(if out.is_empty() { b"{\"FeatureGroupName\":" } else { b",{\"FeatureGroupName\":" });
        write_text(out, &wanted.feature_group_name);
        out.extend_from_slice(b",\"RecordIdentifierValueAsString\":");
        write_text(out, identifier);
        out.extend_from_slice(b",\"Record\":");
        write_record(out, group, row, positions);
        if let Some(expires_at) = row.expires_at().filter(|_| with_expiry) {
            out.extend_from_slice(b",\"ExpiresAt\":");
            write_text(out, &expires_at.to_iso8601());
        }
        out.push(b'}');
    });
    if let Err(error) = shown {
        errors.extend(identifiers.iter().map(|identifier| failed(identifier, &error)));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WriteBody<'a> {
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
    ttl_duration: Option<WireTtl>,
}

#[derive(Deserialize, Serialize, Clone)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    feature_group_name: String,
    #[serde(borrow)]
    record: Vec<WireValue<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_stores: Option<Vec<WireTarget>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_duration: Option<WireTtl>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Written<'a> {
    errors: Vec<FailedEntry<'a>>,
    unprocessed_entries: Vec<&'a Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FailedEntry<'a> {
    entry: &'a Entry<'a>,
    error_code: String,
    error_message: String,
}

pub(super) async fn write(state: &ServerState, request: &ServiceRequest) -> Result<ServiceResponse, Fault> {
    const NAME: &str = "BatchWriteRecord";
    let body: WriteBody<'_> = parse(NAME, request.whole_body())?;
    out_of_bounds("entries", body.entries.len(), 1, 25)?;
    let mut answer = Written { errors: Vec::new(), unprocessed_entries: Vec::new() };
    let mut failed = |entry, fault: Fault| {
        answer.errors.push(FailedEntry { entry, error_code: fault.code.to_string(), error_message: fault.message });
    };
    let mut sent = Vec::with_capacity(body.entries.len());
    let mut batch = Vec::with_capacity(body.entries.len());
    for entry in &body.entries {
        match prepared(request, entry, body.ttl_duration) {
            Ok(ready) => {
                sent.push(entry);
                batch.push(ready);
            }
            Err(fault) => failed(entry, fault),
        }
    }
    match state.store.put_batch(batch).await {
        Ok(outcomes) => {
            for (entry, outcome) in sent.into_iter().zip(outcomes) {
                if let Err(error) = outcome {
                    failed(entry, fault_of_entry(entry, &error));
                }
            }
        }
        Err(error) => {
            let fault = faults::of_error(NAME, &error);
            if fault.status != StatusCode::SERVICE_UNAVAILABLE {
                return Err(fault);
            }
            // Nothing of it was written, or nobody knows: putting it again does no harm.
            answer.unprocessed_entries = sent;
        }
    }
    document(NAME, &answer)
}

fn fault_of_entry(entry: &Entry<'_>, error: &crate::model::Error) -> Fault {
    let name = names::group_name(&entry.feature_group_name).unwrap_or_default();
    let is_group = error.kind() == ErrorKind::NotFound && error.what().contains("feature group");
    if is_group { faults::no_group("GetRecord", name) } else { faults::of_error("BatchWriteRecord", error) }
}

/// An entry as the store takes it. Its own ttl comes before that of the request.
fn prepared(request: &ServiceRequest, entry: &Entry<'_>, request_ttl: Option<WireTtl>) -> Result<BatchEntry, Fault> {
    let name = names::group_name(&entry.feature_group_name).ok_or_else(|| names::illegal_name(&entry.feature_group_name))?;
    faults::check_access(request, name, true)?;
    out_of_bounds("record", entry.record.len(), 1, usize::MAX)?;
    Ok(BatchEntry {
        group: name.to_owned(),
        pairs: owned(pairs(entry.record.clone())?),
        options: PutOptions { targets: targets(entry.target_stores.as_deref())?, ttl: ttl(entry.ttl_duration.or(request_ttl))? },
    })
}
