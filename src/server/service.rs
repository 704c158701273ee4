//! What every service of the server gets and gives: one request that was routed and authenticated, one response.
//!
//! Bodies come whole where a service speaks JSON or forms, because their signature covers the hash of the body and
//! their size is bounded ([`super::settings::ServeSettings::max_body`]); S3 gets a stream, whose hash it must compare
//! itself with the one that was signed ([`ServiceRequest::signed_payload`]). Paths stay as they were sent: a group
//! may be named by its ARN with an encoded slash, so a path is split first and decoded afterwards.

use std::borrow::Cow;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};

use super::access::Caller;
use super::metrics::Metrics;
use super::settings::ServeSettings;
use super::signature::{Keyring, SignedPayload};
use crate::store::FeatureStore;

/// What all requests share.
pub struct ServerState {
    /// The store behind the server.
    pub store: FeatureStore,
    /// The store's region, for requests that name none.
    pub region: Arc<str>,
    /// How it serves.
    pub settings: ServeSettings,
    /// Keys that may sign requests; empty where signatures are not checked.
    pub keys: Keyring,
    /// Counters and histograms of `/metrics`.
    pub metrics: Metrics,
    /// Set once the server is to stop: new connections are refused and `/readyz` says no.
    pub stopping: AtomicBool,
}

/// The body of a request.
pub enum RequestBody {
    /// Read as a whole, within the limit.
    Whole(Bytes),
    /// Not read yet; only S3 gets these. The lock is for the type system alone: a stream is no `Sync`.
    Stream(Mutex<Body>),
}

/// A request after routing and authentication.
pub struct ServiceRequest {
    /// `GET`, `PUT`, …
    pub method: Method,
    /// Path and query as they were sent, still percent-encoded.
    pub uri: Uri,
    /// Headers as they were sent.
    pub headers: HeaderMap,
    /// The body.
    pub body: RequestBody,
    /// Named in the response, in its error and in the access log.
    pub request_id: RequestId,
    /// What follows the dot in `X-Amz-Target`, the runtime operation of a path, empty for S3, STS and IAM, which find it
    /// themselves.
    pub operation: Cow<'static, str>,
    /// Who asks, and what they may do.
    pub caller: Caller,
    /// The region the request was signed for, else the store's.
    pub region: Arc<str>,
    /// What the signature says about the body; [`SignedPayload::Unsigned`] where signatures are not checked.
    pub signed_payload: SignedPayload,
}

impl ServiceRequest {
    /// The path, still percent-encoded.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query string without its question mark, still percent-encoded; empty if there is none.
    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// A header's text; none if it is missing or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole body of a service that is not S3.
    pub fn whole_body(&self) -> &[u8] {
        match &self.body {
            RequestBody::Whole(bytes) => bytes,
            RequestBody::Stream(_) => &[],
        }
    }

    /// Takes the body as a stream.
    pub fn take_body(&mut self) -> Body {
        match std::mem::replace(&mut self.body, RequestBody::Whole(Bytes::new())) {
            RequestBody::Whole(bytes) => Body::from(bytes),
            RequestBody::Stream(body) => body.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// What a service answers.
pub struct ServiceResponse {
    /// Status, headers and body. The server adds the request id.
    pub response: Response<Body>,
    /// The operation for metrics and the access log, from a set that no client can grow.
    pub operation: &'static str,
    /// The error code that the client was told, for metrics and the access log.
    pub error: Option<Cow<'static, str>>,
}

impl ServiceResponse {
    /// An answer that is no error.
    pub fn new(operation: &'static str, response: Response<Body>) -> Self {
        Self { response, operation, error: None }
    }

    /// An answer of a status, a content type and a body.
    pub fn of(operation: &'static str, status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Self {
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self::new(operation, response)
    }

    /// The same answer as an error with this code.
    #[must_use]
    pub fn with_error(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.error = Some(code.into());
        self
    }

    /// The same answer with a header; a value that no header can hold is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.response.headers_mut().insert(name, value);
        }
        self
    }
}

/// Names one request, in the form of a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 36]);

impl RequestId {
    /// A new one: a random half that a process draws once, and a counter.
    pub fn next() -> Self {
        use std::sync::OnceLock;
        use std::sync::atomic::{AtomicU64, Ordering};
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static COUNTER: AtomicU64 = AtomicU64::new(1);
        let process = *PROCESS.get_or_init(rand::random);
        // An odd factor spreads the counter over all bits and never maps two counts to one.
        let count = COUNTER.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut text = [b'-'; 36];
        let nibbles = (0..32).map(|nibble| if nibble < 16 { process >> (4 * nibble) } else { count >> (4 * (nibble - 16)) });
        let places = (0..36).filter(|at| !matches!(at, 8 | 13 | 18 | 23));
        for (place, nibble) in places.zip(nibbles) {
            text[place] = b"0123456789abcdef"[(nibble & 15) as usize];
        }
        Self(text)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The header that carries it.
    pub fn to_header(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_have_the_form_of_a_uuid_and_differ() {
        let ids: std::collections::HashSet<String> = (0..10_000).map(|_| RequestId::next().to_string()).collect();
        assert_eq!(ids.len(), 10_000);
        for id in ids {
            assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
        }
    }
}
