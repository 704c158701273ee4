//! What a request of S3 names: a bucket and a key in its path, a subresource and parameters in its query.

use std::collections::{BTreeMap, HashMap};

use axum::http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;

use super::conditions::{header, unquoted};
use super::fault::{Answer, invalid_argument};
use crate::server::wire::Fault;
use crate::store::objects::{Bucket, ChecksumAlgorithm, ObjectAttributes, ObjectKey};

/// Headers that come back with an object as they came.
const KEPT_HEADERS: [&str; 6] = ["content-type", "content-encoding", "content-disposition", "content-language", "cache-control", "expires"];
/// What stands before the name of metadata.
const METADATA: &str = "x-amz-meta-";

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Place {
    /// The bucket; none for the root.
    pub(super) bucket: Option<Bucket>,
    /// The key; none for the bucket itself.
    pub(super) key: Option<ObjectKey>,
}

impl Place {
    /// Reads a path of the path style, still encoded.
    pub(super) fn parse(path: &str) -> Answer<Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Ok(Self { bucket: None, key: None });
        }
        let bucket = Bucket::parse(&decoded(bucket)?)?;
        let key = if key.is_empty() { None } else { Some(ObjectKey::parse(decoded(key)?)?) };
        Ok(Self { bucket: Some(bucket), key })
    }
}

fn decoded(text: &str) -> Answer<String> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(std::borrow::Cow::into_owned)
        .map_err(|_| Fault::new(StatusCode::BAD_REQUEST, "InvalidURI", "Couldn't parse the specified URI."))
}

/// Parameters of a query.
pub(super) struct Query(HashMap<String, String>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number of at most `most`.
    pub(super) fn limit(&self, name: &str, most: usize) -> Answer<usize> {
        match self.get(name) {
            None | Some("") => Ok(most),
            Some(text) => match text.parse::<i32>() {
                Ok(number) if number >= 0 => Ok(most.min(usize::try_from(number).unwrap_or(most))),
                _ => Err(invalid_argument(format!("Provided {name} not an integer or within integer range"))),
            },
        }
    }
}

/// A source of a copy: `bucket/key`, encoded, perhaps with a slash before and a version behind.
pub(super) fn copy_source(text: &str) -> Answer<(Bucket, ObjectKey)> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let text = match text.split_once("?versionId=") {
        None | Some((_, "null")) => text.split('?').next().unwrap_or(text),
        Some(_) => return Err(super::fault::not_implemented("A copy of a version")),
    };
    match text.split_once('/') {
        Some((bucket, key)) => Ok((Bucket::parse(&decoded(bucket)?)?, ObjectKey::parse(decoded(key)?)?)),
        None => Err(invalid_argument("Invalid copy source object key")),
    }
}

/// What a writer says about the object.
pub(super) fn attributes(headers: &HeaderMap) -> Answer<ObjectAttributes> {
    let mut found = ObjectAttributes { headers: BTreeMap::new(), metadata: BTreeMap::new() };
    for (name, value) in headers {
        let is_metadata = name.as_str().starts_with(METADATA);
        if !is_metadata && !KEPT_HEADERS.contains(&name.as_str()) {
            continue;
        }
        let text = String::from_utf8(value.as_bytes().to_vec());
        let text = text.map_err(|_| invalid_argument(format!("The header {name} is not UTF-8")))?;
        if let Some(name) = name.as_str().strip_prefix(METADATA) {
            found.metadata.insert(name.to_owned(), text);
        } else if name == "content-encoding" {
            // The coding of the transfer is not one of the object.
            let codings: Vec<&str> =
                text.split(',').map(str::trim).filter(|coding| !coding.is_empty() && *coding != "aws-chunked").collect();
            if !codings.is_empty() {
                found.headers.insert(name.to_string(), codings.join(", "));
            }
        } else {
            found.headers.insert(name.to_string(), text);
        }
    }
    Ok(found)
}

/// The checksum that a request declares: its algorithm, and its value if that stands in a header.
pub(super) fn declared_checksum(headers: &HeaderMap) -> Answer<Option<(ChecksumAlgorithm, Option<String>)>> {
    let mut found = ChecksumAlgorithm::ALL.into_iter().filter_map(|algorithm| {
        let value = header(headers, algorithm.header())?;
        Some((algorithm, Some(value.to_owned())))
    });
    if let Some(first) = found.next() {
        return match found.next() {
            None => Ok(Some(first)),
            Some(_) => Err(Fault::new(StatusCode::BAD_REQUEST, "InvalidRequest", "Expecting a single x-amz-checksum- header.")),
        };
    }
    let trailers = header(headers, "x-amz-trailer").unwrap_or_default();
    if let Some(algorithm) = trailers
        .split(',')
        .find_map(|name| ChecksumAlgorithm::ALL.into_iter().find(|algorithm| name.trim().eq_ignore_ascii_case(algorithm.header())))
    {
        return Ok(Some((algorithm, None)));
    }
    let named = header(headers, "x-amz-sdk-checksum-algorithm").or_else(|| header(headers, "x-amz-checksum-algorithm"));
    named
        .map(|name| {
            name.parse().map(|algorithm| (algorithm, None)).map_err(|()| invalid_argument(format!("unknown checksum algorithm {name}")))
        })
        .transpose()
}

/// An ETag that a client sends.
pub(super) fn etag(text: &str) -> String {
    unquoted(text).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_path_is_split_before_it_is_decoded() {
        for (path, bucket, key) in [
            ("/", None, None),
            ("/abc", Some("abc"), None),
            ("/abc/", Some("abc"), None),
            ("/abc/a/b%20c+d", Some("abc"), Some("a/b c+d")),
            ("/abc//a", Some("abc"), Some("/a")),
            ("/abc/a%2Fb/../c", Some("abc"), Some("a/b/../c")),
            ("/abc/%25", Some("abc"), Some("%")),
        ] {
            let place = Place::parse(path).unwrap();
            assert_eq!((place.bucket.as_ref().map(Bucket::as_str), place.key.as_ref().map(ObjectKey::as_str)), (bucket, key), "{path}");
        }
        assert_eq!(Place::parse("/AB/x").unwrap_err().code, "InvalidBucketName");
        assert_eq!(Place::parse("/%2E%2E/x").unwrap_err().code, "InvalidBucketName");
        assert_eq!(Place::parse("/abc/%ff").unwrap_err().code, "InvalidURI");
        let (bucket, key) = copy_source("/abc/a%3Fb/c%20d?versionId=null").unwrap();
        assert_eq!((bucket.as_str(), key.as_str()), ("abc", "a?b/c d"));
    }
}
