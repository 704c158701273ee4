//! Objects of S3: read, write, copy, delete.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use futures::stream;

use super::body::{Incoming, blocking};
use super::conditions::{self, document_date, header, http_date};
use super::fault::{Answer, invalid_argument, not_implemented};
use super::request::{Query, attributes, copy_source, declared_checksum};
use super::xml::{self, Delete, Document};
use crate::server::service::{ServerState, ServiceRequest, ServiceResponse};
use crate::server::wire::Fault;
use crate::store::objects::{Bucket, Checksum, ObjectInfo, ObjectKey, Objects, OpenObject};

/// Bytes that are read at once to be sent.
const PIECE: u64 = 256 << 10;
/// Keys that one request may delete.
const MOST_DELETED: usize = 1_000;

/// `GetObject` and `HeadObject`.
pub(super) async fn get(
    objects: Objects,
    bucket: Bucket,
    key: ObjectKey,
    query: &Query,
    headers: &HeaderMap,
    with_body: bool,
) -> Answer<Response<Body>> {
    if query.has("partNumber") {
        return Err(not_implemented("Reading one part of an object"));
    }
    if query.get("versionId").is_some_and(|version| version != "null") {
        return Err(not_implemented("Reading a version of an object"));
    }
    let object = blocking(move || objects.open(&bucket, &key)).await?;
    let info = object.info().clone();
    if let Err(fault) = conditions::check(headers, "", &info) {
        if fault.status != StatusCode::NOT_MODIFIED {
            return Err(fault);
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        describe(&mut response, &info);
        return Ok(response);
    }
    let range = conditions::range(header(headers, "range"), info.size)?;
    let (from, to) = range.unwrap_or((0, info.size));
    let body = if with_body { Body::from_stream(pieces(object, from, to)) } else { Body::empty() };
    let mut response = Response::new(body);
    describe(&mut response, &info);
    set(&mut response, "content-length", &(to - from).to_string());
    if range.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        set(&mut response, "content-range", &format!("bytes {from}-{}/{}", to - 1, info.size));
    } else if header(headers, "x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled")) {
        set_checksum(&mut response, info.checksum.as_ref());
    }
    for name in ["content-type", "content-encoding", "content-disposition", "content-language", "cache-control", "expires"] {
        if let Some(value) = query.get(&format!("response-{name}")) {
            set(&mut response, name, value);
        }
    }
    Ok(response)
}

/// An object's bytes, read as they are sent, so that a slow reader holds one piece and no thread.
fn pieces(object: OpenObject, from: u64, to: u64) -> impl futures::Stream<Item = std::io::Result<Bytes>> + Send {
    let start = (Arc::new(object), from);
    stream::try_unfold(start, move |(object, offset)| async move {
        if offset >= to {
            return Ok(None);
        }
        let length = usize::try_from(PIECE.min(to - offset)).unwrap_or(usize::MAX);
        let reader = object.clone();
        let bytes = tokio::task::spawn_blocking(move || reader.read_at(offset, length)).await.map_err(std::io::Error::other)?;
        let bytes = bytes.map_err(std::io::Error::other)?;
        if bytes.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let next = offset + bytes.len() as u64;
        Ok(Some((Bytes::from(bytes), (object, next))))
    })
}

fn set(response: &mut Response<Body>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value.as_bytes())) {
        response.headers_mut().insert(name, value);
    }
}

fn set_checksum(response: &mut Response<Body>, checksum: Option<&Checksum>) {
    if let Some(checksum) = checksum {
        set(response, checksum.algorithm.header(), &checksum.value);
        set(response, "x-amz-checksum-type", checksum.kind.as_str());
    }
}

/// Puts on a response what is known of an object.
fn describe(response: &mut Response<Body>, info: &ObjectInfo) {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"));
    for (name, value) in &info.attributes.headers {
        set(response, name, value);
    }
    for (name, value) in &info.attributes.metadata {
        set(response, &format!("x-amz-meta-{name}"), value);
    }
    set(response, "etag", &format!("\"{}\"", info.etag));
    set(response, "last-modified", &http_date(info.modified));
    set(response, "accept-ranges", "bytes");
}

/// `PutObject`.
pub(super) async fn put(
    state: &ServerState,
    objects: Objects,
    bucket: Bucket,
    key: ObjectKey,
    request: &mut ServiceRequest,
) -> Answer<Response<Body>> {
    let condition = conditions::of_write(&request.headers)?;
    let attributes = attributes(&request.headers)?;
    let incoming = Incoming::of(state, request)?;
    let (algorithm, is_signed) = (incoming.algorithm, incoming.is_signed);
    let (opened, place) = (objects.clone(), bucket.clone());
    let writer = blocking(move || opened.writer(&place, algorithm, is_signed)).await?;
    let (writer, expected) = incoming.write_to(writer).await?;
    let info = blocking(move || writer.finish(&bucket, &key, &expected, &condition, &attributes)).await?;
    let mut response = Response::new(Body::empty());
    set(&mut response, "etag", &format!("\"{}\"", info.etag));
    set_checksum(&mut response, info.checksum.as_ref());
    Ok(response)
}

/// `CopyObject`.
pub(super) async fn copy(objects: Objects, bucket: Bucket, key: ObjectKey, headers: &HeaderMap) -> Answer<ServiceResponse> {
    let (from_bucket, from_key) = copy_source(header(headers, "x-amz-copy-source").unwrap_or_default())?;
    let replaced = match header(headers, "x-amz-metadata-directive") {
        None | Some("COPY") => None,
        Some("REPLACE") => Some(attributes(headers)?),
        Some(_) => return Err(invalid_argument("Unknown metadata directive.")),
    };
    let algorithm = declared_checksum(headers)?.map(|(algorithm, _)| algorithm);
    let (reader, from) = (objects.clone(), (from_bucket.clone(), from_key.clone()));
    let source = blocking(move || reader.info(&from.0, &from.1)).await?;
    conditions::check(headers, "x-amz-copy-source-", &source)?;
    let info = blocking(move || objects.copy((&from_bucket, &from_key), (&bucket, &key), replaced.as_ref(), algorithm)).await?;
    let mut document = Document::new("CopyObjectResult");
    document.text("LastModified", &document_date(info.modified)).text("ETag", &format!("\"{}\"", info.etag));
    if let Some(checksum) = &info.checksum {
        document.text(checksum.algorithm.element(), &checksum.value).text("ChecksumType", checksum.kind.as_str());
    }
    Ok(document.answer("CopyObject"))
}

/// `DeleteObject`.
pub(super) async fn delete(objects: Objects, bucket: Bucket, key: ObjectKey, query: &Query) -> Answer<Response<Body>> {
    if query.get("versionId").is_some_and(|version| version != "null") {
        return Err(not_implemented("Deleting a version of an object"));
    }
    blocking(move || objects.delete(&bucket, &key)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// `DeleteObjects`.
pub(super) async fn delete_many(
    state: &ServerState,
    objects: Objects,
    bucket: Bucket,
    request: &mut ServiceRequest,
) -> Answer<ServiceResponse> {
    let delete: Delete = xml::parse(&Incoming::of(state, request)?.document().await?)?;
    if delete.objects.is_empty() || delete.objects.len() > MOST_DELETED {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(Fault::new(StatusCode::BAD_REQUEST, "MalformedXML", message));
    }
    let keys: Vec<String> = delete.objects.into_iter().map(|object| object.key).collect();
    let done = blocking(move || {
        // A bucket that isn't there fails the whole, a key only itself.
        objects.list(&bucket, &crate::store::objects::ListRequest::default())?;
        let each = keys.into_iter().map(|key| {
            let deleted = ObjectKey::parse(key.clone()).and_then(|parsed| objects.delete(&bucket, &parsed));
            (key, deleted.map_err(Fault::from).err())
        });
        Ok(each.collect::<Vec<_>>())
    })
    .await?;
    let mut document = Document::new("DeleteResult");
    for (key, fault) in &done {
        match fault {
            None if delete.quiet => {}
            None => {
                document.nested("Deleted", |deleted| {
                    deleted.text("Key", key);
                });
            }
            Some(fault) => {
                document.nested("Error", |error| {
                    error.text("Key", key).text("Code", &fault.code).text("Message", &fault.message);
                });
            }
        }
    }
    Ok(document.answer("DeleteObjects"))
}
