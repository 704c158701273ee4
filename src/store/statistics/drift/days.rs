//! The days of a group: what is kept of each, and the windows that are made of them.

use std::collections::BTreeMap;

use super::{BaselineChoice, DriftOptions};
use crate::catalog::{Population, StoredProfile};
use crate::model::{Error, ErrorKind, FeatureGroup, Result};
use crate::statistics::ColumnProfile;
use crate::statistics::windows::{DETAILED_DAYS, day_of};
use crate::store::FeatureStore;
use crate::store::statistics::known::Known;
use crate::store::statistics::stored::states;

/// Windows whose median the rows of the current one are compared with.
const VOLUME_WINDOWS: i32 = 7;

/// Some whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first day, counted from 1970-01-01.
    pub first: i32,
    /// The last one.
    pub last: i32,
    /// Rows of them.
    pub rows: u64,
}

/// The days of a group: the catalog's, and those of rows that are not in it.
pub(super) struct Days<'a> {
    store: &'a FeatureStore,
    group: &'a FeatureGroup,
    known: &'a Known,
    /// Rows of each.
    pub(super) rows: BTreeMap<i32, u64>,
}

/// Merged profiles of some rows.
#[derive(Default)]
pub(super) struct Sample {
    pub(super) rows: u64,
    pub(super) columns: BTreeMap<String, ColumnProfile>,
}

impl<'a> Days<'a> {
    pub(super) async fn of(store: &'a FeatureStore, group: &'a FeatureGroup, known: &'a Known) -> Result<Self> {
        let mut rows: BTreeMap<i32, u64> = BTreeMap::new();
        if !known.is_replaced {
            rows.extend(store.inner.catalog.day_lines(&group.id, None).await?.into_iter().map(|line| (line.day, line.rows)));
        }
        for loose in &known.loose {
            let detailed = loose.days().iter().map(|(day, profile)| (*day, profile.rows));
            for (day, more) in detailed.chain(loose.lines().iter().map(|(day, numbers)| (*day, numbers.rows))) {
                *rows.entry(day).or_default() += more;
            }
        }
        Ok(Self { store, group, known, rows })
    }

    /// First and last day of the current window; none without a day that is over.
    pub(super) fn current(&self, options: &DriftOptions) -> Result<Option<(i32, i32)>> {
        let length = window_length(options)?;
        let last = last_whole_day(&self.rows, day_of(self.store.now().unix_micros()));
        Ok(last.map(|last| (last.saturating_sub(length - 1), last)))
    }

    /// All rows from one day to another, as far as their days are kept in detail.
    pub(super) async fn sample(&self, first: i32, last: i32) -> Result<Sample> {
        let mut sample = Sample::default();
        for day in first..=last {
            if !self.known.is_replaced {
                let window = crate::catalog::Window::Day(day);
                let stored = self.store.inner.catalog.profile(&self.group.id, Population::Events, &window, true).await?;
                stored.iter().try_for_each(|profile| sample.add(Sample::of(profile)?))?;
            }
            for profile in self.known.loose.iter().filter_map(|loose| loose.days().get(&day)) {
                let names = self.group.schema.features().iter().map(|feature| feature.name.to_string());
                sample.add(Sample { rows: profile.rows, columns: names.zip(profile.columns.iter().cloned()).collect() })?;
            }
        }
        Ok(sample)
    }
}

impl Sample {
    pub(super) fn of(profile: &StoredProfile) -> Result<Self> {
        Ok(Self { rows: profile.rows, columns: states(profile)? })
    }

    fn add(&mut self, other: Self) -> Result<()> {
        self.rows += other.rows;
        for (name, profile) in other.columns {
            match self.columns.get_mut(&name) {
                Some(known) => known.merge(&profile)?,
                None => {
                    self.columns.insert(name, profile);
                }
            }
        }
        Ok(())
    }
}

fn window_length(options: &DriftOptions) -> Result<i32> {
    let is_weekday = options.baseline == BaselineChoice::Weekday;
    let days = options.days.unwrap_or(if is_weekday { 1 } else { 7 });
    // Both windows, and the day that is not over, lie within the days that are kept in detail.
    let most = match options.baseline {
        BaselineChoice::Previous => (DETAILED_DAYS as u32 - 1) / 2,
        BaselineChoice::Weekday => 7,
        BaselineChoice::Pinned(_) | BaselineChoice::Dataset(_) => DETAILED_DAYS as u32 - 1,
    };
    match i32::try_from(days) {
        Ok(length) if days >= 1 && days <= most => Ok(length),
        _ => Err(Error::new(ErrorKind::Usage, format!("a window of {days} days can't be compared with '{}'", options.baseline.label()))
            .remedy(format!("use 1 to {most} days"))),
    }
}

/// The newest day with rows that is over; where none is, the newest that is not in the future.
fn last_whole_day(lines: &BTreeMap<i32, u64>, today: Option<i32>) -> Option<i32> {
    let today = today.unwrap_or(i32::MAX);
    lines.range(..today).next_back().or_else(|| lines.range(..=today).next_back()).map(|(day, _)| *day)
}

/// Rows of the windows before the one that begins at `first`, newest last, as far back as there are rows.
pub(super) fn windows_before(lines: &BTreeMap<i32, u64>, first: i32, length: i32) -> Vec<u64> {
    let Some((oldest, _)) = lines.first_key_value() else { return Vec::new() };
    let mut windows = Vec::new();
    for back in 1..=VOLUME_WINDOWS {
        let from = first.saturating_sub(back.saturating_mul(length));
        // A window that begins before the first row isn't whole.
        if from < *oldest {
            break;
        }
        windows.push(lines.range(from..from + length).map(|(_, rows)| *rows).sum());
    }
    windows.reverse();
    windows
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::statistics::StatisticsWatch;

    #[test]
    fn a_day_that_is_not_over_is_no_window() {
        let lines = BTreeMap::from([(10, 5), (11, 5), (12, 1), (40, 1)]);
        assert_eq!(last_whole_day(&lines, Some(12)), Some(11), "today still fills up");
        assert_eq!(last_whole_day(&lines, Some(13)), Some(12));
        assert_eq!(last_whole_day(&BTreeMap::from([(12, 1)]), Some(12)), Some(12), "better than nothing");
        assert_eq!(last_whole_day(&BTreeMap::from([(40, 1)]), Some(12)), None, "the future is no baseline");
    }

    #[test]
    fn volume_is_compared_with_whole_windows_only() {
        let lines: BTreeMap<i32, u64> = (0..20).map(|day: i32| (day, u64::from(day.unsigned_abs()))).collect();
        assert_eq!(windows_before(&lines, 18, 2), [9, 13, 17, 21, 25, 29, 33]);
        assert_eq!(windows_before(&lines, 5, 2), [3, 7], "the window that begins before the first day is left out");
        assert_eq!(windows_before(&BTreeMap::new(), 5, 2), Vec::<u64>::new());
    }

    #[test]
    fn both_windows_lie_within_the_days_that_are_kept() {
        let options =
            |baseline, days| DriftOptions { baseline, days, features: Vec::new(), max_age: None, watch: StatisticsWatch::default() };
        assert_eq!(window_length(&options(BaselineChoice::Previous, None)).unwrap(), 7);
        assert_eq!(window_length(&options(BaselineChoice::Weekday, None)).unwrap(), 1);
        assert_eq!(window_length(&options(BaselineChoice::Previous, Some(17))).unwrap(), 17);
        assert!(window_length(&options(BaselineChoice::Previous, Some(18))).is_err());
        assert!(window_length(&options(BaselineChoice::Previous, Some(0))).is_err());
    }
}
