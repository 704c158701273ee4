//! What stands in paths and queries: the group, by name or ARN, and the parameters.

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::json;

use super::super::constraints::{self, Model};
use super::super::service::{ServerState, ServiceRequest};
use super::super::wire::Fault;
use super::faults;
use crate::model::{ErrorKind, FeatureGroup, GroupName};

/// The name in a name or an ARN; none if it is neither.
pub(super) fn group_name(name_or_arn: &str) -> Option<&str> {
    let name = match name_or_arn.split_once(":feature-group/") {
        Some((arn, name)) if arn.starts_with("arn:aws") && name_or_arn.len() <= 150 => name,
        _ => name_or_arn,
    };
    GroupName::is_legal(name).then_some(name)
}

/// The group that a path names, as it was written and decoded.
pub(super) fn in_path(request: &ServiceRequest) -> Cow<'_, str> {
    let rest = request.path().strip_prefix("/FeatureGroup/").unwrap_or_default();
    percent_decode_str(rest.split('/').next().unwrap_or_default()).decode_utf8_lossy()
}

/// The group that a path names, if it exists and the caller may have it.
pub(super) async fn group(state: &ServerState, request: &ServiceRequest, writes: bool) -> Result<Arc<FeatureGroup>, Fault> {
    let written = in_path(request);
    let Some(name) = group_name(&written) else {
        return Err(illegal_name(&written));
    };
    faults::check_access(request, name, writes)?;
    state.store.group(name).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => faults::no_group(&request.operation, name),
        _ => faults::of_error(&request.operation, &error),
    })
}

/// Says in the model's words what is wrong with a name.
pub(super) fn illegal_name(written: &str) -> Fault {
    match constraints::check(Model::Runtime, "GetRecord", &json!({ "FeatureGroupName": written, "RecordIdentifierValueAsString": "-" })) {
        Err(violation) => faults::of_violation(violation),
        Ok(()) => faults::validation(constraints::violated(written, "featureGroupName", "Member must be the name of a feature group")),
    }
}

/// Decoded values of a query parameter, in order.
pub(super) fn parameters<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes()).filter(move |(found, _)| found == name).map(|(_, value)| value)
}

/// A query parameter that must be there.
pub(super) fn required<'a>(query: &'a str, name: &'a str, path: &str) -> Result<Cow<'a, str>, Fault> {
    parameters(query, name).next().ok_or_else(|| {
        faults::validation(format!(
            "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

/// A query parameter that is one of two words; the first if it is missing.
pub(super) fn choice(query: &str, name: &str, path: &str, words: [&str; 2]) -> Result<bool, Fault> {
    match parameters(query, name).next() {
        None => Ok(false),
        Some(word) if word == words[0] => Ok(false),
        Some(word) if word == words[1] => Ok(true),
        Some(word) => Err(faults::validation(format!(
            "1 validation error detected: {}",
            constraints::violated(&word, path, &format!("Member must satisfy enum value set: [{}, {}]", words[0], words[1]))
        ))),
    }
}
