//! Sends writes that are durable here and not known to be in Redis, until none is left.
//!
//! A thread does it beside everything else, from the moment a process opens a folder where something waits or leaves something waiting
//! itself. Two processes may replay the same entries: the script answers both the same, and the one that settles second finds nothing.
//! A replayed write is not given a newer arrival for being behind: its caller may have read an answer long ago.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use super::Inner;
use super::writes::{Attempt, Decision};
use crate::backend::online::lmdb::waiting::{Settlement, Waiting};
use crate::model::{EventTime, Result};

/// Entries of one pipeline.
const PORTION: usize = 1_024;
/// How long the thread waits before it looks again, after a look that left something.
const PAUSE: Duration = Duration::from_millis(250);

/// The thread, as others see it.
#[derive(Default)]
pub(super) struct State {
    runs: bool,
    stops: bool,
    inner: Option<Weak<Inner>>,
}

/// Lets [`start_soon`] find the whole.
pub(super) fn prepare(inner: &Arc<Inner>) {
    inner.replaying.lock().unwrap_or_else(PoisonError::into_inner).inner = Some(Arc::downgrade(inner));
}

/// Starts the thread, unless it runs.
pub(super) fn start(inner: &Arc<Inner>) {
    let mut state = inner.replaying.lock().unwrap_or_else(PoisonError::into_inner);
    if state.runs || state.stops {
        return;
    }
    let weak = Arc::downgrade(inner);
    let started = std::thread::Builder::new().name("larder-replay".into()).spawn(move || run(&weak));
    match started {
        Ok(_) => state.runs = true,
        Err(error) => tracing::warn!(%error, "what waits for Redis is not sent now: no thread could be started"),
    }
}

/// The same from within.
pub(super) fn start_soon(inner: &Inner) {
    let own = inner.replaying.lock().unwrap_or_else(PoisonError::into_inner).inner.as_ref().and_then(Weak::upgrade);
    if let Some(own) = own {
        start(&own);
    }
}

/// Lets the thread end at its next pause.
pub(super) fn stop(inner: &Inner) {
    inner.replaying.lock().unwrap_or_else(PoisonError::into_inner).stops = true;
    inner.woken.notify_all();
}

fn run(weak: &Weak<Inner>) {
    while let Some(inner) = weak.upgrade() {
        if let Err(error) = once(&inner) {
            tracing::warn!(%error, "what waits for Redis could not be sent");
        }
        let mut state = inner.replaying.lock().unwrap_or_else(PoisonError::into_inner);
        let is_left = inner.journal.waiting_count().is_ok_and(|waiting| waiting > 0);
        if state.stops || !is_left {
            state.runs = false;
            return;
        }
        state = inner.woken.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner).0;
        drop(state);
    }
}

/// Sends everything that waits and that no caller of this process is waiting for; stops where Redis does not answer.
pub(super) fn once(inner: &Inner) -> Result<()> {
    let mut last: Option<Waiting> = None;
    loop {
        let portion = inner.journal.waiting(last.as_ref(), PORTION)?;
        let Some(end) = portion.last().cloned() else { return Ok(()) };
        last = Some(end);
        let entries: Vec<Waiting> = portion.into_iter().filter(|entry| !inner.is_in_flight(entry.arrival)).collect();
        if entries.is_empty() {
            continue;
        }
        let mut settled = Vec::with_capacity(entries.len());
        let mut tied = Vec::new();
        let mut is_away = false;
        for (entry, decision) in entries.iter().zip(inner.ask_writes(entries.iter(), Attempt::Again)?) {
            match decision {
                Decision::Applied | Decision::Late | Decision::Behind(_) => settled.push((entry.arrival, Settlement::Confirm)),
                Decision::Overtaken | Decision::Refused(_) => settled.push((entry.arrival, Settlement::Cancel)),
                Decision::Tied(arrival) => tied.push((entry.arrival, arrival)),
                Decision::Failed(_) => is_away = true,
            }
        }
        inner.journal.settle(&settled)?;
        // They come again in a later portion, under their new arrivals.
        if !tied.is_empty() {
            inner.journal.restamp(&tied, EventTime::MIN)?;
        }
        if is_away {
            return Ok(());
        }
    }
}
