//! Files of records: what schema they suggest, and loading them.

use super::FeatureStore;
pub use crate::ingest::files::InferredSchema;
use crate::ingest::files::{infer_schema, resolve};
use crate::model::{Error, Result};

impl FeatureStore {
    /// The schema that files suggest for a group. Files are paths, globs or `-` for standard input.
    pub async fn infer_schema(&self, files: &[String], identifier: &str, event_time: &str, drop: &[String]) -> Result<InferredSchema> {
        let (files, identifier, event_time, drop) = (files.to_vec(), identifier.to_owned(), event_time.to_owned(), drop.to_vec());
        let inferred = tokio::task::spawn_blocking(move || infer_schema(&resolve(&files)?, &identifier, &event_time, &drop));
        inferred.await.map_err(|error| Error::internal("reading the files stopped").source(error))?
    }
}
