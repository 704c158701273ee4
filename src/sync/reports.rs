//! What runs brought, asked for later: how each source stands, and all of one run.

use serde_json::Value;

use super::sources::{SourceView, sources};
use crate::catalog::{Run, RunKind, SyncChangeRow};
use crate::model::{Error, Result};
use crate::store::FeatureStore;

/// Runs that are searched for a part of an id.
const SEARCHED: u32 = 10_000;
/// The word for the run that began last.
const LATEST: &str = "latest";

/// How a source stands.
#[derive(Debug, Clone)]
pub struct SourceState {
    /// The source.
    pub source: SourceView,
    /// The run that read it last, or tried to.
    pub run: Option<String>,
    /// What that run said of it, in the form of [`super::SourceReport`].
    pub report: Option<Value>,
}

/// A run of sync.
#[derive(Debug, Clone)]
pub struct SyncRun {
    /// When it began and how it ended.
    pub run: Run,
    /// What it said of sources, in the form of [`super::SourceReport`], by name.
    pub sources: Vec<Value>,
    /// What it changed.
    pub changes: Vec<SyncChangeRow>,
}

/// How each source stands.
pub async fn sync_status(store: &FeatureStore) -> Result<Vec<SourceState>> {
    let mut last = store.catalog().last_sync_reports().await?;
    let state = |source: SourceView| {
        let found = last.iter().position(|row| row.source == source.name).map(|at| last.swap_remove(at));
        let report = found.as_ref().map(|row| parsed(&row.report)).transpose()?;
        Ok(SourceState { source, run: found.map(|row| row.run.to_string()), report })
    };
    sources(store).await?.into_iter().map(state).collect()
}

/// A run by its id, the beginning of it, or `latest`.
///
/// # Errors
/// `NotFound` if there is none; `Usage` if several begin so.
pub async fn sync_run(store: &FeatureStore, which: &str) -> Result<SyncRun> {
    let runs = store.catalog().runs(SEARCHED).await?;
    let matches = |run: &&Run| run.kind == RunKind::Sync && (which == LATEST || run.id.to_string().starts_with(which));
    let mut found: Vec<&Run> = runs.iter().filter(matches).collect();
    found.sort_by_key(|run| std::cmp::Reverse((run.started, run.id.to_string())));
    let run = match found.as_slice() {
        [] => {
            return Err(Error::not_found(format!("there is no run of sync '{}'", which.escape_debug()))
                .remedy("`larder sync history --json` names runs, `larder sync show latest` shows the last one"));
        }
        [_, _, ..] if which != LATEST => {
            return Err(Error::usage(format!("{} runs begin with '{}'", found.len(), which.escape_debug())).remedy("write more of the id"));
        }
        [run, ..] => (*run).clone(),
    };
    let reports = store.catalog().sync_reports_of(run.id).await?;
    let mut changes = store.catalog().sync_changes(run.started).await?;
    changes.retain(|change| change.run == Some(run.id));
    let sources = reports.iter().map(|row| parsed(&row.report)).collect::<Result<_>>()?;
    Ok(SyncRun { run, sources, changes })
}

fn parsed(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| Error::corrupt("what a sync said of a source can't be read").source(error))
}
