//! The data plane.

use std::sync::Arc;

use super::route::RuntimeOperation;
use super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::wire;

/// Answers one request.
pub(super) async fn answer(_state: &Arc<ServerState>, operation: RuntimeOperation, _request: ServiceRequest) -> ServiceResponse {
    wire::unknown_operation(operation.name())
}
