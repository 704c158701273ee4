//! What a cluster says when it fails, in our words.

use crate::model::{Error, ErrorKind};

/// The scheduler can't be reached or refuses.
pub(super) fn unreachable(scheduler: std::net::SocketAddr, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the cluster at {scheduler} does not answer"))
        .why(one_line(&error.to_string()))
        .remedy("start one with `larder cluster scheduler`, or leave --cluster out")
}

/// A job failed on the workers.
pub(super) fn failed(text: &str) -> Error {
    Error::new(ErrorKind::Io, "the cluster can't answer").why(one_line(text))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
