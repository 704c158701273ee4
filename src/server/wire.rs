//! The two JSON protocols of the server, as far as services share them: answers, faults, texts.
//!
//! The control plane speaks awsJson1.1: every fault is an HTTP 400 whose code stands in `__type`. The data plane speaks
//! restJson1: the status tells too, and the code stands in the header `x-amzn-errortype`. Clients take the message from
//! `message` or `Message`; the models have both spellings, so a fault has the one of its protocol.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::HeaderName;
use axum::http::{HeaderValue, Response, StatusCode};

use super::service::ServiceResponse;
use crate::model::{Error, ErrorKind};

/// Content type of awsJson1.1.
pub(super) const JSON_1_1: &str = "application/x-amz-json-1.1";
/// Content type of restJson1.
pub(super) const JSON: &str = "application/json";
/// Where restJson1 names the code of a fault.
pub(super) const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Which of the protocols a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// awsJson1.1: SageMaker, Athena, Glue.
    Json11,
    /// restJson1: the data plane.
    RestJson,
}

/// What a client is told instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// SageMaker's code.
    pub(super) code: Cow<'static, str>,
    /// Status where the protocol has one.
    pub(super) status: StatusCode,
    /// What a person reads.
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), status, message: message.into() }
    }

    /// The fault as a response.
    pub(super) fn answer(self, protocol: Protocol, operation: &'static str) -> ServiceResponse {
        let code: &str = &self.code;
        let (body, content_type) = match protocol {
            Protocol::Json11 => (serde_json::json!({ "__type": code, "Message": self.message, "message": self.message }), JSON_1_1),
            Protocol::RestJson => (serde_json::json!({ "Message": self.message }), JSON),
        };
        let mut response = ServiceResponse::of(operation, self.status, content_type, body.to_string());
        if protocol == Protocol::RestJson
            && let Ok(value) = HeaderValue::from_str(code)
        {
            response.response.headers_mut().insert(ERROR_TYPE, value);
        }
        response.with_error(self.code)
    }
}

/// An answer without a fault.
pub(super) fn json(protocol: Protocol, operation: &'static str, body: impl Into<Body>) -> ServiceResponse {
    let content_type = match protocol {
        Protocol::Json11 => JSON_1_1,
        Protocol::RestJson => JSON,
    };
    ServiceResponse::of(operation, StatusCode::OK, content_type, body)
}

/// An answer that says nothing but that it was done.
pub(super) fn empty(operation: &'static str) -> ServiceResponse {
    ServiceResponse::new(operation, Response::new(Body::empty()))
}

/// The answer of an awsJson1.1 service to an operation it does not have.
pub(super) fn unknown_operation(operation: &str) -> ServiceResponse {
    let shown: String = operation.chars().take(80).collect();
    let message = format!("The operation '{}' is not known.", shown.escape_debug());
    Fault::new(StatusCode::BAD_REQUEST, "UnknownOperationException", message).answer(Protocol::Json11, "UnknownOperation")
}

/// The answer to a request for a service that is not here, in a form that clients of either JSON protocol read.
pub(super) fn unknown_service(service: &str) -> ServiceResponse {
    let shown: String = service.chars().take(80).collect();
    let message = format!(
        "There is no service '{}' here: larder answers sagemaker, athena, glue, s3, sts and iam, as far as Feature Store needs them.",
        shown.escape_debug()
    );
    let mut answer = Fault::new(StatusCode::BAD_REQUEST, "UnknownOperationException", message).answer(Protocol::Json11, "UnknownService");
    answer.response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static("UnknownOperationException"));
    answer
}

/// The text of an error for a client: what, why and what to do, as sentences.
///
/// Faults of the machine say no more than that: paths and the texts of libraries are for the log.
pub(super) fn message_of(error: &Error) -> String {
    if is_our_fault(error.kind()) {
        return "The request could not be completed because of an internal failure. Retry it later; the server's log tells more.".into();
    }
    let mut text = error.what().to_owned();
    if let Some(why) = error.reason() {
        text.push_str(": ");
        text.push_str(&why);
    }
    text.push('.');
    if let Some(remedy) = error.advice().filter(|remedy| !remedy.contains('`')) {
        let mut letters = remedy.chars();
        text.push(' ');
        text.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        text.push_str(letters.as_str());
        text.push('.');
    }
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// True where the client did nothing wrong.
pub(super) fn is_our_fault(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Usage | ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::Conflict => false,
        ErrorKind::ReadOnly
        | ErrorKind::Locked
        | ErrorKind::Full
        | ErrorKind::Corrupt
        | ErrorKind::NewerFormat
        | ErrorKind::Unavailable
        | ErrorKind::OutcomeUnknown
        | ErrorKind::Interrupted
        | ErrorKind::Terminated
        | ErrorKind::Io
        | ErrorKind::Internal => true,
    }
}

/// A fault in XML: `<root><inner><Code/><Message/></inner></root>`, without the inner element if it is empty.
pub(super) fn xml_fault(fault: Fault, operation: &'static str, root: &str, inner: &str) -> ServiceResponse {
    let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
    let fields = format!("<Code>{}</Code><Message>{}</Message>", escape(&fault.code), escape(&fault.message));
    let fields = if inner.is_empty() { fields } else { format!("<{inner}><Type>Sender</Type>{fields}</{inner}>") };
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>{fields}</{root}>");
    ServiceResponse::of(operation, fault.status, "application/xml", body).with_error(fault.code)
}
