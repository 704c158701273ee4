//! The data plane: seven operations over records, in restJson1.
//!
//! Look-ups and puts are the hot path: a request is parsed straight into borrowed texts, a record is written from the store's
//! own bytes into the answer. The wire model is consulted where that fails, for the words of the error.

mod batch;
mod faults;
mod names;
mod record_json;
mod records;

use std::sync::Arc;

use super::route::RuntimeOperation;
use super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::wire::Protocol;

/// Answers one request.
pub(super) async fn answer(state: &Arc<ServerState>, operation: RuntimeOperation, request: ServiceRequest) -> ServiceResponse {
    let answered = match operation {
        RuntimeOperation::GetRecord => records::get(state, &request).await,
        RuntimeOperation::PutRecord => records::put(state, &request).await,
        RuntimeOperation::BatchGetRecord => batch::get(state, &request).await,
        // Boxed, because each request's future has the size of the largest of them.
        RuntimeOperation::DeleteRecord => Box::pin(records::delete(state, &request)).await,
        RuntimeOperation::UpdateRecord => Box::pin(records::update(state, &request)).await,
        RuntimeOperation::ListRecords => Box::pin(records::list(state, &request)).await,
        RuntimeOperation::BatchWriteRecord => Box::pin(batch::write(state, &request)).await,
        RuntimeOperation::Unknown => Err(faults::unknown_operation()),
    };
    answered.unwrap_or_else(|fault| fault.answer(Protocol::RestJson, operation.name()))
}
