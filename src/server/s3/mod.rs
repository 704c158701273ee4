//! S3, path style: what clients of a feature store need of it, over the files below `<store>/s3`.
//!
//! ```text
//! path -> bucket, key [`request`] -> operation, by method and query [`operation`] -> buckets, objects, multipart
//! body -> pieces, aws-chunked or plain [`body`], [`chunked`] -> the store's writer, which compares digests
//! ```
//!
//! Bodies stream both ways: a request holds at most a piece of a mebibyte, an answer one of a quarter.

mod body;
mod buckets;
mod chunked;
mod conditions;
mod fault;
mod multipart;
mod objects;
mod request;
mod xml;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};

use super::service::{ServerState, ServiceRequest, ServiceResponse};
use super::wire::Fault;
use fault::{Answer, not_implemented};
use request::{Place, Query};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    ListBuckets,
    HeadBucket,
    CreateBucket,
    DeleteBucket,
    GetBucketLocation,
    GetBucketVersioning,
    ListObjects,
    ListObjectsV2,
    ListMultipartUploads,
    DeleteObjects,
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::ListBuckets => "ListBuckets",
            Self::HeadBucket => "HeadBucket",
            Self::CreateBucket => "CreateBucket",
            Self::DeleteBucket => "DeleteBucket",
            Self::GetBucketLocation => "GetBucketLocation",
            Self::GetBucketVersioning => "GetBucketVersioning",
            Self::ListObjects => "ListObjects",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::ListMultipartUploads => "ListMultipartUploads",
            Self::DeleteObjects => "DeleteObjects",
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::PutObject => "PutObject",
            Self::CopyObject => "CopyObject",
            Self::DeleteObject => "DeleteObject",
            Self::CreateMultipartUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::UploadPartCopy => "UploadPartCopy",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::AbortMultipartUpload => "AbortMultipartUpload",
            Self::ListParts => "ListParts",
        }
    }

    fn writes(self) -> bool {
        !matches!(
            self,
            Self::ListBuckets
                | Self::HeadBucket
                | Self::GetBucketLocation
                | Self::GetBucketVersioning
                | Self::ListObjects
                | Self::ListObjectsV2
                | Self::ListMultipartUploads
                | Self::GetObject
                | Self::HeadObject
                | Self::ListParts
        )
    }
}

/// Subresources that exist at S3 and not here.
const FOREIGN: [&str; 25] = [
    "acl",
    "tagging",
    "policy",
    "policyStatus",
    "lifecycle",
    "cors",
    "encryption",
    "website",
    "logging",
    "notification",
    "replication",
    "requestPayment",
    "accelerate",
    "analytics",
    "inventory",
    "metrics",
    "intelligent-tiering",
    "object-lock",
    "ownershipControls",
    "publicAccessBlock",
    "versions",
    "legal-hold",
    "retention",
    "torrent",
    "restore",
];

fn operation(method: &Method, place: &Place, query: &Query, is_copy: bool) -> Answer<Operation> {
    if let Some(foreign) = FOREIGN.iter().find(|name| query.has(name)) {
        return Err(not_implemented(&format!("The subresource '{foreign}'")));
    }
    let unknown =
        || Fault::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "The specified method is not allowed against this resource.");
    let is_part = query.has("uploadId");
    Ok(match (method.as_str(), &place.bucket, &place.key) {
        ("GET", None, _) => Operation::ListBuckets,
        ("HEAD", Some(_), None) => Operation::HeadBucket,
        ("PUT", Some(_), None) if query.has("versioning") => return Err(not_implemented("Versioning")),
        ("PUT", Some(_), None) => Operation::CreateBucket,
        ("DELETE", Some(_), None) => Operation::DeleteBucket,
        ("POST", Some(_), None) if query.has("delete") => Operation::DeleteObjects,
        ("GET", Some(_), None) if query.has("location") => Operation::GetBucketLocation,
        ("GET", Some(_), None) if query.has("versioning") => Operation::GetBucketVersioning,
        ("GET", Some(_), None) if query.has("uploads") => Operation::ListMultipartUploads,
        ("GET", Some(_), None) if query.get("list-type") == Some("2") => Operation::ListObjectsV2,
        ("GET", Some(_), None) => Operation::ListObjects,
        ("GET", Some(_), Some(_)) if is_part => Operation::ListParts,
        ("GET", Some(_), Some(_)) => Operation::GetObject,
        ("HEAD", Some(_), Some(_)) => Operation::HeadObject,
        ("PUT", Some(_), Some(_)) if is_part && is_copy => Operation::UploadPartCopy,
        ("PUT", Some(_), Some(_)) if is_part => Operation::UploadPart,
        ("PUT", Some(_), Some(_)) if query.has("partNumber") => return Err(multipart::not_an_upload()),
        ("PUT", Some(_), Some(_)) if is_copy => Operation::CopyObject,
        ("PUT", Some(_), Some(_)) => Operation::PutObject,
        ("DELETE", Some(_), Some(_)) if is_part => Operation::AbortMultipartUpload,
        ("DELETE", Some(_), Some(_)) => Operation::DeleteObject,
        ("POST", Some(_), Some(_)) if query.has("uploads") => Operation::CreateMultipartUpload,
        ("POST", Some(_), Some(_)) if is_part => Operation::CompleteMultipartUpload,
        _ => return Err(unknown()),
    })
}

/// Answers one request.
pub(super) async fn answer(state: &Arc<ServerState>, mut request: ServiceRequest) -> ServiceResponse {
    let query = Query::parse(request.query());
    let is_copy = request.header("x-amz-copy-source").is_some();
    let asked = Place::parse(request.path())
        .and_then(|place| operation(&request.method, &place, &query, is_copy).map(|operation| (place, operation)));
    let is_head = request.method == Method::HEAD;
    let answered = match asked {
        Err(fault) => fault::answer(fault, "UnknownOperation"),
        Ok((place, operation)) => match perform(state, &mut request, place, &query, operation).await {
            Ok(answer) => answer,
            Err(fault) => fault::answer(fault, operation.name()),
        },
    };
    if is_head && answered.error.is_some() {
        // Clients of HEAD take the code from the status.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answered.response.status();
        return ServiceResponse { response, ..answered };
    }
    answered
}

async fn perform(
    state: &Arc<ServerState>,
    request: &mut ServiceRequest,
    place: Place,
    query: &Query,
    operation: Operation,
) -> Answer<ServiceResponse> {
    // Objects are of all groups: a caller bound to some could read and change others through them.
    if !request.caller.reaches_all_groups() || (operation.writes() && !request.caller.may_write()) {
        return Err(Fault::new(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"));
    }
    let store = state.store.objects();
    let name = operation.name();
    let plain = |response: Response<Body>| ServiceResponse::new(name, response);
    let (bucket, key) = match (place.bucket, place.key) {
        (None, _) => return buckets::list(state, store).await,
        (Some(bucket), None) => return in_bucket(state, request, bucket, query, operation).await,
        (Some(bucket), Some(key)) => (bucket, key),
    };
    Ok(match operation {
        Operation::GetObject => plain(objects::get(store, bucket, key, query, &request.headers, true).await?),
        Operation::HeadObject => plain(objects::get(store, bucket, key, query, &request.headers, false).await?),
        Operation::PutObject => plain(objects::put(state, store, bucket, key, request).await?),
        Operation::CopyObject => objects::copy(store, bucket, key, &request.headers).await?,
        Operation::DeleteObject => plain(objects::delete(store, bucket, key, query).await?),
        Operation::CreateMultipartUpload => multipart::create(store, bucket, key, &request.headers).await?,
        Operation::UploadPart => plain(multipart::upload(state, store, bucket, key, query, request).await?),
        Operation::UploadPartCopy => multipart::upload_copy(store, bucket, key, query, &request.headers).await?,
        Operation::CompleteMultipartUpload => multipart::complete(state, store, bucket, key, query, request).await?,
        Operation::AbortMultipartUpload => plain(multipart::abort(store, bucket, key, query).await?),
        Operation::ListParts => multipart::list_parts(store, bucket, key, query).await?,
        _ => return Err(not_implemented(name)),
    })
}

async fn in_bucket(
    state: &Arc<ServerState>,
    request: &mut ServiceRequest,
    bucket: crate::store::objects::Bucket,
    query: &Query,
    operation: Operation,
) -> Answer<ServiceResponse> {
    let store = state.store.objects();
    let region = request.region.to_string();
    let name = operation.name();
    let plain = |response: Response<Body>| ServiceResponse::new(name, response);
    Ok(match operation {
        Operation::HeadBucket => plain(buckets::head(store, bucket, &region).await?),
        Operation::CreateBucket => plain(buckets::create(store, bucket, &region).await?),
        Operation::DeleteBucket => plain(buckets::delete(store, bucket).await?),
        Operation::GetBucketLocation => buckets::location(store, bucket, &region).await?,
        Operation::GetBucketVersioning => xml::Document::new("VersioningConfiguration").answer(name),
        Operation::ListObjects => buckets::list_objects(store, bucket, query, true).await?,
        Operation::ListObjectsV2 => buckets::list_objects(store, bucket, query, false).await?,
        Operation::ListMultipartUploads => multipart::list(store, bucket, query).await?,
        Operation::DeleteObjects => objects::delete_many(state, store, bucket, request).await?,
        _ => return Err(not_implemented(name)),
    })
}
