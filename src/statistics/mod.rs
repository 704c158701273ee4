//! Statistics: numbers over arrow arrays. Pure: no disk, no clock, no async.
//!
//! A [`ColumnProfile`] is the state of one column: counts, exact sums, and sketches of fixed size. Profiles of parts
//! merge to the profile of the whole, in any order, so a day, a group or a training dataset is profiled from its files,
//! each read once and in parallel. Nothing that is shown is stored as a picture: [`Figures`], quantiles, histograms and
//! the distances of [`drift`] are worked out when they are asked for.
//!
//! What is exact stays exact whatever the order: counts, bounds, mean and deviation to the last digit, and everything
//! while a column has few distinct values. The rest carries its error.

pub mod drift;
pub mod figures;
pub mod histogram;
pub mod kind;
pub mod profile;
pub mod windows;

mod canonical;
mod cells;
mod codec;
mod collections;
mod columns;
mod distinct;
mod distribution;
mod lengths;
mod moments;
mod numbers;
mod quantile_sketch;
mod text;
mod wide;

pub use figures::{Distinct, Figures, LengthFigures, NormFigures, ParsesAs, QUANTILE_RANKS, Quantile, TopValue, Value, frequencies};
pub use histogram::{Histogram, HistogramBins};
pub use kind::ColumnKind;
pub use profile::ColumnProfile;

use arrow::array::RecordBatch;

use crate::model::{Error, Result};

/// Adds the rows of a batch: `columns[i]` of it goes into `profiles[i]`. Serial; callers run columns or files in parallel.
///
/// # Errors
/// A column that the batch doesn't have, or whose type is of another kind than the profile; the column is named.
/// Profiles before it have taken the batch then.
pub fn profile_batch(profiles: &mut [ColumnProfile], batch: &RecordBatch, columns: &[usize]) -> Result<()> {
    if profiles.len() != columns.len() {
        return Err(Error::internal(format!("{} profiles for {} columns", profiles.len(), columns.len())));
    }
    for (profile, column) in profiles.iter_mut().zip(columns) {
        let Some(values) = batch.columns().get(*column) else {
            return Err(Error::internal(format!("column {column} of a batch of {}", batch.num_columns())));
        };
        profile.update(values.as_ref()).map_err(|error| error.within(batch.schema().field(*column).name()))?;
    }
    Ok(())
}
