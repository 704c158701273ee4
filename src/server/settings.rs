//! How a server serves; the values come from the store's settings ([`crate::store::settings`]) and from flags.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::store::Settings;
use crate::store::settings::ServeKey;

/// How a server serves.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// Where it listens.
    pub bind: SocketAddr,
    /// Keys that may sign; empty for no check of signatures.
    pub keys: Vec<ServeKey>,
    /// True to serve other machines without keys.
    pub without_keys: bool,
    /// Most bytes of a body that is read as a whole. S3 streams and has no such limit.
    pub max_body: usize,
    /// Most connections at once; further ones wait to be accepted.
    pub max_connections: usize,
    /// How long a connection may idle, or take to send the head of a request.
    pub idle: Duration,
    /// How long a body may take, or of a stream its next piece.
    pub body_time: Duration,
    /// How long requests on their way may take once the server stops.
    pub stop_time: Duration,
    /// Certificate chain and private key in PEM; with them the server speaks TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
}

impl ServeSettings {
    /// Most bytes of a request's head.
    pub const MAX_HEAD: usize = 64 << 10;
    /// Most headers of a request.
    pub const MAX_HEADERS: usize = 100;

    /// What the store's settings say.
    pub fn of(settings: &Settings) -> Self {
        Self {
            bind: settings.serve_bind,
            keys: settings.serve_keys.clone(),
            without_keys: false,
            max_body: usize::try_from(settings.serve_max_body).unwrap_or(usize::MAX),
            max_connections: usize::try_from(settings.serve_max_connections).unwrap_or(usize::MAX >> 4),
            idle: Duration::from_secs(settings.serve_idle),
            body_time: Duration::from_secs(settings.serve_body_time),
            stop_time: Duration::from_secs(settings.serve_stop_time),
            tls: settings.serve_certificate.clone().zip(settings.serve_private_key.clone()),
        }
    }
}
