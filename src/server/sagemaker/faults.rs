//! Faults of the control plane: codes and texts, those of AWS where they are known.

use axum::http::StatusCode;

use super::super::constraints::Violation;
use super::super::service::ServiceRequest;
use super::super::wire::{Fault, is_our_fault, message_of};
use crate::model::{Error, ErrorKind};

pub(super) fn validation(message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "ValidationException", message)
}

pub(super) fn serialization(message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "SerializationException", message)
}

pub(super) fn of_violation(violation: Violation) -> Fault {
    match violation {
        Violation::Constraint(message) => validation(message),
        Violation::Type(message) => serialization(message),
    }
}

/// A group that is not there.
pub(super) fn no_group(name: &str) -> Fault {
    Fault::new(
        StatusCode::BAD_REQUEST,
        "ResourceNotFound",
        format!("Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name}"),
    )
}

/// A name that is taken.
pub(super) fn name_taken(name: &str) -> Fault {
    let message = format!(
        "Resource Already Exists: FeatureGroup with name {name} already exists. Choose a different name.\nInfo: Feature Group '{name}' \
         already exists."
    );
    Fault::new(StatusCode::BAD_REQUEST, "ResourceInUse", message)
}

/// An error of the store.
pub(super) fn of_error(error: &Error) -> Fault {
    let message = message_of(error);
    match error.kind() {
        ErrorKind::NotFound => Fault::new(StatusCode::BAD_REQUEST, "ResourceNotFound", message),
        ErrorKind::AlreadyExists | ErrorKind::Conflict => Fault::new(StatusCode::BAD_REQUEST, "ResourceInUse", message),
        ErrorKind::ReadOnly => Fault::new(StatusCode::BAD_REQUEST, "AccessDeniedException", "The store can't be changed."),
        ErrorKind::Locked | ErrorKind::Full | ErrorKind::Unavailable | ErrorKind::OutcomeUnknown => {
            tracing::error!(%error, "a request could not be served now");
            Fault::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
        }
        kind if is_our_fault(kind) => {
            tracing::error!(%error, "a request failed");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", message)
        }
        _ => validation(message),
    }
}

/// Refuses a caller who may not read a group, or not write it.
pub(super) fn check_access(request: &ServiceRequest, group: &str, writes: bool) -> Result<(), Fault> {
    let may = (!writes || request.caller.may_write()) && request.caller.reaches(group);
    if may { Ok(()) } else { Err(denied(request, group)) }
}

/// The caller may not do this.
pub(super) fn denied(request: &ServiceRequest, resource: &str) -> Fault {
    let key = request.caller.access_key.as_deref().unwrap_or("-");
    Fault::new(
        StatusCode::BAD_REQUEST,
        "AccessDeniedException",
        format!("The key {key} is not authorized to perform: sagemaker:{} on resource: {resource}", request.operation),
    )
}
