//! A profile of whole rows as they pass: every column, split at the days of event time.
//!
//! Days are what drift and time lines look at. The newest [`DETAILED_DAYS`] days (counted from the newest event time seen)
//! have profiles of their own; of earlier days only row count, nulls and mean are kept beside one common profile, so that a load of
//! ten years takes no more memory than one of a month. Merging two of these gives what one would be over both their rows.
//!
//! Delete markers are counted and then left out: their features are no values.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array, new_null_array};
use arrow::compute::{cast, filter, not, take};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};

use super::{ColumnKind, ColumnProfile};
use crate::model::{Error, Result};

/// Days with profiles of their own, the newest included.
pub const DETAILED_DAYS: i32 = 35;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// What a day of earlier rows leaves behind of one column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColumnNumbers {
    /// Rows.
    pub rows: u64,
    /// Those without a value.
    pub nulls: u64,
    /// Finite numbers among the values.
    pub numbers: u64,
    /// Their mean; 0 without any.
    pub mean: f64,
}

impl ColumnNumbers {
    /// Numbers of both.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let numbers = self.numbers + other.numbers;
        let mean = if numbers == 0 { 0.0 } else { self.mean + (other.mean - self.mean) * (other.numbers as f64 / numbers as f64) };
        Self { rows: self.rows + other.rows, nulls: self.nulls + other.nulls, numbers, mean }
    }

    fn of(values: &dyn Array) -> Self {
        let mut found = Self { rows: values.len() as u64, nulls: values.logical_null_count() as u64, ..Self::default() };
        if !values.data_type().is_numeric() {
            return found;
        }
        let Ok(doubles) = cast(values, &DataType::Float64) else { return found };
        let mut sum = 0.0;
        for value in doubles.as_primitive::<Float64Type>().iter().flatten().filter(|value| value.is_finite()) {
            found.numbers += 1;
            sum += value;
        }
        if found.numbers > 0 {
            found.mean = sum / found.numbers as f64;
        }
        found
    }
}

impl From<&ColumnProfile> for ColumnNumbers {
    fn from(profile: &ColumnProfile) -> Self {
        let figures = profile.figures();
        let numbers = if figures.mean.is_some() {
            figures.n.saturating_sub(figures.nulls + figures.nan + figures.pos_inf + figures.neg_inf)
        } else {
            0
        };
        Self { rows: figures.n, nulls: figures.nulls, numbers, mean: figures.mean.unwrap_or(0.0) }
    }
}

/// One day with profiles of its own.
#[derive(Debug, Clone)]
pub struct DayProfile {
    /// Rows, delete markers included.
    pub rows: u64,
    /// Delete markers.
    pub deleted: u64,
    /// By position.
    pub columns: Vec<ColumnProfile>,
}

/// One earlier day.
#[derive(Debug, Clone, PartialEq)]
pub struct DayNumbers {
    /// Rows, delete markers included.
    pub rows: u64,
    /// Delete markers.
    pub deleted: u64,
    /// By position.
    pub columns: Vec<ColumnNumbers>,
}

/// Rows on their way into a profile. All arrays have one length.
#[derive(Debug)]
pub struct Rows<'a> {
    /// The values, by position in the profile; none is a column that these rows don't have.
    pub columns: &'a [Option<ArrayRef>],
    /// Event times in microseconds since 1970.
    pub event_times: Option<&'a Int64Array>,
    /// Which of them are delete markers.
    pub deleted: Option<&'a BooleanArray>,
    /// Number of rows.
    pub len: usize,
}

/// A profile of rows.
#[derive(Debug, Clone)]
pub struct RowsProfile {
    kinds: Vec<ColumnKind>,
    rows: u64,
    deleted: u64,
    event_times: Option<(i64, i64)>,
    earlier: Vec<ColumnProfile>,
    days: BTreeMap<i32, DayProfile>,
    lines: BTreeMap<i32, DayNumbers>,
}

impl RowsProfile {
    /// A profile of no rows with these columns.
    pub fn new(kinds: &[ColumnKind]) -> Self {
        Self {
            kinds: kinds.to_vec(),
            rows: 0,
            deleted: 0,
            event_times: None,
            earlier: fresh(kinds),
            days: BTreeMap::new(),
            lines: BTreeMap::new(),
        }
    }

    /// Rows, delete markers included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Delete markers among them.
    pub fn deleted(&self) -> u64 {
        self.deleted
    }

    /// Earliest and latest event time, in microseconds since 1970.
    pub fn event_times(&self) -> Option<(i64, i64)> {
        self.event_times
    }

    /// The days with profiles of their own.
    pub fn days(&self) -> &BTreeMap<i32, DayProfile> {
        &self.days
    }

    /// The days before them.
    pub fn lines(&self) -> &BTreeMap<i32, DayNumbers> {
        &self.lines
    }

    /// The profiles of all rows, by position.
    pub fn whole(&self) -> Result<Vec<ColumnProfile>> {
        let mut whole = self.earlier.clone();
        for day in self.days.values() {
            merge_columns(&mut whole, &day.columns)?;
        }
        Ok(whole)
    }

    /// Takes rows in.
    pub fn update(&mut self, rows: &Rows<'_>) -> Result<()> {
        if rows.columns.len() != self.kinds.len() {
            return Err(Error::internal(format!("rows of {} columns for a profile of {}", rows.columns.len(), self.kinds.len())));
        }
        let Some(event_times) = rows.event_times else {
            self.rows += rows.len as u64;
            return self.update_slice(None, rows.columns, 0, rows.len, rows.deleted);
        };
        let days: Vec<Option<i32>> = event_times.iter().map(|time| time.and_then(day_of)).collect();
        let found = (arrow::compute::min(event_times), arrow::compute::max(event_times));
        if let (Some(oldest), Some(newest)) = found {
            let (before, after) = self.event_times.unwrap_or((oldest, newest));
            self.event_times = Some((oldest.min(before), newest.max(after)));
            self.make_room(day_of(newest));
        }
        self.rows += rows.len as u64;
        if days.is_sorted() {
            return self.update_days(rows.columns, &days, rows.deleted);
        }
        let mut order: Vec<u32> = (0..u32::try_from(rows.len).unwrap_or(u32::MAX)).collect();
        order.sort_by_key(|row| days[*row as usize]);
        let days: Vec<Option<i32>> = order.iter().map(|row| days[*row as usize]).collect();
        let order = UInt32Array::from(order);
        let moved = |array: &dyn Array| take(array, &order, None).map_err(fault);
        let columns: Vec<Option<ArrayRef>> =
            rows.columns.iter().map(|column| column.as_ref().map(|column| moved(column.as_ref())).transpose()).collect::<Result<_>>()?;
        let deleted = rows.deleted.map(|deleted| moved(deleted)).transpose()?;
        self.update_days(&columns, &days, deleted.as_ref().map(|deleted| deleted.as_boolean()))
    }

    /// Takes in the rows of another profile with the same columns.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.kinds != other.kinds {
            return Err(Error::internal("profiles of different columns can't be merged"));
        }
        self.rows += other.rows;
        self.deleted += other.deleted;
        if let Some((oldest, newest)) = other.event_times {
            let (before, after) = self.event_times.unwrap_or((oldest, newest));
            self.event_times = Some((oldest.min(before), newest.max(after)));
            self.make_room(day_of(newest));
        }
        merge_columns(&mut self.earlier, &other.earlier)?;
        for (day, numbers) in &other.lines {
            self.add_line(*day, numbers);
        }
        for (day, profile) in &other.days {
            if self.is_detailed(*day) {
                match self.days.entry(*day) {
                    Entry::Vacant(entry) => {
                        entry.insert(profile.clone());
                    }
                    Entry::Occupied(mut entry) => {
                        let known = entry.get_mut();
                        known.rows += profile.rows;
                        known.deleted += profile.deleted;
                        merge_columns(&mut known.columns, &profile.columns)?;
                    }
                }
            } else {
                merge_columns(&mut self.earlier, &profile.columns)?;
                self.add_line(*day, &line_of(profile));
            }
        }
        Ok(())
    }

    /// True if a day is among the newest.
    fn is_detailed(&self, day: i32) -> bool {
        self.event_times.and_then(|(_, newest)| day_of(newest)).is_none_or(|newest| day > newest.saturating_sub(DETAILED_DAYS))
    }

    /// Days that are no longer among the newest join the earlier ones.
    fn make_room(&mut self, newest: Option<i32>) {
        let Some(first) = newest.map(|newest| newest.saturating_sub(DETAILED_DAYS).saturating_add(1)) else { return };
        let newer = self.days.split_off(&first);
        for (day, profile) in std::mem::replace(&mut self.days, newer) {
            // Kinds are the same by construction, and nothing else can be wrong.
            if merge_columns(&mut self.earlier, &profile.columns).is_ok() {
                self.add_line(day, &line_of(&profile));
            }
        }
    }

    fn add_line(&mut self, day: i32, numbers: &DayNumbers) {
        match self.lines.entry(day) {
            Entry::Vacant(entry) => {
                entry.insert(numbers.clone());
            }
            Entry::Occupied(mut entry) => {
                let line = entry.get_mut();
                line.rows += numbers.rows;
                line.deleted += numbers.deleted;
                for (known, more) in line.columns.iter_mut().zip(&numbers.columns) {
                    *known = known.merged(*more);
                }
            }
        }
    }

    /// Takes in rows that are sorted by day.
    fn update_days(&mut self, columns: &[Option<ArrayRef>], days: &[Option<i32>], deleted: Option<&BooleanArray>) -> Result<()> {
        let mut from = 0;
        for run in days.chunk_by(|a, b| a == b) {
            let day = run.first().copied().flatten();
            self.update_slice(day, columns, from, run.len(), deleted)?;
            from += run.len();
        }
        Ok(())
    }

    /// Takes in neighbouring rows of one day, or without a time.
    fn update_slice(
        &mut self,
        day: Option<i32>,
        columns: &[Option<ArrayRef>],
        from: usize,
        len: usize,
        deleted: Option<&BooleanArray>,
    ) -> Result<()> {
        let markers = deleted.map(|deleted| deleted.slice(from, len)).filter(|markers| markers.true_count() > 0);
        let gone = markers.as_ref().map_or(0, BooleanArray::true_count) as u64;
        self.deleted += gone;
        let live = match &markers {
            None => None,
            // A null says nothing of a deletion.
            Some(markers) => Some(not(&BooleanArray::from_iter(markers.iter().map(|marker| Some(marker == Some(true))))).map_err(fault)?),
        };
        let mut values = Vec::with_capacity(columns.len());
        for (column, kind) in columns.iter().zip(&self.kinds) {
            values.push(match (column, &live) {
                (None, _) => nulls(*kind, len - usize::try_from(gone).unwrap_or(len)),
                (Some(column), None) => column.slice(from, len),
                (Some(column), Some(live)) => filter(&column.slice(from, len), live).map_err(fault)?,
            });
        }
        let target = match day {
            Some(day) if self.is_detailed(day) => {
                let kinds = &self.kinds;
                let profile = self.days.entry(day).or_insert_with(|| DayProfile { rows: 0, deleted: 0, columns: fresh(kinds) });
                profile.rows += len as u64;
                profile.deleted += gone;
                &mut profile.columns
            }
            Some(day) => {
                let numbers = values.iter().map(|values| ColumnNumbers::of(values.as_ref())).collect();
                self.add_line(day, &DayNumbers { rows: len as u64, deleted: gone, columns: numbers });
                &mut self.earlier
            }
            None => &mut self.earlier,
        };
        for (profile, values) in target.iter_mut().zip(&values) {
            profile.update(values.as_ref())?;
        }
        Ok(())
    }
}

fn fresh(kinds: &[ColumnKind]) -> Vec<ColumnProfile> {
    kinds.iter().map(|kind| ColumnProfile::new(*kind)).collect()
}

fn merge_columns(known: &mut [ColumnProfile], more: &[ColumnProfile]) -> Result<()> {
    known.iter_mut().zip(more).try_for_each(|(known, more)| known.merge(more))
}

fn line_of(profile: &DayProfile) -> DayNumbers {
    DayNumbers { rows: profile.rows, deleted: profile.deleted, columns: profile.columns.iter().map(ColumnNumbers::from).collect() }
}

/// Rows without a value, for a column that they lack.
pub fn nulls(kind: ColumnKind, rows: usize) -> ArrayRef {
    let list = |elements| DataType::new_list(elements, true);
    let data_type = match kind {
        ColumnKind::Integral => DataType::Int64,
        ColumnKind::Fractional => DataType::Float64,
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnKind::Numbers => list(DataType::Float64),
        ColumnKind::Texts => list(DataType::Utf8),
    };
    new_null_array(&data_type, rows)
}

/// The day of an instant, counted from 1970-01-01 UTC.
pub fn day_of(micros: i64) -> Option<i32> {
    i32::try_from(micros.div_euclid(MICROS_A_DAY)).ok()
}

fn fault(error: arrow::error::ArrowError) -> Error {
    Error::internal("can't take rows apart for their statistics").source(error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::Float64Array;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    const KINDS: [ColumnKind; 1] = [ColumnKind::Fractional];

    struct Drawn {
        times: Vec<Option<i64>>,
        values: Vec<Option<f64>>,
        deleted: Vec<bool>,
    }

    /// Days far apart and close together, in no order, with rows that lack a time, a value, or both.
    fn drawn(seed: u64, rows: usize) -> Drawn {
        let mut random = StdRng::seed_from_u64(seed);
        let mut time =
            || random.random_bool(0.95).then(|| random.random_range(-3..90) * MICROS_A_DAY + random.random_range(0..MICROS_A_DAY));
        let times = (0..rows).map(|_| time()).collect();
        let values = (0..rows).map(|_| random.random_bool(0.8).then(|| f64::from(random.random_range(-50..50)))).collect();
        Drawn { times, values, deleted: (0..rows).map(|_| random.random_bool(0.1)).collect() }
    }

    fn taken(profile: &mut RowsProfile, drawn: &Drawn, range: std::ops::Range<usize>) {
        let values: ArrayRef = Arc::new(Float64Array::from(drawn.values[range.clone()].to_vec()));
        let times = Int64Array::from(drawn.times[range.clone()].to_vec());
        let deleted = BooleanArray::from(drawn.deleted[range.clone()].to_vec());
        let rows = Rows { columns: &[Some(values)], event_times: Some(&times), deleted: Some(&deleted), len: range.len() };
        profile.update(&rows).unwrap();
    }

    fn check(profile: &RowsProfile, drawn: &Drawn) {
        let live = |row: &usize| !drawn.deleted[*row];
        let all: Vec<usize> = (0..drawn.times.len()).collect();
        assert_eq!((profile.rows(), profile.deleted()), (all.len() as u64, all.iter().filter(|row| !live(row)).count() as u64));
        let whole = profile.whole().unwrap()[0].figures();
        assert_eq!(whole.n, all.iter().filter(|row| live(row)).count() as u64);
        assert_eq!(whole.nulls, all.iter().filter(|row| live(row) && drawn.values[**row].is_none()).count() as u64);
        let mut by_day: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for row in &all {
            if let Some(time) = drawn.times[*row] {
                by_day.entry(day_of(time).unwrap()).or_default().push(*row);
            }
        }
        let newest = *by_day.keys().max().unwrap();
        for (day, rows) in by_day {
            let (count, gone) = (rows.len() as u64, rows.iter().filter(|row| !live(row)).count() as u64);
            let values: Vec<f64> = rows.iter().filter(|row| live(row)).filter_map(|row| drawn.values[*row]).collect();
            let nulls = count - gone - values.len() as u64;
            let (known, numbers) = if day > newest - DETAILED_DAYS {
                let profile = &profile.days()[&day];
                ((profile.rows, profile.deleted), ColumnNumbers::from(&profile.columns[0]))
            } else {
                let line = &profile.lines()[&day];
                ((line.rows, line.deleted), line.columns[0])
            };
            assert_eq!(known, (count, gone), "day {day}");
            assert_eq!((numbers.rows, numbers.nulls, numbers.numbers), (count - gone, nulls, values.len() as u64), "day {day}");
            if !values.is_empty() {
                assert!((numbers.mean - values.iter().sum::<f64>() / values.len() as f64).abs() < 1e-9, "day {day}");
            }
        }
        assert!(profile.days().len() <= DETAILED_DAYS as usize);
    }

    #[test]
    fn rows_are_counted_in_their_days_however_they_come() {
        for seed in 0..20 {
            let drawn = drawn(seed, 600);
            let mut once = RowsProfile::new(&KINDS);
            taken(&mut once, &drawn, 0..600);
            check(&once, &drawn);
            let mut pieces = RowsProfile::new(&KINDS);
            for from in (0..600).step_by(40) {
                taken(&mut pieces, &drawn, from..from + 40);
            }
            check(&pieces, &drawn);
            let mut merged = RowsProfile::new(&KINDS);
            for from in (0..600).rev().step_by(100).map(|end| end + 1 - 100) {
                let mut piece = RowsProfile::new(&KINDS);
                taken(&mut piece, &drawn, from..from + 100);
                merged.merge(&piece).unwrap();
            }
            check(&merged, &drawn);
        }
    }

    #[test]
    fn a_column_that_rows_lack_is_null_in_them() {
        let mut profile = RowsProfile::new(&[ColumnKind::Text, ColumnKind::Fractional]);
        let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]));
        let rows = Rows { columns: &[None, Some(values)], event_times: None, deleted: None, len: 3 };
        profile.update(&rows).unwrap();
        let whole = profile.whole().unwrap();
        assert_eq!((whole[0].figures().n, whole[0].figures().nulls), (3, 3));
        assert_eq!((whole[1].figures().n, whole[1].figures().nulls), (3, 0));
    }

    #[test]
    fn days_before_1970_are_days_too() {
        assert_eq!([day_of(-1), day_of(0), day_of(MICROS_A_DAY - 1), day_of(MICROS_A_DAY)], [Some(-1), Some(0), Some(0), Some(1)]);
    }
}
