//! Verifying a dataset: built again from its manifest, is it the same; and does its file still hold it.

use std::fs::File;
use std::path::Path;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

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
        let schema = plan.schema();
        let joined = plan.run().await?;
        let stopped = |error| Error::internal("verifying the training dataset stopped").source(error);
        let hash = tokio::task::spawn_blocking(move || hash_output(joined)).await.map_err(stopped)??;
        let output = manifest.output.clone();
        let expected = manifest.content_hash.clone();
        let file = tokio::task::spawn_blocking(move || file_state(&output, &expected)).await.map_err(stopped)??;
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

/// Whether a dataset's file still holds what was built. Blocks.
pub(super) fn file_state(output: &ManifestOutput, expected: &str) -> Result<FileState> {
    let path = Path::new(&output.path);
    let Ok(found) = std::fs::metadata(path) else { return Ok(FileState::Gone) };
    if output.format != OutputFormat::Parquet.as_str() {
        return Ok(if found.len() == output.bytes { FileState::SameSize } else { FileState::Changed });
    }
    // What can't be read any more is no error of the question.
    let is_same = found.len() == output.bytes && hash_of_parquet(path).is_ok_and(|hash| hash.whole == expected);
    Ok(if is_same { FileState::Same } else { FileState::Changed })
}

/// The hash of the rows in a Parquet file. Blocks.
fn hash_of_parquet(path: &Path) -> Result<ContentHash> {
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::corrupt(format!("'{}' can't be read", path.display())).source(error).remedy("build the dataset anew")
    };
    let file = File::open(path).map_err(|error| Error::io(format!("can't open '{}'", path.display()), error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(error.into()))?;
    let mut hasher = ContentHasher::new(builder.schema());
    for batch in builder.with_batch_size(65_536).build().map_err(|error| damaged(error.into()))? {
        hasher.add(&batch.map_err(|error| damaged(error.into()))?)?;
    }
    Ok(hasher.finish())
}
