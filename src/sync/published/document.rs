//! What a published version says: JSON, gzipped, so that `zcat` shows it.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::super::observed::ObservedGroup;
use crate::model::{Error, Result};

/// The form of documents. A later form that this program can't read has another word.
const FORMAT: &str = "larder-catalog/v1";
/// Most bytes of a document: a million features have less.
const MAX_BYTES: u64 = 1 << 30;

/// A version of a catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::sync) struct Document {
    format: String,
    /// When it was published, ISO-8601 UTC.
    pub(in crate::sync) published: String,
    /// Its groups by name.
    pub(in crate::sync) groups: Vec<PublishedGroup>,
}

/// A group of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::sync) struct PublishedGroup {
    /// Differs for a group made anew under its name.
    pub(in crate::sync) incarnation: String,
    /// The source that the publisher has it from; none if it is the publisher's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::sync) source: Option<String>,
    /// The group.
    pub(in crate::sync) group: ObservedGroup,
}

impl Document {
    /// A document of now.
    pub(super) fn new(published: String, groups: Vec<PublishedGroup>) -> Self {
        Self { format: FORMAT.to_owned(), published, groups }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let fault = |error: std::io::Error| Error::internal("the catalog can't be written").source(error);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let text = serde_json::to_vec(self).map_err(|error| Error::internal("the catalog is no JSON").source(error))?;
        encoder.write_all(&text).map_err(fault)?;
        encoder.finish().map_err(fault)
    }

    /// Reads a document; `place` names it in errors.
    ///
    /// # Errors
    /// `Corrupt` if it was cut or is none, `NewerFormat` if a later program wrote it.
    pub(super) fn from_bytes(bytes: &[u8], place: &str) -> Result<Self> {
        let corrupt = || Error::corrupt(format!("the published catalog {place} can't be read"));
        let mut text = Vec::new();
        let read = MultiGzDecoder::new(bytes).take(MAX_BYTES + 1).read_to_end(&mut text);
        read.map_err(|error| corrupt().source(error).remedy("publish it again: `larder export catalog`"))?;
        if text.len() as u64 > MAX_BYTES {
            return Err(corrupt().why(format!("it has more than {} MiB", MAX_BYTES >> 20)));
        }
        #[derive(Deserialize)]
        struct Form {
            format: String,
        }
        let form: Form = serde_json::from_slice(&text).map_err(|error| corrupt().source(error))?;
        if form.format != FORMAT {
            return Err(Error::new(crate::model::ErrorKind::NewerFormat, format!("the published catalog {place} can't be read"))
                .why(format!("its form is '{}', not '{FORMAT}'", form.format.escape_debug()))
                .remedy("use the version of larder that it was published with, or a later one"));
        }
        serde_json::from_slice(&text).map_err(|error| corrupt().source(error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::ErrorKind;

    #[test]
    fn a_document_comes_back_and_a_cut_one_does_not() {
        let group = ObservedGroup { name: "orders".into(), ..ObservedGroup::default() };
        let document = Document::new("2026-01-01T00:00:00Z".into(), vec![PublishedGroup { incarnation: "1".into(), source: None, group }]);
        let bytes = document.to_bytes().unwrap();
        assert_eq!(Document::from_bytes(&bytes, "x").unwrap(), document);
        for length in 0..bytes.len() {
            assert_eq!(Document::from_bytes(&bytes[..length], "x").unwrap_err().kind(), ErrorKind::Corrupt, "{length}");
        }
        let newer = Document { format: "larder-catalog/v2".into(), ..document };
        assert_eq!(Document::from_bytes(&newer.to_bytes().unwrap(), "x").unwrap_err().kind(), ErrorKind::NewerFormat);
    }
}
