//! STS: who asks. The SDK wants to know its account, and the role it works under.
//!
//! There are no users and no sessions here, so every caller is one assumed role; the SDK refuses identities that are none.
//! The role's name is fixed: it is only ever handed back in `RoleArn`.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;

use super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::wire::{Fault, xml_fault};

/// The role of every caller.
pub(super) const ROLE: &str = "larder";
/// Namespace of the answers.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// Seconds that the credentials of a role last, if none are asked for.
const SESSION: u64 = 3_600;

/// A parameter of a request in a query protocol.
pub(super) fn parameter(request: &ServiceRequest, name: &str) -> Option<String> {
    let in_body = form_urlencoded::parse(request.whole_body());
    in_body.chain(form_urlencoded::parse(request.query().as_bytes())).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Letters that an element can't hold become references.
pub(super) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// An answer of a query protocol: `<OperationResponse><OperationResult>…`.
pub(super) fn result(request: &ServiceRequest, operation: &'static str, namespace: &str, inside: &str) -> ServiceResponse {
    let body = format!(
        "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{inside}</{operation}Result><ResponseMetadata><RequestId>{}</RequestId>\
         </ResponseMetadata></{operation}Response>",
        request.request_id
    );
    ServiceResponse::of(operation, StatusCode::OK, "text/xml", body)
}

/// A fault of a query protocol.
pub(super) fn fault(operation: &'static str, status: StatusCode, code: &'static str, message: &str) -> ServiceResponse {
    xml_fault(Fault::new(status, code, message), operation, "ErrorResponse", "Error")
}

/// Answers one request.
pub(super) async fn answer(state: &Arc<ServerState>, request: ServiceRequest) -> ServiceResponse {
    match parameter(&request, "Action").as_deref() {
        Some("GetCallerIdentity") => caller_identity(state, &request),
        Some("AssumeRole") => assume_role(state, &request),
        _ => fault("UnknownOperation", StatusCode::BAD_REQUEST, "InvalidAction", "Could not find the operation for this version"),
    }
}

fn caller_identity(state: &ServerState, request: &ServiceRequest) -> ServiceResponse {
    let account = &state.store.settings().account;
    let session = request.caller.access_key.as_deref().unwrap_or("local");
    let inside = format!(
        "<Arn>arn:aws:sts::{account}:assumed-role/{ROLE}/{session}</Arn><UserId>AROALARDER0000000000:{session}</UserId><Account>{account}</Account>",
        session = escaped(session)
    );
    result(request, "GetCallerIdentity", NAMESPACE, &inside)
}

/// Where nobody's signature is checked, any credentials do. Where they are, new ones would have to be known to those who
/// check: a caller keeps its own.
fn assume_role(state: &ServerState, request: &ServiceRequest) -> ServiceResponse {
    const OPERATION: &str = "AssumeRole";
    if !state.keys.is_empty() {
        let message = "Credentials of roles are not given out where signatures are checked: sign with the key itself.";
        return fault(OPERATION, StatusCode::FORBIDDEN, "AccessDenied", message);
    }
    let (Some(role), Some(session)) = (parameter(request, "RoleArn"), parameter(request, "RoleSessionName")) else {
        return fault(OPERATION, StatusCode::BAD_REQUEST, "ValidationError", "RoleArn and RoleSessionName are required.");
    };
    let Some((_, name)) = role.rsplit_once('/').filter(|(head, name)| head.contains(":role") && !name.is_empty()) else {
        return fault(OPERATION, StatusCode::BAD_REQUEST, "ValidationError", "RoleArn is not the ARN of a role.");
    };
    let seconds = match parameter(request, "DurationSeconds").map(|text| text.parse::<u64>()) {
        None => SESSION,
        Some(Ok(seconds)) if (900..=43_200).contains(&seconds) => seconds,
        Some(_) => return fault(OPERATION, StatusCode::BAD_REQUEST, "ValidationError", "DurationSeconds is between 900 and 43200."),
    };
    let ends = jiff::Timestamp::from_second(state.store.now().unix_seconds()).unwrap_or_default() + Duration::from_secs(seconds);
    let account = &state.store.settings().account;
    let (name, session) = (escaped(name), escaped(&session));
    let inside = format!(
        "<Credentials><AccessKeyId>ASIALARDER0000000000</AccessKeyId><SecretAccessKey>larder</SecretAccessKey><SessionToken>larder</SessionToken>\
         <Expiration>{}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROALARDER0000000000:{session}</AssumedRoleId>\
         <Arn>arn:aws:sts::{account}:assumed-role/{name}/{session}</Arn></AssumedRoleUser><PackedPolicySize>0</PackedPolicySize>",
        ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    result(request, OPERATION, NAMESPACE, &inside)
}
