//! What of a group can matter to a spine: which files, row groups and pages.
//!
//! A record matters if its identifier is one of the spine's and its event time is neither after the last row nor, with a
//! ttl, too old for the first. Bounds may be loose and may be missing; what they don't rule out is read.

use std::cmp::Ordering;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, BooleanBufferBuilder, UInt64Array};
use arrow::buffer::BooleanBuffer;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use super::file::GroupFile;
use super::identifiers::IdentifierTable;
use super::slots::SpineIndex;
use crate::backend::offline::bounds::FileStatistics;
use crate::backend::offline::external::bound_at;
use crate::backend::offline::{Bound, ColumnBounds};

/// Identifiers that are compared one by one; of more, only the smallest and the largest.
const FEW: usize = 4_096;

/// The identifiers and times of a spine.
#[derive(Debug)]
pub(super) struct Extent {
    /// In order.
    identifiers: Vec<Bound>,
    /// True if `identifiers` are all there are, not just both ends.
    is_complete: bool,
    from: Option<Bound>,
    to: Bound,
}

impl Extent {
    /// The extent of a spine; none if no record can matter. `ttl` is in microseconds.
    pub(super) fn of(index: &SpineIndex, ttl: Option<i64>) -> Option<Self> {
        let (earliest, latest) = index.time_range()?;
        let (identifiers, is_complete) = identifiers(index.table());
        let from = ttl.map(|ttl| Bound::Micros(earliest.saturating_sub(ttl)));
        Some(Self { identifiers, is_complete, from, to: Bound::Micros(latest) })
    }

    /// Whether rows within these bounds can matter.
    pub(super) fn may_matter(&self, identifier: Option<&ColumnBounds>, time: Option<&ColumnBounds>) -> bool {
        identifier.is_none_or(|bounds| self.holds_one(bounds))
            && time.is_none_or(|bounds| bounds.may_overlap(self.from.as_ref(), Some(&self.to)))
    }

    /// Whether a file can matter, by what is known without opening it.
    pub(super) fn wants_file(&self, statistics: &FileStatistics, identifier: &str, time: &str) -> bool {
        statistics.rows > 0 && self.may_matter(statistics.columns.get(identifier), statistics.columns.get(time))
    }

    fn holds_one(&self, bounds: &ColumnBounds) -> bool {
        let (Some(first), Some(last)) = (self.identifiers.first(), self.identifiers.last()) else { return false };
        if !self.is_complete {
            return bounds.may_overlap(Some(first), Some(last));
        }
        let Some(min) = &bounds.min else { return bounds.may_overlap(Some(first), Some(last)) };
        let after = self.identifiers.partition_point(|identifier| identifier.compare(min) == Some(Ordering::Less));
        match self.identifiers.get(after) {
            Some(nearest) => bounds.may_hold(nearest),
            None => false,
        }
    }

    /// Row groups of a file that can matter, each with the rows that can, if that is not all of them.
    pub(super) fn row_groups(&self, file: &GroupFile, identifier: &str, time: &str) -> Vec<(usize, Option<BooleanBuffer>)> {
        let all: Vec<usize> = (0..file.row_groups()).filter(|group| !file.rows(*group).is_empty()).collect();
        let (identifiers, times) = (Ranges::of_row_groups(file, identifier), Ranges::of_row_groups(file, time));
        let wanted = all.into_iter().filter(|group| {
            self.may_matter(
                identifiers.as_ref().map(|ranges| ranges.at(*group)).as_ref(),
                times.as_ref().map(|ranges| ranges.at(*group)).as_ref(),
            )
        });
        wanted.filter_map(|group| self.rows(file, group, identifier, time).map(|rows| (group, rows))).collect()
    }

    /// Rows of a row group that can matter; none if none can, `Some(None)` if all can.
    fn rows(&self, file: &GroupFile, group: usize, identifier: &str, time: &str) -> Option<Option<BooleanBuffer>> {
        if !self.is_complete {
            return Some(None);
        }
        let rows = usize::try_from(file.rows(group).end - file.rows(group).start).unwrap_or(usize::MAX);
        let mut wanted: Option<BooleanBuffer> = None;
        for (name, judge) in [(identifier, true), (time, false)] {
            let Some((ranges, pages)) = Ranges::of_pages(file, group, name, rows) else { continue };
            let mut bits = BooleanBufferBuilder::new(rows);
            for (page, range) in pages.iter().enumerate() {
                let bounds = ranges.at(page);
                let keep = if judge { self.may_matter(Some(&bounds), None) } else { self.may_matter(None, Some(&bounds)) };
                bits.append_n(range.len(), keep);
            }
            let bits = bits.finish();
            wanted = Some(wanted.map_or(bits.clone(), |wanted| &wanted & &bits));
        }
        match wanted {
            Some(wanted) if wanted.count_set_bits() == 0 => None,
            Some(wanted) if wanted.count_set_bits() < rows => Some(Some(wanted)),
            _ => Some(None),
        }
    }
}

/// Identifiers in order, and whether they are all or only both ends.
fn identifiers(table: &IdentifierTable) -> (Vec<Bound>, bool) {
    let compare = |a: &Bound, b: &Bound| a.compare(b).unwrap_or(Ordering::Equal);
    if table.len() <= FEW {
        let mut all: Vec<Bound> = table.bounds().collect();
        all.sort_by(compare);
        return (all, true);
    }
    let ends = table.bounds().fold(None, |ends: Option<(Bound, Bound)>, bound| match ends {
        None => Some((bound.clone(), bound)),
        Some((min, max)) if compare(&bound, &min) == Ordering::Less => Some((bound, max)),
        Some((min, max)) if compare(&bound, &max) == Ordering::Greater => Some((min, bound)),
        ends => ends,
    });
    (ends.map_or_else(Vec::new, |(min, max)| vec![min, max]), false)
}

/// Smallest and largest values of a column, by row group or page.
struct Ranges {
    mins: ArrayRef,
    maxes: ArrayRef,
}

impl Ranges {
    fn at(&self, position: usize) -> ColumnBounds {
        ColumnBounds { min: bound_at(&self.mins, position, false), max: bound_at(&self.maxes, position, true), nulls: None }
    }

    fn of_row_groups(file: &GroupFile, name: &str) -> Option<Self> {
        let groups = file.metadata().row_groups();
        let converter = converter(file, name)?;
        let (mins, maxes) = (converter.row_group_mins(groups).ok()?, converter.row_group_maxes(groups).ok()?);
        (mins.len() == groups.len() && maxes.len() == groups.len()).then_some(Self { mins, maxes })
    }

    /// The same for the pages of a row group, with the rows of each.
    fn of_pages(file: &GroupFile, group: usize, name: &str, rows: usize) -> Option<(Self, Vec<Range<usize>>)> {
        let (columns, offsets) = (file.metadata().column_index()?, file.metadata().offset_index()?);
        let converter = converter(file, name)?;
        let groups = [group];
        let counts: UInt64Array = converter.data_page_row_counts(offsets, file.metadata().row_groups(), groups.iter()).ok()??;
        let (mins, maxes) = (
            converter.data_page_mins(columns, offsets, groups.iter()).ok()?,
            converter.data_page_maxes(columns, offsets, groups.iter()).ok()?,
        );
        let mut ranges = Vec::with_capacity(counts.len());
        let mut start = 0usize;
        for count in counts.values() {
            let end = start + usize::try_from(*count).ok()?;
            ranges.push(start..end);
            start = end;
        }
        (start == rows && mins.len() == ranges.len() && maxes.len() == ranges.len()).then_some((Self { mins, maxes }, ranges))
    }
}

fn converter<'a>(file: &'a GroupFile, name: &str) -> Option<StatisticsConverter<'a>> {
    let position = file.column(name)?;
    let footer = file.footer();
    StatisticsConverter::try_new(footer.schema().field(position).name(), footer.schema(), footer.parquet_schema()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::super::identifiers::IdentifierKind;
    use super::*;

    fn extent(names: &[String], times: &[i64], ttl: Option<i64>) -> Extent {
        let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
        let keys = IdentifierKind::Text.read(&names).unwrap();
        let index = SpineIndex::build(IdentifierKind::Text, [(&keys, &Int64Array::from(times.to_vec()))]);
        Extent::of(&index, ttl).unwrap()
    }

    fn text(min: &str, max: &str) -> ColumnBounds {
        ColumnBounds { min: Some(Bound::Text(min.into())), max: Some(Bound::Text(max.into())), nulls: None }
    }

    #[test]
    fn gaps_between_few_identifiers_are_seen_and_between_many_are_not() {
        let few = extent(&["b".into(), "k".into(), "a longer identifier".into()], &[1, 2, 3], None);
        for (min, max, expected) in
            [("c", "j", false), ("b", "b", true), ("k", "z", true), ("l", "z", false), ("", "a", false), ("", "b", true)]
        {
            assert_eq!(few.may_matter(Some(&text(min, max)), None), expected, "{min}..{max}");
        }
        let names: Vec<String> = (0..5_000).map(|n| format!("k{n:05}")).collect();
        let many = extent(&names, &[0; 5_000], None);
        assert!(many.may_matter(Some(&text("k00001x", "k00001y")), None) && !many.may_matter(Some(&text("l", "z")), None));
        assert!(few.may_matter(Some(&ColumnBounds::default()), Some(&ColumnBounds::default())), "no knowledge, no pruning");
    }

    #[test]
    fn a_ttl_bounds_the_past_and_the_last_row_the_future() {
        let time = |min, max| ColumnBounds { min: Some(Bound::Micros(min)), max: Some(Bound::Micros(max)), nulls: None };
        let names = ["a".to_owned(), "b".to_owned()];
        let unlimited = extent(&names, &[100, 200], None);
        assert!(unlimited.may_matter(None, Some(&time(-9, -5))) && !unlimited.may_matter(None, Some(&time(201, 300))));
        let limited = extent(&names, &[100, 200], Some(10));
        for (min, max, expected) in [(0, 89, false), (0, 90, true), (200, 300, true), (201, 300, false)] {
            assert_eq!(limited.may_matter(None, Some(&time(min, max))), expected, "{min}..{max}");
        }
    }
}
