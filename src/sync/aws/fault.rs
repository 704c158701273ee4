//! What an answer that is no success means: may it pass, are the keys at fault, is the operation not to be had?
//!
//! Codes are those of AWS's common errors. What is not known counts as a refusal, which is not repeated.

use std::time::Duration;

use serde_json::Value as Json;

use super::super::source::{SourceError, Trouble};
use crate::model::{Error, ErrorKind};

/// Most characters of a server's message that are passed on.
const MAX_MESSAGE: usize = 300;

/// What callers branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// Too many requests, a server in trouble, a connection that broke or took too long.
    Passing,
    /// The server wants a signature, and got none.
    Unsigned,
    /// The keys have expired.
    Expired,
    /// There are no keys, or they are not known, or not the right ones.
    Credentials,
    /// These keys may not do it.
    Denied,
    /// The server does not have the operation, or not this form of it.
    Unsupported,
    /// What was named is not there.
    NotFound,
    /// The answer can't be understood.
    Unreadable,
    /// Anything else.
    Refused,
}

/// A call that failed.
#[derive(Debug)]
pub(super) struct CallFault {
    /// Its kind.
    pub(super) kind: FaultKind,
    /// What to tell.
    pub(super) error: Error,
    /// How long the server asks to wait.
    pub(super) wait: Option<Duration>,
}

impl CallFault {
    /// A fault of that kind.
    pub(super) fn new(kind: FaultKind, error: Error) -> Self {
        Self { kind, error, wait: None }
    }

    /// True where the same request may succeed later.
    pub(super) fn may_pass(&self) -> bool {
        self.kind == FaultKind::Passing
    }

    /// True where every other request would fare the same.
    pub(super) fn is_of_all(&self) -> bool {
        matches!(self.kind, FaultKind::Unsigned | FaultKind::Expired | FaultKind::Credentials | FaultKind::Denied)
    }
}

impl From<CallFault> for SourceError {
    fn from(fault: CallFault) -> Self {
        let trouble = match fault.kind {
            FaultKind::Passing => Trouble::Passing,
            FaultKind::Unsigned | FaultKind::Expired | FaultKind::Credentials | FaultKind::Denied => Trouble::Credentials,
            FaultKind::Unreadable => Trouble::Corrupt,
            FaultKind::Unsupported | FaultKind::NotFound | FaultKind::Refused => Trouble::Other,
        };
        Self::new(trouble, fault.error)
    }
}

/// An answer that is no success.
pub(super) struct Answered<'a> {
    /// The operation that was asked for.
    pub(super) operation: &'a str,
    /// Where.
    pub(super) place: &'a str,
    /// HTTP status.
    pub(super) status: u16,
    /// `x-amzn-errortype`.
    pub(super) error_type: Option<&'a str>,
    /// Seconds of `retry-after`.
    pub(super) retry_after: Option<u64>,
    /// The body.
    pub(super) body: &'a [u8],
}

/// What it means; `renewal` is what to do about keys that have expired.
pub(super) fn meaning(answered: &Answered<'_>, renewal: &str) -> CallFault {
    let Answered { operation, place, status, .. } = *answered;
    // Protocols spell the message differently, and some servers send both.
    let told: Json = serde_json::from_slice(answered.body).unwrap_or_default();
    let named = told["__type"].as_str().or(answered.error_type).unwrap_or_default();
    let code = named.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let message = told["message"].as_str().or_else(|| told["Message"].as_str()).unwrap_or_default();
    let kind = kind_of(code, status, message);
    let why = match (code, clipped(message)) {
        ("", message) if message.is_empty() => format!("status {status}"),
        ("", message) => format!("status {status}: {message}"),
        (code, message) if message.is_empty() => clipped(code),
        (code, message) => format!("{}: {message}", clipped(code)),
    };
    let error = |error_kind, remedy: &str| {
        let error = Error::new(error_kind, format!("{place} refused {operation}")).why(why.clone());
        if remedy.is_empty() { error } else { error.remedy(remedy) }
    };
    let error = match kind {
        FaultKind::Passing => {
            Error::new(ErrorKind::Io, format!("{place} could not answer {operation}")).why(why).remedy("run sync again in a while")
        }
        FaultKind::Unsigned => {
            error(ErrorKind::Usage, "it asks for keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or add the source with --profile")
        }
        FaultKind::Expired => error(ErrorKind::Usage, renewal),
        FaultKind::Credentials if is_about_time(message) => error(ErrorKind::Usage, "set the clock of this machine"),
        FaultKind::Credentials => error(ErrorKind::Usage, "check the keys, and that they belong to this region or server"),
        FaultKind::Denied => error(ErrorKind::Usage, &format!("allow these keys sagemaker:{operation}")),
        FaultKind::NotFound => error(ErrorKind::NotFound, ""),
        FaultKind::Unsupported | FaultKind::Unreadable | FaultKind::Refused => error(ErrorKind::Io, ""),
    };
    CallFault { kind, error, wait: answered.retry_after.map(Duration::from_secs) }
}

fn kind_of(code: &str, status: u16, message: &str) -> FaultKind {
    match code {
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => FaultKind::Expired,
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => FaultKind::Unsigned,
        "UnrecognizedClientException"
        | "UnrecognizedClient"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidAccessKeyId"
        | "NotAuthorized"
        | "OptInRequired"
        | "RequestExpired" => FaultKind::Credentials,
        "AccessDenied" | "AccessDeniedException" | "AccessForbidden" | "UnauthorizedOperation" => FaultKind::Denied,
        "UnknownOperation" | "UnknownOperationException" | "InvalidAction" | "NotImplemented" => FaultKind::Unsupported,
        "ResourceNotFound" | "ResourceNotFoundException" => FaultKind::NotFound,
        _ if is_throttling(code) => FaultKind::Passing,
        _ => match status {
            429 | 408 => FaultKind::Passing,
            501 | 404 | 405 => FaultKind::Unsupported,
            500.. => FaultKind::Passing,
            // A gateway in between says it so.
            401 => FaultKind::Credentials,
            403 if message.is_empty() => FaultKind::Denied,
            _ => FaultKind::Refused,
        },
    }
}

fn is_throttling(code: &str) -> bool {
    code.starts_with("Throttl")
        || matches!(
            code,
            "TooManyRequestsException"
                | "RequestLimitExceeded"
                | "BandwidthLimitExceeded"
                | "RequestThrottled"
                | "RequestThrottledException"
                | "SlowDown"
                | "PriorRequestNotComplete"
                | "RequestTimeout"
                | "RequestTimeoutException"
                | "ServiceUnavailable"
                | "InternalFailure"
                | "InternalServerError"
                | "InternalServerException"
        )
}

/// Signatures are good for minutes: a clock that is off makes all of them wrong.
fn is_about_time(message: &str) -> bool {
    message.contains("Signature expired") || message.contains("Signature not yet current") || message.contains("too skewed")
}

fn clipped(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, error_type: Option<&str>, body: &str) -> CallFault {
        let answered =
            Answered { operation: "Search", place: "SageMaker in eu-west-1", status, error_type, retry_after: None, body: body.as_bytes() };
        meaning(&answered, "sign in again")
    }

    #[test]
    fn codes_decide_and_the_status_only_where_there_is_none() {
        for (status, body, kind) in [
            (400, r#"{"__type":"ThrottlingException","Message":"Rate exceeded"}"#, FaultKind::Passing),
            (
                400,
                r#"{"__type":"com.amazonaws.sagemaker#ExpiredTokenException","message":"The security token is expired"}"#,
                FaultKind::Expired,
            ),
            (400, r#"{"__type":"UnrecognizedClientException"}"#, FaultKind::Credentials),
            (400, r#"{"__type":"AccessDeniedException","Message":"not authorized"}"#, FaultKind::Denied),
            (403, r#"{"__type":"MissingAuthenticationTokenException","Message":"Missing","message":"Missing"}"#, FaultKind::Unsigned),
            (400, r#"{"__type":"ResourceNotFound"}"#, FaultKind::NotFound),
            (400, r#"{"__type":"ValidationException"}"#, FaultKind::Refused),
            (404, r#"{"__type":"UnknownOperationException"}"#, FaultKind::Unsupported),
            (501, "<html>", FaultKind::Unsupported),
            (503, "", FaultKind::Passing),
            (429, "slow", FaultKind::Passing),
            (418, "", FaultKind::Refused),
        ] {
            assert_eq!(of(status, None, body).kind, kind, "{status} {body}");
        }
        assert_eq!(of(404, Some("ResourceNotFound:http://internal"), "{}").kind, FaultKind::NotFound);
    }

    #[test]
    fn messages_name_place_reason_and_remedy_and_stay_short() {
        let expired = of(400, None, r#"{"__type":"ExpiredTokenException","Message":"The security token\nis expired"}"#);
        assert_eq!(
            expired.error.to_string(),
            "SageMaker in eu-west-1 refused Search (ExpiredTokenException: The security token is expired); sign in again"
        );
        let late = of(403, None, r#"{"__type":"InvalidSignatureException","Message":"Signature expired: 2026"}"#);
        assert!(late.error.to_string().contains("clock"));
        let long = of(400, None, &format!(r#"{{"__type":"X","Message":"{}"}}"#, "é".repeat(10_000)));
        assert!(long.error.to_string().chars().count() < 400);
    }
}
