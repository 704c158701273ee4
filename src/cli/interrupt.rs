//! Ctrl-C and SIGTERM during long work.
//!
//! Quick verbs leave signals to the system: what they wrote is durable or not there, so dying at once is right. Long verbs watch for
//! them, stop at a safe place, remove what is half-written and then answer 130 or 143 themselves. A second signal means "now": the
//! process ends where it stands, which the store survives as it survives `kill -9`.

use std::future::Future;
#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};

use super::exit::{Exit, Failure, SIGNAL_INTERRUPT};

/// Ctrl-C and SIGTERM, heard from the moment this is made.
///
/// It is made before the work is first polled: a handler that waits for its own first poll comes too late for work that does
/// much in its first step, and the system's default would end the process with half a file on disk.
struct Signals {
    #[cfg(unix)]
    heard: Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>,
    /// One that came while the listeners were made.
    #[cfg(unix)]
    early: Option<u8>,
}

/// How long a listener may take to tell of a signal that was noticed otherwise.
#[cfg(unix)]
const ECHO: std::time::Duration = std::time::Duration::from_millis(50);

impl Signals {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // The runtime first replaces the system's handler and then begins to listen: what arrives in between only the flags tell of.
        let flags = [(SignalKind::interrupt(), SIGNAL_INTERRUPT), (SignalKind::terminate(), super::exit::SIGNAL_TERMINATE)].map(
            |(kind, number)| {
                let is_set = Arc::new(AtomicBool::new(false));
                let registered = signal_hook::flag::register(kind.as_raw_value(), is_set.clone());
                (is_set, registered, number)
            },
        );
        // Without handlers the system's own default ends the process, which is what was asked for.
        let heard = signal(SignalKind::interrupt()).ok().zip(signal(SignalKind::terminate()).ok());
        let mut early = None;
        for (is_set, registered, number) in flags {
            if let Ok(registered) = registered {
                signal_hook::low_level::unregister(registered);
            }
            if is_set.load(Ordering::Acquire) {
                early = early.or(Some(number));
            }
        }
        Self { heard, early }
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    /// Waits for the next of them and returns its number.
    #[cfg(unix)]
    async fn next(&mut self) -> u8 {
        let Some((interrupt, terminate)) = &mut self.heard else { return std::future::pending().await };
        if let Some(number) = self.early.take() {
            // A listener that heard it too must not take it for the second.
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = tokio::time::sleep(ECHO) => {}
            }
            return number;
        }
        tokio::select! {
            _ = interrupt.recv() => SIGNAL_INTERRUPT,
            _ = terminate.recv() => super::exit::SIGNAL_TERMINATE,
        }
    }

    /// Waits for the next of them and returns its number.
    #[cfg(not(unix))]
    async fn next(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => SIGNAL_INTERRUPT,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Runs work until it ends or a signal arrives; the work is dropped where it stands.
pub(crate) async fn until_signal<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut signals = Signals::listen();
    tokio::select! {
        done = work => done,
        number = signals.next() => Err(Failure::Signal(number)),
    }
}

/// Runs work that can stop by itself: the first signal calls `stop` and waits for the work to end, the second ends the process.
///
/// Where `stop` says that nothing has begun, there is nothing to wait for and the work is dropped.
pub(crate) async fn stopping_on_signal<T>(work: impl Future<Output = T>, stop: impl FnOnce() -> Begun) -> Stopped<T> {
    let mut signals = Signals::listen();
    tokio::pin!(work);
    let number = tokio::select! {
        done = &mut work => return Stopped::No(done),
        number = signals.next() => number,
    };
    if stop() == Begun::No {
        return Stopped::Before(number);
    }
    tokio::select! {
        done = &mut work => Stopped::Amid(done, number),
        again = signals.next() => std::process::exit(i32::from(Exit::Signal(again).code())),
    }
}

/// Whether work that is to stop has done anything yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It has: it must come to a safe place.
    Yes,
    /// It has not.
    No,
}

/// How work ended that a signal may have stopped.
#[derive(Debug)]
pub(crate) enum Stopped<T> {
    /// By itself.
    No(T),
    /// Before it had begun, by this signal.
    Before(u8),
    /// At a safe place after this signal, or because it was done anyway.
    Amid(T, u8),
}
