//! Buckets of S3, and the lists of what is in them.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::body::blocking;
use super::conditions::document_date;
use super::fault::{Answer, invalid_argument};
use super::request::Query;
use super::xml::Document;
use crate::server::service::{ServerState, ServiceResponse};
use crate::server::wire::Fault;
use crate::store::objects::{Bucket, ListEntry, ListRequest, Listing, Objects, Refusal};

/// Entries of a page.
const PAGE: usize = 1_000;
/// What stays as it is where keys are encoded for a URL.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'*');

/// `ListBuckets`.
pub(super) async fn list(state: &ServerState, objects: Objects) -> Answer<ServiceResponse> {
    let buckets = blocking(move || Ok(objects.buckets()?)).await?;
    let mut document = Document::new("ListAllMyBucketsResult");
    document.nested("Owner", |owner| {
        owner.text("ID", &state.store.settings().account);
    });
    document.nested("Buckets", |list| {
        for bucket in &buckets {
            list.nested("Bucket", |element| {
                element.text("Name", bucket.bucket.as_str()).text("CreationDate", &document_date(bucket.created));
            });
        }
    });
    Ok(document.answer("ListBuckets"))
}

/// `HeadBucket`.
pub(super) async fn head(objects: Objects, bucket: Bucket, region: &str) -> Answer<Response<Body>> {
    check(objects, bucket).await?;
    let mut response = Response::new(Body::empty());
    if let Ok(region) = HeaderValue::from_str(region) {
        response.headers_mut().insert("x-amz-bucket-region", region);
    }
    Ok(response)
}

async fn check(objects: Objects, bucket: Bucket) -> Answer<()> {
    blocking(
        move || {
            if objects.has_bucket(&bucket) { Ok(()) } else { Err(Refusal::NoSuchBucket.because("The specified bucket does not exist")) }
        },
    )
    .await
}

/// `CreateBucket`.
pub(super) async fn create(objects: Objects, bucket: Bucket, region: &str) -> Answer<Response<Body>> {
    let named = bucket.clone();
    let is_new = blocking(move || Ok(objects.create_bucket(&named)?)).await?;
    // As S3: one's own bucket can be made again, but only in the region that is oldest.
    if !is_new && region != "us-east-1" {
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(Fault::new(StatusCode::CONFLICT, "BucketAlreadyOwnedByYou", message));
    }
    let mut response = Response::new(Body::empty());
    if let Ok(location) = HeaderValue::from_str(&format!("/{bucket}")) {
        response.headers_mut().insert("location", location);
    }
    Ok(response)
}

/// `DeleteBucket`.
pub(super) async fn delete(objects: Objects, bucket: Bucket) -> Answer<Response<Body>> {
    blocking(move || objects.delete_bucket(&bucket)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// `GetBucketLocation`.
pub(super) async fn location(objects: Objects, bucket: Bucket, region: &str) -> Answer<ServiceResponse> {
    check(objects, bucket).await?;
    let region = if region == "us-east-1" { "" } else { region };
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</LocationConstraint>",
        quick_xml::escape::escape(region)
    );
    Ok(ServiceResponse::of("GetBucketLocation", StatusCode::OK, "application/xml", text))
}

/// `ListObjectsV2`, and `ListObjects` if `is_first` version.
pub(super) async fn list_objects(objects: Objects, bucket: Bucket, query: &Query, is_first: bool) -> Answer<ServiceResponse> {
    let is_encoded = match query.get("encoding-type") {
        None | Some("") => false,
        Some("url") => true,
        Some(_) => return Err(invalid_argument("Invalid Encoding Method specified in Request")),
    };
    let prefix = query.get("prefix").unwrap_or_default().to_owned();
    let delimiter = query.get("delimiter").filter(|delimiter| !delimiter.is_empty()).map(str::to_owned);
    let limit = query.limit("max-keys", PAGE)?;
    let token = query.get("continuation-token");
    let after = match (is_first, token) {
        (true, _) => query.get("marker").filter(|marker| !marker.is_empty()).map(str::to_owned),
        (false, None) => query.get("start-after").filter(|after| !after.is_empty()).map(str::to_owned),
        (false, Some(token)) => Some(name_of(token).ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))?),
    };
    let request = ListRequest { prefix, delimiter, after, limit };
    let (asked, place) = (request.clone(), bucket.clone());
    let listing = blocking(move || objects.list(&place, &asked)).await?;
    let spelled = |text: &str| if is_encoded { utf8_percent_encode(text, KEPT).to_string() } else { text.to_owned() };

    let mut document = Document::new("ListBucketResult");
    document.text("Name", bucket.as_str()).text("Prefix", &spelled(&request.prefix));
    document.optional("Delimiter", request.delimiter.as_deref().map(spelled).as_deref());
    document.text("MaxKeys", &limit.to_string()).optional("EncodingType", is_encoded.then_some("url"));
    document.text("IsTruncated", &listing.is_truncated.to_string());
    let last = listing.entries.last().map(ListEntry::name).filter(|_| listing.is_truncated);
    if is_first {
        document.text("Marker", &spelled(request.after.as_deref().unwrap_or_default()));
        document.optional("NextMarker", last.map(spelled).as_deref());
    } else {
        document.text("KeyCount", &listing.entries.len().to_string());
        document.optional("StartAfter", query.get("start-after").map(spelled).as_deref()).optional("ContinuationToken", token);
        document.optional("NextContinuationToken", last.map(|name| URL_SAFE_NO_PAD.encode(name)).as_deref());
    }
    push_entries(&mut document, &listing, spelled);
    Ok(document.answer(if is_first { "ListObjects" } else { "ListObjectsV2" }))
}

fn push_entries(document: &mut Document, listing: &Listing, spelled: impl Fn(&str) -> String) {
    for entry in &listing.entries {
        match entry {
            ListEntry::Object(key, info) => {
                document.nested("Contents", |element| {
                    element.text("Key", &spelled(key)).text("LastModified", &document_date(info.modified));
                    element.text("ETag", &format!("\"{}\"", info.etag));
                    if let Some(checksum) = &info.checksum {
                        element.text("ChecksumAlgorithm", checksum.algorithm.as_str()).text("ChecksumType", checksum.kind.as_str());
                    }
                    element.text("Size", &info.size.to_string()).text("StorageClass", "STANDARD");
                });
            }
            ListEntry::CommonPrefix(prefix) => {
                document.nested("CommonPrefixes", |element| {
                    element.text("Prefix", &spelled(prefix));
                });
            }
        }
    }
}

/// The name a token stands for.
fn name_of(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}
