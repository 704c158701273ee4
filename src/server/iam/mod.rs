//! IAM: roles, as far as the SDK looks them up. Every name is a role, since nothing depends on which.

use std::sync::Arc;

use axum::http::StatusCode;

use super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::sts::{escaped, fault, parameter, result};

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// Answers one request.
pub(super) async fn answer(state: &Arc<ServerState>, request: ServiceRequest) -> ServiceResponse {
    match parameter(&request, "Action").as_deref() {
        Some("GetRole") => get_role(state, &request),
        _ => fault("UnknownOperation", StatusCode::BAD_REQUEST, "InvalidAction", "Could not find operation for this version"),
    }
}

fn get_role(state: &ServerState, request: &ServiceRequest) -> ServiceResponse {
    let name = parameter(request, "RoleName").unwrap_or_default();
    let is_name =
        !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
    if !is_name {
        let message =
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-";
        return fault("GetRole", StatusCode::BAD_REQUEST, "ValidationError", message);
    }
    let (account, name) = (&state.store.settings().account, escaped(&name));
    let inside = format!(
        "<Role><Path>/</Path><RoleName>{name}</RoleName><RoleId>AROALARDER0000000000</RoleId><Arn>arn:aws:iam::{account}:role/{name}</Arn>\
         <CreateDate>2020-01-01T00:00:00Z</CreateDate><MaxSessionDuration>3600</MaxSessionDuration></Role>"
    );
    result(request, "GetRole", NAMESPACE, &inside)
}
