//! Faults of the data plane: codes, status and texts.
//!
//! Only some operations can say that a group is missing; the others say it as a validation error with the same text, and
//! clients match on that text. Nothing that a client did wrong becomes a 5xx, which it would repeat.

use axum::http::StatusCode;

use super::super::constraints::Violation;
use super::super::service::ServiceRequest;
use super::super::wire::{Fault, is_our_fault, message_of};
use crate::model::{Error, ErrorKind};

pub(super) fn validation(message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "ValidationError", message)
}

pub(super) fn of_violation(violation: Violation) -> Fault {
    match violation {
        Violation::Constraint(message) => validation(message),
        Violation::Type(message) => Fault::new(StatusCode::BAD_REQUEST, "SerializationException", message),
    }
}

pub(super) fn unknown_operation() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "UnknownOperationException", "There is no operation of that method and path.")
}

pub(super) fn forbidden(what: &str) -> Fault {
    Fault::new(StatusCode::FORBIDDEN, "AccessForbidden", format!("The key that signed the request may not {what}."))
}

/// True for operations whose model has ResourceNotFound.
fn can_say_not_found(operation: &str) -> bool {
    matches!(operation, "GetRecord" | "ListRecords" | "UpdateRecord")
}

/// A group that is not there, by the operation that asked.
pub(super) fn no_group(operation: &str, name: &str) -> Fault {
    let message = format!("Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name}");
    if can_say_not_found(operation) { Fault::new(StatusCode::NOT_FOUND, "ResourceNotFound", message) } else { validation(message) }
}

/// An error of the store, by the operation that met it.
pub(super) fn of_error(operation: &str, error: &Error) -> Fault {
    let message = message_of(error);
    match error.kind() {
        ErrorKind::NotFound if operation == "UpdateRecord" => Fault::new(StatusCode::NOT_FOUND, "ResourceNotFound", message),
        ErrorKind::Conflict if operation == "UpdateRecord" => Fault::new(StatusCode::CONFLICT, "ConflictException", message),
        ErrorKind::Locked | ErrorKind::Full | ErrorKind::Unavailable | ErrorKind::OutcomeUnknown => {
            tracing::error!(operation, %error, "a request could not be served now");
            Fault::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
        }
        ErrorKind::ReadOnly => Fault::new(StatusCode::FORBIDDEN, "AccessForbidden", "The store can't be changed."),
        kind if is_our_fault(kind) => {
            tracing::error!(operation, %error, "a request failed");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", message)
        }
        _ => validation(message),
    }
}

/// Refuses a caller who may not read a group, or not write it.
pub(super) fn check_access(request: &ServiceRequest, group: &str, writes: bool) -> Result<(), Fault> {
    if writes && !request.caller.may_write() {
        return Err(forbidden("change records"));
    }
    if request.caller.reaches(group) { Ok(()) } else { Err(forbidden("reach this feature group")) }
}
