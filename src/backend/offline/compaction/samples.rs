//! A group and rows for the tests of this folder: an identifier of a type, an event time in text, a number that tells a
//! row from every other. Heavy in ties and nulls.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use rand::Rng;
use rand::rngs::StdRng;

use crate::backend::offline::columns::file_schema;
use crate::model::{
    EventTime, FeatureDefinition, FeatureGroup, FeatureName, FeatureType, GroupId, GroupName, GroupStatus, OfflineSettings, Schema,
};

/// The group.
pub(super) fn group(identifier: FeatureType) -> FeatureGroup {
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let features = vec![feature("id", identifier), feature("at", FeatureType::String), feature("n", FeatureType::Integral)];
    FeatureGroup {
        id: GroupId(uuid::Uuid::from_u128(1)),
        name: GroupName::parse("samples").unwrap(),
        description: None,
        owner: None,
        tags: BTreeMap::new(),
        schema: Schema::new(features, "id", "at").unwrap(),
        online: None,
        offline: Some(OfflineSettings { s3_uri: "s3://larder/feature-store".into(), external: None, ..OfflineSettings::default() }),
        status: GroupStatus::Created,
        failure_reason: None,
        expectations: crate::model::GroupExpectations::default(),
        created: EventTime::from_unix_seconds(1_700_000_000).unwrap(),
        modified: EventTime::from_unix_seconds(1_700_000_000).unwrap(),
    }
}

/// Columns of its table.
pub(super) fn columns_of(group: &FeatureGroup) -> SchemaRef {
    file_schema(&group.schema)
}

/// What orders a row, the plain way: identifiers by their place among all, times as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) identifier: Option<i64>,
    pub(super) instant: Option<i64>,
    pub(super) nanos: i128,
    pub(super) invoked: Option<i64>,
    pub(super) written: Option<i64>,
    pub(super) number: i64,
}

impl Row {
    /// Rows are in order if these are.
    pub(super) fn key(&self) -> (Option<i64>, Option<i64>, i128, Option<i64>, Option<i64>) {
        (self.identifier, self.instant, self.nanos, self.invoked, self.written)
    }
}

fn maybe(random: &mut StdRng, from: i64, to: i64) -> Option<i64> {
    random.random_bool(0.9).then(|| random.random_range(from..to))
}

/// Rows with these numbers.
pub(super) fn rows(random: &mut StdRng, numbers: std::ops::Range<i64>) -> Vec<Row> {
    numbers
        .map(|number| {
            let instant = maybe(random, -2, 3);
            // Nanoseconds that the microseconds leave out, in some rows.
            let nanos = instant.map_or(0, |micros| i128::from(micros) * 1_000 + i128::from(random.random_range(0..3) / 2 * 500));
            let (invoked, written) = (maybe(random, 0, 3), maybe(random, 0, 3));
            Row { identifier: maybe(random, -4, 4), instant, nanos, invoked, written, number }
        })
        .collect()
}

/// Rows as a batch of the group's table; identifiers of every type order as the numbers they stand for.
pub(super) fn batch(group: &FeatureGroup, rows: &[Row]) -> RecordBatch {
    let identifiers: ArrayRef = match group.schema.identifier().feature_type {
        FeatureType::Integral => Arc::new(rows.iter().map(|row| row.identifier).collect::<Int64Array>()),
        FeatureType::Fractional => Arc::new(rows.iter().map(|row| row.identifier.map(|id| id as f64 / 2.0)).collect::<Float64Array>()),
        FeatureType::String => {
            // Four share their first eight bytes, and one of them is the beginning of another.
            let texts = ["", "a", "b", "same-head", "same-head-1", "same-head-2", "same-head-2é", "z"];
            Arc::new(rows.iter().map(|row| row.identifier.map(|id| texts[(id + 4) as usize])).collect::<StringArray>())
        }
    };
    let at = rows.iter().map(|row| row.instant.and_then(|_| EventTime::from_unix_nanos(row.nanos)).map(EventTime::to_iso8601));
    let times = |of: fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let columns = vec![
        identifiers,
        Arc::new(at.collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| Some(row.number)).collect::<Int64Array>()),
        times(|row| row.written),
        times(|row| row.invoked),
        Arc::new(rows.iter().map(|row| Some(row.number % 3 == 0)).collect::<BooleanArray>()),
        times(|row| row.instant),
    ];
    RecordBatch::try_new(columns_of(group), columns).unwrap()
}
