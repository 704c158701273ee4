//! Athena: SQL over the groups.

use std::sync::Arc;

use super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::wire;

/// Answers one request.
pub(super) async fn answer(_state: &Arc<ServerState>, request: ServiceRequest) -> ServiceResponse {
    wire::unknown_operation(&request.operation)
}
