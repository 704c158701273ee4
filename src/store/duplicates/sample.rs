//! Coordinated samples: the latest values of the same records in every group.
//!
//! The records of a group whose identifiers hash lowest are kept, [`SAMPLE`] of them. The hash is of the identifier alone, so
//! two groups about the same things keep the same records, and joining two samples compares about that many records for
//! the price of one pass over each group. Samples live as long as one question: nothing of them is stored, whatever the data.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use futures::TryStreamExt;
use xxhash_rust::xxh3::xxh3_64;

use super::agreement::SampledValue;
use crate::model::value::format_fractional;
use crate::model::{Error, FeatureGroup, FeatureType, Result};
use crate::store::FeatureStore;
use crate::store::queries::quoted;

/// Records of a group that are kept.
const SAMPLE: usize = 1_024;

type Row = Vec<Option<SampledValue>>;

/// The kept records of a group: values by the hash of their identifier, in the order of the features asked for.
#[derive(Debug, Default)]
pub(super) struct Sample {
    rows: BTreeMap<u64, Row>,
}

impl Sample {
    /// Takes a record in if its identifier hashes low enough; `row` is only called then.
    fn offer(&mut self, identifier: &str, row: impl FnOnce() -> Row) {
        let hash = xxh3_64(identifier.as_bytes());
        if self.rows.len() == SAMPLE && self.rows.last_key_value().is_none_or(|(highest, _)| *highest <= hash) {
            return;
        }
        self.rows.insert(hash, row());
        if self.rows.len() > SAMPLE {
            self.rows.pop_last();
        }
    }

    /// The values of a feature here and one there, of the records that are in both.
    pub(super) fn pairs<'a>(
        &'a self,
        column: usize,
        other: &'a Sample,
        other_column: usize,
    ) -> impl Iterator<Item = (Option<&'a SampledValue>, Option<&'a SampledValue>)> {
        self.rows.iter().filter_map(move |(hash, row)| {
            let there = other.rows.get(hash)?;
            Some((row.get(column)?.as_ref(), there.get(other_column)?.as_ref()))
        })
    }
}

impl FeatureStore {
    /// Samples the latest records of a group, with the features at these positions.
    pub(super) async fn coordinated_sample(&self, group: &FeatureGroup, positions: &[usize]) -> Result<Sample> {
        if group.offline.is_none() {
            return self.online_sample(group, positions).await;
        }
        let identifier = group.schema.identifier();
        let mut columns = vec![quoted(identifier.name.as_str())];
        columns.extend(positions.iter().map(|position| quoted(group.schema.features()[*position].name.as_str())));
        let sql = format!("SELECT {} FROM {}", columns.join(", "), quoted(&format!("{}$latest", group.name)));
        let mut stream = self.query(&sql, None).await?;
        let mut sample = Sample::default();
        while let Some(batch) = stream.try_next().await? {
            let types = positions.iter().map(|position| group.schema.features()[*position].feature_type);
            take_in(&mut sample, &batch, identifier.feature_type, types)?;
        }
        Ok(sample)
    }

    /// A group without a history has its latest records in the online store only.
    async fn online_sample(&self, group: &FeatureGroup, positions: &[usize]) -> Result<Sample> {
        let (online, now, id) = (self.inner.online.clone(), self.now(), group.id);
        let wanted: Vec<(usize, FeatureType)> =
            positions.iter().map(|position| (group.schema.slot(*position), group.schema.features()[*position].feature_type)).collect();
        let reading = tokio::task::spawn_blocking(move || {
            let mut sample = Sample::default();
            online.scan(id, None, &mut |row| {
                if row.is_live(now) {
                    let value = |(slot, kind): &(usize, FeatureType)| {
                        let text = row.text(*slot)?;
                        match kind {
                            FeatureType::String => Some(SampledValue::Text(text.into())),
                            _ => text.parse().ok().map(SampledValue::Number),
                        }
                    };
                    sample.offer(row.identifier(), || wanted.iter().map(value).collect());
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(sample)
        });
        reading.await.map_err(|error| Error::internal("sampling an online store stopped").source(error))?
    }
}

fn take_in(sample: &mut Sample, batch: &RecordBatch, identifier: FeatureType, types: impl Iterator<Item = FeatureType>) -> Result<()> {
    let identifiers = match identifier {
        FeatureType::Fractional => as_type(batch.column(0), &DataType::Float64)?,
        _ => as_type(batch.column(0), &DataType::Utf8)?,
    };
    let mut columns: Vec<(ArrayRef, FeatureType)> = Vec::new();
    for (number, kind) in types.enumerate() {
        let wanted = if kind == FeatureType::String { DataType::Utf8 } else { DataType::Float64 };
        columns.push((as_type(batch.column(number + 1), &wanted)?, kind));
    }
    for row in 0..batch.num_rows() {
        if identifiers.is_null(row) {
            continue;
        }
        let values = || columns.iter().map(|(column, kind)| value(column, *kind, row)).collect();
        match identifier {
            FeatureType::Fractional => sample.offer(&format_fractional(identifiers.as_primitive::<Float64Type>().value(row)), values),
            _ => sample.offer(identifiers.as_string::<i32>().value(row), values),
        }
    }
    Ok(())
}

fn value(column: &ArrayRef, kind: FeatureType, row: usize) -> Option<SampledValue> {
    if column.is_null(row) {
        return None;
    }
    Some(match kind {
        FeatureType::String => SampledValue::Text(column.as_string::<i32>().value(row).into()),
        _ => SampledValue::Number(column.as_primitive::<Float64Type>().value(row)),
    })
}

/// External files have types of their own.
fn as_type(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    if column.data_type() == wanted {
        return Ok(column.clone());
    }
    cast(column, wanted).map_err(|error| Error::internal("values can't be compared").source(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_samples_keep_the_same_records_of_those_both_have() {
        let filled = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut sample = Sample::default();
            numbers.for_each(|number| sample.offer(&format!("C{number}"), || vec![Some(SampledValue::Number(f64::from(number)))]));
            sample
        };
        let (one, other) = (filled(&mut (0..20_000)), filled(&mut (0..20_000).rev()));
        assert_eq!((one.rows.len(), one.pairs(0, &other, 0).count()), (SAMPLE, SAMPLE));
        assert!(one.pairs(0, &other, 0).all(|(one, other)| one == other));
        let half = filled(&mut (0..20_000).filter(|number| number % 2 == 0));
        let common = one.pairs(0, &half, 0).count();
        assert!((400..624).contains(&common), "about half of the sample: {common}");
    }
}
