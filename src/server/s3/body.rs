//! Bodies of S3: read piece by piece, decoded, and compared with what the headers and the signature say of them.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use sha2::Sha256;

use super::chunked::{ChunkDecoder, ChunkFault};
use super::fault::{Answer, invalid_argument};
use super::request::declared_checksum;
use crate::model::Error;
use crate::server::service::{ServerState, ServiceRequest};
use crate::server::signature::SignedPayload;
use crate::server::wire::Fault;
use crate::store::objects::{ChecksumAlgorithm, Checksummer, Expected, ObjectResult, ObjectWriter};

/// Bytes that are gathered before they are written.
const PIECE: usize = 1 << 20;
/// Longest document that is read as a whole: a thousand keys of the longest kind, escaped.
const LONGEST_DOCUMENT: usize = 8 << 20;

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> ObjectResult<T> + Send + 'static) -> Answer<T> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| Error::internal("work on objects stopped").source(error))??)
}

/// What is to be compared, and how the body is coded.
pub(super) struct Incoming {
    body: Body,
    chunks: Option<ChunkDecoder>,
    pause: Duration,
    /// Algorithm of the checksum, if one was declared.
    pub(super) algorithm: Option<ChecksumAlgorithm>,
    /// True if the SHA-256 of the body was signed.
    pub(super) is_signed: bool,
    expected: Expected,
}

impl Incoming {
    /// Takes the body of a request, unread.
    pub(super) fn of(state: &ServerState, request: &mut ServiceRequest) -> Answer<Self> {
        let (algorithm, checksum) = declared_checksum(&request.headers)?.unzip();
        let mut expected = Expected { checksum: checksum.flatten(), ..Expected::default() };
        if let Some(text) = request.header("content-md5") {
            let md5 = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
            expected.md5 = Some(
                md5.ok_or_else(|| Fault::new(StatusCode::BAD_REQUEST, "InvalidDigest", "The Content-MD5 you specified is not valid."))?,
            );
        }
        let size = |name: &str| -> Answer<Option<u64>> {
            let text = request.header(name);
            text.map(|text| text.trim().parse().map_err(|_| invalid_argument(format!("{name} is not a number of bytes")))).transpose()
        };
        let chunks = match &request.signed_payload {
            SignedPayload::UnsignedChunks => Some(ChunkDecoder::new(None)),
            SignedPayload::SignedChunks(signatures) => Some(ChunkDecoder::new(Some(signatures.clone()))),
            SignedPayload::Hash(hash) => {
                expected.signed_sha256 = Some(*hash);
                None
            }
            SignedPayload::Unsigned => None,
        };
        expected.size = if chunks.is_some() { size("x-amz-decoded-content-length")? } else { size("content-length")? };
        let is_signed = expected.signed_sha256.is_some();
        Ok(Self { body: request.take_body(), chunks, pause: state.settings.body_time, algorithm, is_signed, expected })
    }

    /// The next bytes of the object; none at the end.
    async fn next(&mut self) -> Answer<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        while bytes.len() < PIECE {
            let frame = tokio::time::timeout(self.pause, self.body.frame()).await;
            let frame = frame.map_err(|_| {
                let message = "Your socket connection to the server was not read from or written to within the timeout period.";
                Fault::new(StatusCode::BAD_REQUEST, "RequestTimeout", message)
            })?;
            let Some(frame) = frame else { break };
            let frame =
                frame.map_err(|_| Fault::new(StatusCode::BAD_REQUEST, "IncompleteBody", "The request body terminated unexpectedly"))?;
            let Ok(data) = frame.into_data() else { continue };
            match &mut self.chunks {
                None => bytes.extend_from_slice(&data),
                Some(chunks) => chunks.decode(&data, |data| bytes.extend_from_slice(data)).map_err(malformed)?,
            }
        }
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    /// What the bytes have to be, once all came; a trailer may tell the checksum.
    fn finish(self) -> Answer<Expected> {
        let mut expected = self.expected;
        let trailers = self.chunks.map(ChunkDecoder::finish).transpose().map_err(malformed)?.unwrap_or_default();
        if let Some(algorithm) = self.algorithm
            && let Some((_, value)) = trailers.into_iter().find(|(name, _)| name == algorithm.header())
        {
            expected.checksum = Some(value);
        }
        Ok(expected)
    }

    /// Writes the body; returns what it has to be.
    pub(super) async fn write_to(mut self, mut writer: ObjectWriter) -> Answer<(ObjectWriter, Expected)> {
        while let Some(bytes) = self.next().await? {
            writer = blocking(move || {
                writer.write(&bytes)?;
                Ok(writer)
            })
            .await?;
        }
        Ok((writer, self.finish()?))
    }

    /// Reads the body as a whole.
    ///
    /// # Errors
    /// `MalformedXML` if it is too long, and what the comparison finds.
    pub(super) async fn document(mut self) -> Answer<Vec<u8>> {
        let mut document = Vec::new();
        while let Some(bytes) = self.next().await? {
            document.extend(bytes);
            if document.len() > LONGEST_DOCUMENT {
                return Err(Fault::new(StatusCode::BAD_REQUEST, "MaxMessageLengthExceeded", "Your request was too large."));
            }
        }
        let algorithm = self.algorithm;
        let expected = self.finish()?;
        let digest = |message: &str| Fault::new(StatusCode::BAD_REQUEST, "BadDigest", message.to_owned());
        if expected.signed_sha256.is_some_and(|hash| Sha256::digest(&document)[..] != hash) {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            return Err(Fault::new(StatusCode::BAD_REQUEST, "XAmzContentSHA256Mismatch", message));
        }
        if expected.md5.is_some_and(|md5| Md5::digest(&document)[..] != md5) {
            return Err(digest("The Content-MD5 you specified did not match what we received."));
        }
        if let (Some(algorithm), Some(checksum)) = (algorithm, expected.checksum) {
            let mut summer = Checksummer::new(algorithm);
            summer.update(&document);
            if summer.checksum().value != checksum {
                return Err(digest("The checksum you specified did not match what we received."));
            }
        }
        Ok(document)
    }
}

fn malformed(fault: ChunkFault) -> Fault {
    match fault {
        ChunkFault::Malformed(why) => {
            Fault::new(StatusCode::BAD_REQUEST, "InvalidRequest", format!("The aws-chunked body can't be read: {why}."))
        }
        ChunkFault::Signature => {
            Fault::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", "A piece of the body is not the one that was signed.")
        }
    }
}
