//! The server: Amazon SageMaker Feature Store's wire API over one store, and what its SDK needs around it.
//!
//! One port. A request is routed ([`route`]), its signature checked ([`signature`]), handed to a service and its answer
//! counted ([`metrics`]); a service translates between its protocol and [`FeatureStore`], and holds no rule. Everything
//! that a client controls is bounded: the head and the body of a request, their time, connections, labels.
//!
//! Stopping is graceful: no new connections, requests on their way are answered, the store is closed.

pub mod access;
mod athena;
mod connection;
mod constraints;
mod glue;
mod iam;
pub mod metrics;
mod page_token;
mod pages;
mod respond;
mod route;
mod runtime;
mod s3;
mod sagemaker;
pub mod service;
pub mod settings;
pub mod signature;
mod sts;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

pub use service::ServerState;
pub use settings::ServeSettings;

use crate::model::{Error, Result};
use crate::store::FeatureStore;
use metrics::Metrics;
use signature::Keyring;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;
/// How often records that waited long enough are drained.
const UPKEEP: Duration = Duration::from_secs(15);

/// A server that listens and does not answer yet.
pub struct Server {
    state: Arc<ServerState>,
    listener: TcpListener,
    tls: Option<tokio_rustls::TlsAcceptor>,
    stop: watch::Sender<bool>,
}

/// Tells a server to stop.
#[derive(Clone)]
pub struct StopHandle {
    stop: watch::Sender<bool>,
}

impl StopHandle {
    /// Lets the server stop once the requests on their way are answered.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Server {
    /// Listens; port 0 takes any free one.
    ///
    /// # Errors
    /// `Usage` for an address that other machines reach, without keys; `Io` for one that is taken; whatever is wrong
    /// with the certificate.
    pub async fn bind(store: FeatureStore, settings: ServeSettings) -> Result<Self> {
        if !settings.bind.ip().is_loopback() && settings.keys.is_empty() && !settings.without_keys {
            return Err(Error::usage(format!("other machines would reach {} without a key", settings.bind))
                .remedy("set serve.keys, listen on 127.0.0.1, or say --insecure-no-auth"));
        }
        connection::raise_file_limit();
        let tls = settings.tls.as_ref().map(|(chain, key)| connection::tls_acceptor(chain, key)).transpose()?;
        let listener = listen(settings.bind)?;
        let state = ServerState {
            keys: Keyring::new(&settings.keys),
            region: store.settings().region.as_str().into(),
            store,
            settings,
            metrics: Metrics::default(),
            stopping: AtomicBool::new(false),
        };
        Ok(Self { state: Arc::new(state), listener, tls, stop: watch::Sender::new(false) })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|error| Error::io("the server has no address", error))
    }

    /// True if it speaks TLS.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Lets others stop it.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle { stop: self.stop.clone() }
    }

    /// Answers until it is told to stop, then finishes what it began.
    pub async fn run(self) -> Result<()> {
        let state = self.state.clone();
        let mut stopped = self.stop.subscribe();
        let mut stopping = self.stop.subscribe();
        let upkeep = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    _ = stopping.wait_for(|stop| *stop) => return,
                }
                if let Err(error) = state.store.drain_due().await {
                    tracing::warn!(%error, "records that wait could not be drained");
                }
            }
        });
        connection::accept(&self.state, &self.listener, self.tls.as_ref(), &mut stopped).await;
        self.state.stopping.store(true, Ordering::Relaxed);
        upkeep.await.map_err(|error| Error::internal("the upkeep of the server failed").source(error))
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let fault = |error: std::io::Error| {
        let taken = error.kind() == std::io::ErrorKind::AddrInUse;
        let error = Error::io(format!("can't listen on {address}"), error);
        if taken { error.remedy("stop the other program, or choose another port with --bind") } else { error }
    };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(fault)?;
    // A server that starts again takes its port at once, though connections of its predecessor linger.
    socket.set_reuseaddr(true).map_err(fault)?;
    socket.bind(address).map_err(fault)?;
    socket.listen(BACKLOG).map_err(fault)
}
