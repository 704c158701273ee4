//! What a dataset knows that was not known then.
//!
//! The join asks for records whose event time is not after the row's. A record that was written later than that is part of
//! the answer although nobody could have seen it at the row's time: a model trained on it expects what it will not get.
//! Here the join runs twice over the same records, once as it is and once with only what was written by each row's own
//! time, and the cells that differ are counted.

use arrow::array::Array;
use serde::Serialize;

use super::build::check_rereadable;
use super::cells::differing;
use super::manifest::Manifest;
use super::plan::{ColumnOrigin, DatasetInput, DatasetPlan, JoinedStream, PlanOptions};
use super::rebuild::Basis;
use crate::dataset::point_in_time::{JoinWatch, MIN_MEMORY};
use crate::dataset::request::DatasetRequest;
use crate::model::{Error, EventTime, Result};
use crate::store::FeatureStore;

/// Cells of one column that differ between known then and known now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureLeak {
    /// Its column in the dataset.
    pub column: String,
    /// The group it comes from.
    pub group: String,
    /// What that use of the group is called.
    pub alias: String,
    /// Its name in the group.
    pub feature: String,
    /// Cells that differ.
    pub differing: u64,
    /// Of these, cells that were null then and have a value now.
    pub unknown_then: u64,
    /// Of these, cells that had another value then.
    pub changed: u64,
    /// Of these, cells that had a value then and are null now: it was deleted, or replaced by a null.
    pub gone: u64,
}

/// How much of a dataset was not known then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeakReport {
    /// Rows of the dataset.
    pub rows: u64,
    /// Rows with a cell that differs.
    pub differing_rows: u64,
    /// Each feature, in the order of the columns.
    pub features: Vec<FeatureLeak>,
    /// Groups whose files know no write times, so that nothing can be said of them.
    pub without_write_times: Vec<String>,
}

impl FeatureStore {
    /// Counts the leaks of a request.
    ///
    /// # Errors
    /// What [`FeatureStore::build_dataset`] refuses before any work; `Usage` if the memory is too little for two joins.
    pub async fn leaks(&self, request: &DatasetRequest, memory: Option<u64>, watch: &JoinWatch) -> Result<LeakReport> {
        check_rereadable(request)?;
        let options = options(memory, watch)?;
        let (now, _) = self.plan_flushed(request, &options).await?;
        // The other one reads the very same records.
        let pinned = PlanOptions { known_then: true, ..pinned(now.inputs(), &options) };
        let then = self.plan_dataset(request, &pinned).await?;
        compare(now, then).await
    }

    /// Counts the leaks of a dataset that was built, over the records it was built from.
    pub async fn dataset_leaks(&self, manifest: &Manifest, memory: Option<u64>, watch: &JoinWatch) -> Result<(LeakReport, Basis)> {
        let options = options(memory, watch)?;
        let (now, basis) = self.plan_rebuild(manifest, &options).await?;
        let (then, _) = self.plan_rebuild(manifest, &PlanOptions { known_then: true, ..options }).await?;
        let mut report = compare(now, then).await?;
        for leak in &mut report.features {
            leak.alias = manifest.alias_of(&leak.alias).to_owned();
        }
        Ok((report, basis))
    }
}

/// Two joins share what one may use.
fn options(memory: Option<u64>, watch: &JoinWatch) -> Result<PlanOptions> {
    let least = 2 * MIN_MEMORY as u64;
    if let Some(memory) = memory.filter(|memory| *memory < least) {
        return Err(Error::usage(format!("{memory} bytes of memory are too few for two joins"))
            .remedy(format!("give them {} MiB or more", least >> 20)));
    }
    Ok(PlanOptions { memory: memory.map(|memory| memory / 2), watch: watch.clone(), ..PlanOptions::default() })
}

/// Options that read what these inputs read.
fn pinned(inputs: &[DatasetInput], options: &PlanOptions) -> PlanOptions {
    let mut pinned = options.clone();
    for input in inputs.iter().filter(|input| input.fingerprint.is_none()) {
        match input.version.filter(|_| input.unflushed == 0) {
            Some(version) => drop(pinned.versions.insert(input.id, version)),
            None => drop(pinned.cuts.insert(input.id, input.newest_write.unwrap_or(EventTime::MIN))),
        }
    }
    pinned
}

async fn compare(now: DatasetPlan, then: DatasetPlan) -> Result<LeakReport> {
    let mut report = LeakReport { rows: 0, differing_rows: 0, features: Vec::new(), without_write_times: Vec::new() };
    let mut columns = Vec::new();
    for (position, origin) in now.origins().iter().enumerate() {
        let ColumnOrigin::Feature { input, feature } = origin else { continue };
        let input = &now.inputs()[*input];
        if input.fingerprint.is_some() && !report.without_write_times.contains(&input.group) {
            report.without_write_times.push(input.group.clone());
        }
        columns.push(position);
        report.features.push(FeatureLeak {
            column: now.schema().field(position).name().clone(),
            group: input.group.clone(),
            alias: input.alias.clone(),
            feature: feature.clone(),
            differing: 0,
            unknown_then: 0,
            changed: 0,
            gone: 0,
        });
    }
    let (now, then) = (now.run().await?, then.run().await?);
    let counted = tokio::task::spawn_blocking(move || count(now, then, &columns, report)).await;
    counted.map_err(|error| Error::internal("counting leaks stopped").source(error))?
}

fn count(now: JoinedStream, then: JoinedStream, columns: &[usize], mut report: LeakReport) -> Result<LeakReport> {
    let (mut now, mut then) = (now.into_pieces(), then.into_pieces());
    while let Some(piece) = now.next_piece()? {
        let now = piece.assemble()?;
        let then = match then.next_piece()? {
            Some(piece) => piece.assemble()?,
            None => return Err(Error::internal("two joins of one spine have different rows")),
        };
        if now.num_rows() != then.num_rows() {
            return Err(
                Error::new(crate::model::ErrorKind::Conflict, "the spine changed while it was read").remedy("run the command again")
            );
        }
        report.rows += now.num_rows() as u64;
        let mut is_differing = vec![false; now.num_rows()];
        for (position, leak) in columns.iter().zip(&mut report.features) {
            let (known, was) = (now.column(*position), then.column(*position));
            for (row, differs) in differing(was, known)?.into_iter().enumerate().filter(|(_, differs)| *differs) {
                is_differing[row] |= differs;
                leak.differing += 1;
                match (was.is_null(row), known.is_null(row)) {
                    (true, _) => leak.unknown_then += 1,
                    (false, true) => leak.gone += 1,
                    (false, false) => leak.changed += 1,
                }
            }
        }
        report.differing_rows += is_differing.into_iter().filter(|differs| *differs).count() as u64;
    }
    Ok(report)
}
