//! XML of S3: documents out, documents in.

use std::fmt::Write;

use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::Answer;
use crate::server::service::ServiceResponse;
use crate::server::wire::Fault;

/// A document being written.
pub(super) struct Document {
    text: String,
    root: &'static str,
}

impl Document {
    /// Starts with its root element.
    pub(super) fn new(root: &'static str) -> Self {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        Self { text, root }
    }

    /// Adds an element with text.
    pub(super) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        let _ = write!(self.text, "<{name}>");
        push_escaped(&mut self.text, text);
        let _ = write!(self.text, "</{name}>");
        self
    }

    /// Adds an element with text, if there is one.
    pub(super) fn optional(&mut self, name: &str, text: Option<&str>) -> &mut Self {
        if let Some(text) = text {
            self.text(name, text);
        }
        self
    }

    /// Adds an element with others inside.
    pub(super) fn nested(&mut self, name: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.text, "<{name}>");
        inside(self);
        let _ = write!(self.text, "</{name}>");
        self
    }

    /// The whole document.
    pub(super) fn finish(&mut self) -> String {
        let mut text = std::mem::take(&mut self.text);
        let _ = write!(text, "</{}>", self.root);
        text
    }

    /// The document as an answer.
    pub(super) fn answer(&mut self, operation: &'static str) -> ServiceResponse {
        ServiceResponse::of(operation, StatusCode::OK, "application/xml", self.finish())
    }
}

/// Letters that a document can't hold as they are become references, as S3 writes them.
fn push_escaped(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => drop(write!(out, "&#x{:x};", u32::from(letter))),
            letter => out.push(letter),
        }
    }
}

/// Reads a document.
///
/// # Errors
/// `MalformedXML`.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    let malformed = || {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        Fault::new(StatusCode::BAD_REQUEST, "MalformedXML", message)
    };
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
    quick_xml::de::from_str(text).map_err(|_| malformed())
}

/// Keys to delete.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    #[serde(rename = "Object", default)]
    pub(super) objects: Vec<DeleteObject>,
    #[serde(default)]
    pub(super) quiet: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteObject {
    pub(super) key: String,
}

/// Parts that make an object.
#[derive(Debug, Deserialize)]
pub(super) struct CompleteMultipartUpload {
    #[serde(rename = "Part", default)]
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Part {
    #[serde(rename = "PartNumber")]
    pub(super) number: u16,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
    #[serde(rename = "ChecksumCRC32")]
    pub(super) crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C")]
    pub(super) crc32c: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME")]
    pub(super) crc64nvme: Option<String>,
    #[serde(rename = "ChecksumSHA1")]
    pub(super) sha1: Option<String>,
    #[serde(rename = "ChecksumSHA256")]
    pub(super) sha256: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn odd_keys_come_through_a_document() {
        let key = "a&b<c>\"d\"'é\u{1}\r";
        let mut document = Document::new("Delete");
        let text = document
            .nested("Object", |object| {
                object.text("Key", key);
            })
            .finish();
        assert!(text.contains("&amp;b&lt;c&gt;") && text.contains("&#x1;&#xd;"), "{text}");
        let body =
            "<Delete xmlns=\"x\"><Object><Key>a&amp;b &lt;c&gt;</Key><VersionId>null</VersionId></Object><Quiet>true</Quiet></Delete>";
        let read: Delete = parse(body.as_bytes()).unwrap();
        assert_eq!((read.objects[0].key.as_str(), read.quiet), ("a&b <c>", true));
        for bad in [&b""[..], b"<Delete>", b"\xff", b"{}", b"<Delete><Object></Object></Delete>"] {
            assert_eq!(parse::<Delete>(bad).unwrap_err().code, "MalformedXML", "{}", bad.escape_ascii());
        }
    }
}
