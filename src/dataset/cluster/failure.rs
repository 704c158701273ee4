//! What a cluster says when it fails, in our words.
//!
//! Errors of workers come as text that the scheduler puts into sentences of its own, quoted once or twice on the way. So one of
//! ours travels sealed: its kind and its words as plain digits, found again wherever they stand.

use std::fmt::{Display, Write};
use std::net::SocketAddr;

use datafusion::error::DataFusionError;

use crate::model::{Error, ErrorKind};

/// What stands before the digits and after them.
const OPENING: &str = "larder-error:";
const CLOSING: char = ';';
/// Kinds that an answer can fail with, each sent as its place here; what is none of them is a matter of input and output.
const KINDS: [ErrorKind; 9] = [
    ErrorKind::Io,
    ErrorKind::Usage,
    ErrorKind::Invalid,
    ErrorKind::NotFound,
    ErrorKind::Full,
    ErrorKind::Corrupt,
    ErrorKind::Unavailable,
    ErrorKind::Internal,
    ErrorKind::Conflict,
];

/// An error as digits.
pub(super) fn sealed(error: &Error) -> String {
    let kind = KINDS.iter().position(|kind| *kind == error.kind()).unwrap_or_default();
    let mut text = format!("{OPENING}{kind:02x}");
    for byte in error.to_string().bytes() {
        // Writing to a text can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push(CLOSING);
    text
}

/// The sealed error in a text, if there is one.
fn unsealed(text: &str) -> Option<Error> {
    let (_, rest) = text.split_once(OPENING)?;
    let (digits, _) = rest.split_once(CLOSING)?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes = digits.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
    let (kind, words) = bytes.split_first()?;
    let kind = KINDS.get(usize::from(*kind)).copied().unwrap_or(ErrorKind::Io);
    Some(Error::new(kind, String::from_utf8(words.to_vec()).ok()?))
}

/// Wraps an error of ours for its way through engine and cluster.
pub(super) fn into_cluster(error: &Error) -> DataFusionError {
    DataFusionError::Execution(sealed(error))
}

/// The scheduler can't be reached or refuses.
pub(super) fn unreachable(scheduler: SocketAddr, error: impl Display) -> Error {
    let text = error.to_string();
    unsealed(&text).unwrap_or_else(|| {
        Error::new(ErrorKind::Unavailable, format!("the cluster at {scheduler} does not answer"))
            .why(one_line(&text))
            .remedy("start one with `larder cluster scheduler`, or leave --cluster out")
    })
}

/// Rows were on a worker that is gone: the same job may succeed on the others.
pub(super) fn lost(error: &dyn Display) -> Error {
    Error::new(ErrorKind::Conflict, "a worker went away with rows of the answer").why(one_line(&error.to_string())).remedy("ask again")
}

/// A job failed on the workers.
pub(super) fn failed(text: &str) -> Error {
    unsealed(text).unwrap_or_else(|| Error::new(ErrorKind::Io, "the cluster can't answer").why(one_line(text)))
}

/// What lies at the bottom of an error of the transport, which itself says hardly more than that it is one.
pub(super) fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_error_is_found_in_whatever_it_was_put_into() {
        let error = Error::not_found("no 'ä\"\n' here").why("it's gone").remedy("ask again");
        let text = format!("Job failed due to stage 1 failed: {:?}", Err::<(), _>(into_cluster(&error)));
        let back = failed(&format!("{text:?}"));
        assert_eq!((back.kind(), back.to_string()), (ErrorKind::NotFound, error.to_string()));
    }

    #[test]
    fn what_is_not_ours_is_told_in_one_line() {
        let error = failed("stage 2\n failed");
        assert_eq!(error.to_string(), "the cluster can't answer (stage 2 failed)");
        assert_eq!(failed("larder-error:zz;").kind(), ErrorKind::Io);
    }
}
