//! Verifying a dataset: built again from its manifest, is it the same; and does its file still hold it.

use serde::Serialize;

use super::files::{DatasetFile, all_rows};
use super::manifest::{Manifest, ManifestColumn, ManifestOutput};
use super::output::hash_output;
use super::plan::PlanOptions;
use super::rebuild::Basis;
use crate::dataset::OutputFormat;
use crate::dataset::content_hash::{ContentHash, ContentHasher};
use crate::dataset::point_in_time::JoinWatch;
use crate::dataset::request::SpineSource;
use crate::model::{Error, Result};
use crate::store::FeatureStore;

/// What is known of a dataset's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It holds the rows that were built.
    Same,
    /// It holds other rows.
    Changed,
    /// It has its size; what text formats hold is not compared.
    SameSize,
    /// It is not where it was written.
    Gone,
}

/// A dataset, verified.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// `name@version`.
    pub dataset: String,
    /// True if building it again gave the same rows.
    pub matches: bool,
    /// The recorded hash.
    pub content_hash: String,
    /// The hash of the rows as they are built now.
    pub rebuilt_hash: String,
    /// Rows then.
    pub rows: u64,
    /// Rows now.
    pub rebuilt_rows: u64,
    /// Columns whose values or types differ.
    pub differing_columns: Vec<String>,
    /// Why it was built from records written by then rather than from the recorded versions, if it was.
    pub by_write_time: Option<String>,
    /// Spine and external files that are not what they were.
    pub changed_sources: Vec<String>,
    /// The file.
    pub file: FileState,
    /// Where it was written.
    pub path: String,
}

impl FeatureStore {
    /// Builds a dataset again as its manifest says, without writing it, and compares.
    ///
    /// # Errors
    /// `NotFound` if its spine is gone, `Conflict` if one of its groups is another one now, `Interrupted`.
    pub async fn verify_dataset(&self, manifest: &Manifest, memory: Option<u64>, watch: &JoinWatch) -> Result<Verification> {
        let mut changed_sources = self.changed_sources(manifest).await?;
        let options = PlanOptions { memory, watch: watch.clone(), ..PlanOptions::default() };
        let (plan, basis) = self.plan_rebuild(manifest, &options).await?;
        let (schema, block_rows) = (plan.schema(), self.inner.block_rows);
        let joined = plan.run().await?;
        let stopped = |error| Error::internal("verifying the training dataset stopped").source(error);
        let hash = tokio::task::spawn_blocking(move || hash_output(joined, block_rows)).await.map_err(stopped)??;
        let (output, files) = (manifest.output.clone(), self.files_of(&manifest.output));
        let expected = manifest.content_hash.clone();
        let file = tokio::task::spawn_blocking(move || file_state(&files, &output, &expected, block_rows)).await.map_err(stopped)??;
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let differing_columns = differing(&manifest.columns, &names, &hash);
        let is_of_spine = |name: &String| manifest.spine_columns().any(|column| column.name == *name);
        if matches!(manifest.request.spine, SpineSource::Sql(_)) && differing_columns.iter().any(is_of_spine) {
            changed_sources.push("the statement of the spine answers otherwise now: other rows, or in another order".to_owned());
        }
        Ok(Verification {
            dataset: manifest.label(),
            matches: hash.whole == manifest.content_hash,
            content_hash: manifest.content_hash.clone(),
            differing_columns,
            rebuilt_hash: hash.whole,
            rows: manifest.rows,
            rebuilt_rows: hash.rows,
            by_write_time: match basis {
                Basis::Versions => None,
                Basis::Writes(why) => Some(why),
            },
            changed_sources,
            file,
            path: manifest.output.path.clone(),
        })
    }
}

/// Names of columns that are not the same in both, those of the manifest first.
fn differing(then: &[ManifestColumn], now: &[&str], hash: &ContentHash) -> Vec<String> {
    let found = |name: &str| now.iter().position(|now| *now == name).and_then(|position| hash.columns.get(position));
    let mut differing: Vec<String> =
        then.iter().filter(|column| found(&column.name) != Some(&column.hash)).map(|column| column.name.clone()).collect();
    differing.extend(now.iter().filter(|name| !then.iter().any(|column| column.name == **name)).map(|name| (*name).to_owned()));
    differing
}

/// Whether a dataset's files still hold what was built. Blocks.
pub(super) fn file_state(files: &[DatasetFile], output: &ManifestOutput, expected: &str, block_rows: u64) -> Result<FileState> {
    let mut has_sizes = true;
    for file in files {
        match file.size()? {
            None => return Ok(FileState::Gone),
            Some(size) => has_sizes &= size == file.bytes(),
        }
    }
    if output.format != OutputFormat::Parquet.as_str() {
        return Ok(if has_sizes { FileState::SameSize } else { FileState::Changed });
    }
    // What can't be read any more is no error of the question.
    let is_same = has_sizes && hash_of_files(files, block_rows).is_ok_and(|hash| hash.whole == expected);
    Ok(if is_same { FileState::Same } else { FileState::Changed })
}

/// The hash of the rows in Parquet files. Blocks.
fn hash_of_files(files: &[DatasetFile], block_rows: u64) -> Result<ContentHash> {
    let (schema, rows) = all_rows(files)?;
    let mut hasher = ContentHasher::with_blocks(&schema, block_rows);
    for batch in rows {
        hasher.add(&batch?)?;
    }
    Ok(hasher.finish())
}
