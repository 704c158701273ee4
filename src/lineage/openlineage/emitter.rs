//! Sending events: a bounded queue, one thread, a file or an HTTP endpoint.
//!
//! The store never waits for it and never fails by it: an event that finds the queue full is dropped and counted, one that can't be
//! delivered is counted and told in the log, once. The thread starts with the first event; at the end the queue gets a moment to
//! empty, after which the process goes without it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::event::Event;
use crate::model::{Error, Result};

/// Events that wait at most.
const QUEUE: usize = 256;
/// How long an endpoint may take over one event.
const REQUEST: Duration = Duration::from_secs(5);
/// How long it may take to be reached.
const CONNECT: Duration = Duration::from_secs(2);

/// Where events go.
#[derive(Clone, PartialEq, Eq)]
pub enum Transport {
    /// Nowhere.
    None,
    /// A file that grows by a line an event.
    File(PathBuf),
    /// An endpoint that takes events by POST.
    Http {
        /// Its whole URL.
        url: url::Url,
        /// Sent as a bearer token.
        api_key: Option<String>,
    },
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            // The key is a secret.
            Self::Http { url, .. } => f.debug_tuple("Http").field(&url.as_str()).finish_non_exhaustive(),
        }
    }
}

impl Transport {
    /// The transport for a URL: `http(s)://host` with the endpoint's path, `file:///path`, or a plain absolute path.
    pub fn parse(url: &str, endpoint: &str, api_key: Option<&str>) -> Result<Self> {
        if url.starts_with('/') {
            return Ok(Self::File(url.into()));
        }
        let refuse = |why: String| {
            Error::usage(format!("'{}' is no place for lineage events", url.escape_debug()))
                .why(why)
                .remedy("write http://HOST:PORT, https://HOST or file:///PATH")
        };
        let mut parsed = url::Url::parse(url).map_err(|error| refuse(error.to_string()))?;
        match parsed.scheme() {
            "file" => Ok(Self::File(parsed.to_file_path().map_err(|()| refuse("it names no file of this machine".to_owned()))?)),
            "http" | "https" => {
                let path = format!("{}/{}", parsed.path().trim_end_matches('/'), endpoint.trim_start_matches('/'));
                parsed.set_path(&path);
                Ok(Self::Http { url: parsed, api_key: api_key.map(str::to_owned) })
            }
            other => Err(refuse(format!("{other} is not known"))),
        }
    }
}

/// What became of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EmitterReport {
    /// Delivered.
    pub sent: u64,
    /// Refused by the other side, or undeliverable.
    pub failed: u64,
    /// Dropped because too many waited.
    pub dropped: u64,
}

/// Sends events.
#[derive(Debug)]
pub struct Emitter {
    transport: Transport,
    queue: Mutex<Option<SyncSender<String>>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    has_told: AtomicBool,
    /// True once the thread has ended.
    ended: Mutex<bool>,
    end: Condvar,
}

impl Emitter {
    /// An emitter that has not started yet.
    pub fn new(transport: Transport) -> Self {
        Self { transport, queue: Mutex::default(), counts: Arc::default() }
    }

    /// True if events go anywhere: without it nobody need make them.
    pub fn is_on(&self) -> bool {
        self.transport != Transport::None
    }

    /// Queues an event; never waits, never fails.
    pub fn emit(&self, event: &Event) {
        if !self.is_on() {
            return;
        }
        let Ok(text) = serde_json::to_string(event) else { return };
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_none() {
            *queue = self.start();
        }
        let undelivered = match queue.as_ref().map(|queue| queue.try_send(text)) {
            Some(Ok(())) => return,
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => 1,
        };
        self.counts.dropped.fetch_add(undelivered, Ordering::Relaxed);
    }

    /// Lets the queue empty, for so long at most, and tells what became of all events. Later events are dropped.
    pub fn close(&self, patience: Duration) -> EmitterReport {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        if queue.is_some() {
            drop(queue);
            let deadline = Instant::now() + patience;
            let mut ended = self.counts.ended.lock().unwrap_or_else(PoisonError::into_inner);
            while !*ended {
                let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else { break };
                ended = self.counts.end.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            if !*ended {
                tracing::warn!("lineage events were still waiting at the end and are lost");
            }
        }
        let report = self.report();
        if report.dropped > 0 {
            tracing::warn!(dropped = report.dropped, "lineage events were dropped: too many waited");
        }
        report
    }

    /// What became of events so far.
    pub fn report(&self) -> EmitterReport {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        EmitterReport { sent: read(&self.counts.sent), failed: read(&self.counts.failed), dropped: read(&self.counts.dropped) }
    }

    fn start(&self) -> Option<SyncSender<String>> {
        let (sender, receiver) = sync_channel(QUEUE);
        let (transport, counts) = (self.transport.clone(), self.counts.clone());
        *counts.ended.lock().unwrap_or_else(PoisonError::into_inner) = false;
        let work = move || {
            match transport {
                Transport::None => {}
                Transport::File(path) => deliver(&receiver, &counts, |text| append(&path, text)),
                Transport::Http { url, api_key } => over_http(&receiver, &counts, &url, api_key.as_deref()),
            }
            *counts.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
            counts.end.notify_all();
        };
        std::thread::Builder::new().name("openlineage".to_owned()).spawn(work).ok().map(|_| sender)
    }
}

fn deliver(receiver: &Receiver<String>, counts: &Counts, mut send: impl FnMut(&str) -> std::result::Result<(), String>) {
    while let Ok(text) = receiver.recv() {
        match send(&text) {
            Ok(()) => {
                counts.sent.fetch_add(1, Ordering::Relaxed);
            }
            Err(why) => {
                counts.failed.fetch_add(1, Ordering::Relaxed);
                if !counts.has_told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(why, "a lineage event could not be delivered; further ones are only counted");
                }
            }
        }
    }
}

/// One write a line: processes that share a file do not tear each other's.
fn append(path: &PathBuf, text: &str) -> std::result::Result<(), String> {
    let open = || std::fs::OpenOptions::new().create(true).append(true).open(path);
    let mut file = open()
        .or_else(|error| match (error.kind(), path.parent()) {
            (std::io::ErrorKind::NotFound, Some(folder)) => std::fs::create_dir_all(folder).and_then(|()| open()),
            _ => Err(error),
        })
        .map_err(|error| error.to_string())?;
    file.write_all(format!("{text}\n").as_bytes()).map_err(|error| error.to_string())
}

fn over_http(receiver: &Receiver<String>, counts: &Counts, url: &url::Url, api_key: Option<&str>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string());
    let client = reqwest::Client::builder().timeout(REQUEST).connect_timeout(CONNECT).build().map_err(|error| error.to_string());
    deliver(receiver, counts, |text| {
        let (runtime, client) = (runtime.as_ref().map_err(String::clone)?, client.as_ref().map_err(String::clone)?);
        let mut request = client.post(url.clone()).header("content-type", "application/json").body(text.to_owned());
        if let Some(key) = api_key {
            request = request.bearer_auth(key);
        }
        // Made inside the runtime: its timeouts need one that runs.
        let response = runtime.block_on(async { request.send().await }).map_err(|error| error.without_url().to_string())?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("{} answered {status}", url.host_str().unwrap_or_default())),
        }
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_url_says_which_transport() {
        let parse = |url| Transport::parse(url, "api/v1/lineage", Some("secret"));
        assert_eq!(parse("/var/log/events.ndjson").unwrap(), Transport::File("/var/log/events.ndjson".into()));
        assert_eq!(parse("file:///var/a%20b.ndjson").unwrap(), Transport::File("/var/a b.ndjson".into()));
        for (url, whole) in
            [("http://marquez:5000", "http://marquez:5000/api/v1/lineage"), ("https://host/base/", "https://host/base/api/v1/lineage")]
        {
            let Transport::Http { url, .. } = parse(url).unwrap() else { unreachable!() };
            assert_eq!(url.as_str(), whole);
        }
        let shown = format!("{:?}", parse("http://marquez:5000").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
        for bad in ["kafka://host", "marquez:5000", "relative/path"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
