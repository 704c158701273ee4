//! The newest row per identifier of several parts, in the order of identifiers, encoded for the online store.
//!
//! Each part is sorted by (identifier, event time), so merging them yields all rows of an identifier together. Of two
//! rows the later event time is newer; at equal times the later part is, and within a part the later row. Order
//! matters to the store beneath: rows that come in order of their keys fill its pages one after another, rows
//! that don't make it copy and split pages all over (a million rows: three times the file, twice the time).
//!
//! Memory is one batch and the open pages of each part.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::backend::online::{LoadedRow, RowWriter};
use crate::model::value::format_fractional;
use crate::model::{Arrival, Error, EventTime, FeatureGroup, Result, TimeMode, Ttl};

/// A part that is read back.
pub(super) struct SortedPart {
    /// For messages.
    pub(super) path: String,
    /// Its batches.
    pub(super) reader: ParquetRecordBatchReader,
    /// Arrival of its rows.
    pub(super) arrival: Arrival,
}

/// Merges parts; later parts win ties.
pub(super) struct Newest<'a> {
    group: &'a FeatureGroup,
    ttl: Option<Ttl>,
    /// Parts that have rows left, the latest first.
    cursors: Vec<Cursor>,
    seen: u64,
}

impl<'a> Newest<'a> {
    /// Opens parts, given in their order.
    pub(super) fn open(group: &'a FeatureGroup, parts: Vec<SortedPart>) -> Result<Self> {
        let mut cursors = Vec::with_capacity(parts.len());
        for part in parts.into_iter().rev() {
            let mut cursor = Cursor { part, columns: Vec::new(), rows: 0, row: 0 };
            if cursor.advance_batch(group)? {
                cursors.push(cursor);
            }
        }
        let ttl = group.online.as_ref().and_then(|online| online.ttl);
        Ok(Self { group, ttl, cursors, seen: 0 })
    }

    /// Rows of the parts that were looked at so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Passes over the next identifier; false at the end.
    pub(super) fn skip(&mut self) -> Result<bool> {
        self.next_identifier(false).map(|found| found.is_some())
    }

    /// The newest row of the next identifier; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<LoadedRow>> {
        match self.next_identifier(true)? {
            None => Ok(None),
            Some(Some(row)) => Ok(Some(row)),
            Some(None) => Err(Error::internal("an identifier of a load has no row")),
        }
    }

    fn next_identifier(&mut self, encode: bool) -> Result<Option<Option<LoadedRow>>> {
        let position = self.group.schema.identifier_position();
        let Some(least) = self.cursors.iter().map(|cursor| cursor.key(position, cursor.row)).min().map(OwnedKey::of) else {
            return Ok(None);
        };
        let mut newest: Option<(EventTime, LoadedRow)> = None;
        let mut at = 0;
        while let Some(cursor) = self.cursors.get_mut(at) {
            if cursor.key(position, cursor.row) != least.key() {
                at += 1;
                continue;
            }
            let mut has_more = true;
            let mut of_part = None;
            while has_more && cursor.key(position, cursor.row) == least.key() {
                let run = cursor.run_length(position);
                self.seen += run as u64;
                let last = cursor.row + run - 1;
                if encode {
                    let time = cursor.event_time(self.group, last)?;
                    // Cursors of later parts came before: this part must be later in time to win.
                    if newest.as_ref().is_none_or(|(newest, _)| time > *newest) {
                        of_part = Some((time, cursor.encode(self.group, last, time, self.ttl)?));
                    }
                }
                cursor.row = last + 1;
                // The identifier may go on in the next batch, with rows that are newer, at equal times too.
                has_more = cursor.row < cursor.rows || cursor.advance_batch(self.group)?;
            }
            newest = of_part.or(newest);
            if has_more {
                at += 1;
            } else {
                self.cursors.remove(at);
            }
        }
        Ok(Some(newest.map(|(_, row)| row)))
    }
}

/// A record identifier in the order of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Integral(i64),
    /// Bits in the total order of doubles.
    Fractional(u64),
    Text(&'a str),
}

enum OwnedKey {
    Integral(i64),
    Fractional(u64),
    Text(String),
}

impl OwnedKey {
    fn of(key: Key<'_>) -> Self {
        match key {
            Key::Integral(value) => Self::Integral(value),
            Key::Fractional(bits) => Self::Fractional(bits),
            Key::Text(text) => Self::Text(text.to_owned()),
        }
    }

    fn key(&self) -> Key<'_> {
        match self {
            Self::Integral(value) => Key::Integral(*value),
            Self::Fractional(bits) => Key::Fractional(*bits),
            Self::Text(text) => Key::Text(text),
        }
    }
}

/// A feature's column, by type.
enum Values {
    Integral(Int64Array),
    Fractional(Float64Array),
    Text(StringArray),
    List(ListArray),
    Absent,
}

impl Values {
    fn of(column: &ArrayRef) -> Result<Self> {
        Ok(match column.data_type() {
            DataType::Int64 => Self::Integral(column.as_primitive::<Int64Type>().clone()),
            DataType::Float64 => Self::Fractional(column.as_primitive::<Float64Type>().clone()),
            DataType::Utf8 => Self::Text(column.as_string::<i32>().clone()),
            DataType::List(_) => Self::List(column.as_list::<i32>().clone()),
            other => return Err(Error::internal(format!("a part of the load has a column of {other}"))),
        })
    }

    fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Integral(values) => values.is_valid(row).then(|| values.value(row).to_string()),
            Self::Fractional(values) => values.is_valid(row).then(|| format_fractional(values.value(row))),
            Self::Text(values) => values.is_valid(row).then(|| values.value(row).to_owned()),
            Self::List(_) | Self::Absent => None,
        }
    }

    /// Pushes the value of a row, in the text that a look-up answers with.
    fn push(&self, row: usize, position: usize, writer: &mut RowWriter) -> Result<()> {
        match self {
            Self::Integral(values) if values.is_valid(row) => writer.push_text(position, itoa::Buffer::new().format(values.value(row))),
            Self::Fractional(values) if values.is_valid(row) => writer.push_text(position, ryu::Buffer::new().format(values.value(row))),
            Self::Text(values) if values.is_valid(row) => writer.push_text(position, values.value(row)),
            Self::List(lists) if lists.is_valid(row) => {
                let elements = lists.value(row);
                let values = Self::of(&elements)?;
                let texts: Vec<String> = (0..elements.len()).map(|element| values.text(element).unwrap_or_default()).collect();
                writer.push_list(position, texts.len(), texts.iter().map(String::as_str));
            }
            _ => writer.push_null(position),
        }
        Ok(())
    }
}

/// A place in a part. Unless the part is at its end, `row` is a row of the batch at hand.
struct Cursor {
    part: SortedPart,
    columns: Vec<Values>,
    rows: usize,
    row: usize,
}

impl Cursor {
    /// Takes the next batch that has rows; false at the end.
    fn advance_batch(&mut self, group: &FeatureGroup) -> Result<bool> {
        for batch in self.part.reader.by_ref() {
            let batch = batch.map_err(|error| Error::corrupt(format!("can't read {}", self.part.path)).source(error))?;
            if batch.num_rows() == 0 {
                continue;
            }
            let column = |name: &str| batch.column_by_name(name).map_or(Ok(Values::Absent), Values::of);
            self.columns = group.schema.features().iter().map(|feature| column(feature.column().as_str())).collect::<Result<_>>()?;
            (self.rows, self.row) = (batch.num_rows(), 0);
            return Ok(true);
        }
        Ok(false)
    }

    fn key(&self, position: usize, row: usize) -> Key<'_> {
        match &self.columns[position] {
            Values::Integral(values) => Key::Integral(values.value(row)),
            Values::Fractional(values) => {
                let bits = values.value(row).to_bits();
                Key::Fractional(if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) })
            }
            Values::Text(values) => Key::Text(values.value(row)),
            // Schemas have no such identifier.
            Values::List(_) | Values::Absent => Key::Text(""),
        }
    }

    /// Rows of the batch from `row` on that have the same identifier; at least one.
    fn run_length(&self, position: usize) -> usize {
        let key = self.key(position, self.row);
        1 + (self.row + 1..self.rows).take_while(|row| self.key(position, *row) == key).count()
    }

    fn event_time(&self, group: &FeatureGroup, row: usize) -> Result<EventTime> {
        let time = match &self.columns[group.schema.event_time_position()] {
            Values::Text(values) => EventTime::parse_text(values.value(row), TimeMode::Lenient).ok(),
            Values::Fractional(values) => EventTime::from_unix_float(values.value(row), TimeMode::Lenient),
            _ => None,
        };
        time.ok_or_else(|| Error::corrupt(format!("a row of {} lost its event time", self.part.path)))
    }

    fn encode(&self, group: &FeatureGroup, row: usize, event_time: EventTime, ttl: Option<Ttl>) -> Result<LoadedRow> {
        let identifier = self.columns[group.schema.identifier_position()].text(row).unwrap_or_default();
        let width = group.schema.width();
        let mut writer = RowWriter::new(&identifier, event_time, width, 16 * width);
        for slot in 0..width {
            match group.schema.at_slot(slot) {
                Some(position) => self.columns[position].push(row, slot, &mut writer)?,
                None => writer.push_null(slot),
            }
        }
        if let Some(ttl) = ttl {
            writer.set_expiry(ttl.expiry(event_time));
        }
        Ok(LoadedRow { identifier, bytes: writer.stamp(self.part.arrival) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::RecordBatch;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::backend::offline::columns::{feature_schema, with_plumbing};
    use crate::backend::offline::parquet_file::encode;
    use crate::backend::online::RowView;
    use crate::model::{FeatureDefinition, FeatureName, FeatureType, GroupId, GroupName, GroupStatus, OnlineSettings, Schema};

    fn group(identifier: FeatureType) -> FeatureGroup {
        let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
        let features = vec![feature("id", identifier), feature("at", FeatureType::Fractional), feature("n", FeatureType::Integral)];
        FeatureGroup {
            id: GroupId(uuid::Uuid::from_u128(1)),
            name: GroupName::parse("g").unwrap(),
            description: None,
            owner: None,
            tags: BTreeMap::new(),
            schema: Schema::new(features, "id", "at").unwrap(),
            online: Some(OnlineSettings { ttl: Some("7d".parse().unwrap()), ..OnlineSettings::default() }),
            offline: None,
            status: GroupStatus::Created,
            failure_reason: None,
            expectations: crate::model::GroupExpectations::default(),
            created: EventTime::MIN,
            modified: EventTime::MIN,
        }
    }

    /// A part as a load stages it, read back three rows at a time.
    fn part(group: &FeatureGroup, number: u64, rows: &[(i64, i64, i64)]) -> SortedPart {
        let id: ArrayRef = match group.schema.identifier().feature_type {
            FeatureType::Integral => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0))),
            FeatureType::Fractional => Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.0 as f64))),
            FeatureType::String => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0.to_string()))),
        };
        let at = Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.1 as f64)));
        let n = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)));
        let features = RecordBatch::try_new(feature_schema(&group.schema), vec![id, at, n]).unwrap();
        let micros: Vec<i64> = rows.iter().map(|row| row.1 * 1_000_000).collect();
        let batch = with_plumbing(&group.schema, &features, &micros, Arrival(10 + number), Arrival(9)).unwrap();
        let mut bytes = Vec::new();
        encode(&[batch], "id", "at", &mut bytes).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
        SortedPart { path: format!("{number}"), reader: builder.with_batch_size(3).build().unwrap(), arrival: Arrival(10 + number) }
    }

    #[test]
    fn finds_the_newest_of_each_identifier_as_a_slow_search_does() {
        let mut random = StdRng::seed_from_u64(11);
        for round in 0..120 {
            let group = group(FeatureType::ALL[round % 3]);
            let mut inputs: Vec<Vec<(i64, i64, i64)>> = Vec::new();
            let mut number = 0;
            for _ in 0..random.random_range(0..5) {
                let rows = random.random_range(1..30);
                inputs.push(
                    (0..rows)
                        .map(|_| {
                            number += 1;
                            (random.random_range(-6..6), random.random_range(0..3), number)
                        })
                        .collect(),
                );
            }
            let mut newest: BTreeMap<String, (i64, i64, usize)> = BTreeMap::new();
            for (part, rows) in inputs.iter().enumerate() {
                for (id, at, n) in rows {
                    let text = if round % 3 == 1 { format_fractional(*id as f64) } else { id.to_string() };
                    let entry = newest.entry(text).or_insert((*at, *n, part));
                    if *at >= entry.0 {
                        *entry = (*at, *n, part);
                    }
                }
            }
            let open = || inputs.iter().enumerate().map(|(at, rows)| part(&group, at as u64, rows)).collect();
            let mut merge = Newest::open(&group, open()).unwrap();
            let mut found = BTreeMap::new();
            let mut order = Vec::new();
            while let Some(row) = merge.next().unwrap() {
                let view = RowView::open(&row.bytes).unwrap();
                assert_eq!(view.expires_at().unwrap(), view.event_time().saturating_add_seconds(7 * 86_400));
                let n: i64 = view.text(2).unwrap().parse().unwrap();
                let part = usize::try_from(view.arrival().0 - 10).unwrap();
                order.push(row.identifier.clone());
                assert!(found.insert(row.identifier.clone(), (view.event_time().unix_seconds(), n, part)).is_none());
            }
            assert_eq!(found, newest, "round {round}");
            assert_eq!(merge.seen(), number as u64);
            if group.schema.identifier().feature_type == FeatureType::String {
                assert!(order.is_sorted());
            }
            // Going on after some identifiers yields the rest.
            let mut merge = Newest::open(&group, open()).unwrap();
            let skipped = order.len() / 2;
            for _ in 0..skipped {
                assert!(merge.skip().unwrap());
            }
            let rest: Vec<String> = std::iter::from_fn(|| merge.next().unwrap()).map(|row| row.identifier).collect();
            assert_eq!(rest, order[skipped..]);
        }
    }
}
