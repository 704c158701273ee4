//! How far a run is, for whoever shows it: which sources are being read, and how many groups of each; and what happens, as it happens.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::run_report::{Change, SourceReport};

/// Something that happened in a run.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum SyncEvent {
    /// A source is being read.
    Reading {
        /// Its name.
        source: String,
        /// What of it, in words.
        what: String,
    },
    /// A change was written, or would be.
    Change(Change),
    /// A source is done with.
    Source(SourceReport),
}

/// A run that somebody watches.
#[derive(Debug, Default)]
pub struct SyncWatch {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Who hears of events.
    listener: Option<UnboundedSender<SyncEvent>>,
    /// Sources that are being read, and what is known of each.
    reading: Vec<(String, String)>,
    done: u64,
    total: u64,
}

impl SyncWatch {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn begins(&self, sources: usize) {
        self.with(|state| *state = State { total: sources as u64, listener: state.listener.take(), ..State::default() });
    }

    /// What will happen, until the run ends.
    pub fn events(&self) -> UnboundedReceiver<SyncEvent> {
        let (sender, receiver) = unbounded_channel();
        self.with(|state| state.listener = Some(sender));
        receiver
    }

    pub(super) fn tells(&self, event: impl FnOnce() -> SyncEvent) {
        let listener = self.with(|state| state.listener.clone());
        if let Some(listener) = listener {
            // Who does not listen any more has seen enough.
            let _ = listener.send(event());
        }
    }

    pub(super) fn ends(&self) {
        self.with(|state| state.listener = None);
    }

    pub(super) fn reads(&self, source: &str, what: &str) {
        self.tells(|| SyncEvent::Reading { source: source.to_owned(), what: what.to_owned() });
        self.with(|state| match state.reading.iter_mut().find(|(name, _)| name == source) {
            Some((_, known)) => what.clone_into(known),
            None => state.reading.push((source.to_owned(), what.to_owned())),
        });
    }

    pub(super) fn has_read(&self, source: &str) {
        self.with(|state| {
            state.reading.retain(|(name, _)| name != source);
            state.done += 1;
        });
    }

    /// As [`Self::has_read`], for a source that has been counted.
    pub(super) fn reads_no_more(&self, source: &str) {
        self.with(|state| state.reading.retain(|(name, _)| name != source));
    }

    /// Sources that were read, and all there are.
    pub fn counts(&self) -> (u64, u64) {
        self.with(|state| (state.done, state.total))
    }

    /// What is being read, as `prod: 40 of 1000 groups to read, git: listing`.
    pub fn to_line(&self) -> String {
        self.with(|state| state.reading.iter().map(|(name, what)| format!("{name}: {what}")).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sources_are_told_while_they_are_read() {
        let watch = SyncWatch::default();
        watch.begins(2);
        watch.reads("prod", "listing");
        watch.reads("git", "listing");
        watch.reads("prod", "4 of 9 groups to read");
        assert_eq!(watch.to_line(), "prod: 4 of 9 groups to read, git: listing");
        watch.has_read("git");
        assert_eq!((watch.to_line().as_str(), watch.counts()), ("prod: 4 of 9 groups to read", (1, 2)));
    }

    #[test]
    fn whoever_listens_hears_what_happens_until_the_end() {
        let watch = SyncWatch::default();
        let mut events = watch.events();
        watch.begins(1);
        watch.reads("prod", "listing");
        watch.ends();
        watch.reads("prod", "unheard");
        let heard = std::iter::from_fn(|| events.blocking_recv()).map(|event| serde_json::to_string(&event).unwrap());
        assert_eq!(heard.collect::<Vec<_>>(), [r#"{"event":"reading","source":"prod","what":"listing"}"#]);
    }
}
