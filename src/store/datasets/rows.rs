//! The rows of a dataset that was built, some at a time, from the files they were written to.

use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};

use super::files::DatasetFile;
use super::manifest::Manifest;
use crate::backend::offline::RowWindow;
use crate::backend::offline::window::{PlacedFile, window_of};
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
        let files = self.files_of(&output);
        let read = move || {
            let remedy = "build it again: larder dataset build";
            for file in &files {
                match file.size()? {
                    Some(size) if size == file.bytes() => {}
                    Some(size) => {
                        let why = format!("it has {size} bytes instead of {}", file.bytes());
                        return Err(Error::new(ErrorKind::Conflict, format!("{} is not what was built", file.name()))
                            .why(why)
                            .remedy(remedy));
                    }
                    None => return Err(Error::not_found(format!("the file of {label} is gone")).why(file.name()).remedy(remedy)),
                }
            }
            let schema = columns_of(&files)?;
            let placed = files.iter().map(|file| PlacedFile { name: file.name().into(), rows: file.rows(), open: || file.open() });
            let RowWindow { total, batches } = window_of(placed, &schema, from, limit)?;
            Ok(RowStretch { schema, batches, total, edition: 0 })
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| Error::internal("reading a training dataset stopped").source(error))?
    }
}

/// The columns of the rows, each of which may be null.
fn columns_of(files: &[DatasetFile]) -> Result<SchemaRef> {
    let first = files.first().ok_or_else(|| Error::internal("a dataset without files"))?;
    let builder = first.parquet()?;
    let nullable = |field: &FieldRef| Field::new(field.name(), field.data_type().clone(), true);
    Ok(Arc::new(Schema::new(builder.schema().fields().iter().map(nullable).collect::<Vec<_>>())))
}
