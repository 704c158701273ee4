//! Which store a command works on, and how it is opened.
//!
//! `--store` comes before `LARDER_STORE`, which comes before the user's own folder. Only the verbs that begin a store make one: a typing
//! mistake in a path must not leave an empty store behind.

use std::path::PathBuf;

use crate::model::Result;
use crate::store::{FeatureStore, OpenOptions, default_path};

/// The store that was named on the command line, or none.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    folder: Option<PathBuf>,
    object_store: Option<String>,
}

impl Place {
    /// Takes what `--store` said.
    pub(crate) fn new(folder: Option<PathBuf>) -> Place {
        Place { folder, object_store: None }
    }

    /// Takes what `--object-store` said.
    pub(crate) fn with_object_store(self, object_store: Option<String>) -> Place {
        Place { object_store, ..self }
    }

    /// Returns what `--object-store` said.
    pub(crate) fn object_store(&self) -> Option<String> {
        self.object_store.clone()
    }

    /// Returns the folder.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let named = || std::env::var_os("LARDER_STORE").filter(|name| !name.is_empty()).map(PathBuf::from);
        self.folder.clone().or_else(named).map_or_else(default_path, Ok)
    }

    /// Returns how to call this program on the same store, for hints that are pasted.
    pub(crate) fn command(&self) -> String {
        match &self.folder {
            None => "larder".to_owned(),
            Some(folder) => format!("larder --store {}", shell_word(&folder.to_string_lossy())),
        }
    }

    /// Opens a store that is there.
    pub(crate) async fn open(&self) -> Result<FeatureStore> {
        FeatureStore::open(self.folder()?, OpenOptions { object_store: self.object_store(), ..OpenOptions::default() }).await
    }

    /// Opens a store for a worker of a cluster.
    pub(crate) async fn open_for_worker(&self) -> Result<FeatureStore> {
        FeatureStore::open_for_worker(&self.folder()?, self.object_store()).await
    }

    /// Opens a store, and makes it if it is not there.
    pub(crate) async fn open_or_make(&self) -> Result<FeatureStore> {
        FeatureStore::open(self.folder()?, OpenOptions { create: true, object_store: self.object_store(), ..OpenOptions::default() }).await
    }
}

/// Returns the present in microseconds since 1970, for ages.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// Returns a word as a shell reads it back.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "_-./:,@%+=~".contains(letter);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_can_be_pasted_into_a_shell() {
        assert_eq!(shell_word("data/trips.csv"), "data/trips.csv");
        assert_eq!(shell_word("my trips/*.csv"), "'my trips/*.csv'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
    }
}
