//! Statistics of rows on their way into the history.
//!
//! Whoever writes a data file has its rows in memory, so their profile costs no reading. It is kept with the names of the
//! files until their commit has succeeded; the store then merges it into the catalog. Statistics never stand in the way of
//! data: what can't be profiled is left out, and whoever asks for statistics finds files without one and reads them.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use crate::backend::offline::columns::{EVENT_TIME, IS_DELETED, feature_field};
use crate::model::{Error, Result, Schema};
use crate::statistics::ColumnKind;
use crate::statistics::windows::{Rows, RowsProfile};

/// Profiles of files that were committed.
#[derive(Debug, Clone)]
pub struct Captured {
    /// Rows of each file whose rows are in the profile.
    pub files: BTreeMap<String, u64>,
    /// Of all of them.
    pub profile: RowsProfile,
}

impl Captured {
    /// Nothing yet.
    pub fn new(schema: &Schema) -> Result<Self> {
        Ok(Self { files: BTreeMap::new(), profile: RowsProfile::new(&kinds(schema)?) })
    }

    /// Takes the profile of a file in, or leaves it out with a word in the log.
    pub fn add(&mut self, path: &str, profile: &RowsProfile) {
        match self.profile.merge(profile) {
            Ok(()) => {
                self.files.insert(path.to_owned(), profile.rows());
            }
            Err(error) => tracing::warn!(%error, path, "statistics of a file are left out"),
        }
    }
}

/// How each feature is profiled, in definition order.
pub fn kinds(schema: &Schema) -> Result<Vec<ColumnKind>> {
    schema.features().iter().map(|feature| ColumnKind::of(feature_field(feature).data_type())).collect()
}

/// The profile of rows with the columns of the group's files.
pub fn profile_of(schema: &Schema, batch: &RecordBatch) -> Result<RowsProfile> {
    let mut profile = RowsProfile::new(&kinds(schema)?);
    add_rows(&mut profile, schema, batch)?;
    Ok(profile)
}

/// Takes in rows with the columns of the group's files; a feature they lack is null in them.
pub fn add_rows(profile: &mut RowsProfile, schema: &Schema, batch: &RecordBatch) -> Result<()> {
    let columns: Vec<Option<ArrayRef>> =
        schema.features().iter().map(|feature| batch.column_by_name(feature.column().as_str()).cloned()).collect();
    let times = batch.column_by_name(EVENT_TIME).map(|times| cast(times, &DataType::Int64)).transpose();
    let times = times.map_err(|error| Error::internal("event times of a batch are no instants").source(error))?;
    profile.update(&Rows {
        columns: &columns,
        event_times: times.as_ref().map(|times| times.as_primitive::<Int64Type>()),
        deleted: batch.column_by_name(IS_DELETED).and_then(|deleted| deleted.as_boolean_opt()),
        len: batch.num_rows(),
    })
}

/// A profile, or none with a word in the log: data goes its way without it.
pub(super) fn profile_or_none(schema: &Schema, batch: &RecordBatch) -> Option<RowsProfile> {
    profile_of(schema, batch).inspect_err(|error| tracing::warn!(%error, "rows could not be profiled")).ok()
}
