//! Records on the wire, in and out.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::super::constraints::{self, Model};
use super::super::wire::Fault;
use super::faults;
use crate::model::ttl::TtlUnit;
use crate::model::{FeatureGroup, RawValue, Ttl};
use crate::store::{RowView, Targets};

/// One feature of a record.
#[derive(Deserialize, Serialize, Clone)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireValue<'a> {
    #[serde(borrow)]
    feature_name: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value_as_string: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_as_string_list: Option<Vec<String>>,
}

/// A time to live.
#[derive(Deserialize, Serialize, Clone, Copy)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireTtl {
    unit: TtlUnit,
    value: u32,
}

/// A store that a write goes to.
#[derive(Deserialize, Serialize, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireTarget {
    OnlineStore,
    OfflineStore,
}

/// Parses a body; what does not parse is told in the words of the model.
pub(super) fn parse<'a, T: Deserialize<'a>>(operation: &str, body: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let malformed = || faults::of_violation(constraints::Violation::Type(format!("The body can't be read: {error}.")));
        let Ok(mut request) = serde_json::from_slice::<Json>(body) else { return malformed() };
        if let Some(members) = request.as_object_mut() {
            // It stands in the path.
            members.entry("FeatureGroupName").or_insert_with(|| "group".into());
        }
        match constraints::check(Model::Runtime, operation, &request) {
            Err(violation) => faults::of_violation(violation),
            Ok(()) => malformed(),
        }
    })
}

/// Checks a parsed body's bounds, which parsing does not.
pub(super) fn out_of_bounds(path: &str, size: usize, min: usize, max: usize) -> Result<(), Fault> {
    let told = |what: &str, bound: usize| {
        faults::validation(format!(
            "1 validation error detected: {}",
            constraints::violated(&format!("[{size} items]"), path, &format!("Member must have length {what} than or equal to {bound}"))
        ))
    };
    if size < min {
        return Err(told("greater", min));
    }
    if size > max {
        return Err(told("less", max));
    }
    Ok(())
}

/// Names and values as the store takes them.
pub(super) fn pairs(record: Vec<WireValue<'_>>) -> Result<Vec<(Cow<'_, str>, RawValue)>, Fault> {
    record
        .into_iter()
        .map(|value| {
            let raw = match (value.value_as_string, value.value_as_string_list) {
                (Some(text), None) => RawValue::Text(text.into_owned()),
                (None, Some(texts)) => RawValue::List(texts),
                _ => {
                    return Err(faults::validation(format!(
                        "Validation Error: FeatureValue of '{}' must have exactly one of ValueAsString and ValueAsStringList.",
                        value.feature_name.escape_debug()
                    )));
                }
            };
            Ok((value.feature_name, raw))
        })
        .collect()
}

/// The same for a store that keeps them longer than the request.
pub(super) fn owned(pairs: Vec<(Cow<'_, str>, RawValue)>) -> Vec<(String, RawValue)> {
    pairs.into_iter().map(|(name, value)| (name.into_owned(), value)).collect()
}

/// Target stores as the store takes them; none stays none.
pub(super) fn targets(targets: Option<&[WireTarget]>) -> Result<Option<Targets>, Fault> {
    let Some(targets) = targets else { return Ok(None) };
    out_of_bounds("targetStores", targets.len(), 1, 2)?;
    let has = |target| targets.contains(&target);
    Ok(Some(Targets { online: has(WireTarget::OnlineStore), offline: has(WireTarget::OfflineStore) }))
}

/// A ttl as the store takes it.
pub(super) fn ttl(ttl: Option<WireTtl>) -> Result<Option<Ttl>, Fault> {
    ttl.map(|ttl| Ttl::new(ttl.value, ttl.unit)).transpose().map_err(|_| {
        faults::validation(format!(
            "1 validation error detected: {}",
            constraints::violated("0", "ttlDuration.value", "Member must have value greater than or equal to 1")
        ))
    })
}

/// Writes a text as a JSON string.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    let plain = |byte: &u8| !matches!(byte, 0..=0x1f | b'"' | b'\\');
    if text.as_bytes().iter().all(plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(out, text);
    }
}

/// Writes the features of a row as a record, nulls left out; positions in definition order.
pub(super) fn write_record(out: &mut Vec<u8>, group: &FeatureGroup, row: RowView<'_>, positions: Option<&[usize]>) {
    out.push(b'[');
    let begin = out.len();
    match positions {
        Some(positions) => positions.iter().for_each(|position| write_feature(out, begin, group, row, *position)),
        None => (0..group.schema.len()).for_each(|position| write_feature(out, begin, group, row, position)),
    }
    out.push(b']');
}

fn write_feature(out: &mut Vec<u8>, begin: usize, group: &FeatureGroup, row: RowView<'_>, position: usize) {
    let head = |out: &mut Vec<u8>| {
        if out.len() > begin {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"FeatureName\":\"");
        // Names are letters, digits, '-' and '_'.
        out.extend_from_slice(group.schema.features()[position].name.as_str().as_bytes());
    };
    let slot = group.schema.slot(position);
    if let Some(text) = row.text(slot) {
        head(out);
        out.extend_from_slice(b"\",\"ValueAsString\":");
        write_text(out, text);
        out.push(b'}');
    } else if let Some(texts) = row.list(slot) {
        head(out);
        out.extend_from_slice(b"\",\"ValueAsStringList\":[");
        for (place, text) in texts.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            write_text(out, text);
        }
        out.extend_from_slice(b"]}");
    }
}

/// Positions of named features in definition order; none for all.
pub(super) fn positions<'a>(group: &FeatureGroup, names: impl Iterator<Item = &'a str>) -> Result<Option<Vec<usize>>, Fault> {
    let mut found = Vec::new();
    for name in names {
        let position = group.schema.position(name).ok_or_else(|| {
            faults::validation(format!("Validation Error: FeatureGroup '{}' has no feature '{}'.", group.name, name.escape_debug()))
        })?;
        found.push(position);
    }
    found.sort_unstable();
    found.dedup();
    Ok((!found.is_empty()).then_some(found))
}

/// A document as an answer.
pub(super) fn document(operation: &'static str, document: &impl Serialize) -> Result<super::super::service::ServiceResponse, Fault> {
    let body = serde_json::to_vec(document)
        .map_err(|error| faults::of_error(operation, &crate::model::Error::internal("an answer can't be written").source(error)))?;
    Ok(super::super::wire::json(super::super::wire::Protocol::RestJson, operation, body))
}
