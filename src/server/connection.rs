//! Connections: accepting, limits, TLS, and a stop that waits for what is under way.
//!
//! A connection that idles longer than allowed is closed, whether it sent half a head or nothing: hyper's timer for
//! heads runs from the moment it waits for one. When all permits are out, connections wait in the kernel.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::respond::respond;
use super::service::ServerState;
use super::settings::ServeSettings;
use crate::model::{Error, Result};

/// How long accepting rests when the system has no more of what it needs, such as file handles.
const REST: Duration = Duration::from_millis(50);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Accepts connections until told to stop; returns when all have ended, or after the time that a stop may take.
pub(super) async fn accept(state: &Arc<ServerState>, listener: &TcpListener, tls: Option<&TlsAcceptor>, stop: &mut watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(state.settings.max_connections));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let permit = permits.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        // Answers are whole: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        // A watcher of its own: whoever idles hears of a stop, and only what is on its way is waited for.
        let (state, tls, watcher) = (state.clone(), tls.cloned(), graceful.watcher());
        tokio::spawn(async move {
            let _permit = permit;
            state.metrics.opened();
            serve(&state, stream, tls, watcher).await;
            state.metrics.closed();
        });
    }
    let _ = tokio::time::timeout(state.settings.stop_time, graceful.shutdown()).await;
}

async fn serve(state: &Arc<ServerState>, stream: TcpStream, tls: Option<TlsAcceptor>, watcher: Watcher) {
    match tls {
        None => talk(state, stream, watcher).await,
        // Boxed, because the task of every connection has the size of the largest branch, and most connections idle.
        Some(tls) => Box::pin(serve_securely(state, stream, tls, watcher)).await,
    }
}

async fn serve_securely(state: &Arc<ServerState>, stream: TcpStream, tls: TlsAcceptor, watcher: Watcher) {
    match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => talk(state, stream, watcher).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(state: &Arc<ServerState>, stream: S, watcher: Watcher) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let state = state.clone();
        async move { Ok::<_, std::convert::Infallible>(respond(&state, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(state.settings.idle)
        .max_buf_size(ServeSettings::MAX_HEAD)
        .max_headers(ServeSettings::MAX_HEADERS)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Raises the number of files the process may open as far as it may: every connection is one.
pub(super) fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        // Where it can't be raised, accepting rests whenever it is reached.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// A TLS acceptor from a certificate chain and a private key in PEM.
pub(super) fn tls_acceptor(chain: &Path, key: &Path) -> Result<TlsAcceptor> {
    let unreadable = |path: &Path, error: String| {
        Error::usage(format!("can't read {}", path.display())).why(error).remedy("give a file in PEM: serve.tls_certificate, serve.tls_key")
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| unreadable(chain, error.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error.to_string()))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("TLS can't be set up").source(error))?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(|error| {
            Error::usage("certificate and key don't fit").source(error).remedy("check serve.tls_certificate and serve.tls_key")
        })?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_task<Task: Future>(_: impl FnOnce(&'static Arc<ServerState>, TcpStream, Watcher) -> Task) -> usize {
        size_of::<Task>()
    }

    #[test]
    fn a_connection_that_idles_is_small() {
        let size = size_of_task(|state, stream, watcher| serve(state, stream, None, watcher));
        assert!(size <= 4_096, "{size} bytes a connection");
    }
}
