//! The rows of a dataset that was built, some at a time, from the file they were written to.

use std::sync::Arc;

use super::manifest::Manifest;
use crate::backend::offline::{ExternalTable, RowWindow};
use crate::dataset::OutputFormat;
use crate::model::{Error, ErrorKind, Result};
use crate::store::{FeatureStore, RowStretch};

impl FeatureStore {
    /// Rows of a dataset from a place on, counted from 0, at most so many.
    ///
    /// # Errors
    /// `NotFound` if its file is gone, `Conflict` if it holds something else now, `Invalid` for formats that can't be read by place.
    pub async fn dataset_rows(&self, manifest: &Manifest, from: u64, limit: usize) -> Result<RowStretch> {
        let (label, output) = (manifest.label(), manifest.output.clone());
        if output.format != OutputFormat::Parquet.as_str() {
            return Err(Error::invalid(format!("{label} can't be looked into"))
                .why(format!("it was written as {}", output.format))
                .remedy("build it as Parquet, or ask for one cell: larder dataset explain-row"));
        }
        let read = move || {
            let remedy = "build it again: larder dataset build";
            let found = std::fs::metadata(&output.path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => {
                    Error::not_found(format!("the file of {label} is gone")).why(output.path.clone()).remedy(remedy)
                }
                _ => Error::io(format!("can't look at {}", output.path), error),
            })?;
            if found.len() != output.bytes {
                let why = format!("it has {} bytes instead of {}", found.len(), output.bytes);
                return Err(Error::new(ErrorKind::Conflict, format!("{} is not what was built", output.path)).why(why).remedy(remedy));
            }
            let table = ExternalTable::open(&output.path)?;
            let schema = Arc::clone(table.schema());
            let RowWindow { total, batches } = table.window(&schema, from, limit)?;
            Ok(RowStretch { schema, batches, total, edition: 0 })
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| Error::internal("reading a training dataset stopped").source(error))?
    }
}
