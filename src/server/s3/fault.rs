//! Faults of S3: an XML document with one of its codes.

use axum::http::StatusCode;

use crate::model::ErrorKind;
use crate::server::service::ServiceResponse;
use crate::server::wire::{self, Fault};
use crate::store::objects::{ObjectError, Refusal};

/// Result of an operation.
pub(super) type Answer<T> = Result<T, Fault>;

pub(super) fn invalid_argument(message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "InvalidArgument", message)
}

pub(super) fn not_implemented(what: &str) -> Fault {
    Fault::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", format!("{what} is not implemented."))
}

pub(super) fn answer(fault: Fault, operation: &'static str) -> ServiceResponse {
    wire::xml_fault(fault, operation, "Error", "")
}

impl From<ObjectError> for Fault {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Refused(refusal, message) => {
                let (code, status) = code_of(refusal);
                Self::new(status, code, message)
            }
            ObjectError::Failed(error) => {
                let (code, status) = match error.kind() {
                    ErrorKind::ReadOnly => ("AccessDenied", StatusCode::FORBIDDEN),
                    ErrorKind::Full | ErrorKind::Locked | ErrorKind::Unavailable => ("ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE),
                    _ => ("InternalError", StatusCode::INTERNAL_SERVER_ERROR),
                };
                tracing::error!(%error, "an operation on objects failed");
                Self::new(status, code, wire::message_of(&error))
            }
        }
    }
}

impl From<crate::model::Error> for Fault {
    fn from(error: crate::model::Error) -> Self {
        ObjectError::from(error).into()
    }
}

fn code_of(refusal: Refusal) -> (&'static str, StatusCode) {
    match refusal {
        Refusal::BadDigest => ("BadDigest", StatusCode::BAD_REQUEST),
        Refusal::BucketNotEmpty => ("BucketNotEmpty", StatusCode::CONFLICT),
        Refusal::EntityTooSmall => ("EntityTooSmall", StatusCode::BAD_REQUEST),
        Refusal::IncompleteBody => ("IncompleteBody", StatusCode::BAD_REQUEST),
        Refusal::InvalidBucketName => ("InvalidBucketName", StatusCode::BAD_REQUEST),
        Refusal::InvalidPart => ("InvalidPart", StatusCode::BAD_REQUEST),
        Refusal::InvalidPartOrder => ("InvalidPartOrder", StatusCode::BAD_REQUEST),
        Refusal::InvalidRequest => ("InvalidRequest", StatusCode::BAD_REQUEST),
        Refusal::KeyTooLong => ("KeyTooLongError", StatusCode::BAD_REQUEST),
        Refusal::MetadataTooLarge => ("MetadataTooLarge", StatusCode::BAD_REQUEST),
        Refusal::NoSuchBucket => ("NoSuchBucket", StatusCode::NOT_FOUND),
        Refusal::NoSuchKey => ("NoSuchKey", StatusCode::NOT_FOUND),
        Refusal::NoSuchUpload => ("NoSuchUpload", StatusCode::NOT_FOUND),
        Refusal::PreconditionFailed => ("PreconditionFailed", StatusCode::PRECONDITION_FAILED),
        Refusal::PayloadMismatch => ("XAmzContentSHA256Mismatch", StatusCode::BAD_REQUEST),
    }
}
