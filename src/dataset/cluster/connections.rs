//! Connections from worker to worker, kept for the next rows: a question with many parts fetches from every worker many times.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ballista_core::client::BallistaClient;
use ballista_core::client_pool::{BallistaClientPool, PooledClient};
use ballista_core::error::Result as ClusterResult;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::utils::GrpcClientConfig;

/// How long a connection is kept that nothing is fetched over.
const IDLE: Duration = Duration::from_secs(30);

/// Connections that wait to be used, by where they lead, and since when.
type Waiting = HashMap<(String, u16), Vec<(BallistaClient, Instant)>>;

/// Connections that are not used now.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Waiting>>);

impl Connections {
    fn with<T>(&self, act: impl FnOnce(&mut Waiting) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn forget_idle(&self) {
        self.with(|waiting| {
            waiting.retain(|_, clients| {
                clients.retain(|(_, since)| since.elapsed() < IDLE);
                !clients.is_empty()
            });
        });
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("places", &self.with(|waiting| waiting.len())).finish()
    }
}

#[async_trait]
impl BallistaClientPool for Connections {
    async fn acquire(
        &self,
        host: &str,
        port: u16,
        config: &GrpcClientConfig,
        customize: Option<Arc<BallistaConfigGrpcEndpoint>>,
    ) -> ClusterResult<PooledClient> {
        self.forget_idle();
        let place = (host.to_owned(), port);
        let client = match self.with(|waiting| waiting.get_mut(&place)?.pop()) {
            Some((client, _)) => client,
            None => {
                BallistaClient::try_new(
                    host,
                    port,
                    config.max_message_size,
                    config.use_tls,
                    customize,
                    config.io_retries_times,
                    config.io_retry_wait_time_ms,
                    config.initial_connection_window_size,
                    config.initial_stream_window_size,
                )
                .await?
            }
        };
        let kept = self.clone();
        let put_back = move |client| kept.with(|waiting| waiting.entry(place).or_default().push((client, Instant::now())));
        Ok(PooledClient::new(client, Box::new(put_back)))
    }

    async fn evict_idle(&self) {
        self.forget_idle();
    }
}
