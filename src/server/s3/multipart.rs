//! Uploads in parts.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::body::{Incoming, blocking};
use super::conditions::{self, document_date, header};
use super::fault::{Answer, invalid_argument};
use super::request::{Query, attributes, copy_source, declared_checksum, etag};
use super::xml::{self, CompleteMultipartUpload, Document, Part};
use crate::server::service::{ServerState, ServiceRequest, ServiceResponse};
use crate::server::wire::Fault;
use crate::store::objects::{Bucket, ChecksumAlgorithm, ChecksumKind, CompletedPart, Expected, ObjectKey, Objects, UploadId};

/// Entries of a page.
const PAGE: usize = 1_000;

/// `CreateMultipartUpload`.
pub(super) async fn create(objects: Objects, bucket: Bucket, key: ObjectKey, headers: &HeaderMap) -> Answer<ServiceResponse> {
    let attributes = attributes(headers)?;
    let algorithm = match header(headers, "x-amz-checksum-algorithm") {
        None => None,
        Some(name) => Some(name.parse::<ChecksumAlgorithm>().map_err(|()| invalid_argument(format!("unknown checksum algorithm {name}")))?),
    };
    let kind = match header(headers, "x-amz-checksum-type") {
        None => None,
        Some("FULL_OBJECT") => Some(ChecksumKind::FullObject),
        Some("COMPOSITE") => Some(ChecksumKind::Composite),
        Some(_) => return Err(invalid_argument("Unknown checksum type.")),
    };
    let checksum = algorithm.map(|algorithm| (algorithm, kind.unwrap_or(algorithm.usual_kind())));
    let (place, named) = (bucket.clone(), key.clone());
    let id = blocking(move || objects.create_upload(&place, &named, checksum, attributes)).await?;
    let mut document = Document::new("InitiateMultipartUploadResult");
    document.text("Bucket", bucket.as_str()).text("Key", key.as_str()).text("UploadId", &id.to_string());
    let mut answer = document.answer("CreateMultipartUpload");
    if let Some((algorithm, kind)) = checksum {
        let headers = answer.response.headers_mut();
        headers.insert("x-amz-checksum-algorithm", HeaderValue::from_static(algorithm.as_str()));
        headers.insert("x-amz-checksum-type", HeaderValue::from_static(kind.as_str()));
    }
    Ok(answer)
}

fn part_number(query: &Query) -> Answer<u16> {
    query
        .get("partNumber")
        .and_then(|text| text.parse().ok())
        .filter(|number| (1..=10_000).contains(number))
        .ok_or_else(|| invalid_argument("Part number must be an integer between 1 and 10000, inclusive"))
}

fn upload_id(query: &Query) -> Answer<UploadId> {
    Ok(UploadId::parse(query.get("uploadId").unwrap_or_default())?)
}

/// `UploadPart`.
pub(super) async fn upload(
    state: &ServerState,
    objects: Objects,
    bucket: Bucket,
    key: ObjectKey,
    query: &Query,
    request: &mut ServiceRequest,
) -> Answer<Response<Body>> {
    let (number, id) = (part_number(query)?, upload_id(query)?);
    let incoming = Incoming::of(state, request)?;
    let (algorithm, is_signed) = (incoming.algorithm, incoming.is_signed);
    let (opened, upload) = (objects.clone(), id.clone());
    let writer = blocking(move || opened.part_writer(&bucket, &key, &upload, algorithm, is_signed)).await?;
    let (writer, expected) = incoming.write_to(writer).await?;
    let part = blocking(move || objects.finish_part(&id, number, writer, &expected)).await?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", part.etag)) {
        headers.insert("etag", value);
    }
    if let Some(checksum) = part.checksum
        && let Ok(value) = HeaderValue::from_str(&checksum.value)
    {
        headers.insert(checksum.algorithm.header(), value);
    }
    Ok(response)
}

/// `UploadPartCopy`.
pub(super) async fn upload_copy(
    objects: Objects,
    bucket: Bucket,
    key: ObjectKey,
    query: &Query,
    headers: &HeaderMap,
) -> Answer<ServiceResponse> {
    let (number, id) = (part_number(query)?, upload_id(query)?);
    let (from_bucket, from_key) = copy_source(header(headers, "x-amz-copy-source").unwrap_or_default())?;
    let reader = objects.clone();
    let source = blocking(move || reader.open(&from_bucket, &from_key)).await?;
    conditions::check(headers, "x-amz-copy-source-", source.info())?;
    let size = source.info().size;
    let (from, to) = conditions::range(header(headers, "x-amz-copy-source-range"), size)?.unwrap_or((0, size));
    let part = blocking(move || {
        let algorithm = objects.upload_checksum(&bucket, &key, &id)?;
        let mut writer = objects.part_writer(&bucket, &key, &id, algorithm, false)?;
        writer.write_range(&source, from, to)?;
        objects.finish_part(&id, number, writer, &Expected { size: Some(to - from), ..Expected::default() })
    })
    .await?;
    let mut document = Document::new("CopyPartResult");
    document.text("LastModified", &document_date(part.modified)).text("ETag", &format!("\"{}\"", part.etag));
    if let Some(checksum) = &part.checksum {
        document.text(checksum.algorithm.element(), &checksum.value);
    }
    Ok(document.answer("UploadPartCopy"))
}

impl From<Part> for CompletedPart {
    fn from(part: Part) -> Self {
        let checksum = part.crc32.or(part.crc32c).or(part.crc64nvme).or(part.sha1).or(part.sha256);
        Self { number: part.number, etag: etag(&part.etag), checksum }
    }
}

/// `CompleteMultipartUpload`.
pub(super) async fn complete(
    state: &ServerState,
    objects: Objects,
    bucket: Bucket,
    key: ObjectKey,
    query: &Query,
    request: &mut ServiceRequest,
) -> Answer<ServiceResponse> {
    let id = upload_id(query)?;
    let condition = conditions::of_write(&request.headers)?;
    // Here a checksum is that of the object, not of the document.
    let mut expected = Expected { checksum: declared_checksum(&request.headers)?.and_then(|(_, value)| value), ..Expected::default() };
    if let Some(text) = request.header("x-amz-mp-object-size") {
        expected.size = Some(text.parse().map_err(|_| invalid_argument("x-amz-mp-object-size is not a number of bytes"))?);
    }
    for algorithm in ChecksumAlgorithm::ALL {
        request.headers.remove(algorithm.header());
    }
    let named: CompleteMultipartUpload = xml::parse(&Incoming::of(state, request)?.document().await?)?;
    let parts: Vec<CompletedPart> = named.parts.into_iter().map(CompletedPart::from).collect();
    let (place, target) = (bucket.clone(), key.clone());
    let info = blocking(move || objects.complete_upload(&place, &target, &id, &parts, &expected, &condition)).await?;
    let mut document = Document::new("CompleteMultipartUploadResult");
    document.text("Location", &format!("/{bucket}/{key}")).text("Bucket", bucket.as_str()).text("Key", key.as_str());
    document.text("ETag", &format!("\"{}\"", info.etag));
    if let Some(checksum) = &info.checksum {
        document.text(checksum.algorithm.element(), &checksum.value).text("ChecksumType", checksum.kind.as_str());
    }
    Ok(document.answer("CompleteMultipartUpload"))
}

/// `AbortMultipartUpload`.
pub(super) async fn abort(objects: Objects, bucket: Bucket, key: ObjectKey, query: &Query) -> Answer<Response<Body>> {
    let id = upload_id(query)?;
    blocking(move || objects.abort_upload(&bucket, &key, &id)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// `ListParts`.
pub(super) async fn list_parts(objects: Objects, bucket: Bucket, key: ObjectKey, query: &Query) -> Answer<ServiceResponse> {
    let id = upload_id(query)?;
    let limit = query.limit("max-parts", PAGE)?;
    let after: u16 = query.get("part-number-marker").and_then(|text| text.parse().ok()).unwrap_or(0);
    let (place, named, upload) = (bucket.clone(), key.clone(), id.clone());
    let mut parts = blocking(move || objects.parts(&place, &named, &upload)).await?;
    parts.retain(|part| part.number > after);
    let is_truncated = parts.len() > limit;
    parts.truncate(limit);
    let mut document = Document::new("ListPartsResult");
    document.text("Bucket", bucket.as_str()).text("Key", key.as_str()).text("UploadId", &id.to_string());
    document.text("PartNumberMarker", &after.to_string());
    if let Some(last) = parts.last().filter(|_| is_truncated) {
        document.text("NextPartNumberMarker", &last.number.to_string());
    }
    document.text("MaxParts", &limit.to_string()).text("IsTruncated", &is_truncated.to_string());
    for part in &parts {
        document.nested("Part", |element| {
            element.text("PartNumber", &part.number.to_string()).text("LastModified", &document_date(part.modified));
            element.text("ETag", &format!("\"{}\"", part.etag)).text("Size", &part.size.to_string());
        });
    }
    Ok(document.answer("ListParts"))
}

/// `ListMultipartUploads`.
pub(super) async fn list(objects: Objects, bucket: Bucket, query: &Query) -> Answer<ServiceResponse> {
    let limit = query.limit("max-uploads", PAGE)?;
    let (key_marker, id_marker) = (query.get("key-marker").unwrap_or_default(), query.get("upload-id-marker").unwrap_or_default());
    let prefix = query.get("prefix").unwrap_or_default();
    if query.has("delimiter") {
        return Err(super::fault::not_implemented("A list of uploads with a delimiter"));
    }
    let place = bucket.clone();
    let mut uploads = blocking(move || objects.uploads_of(&place)).await?;
    // Uploads of one key are in the order of their age, and so are their ids.
    uploads.retain(|upload| {
        let is_after = match upload.key.as_str().cmp(key_marker) {
            std::cmp::Ordering::Equal => !id_marker.is_empty() && upload.id.to_string().as_str() > id_marker,
            order => order.is_gt(),
        };
        is_after && upload.key.starts_with(prefix)
    });
    let is_truncated = uploads.len() > limit;
    uploads.truncate(limit);
    let mut document = Document::new("ListMultipartUploadsResult");
    document.text("Bucket", bucket.as_str()).text("KeyMarker", key_marker).text("UploadIdMarker", id_marker).text("Prefix", prefix);
    if let Some(last) = uploads.last().filter(|_| is_truncated) {
        document.text("NextKeyMarker", &last.key).text("NextUploadIdMarker", &last.id.to_string());
    }
    document.text("MaxUploads", &limit.to_string()).text("IsTruncated", &is_truncated.to_string());
    for upload in &uploads {
        document.nested("Upload", |element| {
            element.text("Key", &upload.key).text("UploadId", &upload.id.to_string());
            element.text("StorageClass", "STANDARD").text("Initiated", &document_date(upload.started));
        });
    }
    Ok(document.answer("ListMultipartUploads"))
}

/// What is said where a part is asked of no upload.
pub(super) fn not_an_upload() -> Fault {
    invalid_argument("This operation does not accept a query string.")
}
