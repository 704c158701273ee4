//! One request from its head to its answer: route, read, authenticate, hand over, count, log.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};

use super::route::{Route, parse_scope, route, scope_of};
use super::service::{RequestBody, RequestId, ServerState, ServiceRequest, ServiceResponse};
use super::signature::{Head, Refusal, SignedPayload, Signer};
use super::wire::{Fault, Protocol};
use super::{athena, glue, iam, pages, runtime, s3, sagemaker, sts, wire};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// S3's name of the same.
const S3_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// Answers one request.
pub(super) async fn respond(state: &Arc<ServerState>, request: hyper::Request<Incoming>) -> Response<Body> {
    let begun = Instant::now();
    let request_id = RequestId::next();
    let (parts, body) = request.into_parts();
    let logged = tracing::enabled!(target: "larder::access", tracing::Level::INFO)
        .then(|| (parts.method.clone(), parts.uri.path().to_owned(), caller_in(&parts)));
    let answer = dispatch(state, parts, body, request_id).await;
    let ServiceResponse { mut response, operation, error } = answer;
    let took = begun.elapsed();
    state.metrics.count(operation, response.status().as_u16(), error.as_deref(), took);
    if let Some((method, path, caller)) = logged {
        tracing::info!(
            target: "larder::access",
            at = %state.store.now(),
            request_id = %request_id,
            %method,
            path,
            operation,
            status = response.status().as_u16(),
            error = error.as_deref().unwrap_or("-"),
            caller,
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
    }
    response.headers_mut().insert(REQUEST_ID, request_id.to_header());
    response
}

/// The access key a request says it was signed with.
fn caller_in(parts: &Parts) -> String {
    let credential = scope_of(&parts.headers, parts.uri.query().unwrap_or_default());
    credential.and_then(|credential| credential.split('/').next().map(str::to_owned)).unwrap_or_else(|| "-".into())
}

async fn dispatch(state: &Arc<ServerState>, parts: Parts, body: Incoming, request_id: RequestId) -> ServiceResponse {
    let credential = scope_of(&parts.headers, parts.uri.query().unwrap_or_default());
    let scope = credential.as_deref().and_then(parse_scope);
    let route = route(&parts.method, parts.uri.path(), &parts.headers, scope);
    let region = scope.filter(|scope| *scope.region != *state.region).map_or_else(|| state.region.clone(), |scope| scope.region.into());
    drop(credential);
    match route {
        Route::Health => return pages::health(),
        Route::Ready => return Box::pin(pages::ready(state)).await,
        _ => {}
    }
    let body = if route == Route::S3 {
        RequestBody::Stream(std::sync::Mutex::new(Body::new(body)))
    } else {
        match read_whole(state, body).await {
            Ok(bytes) => RequestBody::Whole(bytes),
            Err(fault) => return refuse(&route, fault),
        }
    };
    let signer = match authenticate(state, &parts, &body) {
        Ok(signer) => signer,
        Err(refusal) => return refuse(&route, fault_of(&route, &refusal)),
    };
    let operation: Cow<'static, str> = match &route {
        Route::SageMaker(operation) | Route::Athena(operation) | Route::Glue(operation) => Cow::Owned(operation.clone()),
        Route::Runtime(operation) => Cow::Borrowed(operation.name()),
        _ => Cow::Borrowed(""),
    };
    let request = ServiceRequest {
        method: parts.method,
        uri: parts.uri,
        headers: parts.headers,
        body,
        request_id,
        operation,
        caller: signer.caller,
        region,
        signed_payload: signer.payload,
    };
    // All but the data plane are boxed: a future is moved whole and has the size of its largest branch, so that a look-up would
    // carry the room that SQL and objects need.
    match route {
        Route::Metrics => Box::pin(pages::metrics(state)).await,
        Route::Runtime(operation) => runtime::answer(state, operation, request).await,
        Route::SageMaker(_) => Box::pin(sagemaker::answer(state, request)).await,
        Route::Athena(_) => Box::pin(athena::answer(state, request)).await,
        Route::Glue(_) => Box::pin(glue::answer(state, request)).await,
        Route::Sts => Box::pin(sts::answer(state, request)).await,
        Route::Iam => Box::pin(iam::answer(state, request)).await,
        Route::S3 => {
            let answer = Box::pin(s3::answer(state, request)).await;
            ServiceResponse { response: with_id(answer.response, request_id), ..answer }
        }
        Route::Elsewhere(service) => wire::unknown_service(&service),
        // Answered above, before anything was read.
        Route::Health | Route::Ready => pages::health(),
    }
}

fn with_id(mut response: Response<Body>, request_id: RequestId) -> Response<Body> {
    response.headers_mut().insert(S3_REQUEST_ID, request_id.to_header());
    response
}

/// Reads a body within its limits of size and time.
async fn read_whole(state: &ServerState, body: Incoming) -> Result<Bytes, Fault> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let limit = state.settings.max_body;
    let too_large =
        || Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", format!("The request has more than {limit} bytes."));
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(state.settings.body_time, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Fault::new(StatusCode::BAD_REQUEST, "IncompleteBody", "The body of the request ended early.")),
        Err(_) => Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "The body of the request took too long.")),
    }
}

fn authenticate(state: &ServerState, parts: &Parts, body: &RequestBody) -> Result<Signer, Refusal> {
    let head = Head { method: &parts.method, uri: &parts.uri, headers: &parts.headers };
    let whole = match body {
        RequestBody::Whole(bytes) => Some(&bytes[..]),
        RequestBody::Stream(_) => None,
    };
    if whole.is_some() && state.keys.is_empty() {
        return Ok(Signer { caller: super::access::Caller::default(), payload: SignedPayload::Unsigned });
    }
    state.keys.verify(head, whole, state.store.now())
}

/// Names and texts of refusals, by service as AWS has them.
fn fault_of(route: &Route, refusal: &Refusal) -> Fault {
    let (json, query, s3) = match refusal {
        Refusal::Unsigned => ("MissingAuthenticationTokenException", "MissingAuthenticationToken", "AccessDenied"),
        Refusal::Incomplete(_) => ("IncompleteSignatureException", "IncompleteSignature", "AuthorizationHeaderMalformed"),
        Refusal::UnknownKey => ("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"),
        Refusal::Expired { .. } => ("InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"),
        Refusal::Mismatch => ("InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"),
    };
    let message = match refusal {
        Refusal::Unsigned => "Missing Authentication Token".to_owned(),
        Refusal::Incomplete(which) => format!("The signature can't be checked: {which}."),
        Refusal::UnknownKey => "The security token included in the request is invalid.".to_owned(),
        Refusal::Expired { signed } => format!("Signature expired: {signed} is too far from the server's time."),
        Refusal::Mismatch => "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
                              Key and signing method. Consult the service documentation for details."
            .to_owned(),
    };
    let (code, status) = match route {
        // Its faults are 400 one and all; these are not its own.
        Route::SageMaker(_) | Route::Athena(_) | Route::Glue(_) if *refusal == Refusal::UnknownKey => (json, StatusCode::BAD_REQUEST),
        Route::SageMaker(_) | Route::Athena(_) | Route::Glue(_) | Route::Runtime(_) | Route::Elsewhere(_) => (json, StatusCode::FORBIDDEN),
        Route::S3 if matches!(refusal, Refusal::Incomplete(_)) => (s3, StatusCode::BAD_REQUEST),
        Route::S3 => (s3, StatusCode::FORBIDDEN),
        _ => (query, StatusCode::FORBIDDEN),
    };
    Fault::new(status, code, message)
}

/// Tells a fault that arose before the service had the request, in the service's protocol.
fn refuse(route: &Route, fault: Fault) -> ServiceResponse {
    let close = matches!(fault.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT);
    let mut answer = match route {
        Route::SageMaker(_) | Route::Athena(_) | Route::Glue(_) => fault.answer(Protocol::Json11, "Refused"),
        Route::Runtime(_) | Route::Elsewhere(_) | Route::Metrics | Route::Health | Route::Ready => {
            fault.answer(Protocol::RestJson, "Refused")
        }
        Route::S3 => wire::xml_fault(fault, "Refused", "Error", ""),
        Route::Sts | Route::Iam => wire::xml_fault(fault, "Refused", "ErrorResponse", "Error"),
    };
    if close {
        answer.response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the future that a function answers, which is not called.
    fn size_of_future<State, Request, Answer: Future>(_: impl FnOnce(State, Request) -> Answer) -> usize {
        size_of::<Answer>()
    }

    #[test]
    fn a_look_up_does_not_carry_the_room_of_other_services() {
        let size = size_of_future(|state: &'static Arc<ServerState>, request: hyper::Request<Incoming>| respond(state, request));
        assert!(size <= 8_192, "{size} bytes are moved with every request");
    }
}
