//! Files of records: what schema they suggest, and loading them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::FeatureStore;
use crate::backend::online::Targets;
pub use crate::ingest::files::InferredSchema;
use crate::ingest::files::{infer_schema, resolve};
use crate::ingest::load::{LoadContext, LoadRequest, PART_ROWS, load};
pub use crate::ingest::load::{LoadPhase, LoadProgress, LoadReport, OnError, OnProgress};
use crate::model::{Error, Result};

/// Which files to load, and how.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// Paths, globs, or `-` for standard input, in order: of two equal event times the later row wins.
    pub files: Vec<String>,
    /// Columns to leave out.
    pub drop: Vec<String>,
    /// Stores to write; none is all the group has.
    pub targets: Option<Targets>,
    /// What to do with a row that can't be stored.
    pub on_error: OnError,
    /// Where rows that were left out are written, as JSON lines.
    pub rejects: Option<PathBuf>,
}

impl FeatureStore {
    /// The schema that files suggest for a group. Files are paths, globs or `-` for standard input.
    pub async fn infer_schema(&self, files: &[String], identifier: &str, event_time: &str, drop: &[String]) -> Result<InferredSchema> {
        let (files, identifier, event_time, drop) = (files.to_vec(), identifier.to_owned(), event_time.to_owned(), drop.to_vec());
        let inferred = tokio::task::spawn_blocking(move || infer_schema(&resolve(&files)?, &identifier, &event_time, &drop));
        inferred.await.map_err(|error| Error::internal("reading the files stopped").source(error))?
    }

    /// Loads files into a group: all rows in one commit, or none. An interrupted load is taken up by the same call.
    pub async fn ingest(&self, group: &str, options: IngestOptions, progress: OnProgress, cancel: Arc<AtomicBool>) -> Result<LoadReport> {
        self.check_writable()?;
        let group = self.group(group).await?;
        let files = options.files;
        let inputs = tokio::task::spawn_blocking(move || resolve(&files));
        let inputs = inputs.await.map_err(|error| Error::internal("looking for the files stopped").source(error))??;
        let told = self.tell_load(&group, &inputs);
        let request = LoadRequest {
            group: group.clone(),
            inputs,
            drop: options.drop,
            targets: options.targets.unwrap_or(Targets::BOTH),
            on_error: options.on_error,
            rejects: options.rejects,
        };
        let inner = &self.inner;
        let (spool, quarantine) = (inner.folder.join("spool"), inner.folder.join("quarantine"));
        let context = LoadContext {
            catalog: &inner.catalog,
            online: &inner.online,
            offline: &inner.offline,
            spool: &spool,
            quarantine: &quarantine,
            clock: &inner.clock,
            part_rows: PART_ROWS,
        };
        let (loaded, captured) = match load(context, request, progress, cancel).await {
            Ok((report, captured)) => (Ok(report), Some(captured)),
            Err(error) => (Err(error), None),
        };
        self.note_load(&told, &group, &loaded).await;
        if group.keeps_history() {
            self.note_summary(&group).await?;
        }
        if let Some(captured) = captured.filter(|_| group.keeps_history()) {
            self.note_captured(&group, captured).await;
        }
        loaded
    }
}
