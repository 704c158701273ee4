//! How far a run is, for whoever shows it: which sources are being read, and how many groups of each.

use std::sync::{Mutex, PoisonError};

/// A run that somebody watches.
#[derive(Debug, Default)]
pub struct SyncWatch {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
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
        self.with(|state| *state = State { total: sources as u64, ..State::default() });
    }

    pub(super) fn reads(&self, source: &str, what: &str) {
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
}
