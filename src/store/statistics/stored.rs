//! Profiles between the form that computes ([`RowsProfile`], [`ColumnProfile`]) and the form the catalog keeps.

use std::collections::{BTreeMap, HashMap};

use crate::catalog::{Population, StoredColumn, StoredProfile, Window};
use crate::model::{Error, EventTime, Result};
use crate::statistics::windows::{ColumnNumbers, DayNumbers, DayProfile, RowsProfile};
use crate::statistics::{ColumnProfile, Figures};

/// Figures of a column of which only rows, nulls and mean are known.
const NO_FIGURES: &str = "{}";

/// The windows that a profile of new rows touches.
pub(super) fn windows_of(profile: &RowsProfile) -> Vec<Window> {
    let days = profile.days().keys().chain(profile.lines().keys());
    std::iter::once(Window::Whole).chain(days.map(|day| Window::Day(*day))).collect()
}

/// The profiles to keep after new rows: those found, each merged with its part of `new`.
pub(super) fn merged(names: &[String], new: &RowsProfile, found: Vec<StoredProfile>, now: EventTime) -> Result<Vec<StoredProfile>> {
    let mut found: HashMap<Window, StoredProfile> = found.into_iter().map(|profile| (profile.window.clone(), profile)).collect();
    let mut kept = Vec::new();
    let times = new.event_times();
    let whole = Part { rows: new.rows(), deleted: new.deleted(), times, columns: Columns::Profiles(&new.whole()?) };
    kept.push(joined(names, Window::Whole, found.remove(&Window::Whole), &whole, now)?);
    let of_day = |day: i32, found: &mut HashMap<Window, StoredProfile>, part: &Part<'_>| {
        let window = Window::Day(day);
        let known = found.remove(&window);
        joined(names, window, known, part, now)
    };
    for (day, DayProfile { rows, deleted, columns }) in new.days() {
        let part = Part { rows: *rows, deleted: *deleted, times: None, columns: Columns::Profiles(columns) };
        kept.push(of_day(*day, &mut found, &part)?);
    }
    for (day, DayNumbers { rows, deleted, columns }) in new.lines() {
        let part = Part { rows: *rows, deleted: *deleted, times: None, columns: Columns::Numbers(columns) };
        kept.push(of_day(*day, &mut found, &part)?);
    }
    Ok(kept)
}

/// A profile of one window by itself, to be kept as it is.
pub(super) fn alone(
    names: &[String],
    population: Population,
    window: Window,
    rows: (u64, u64),
    times: Option<(i64, i64)>,
    columns: &[ColumnProfile],
    now: EventTime,
) -> Result<StoredProfile> {
    let part = Part { rows: rows.0, deleted: rows.1, times, columns: Columns::Profiles(columns) };
    Ok(StoredProfile { population, ..joined(names, window, None, &part, now)? })
}

/// What a stored profile merges by, by feature.
pub(super) fn states(profile: &StoredProfile) -> Result<BTreeMap<String, ColumnProfile>> {
    let mut states = BTreeMap::new();
    for column in &profile.columns {
        if let Some(state) = &column.state {
            let state = ColumnProfile::from_bytes(state).map_err(|error| {
                Error::corrupt(format!("the statistics of '{}' can't be read", column.feature))
                    .why(error.to_string())
                    .remedy("make them anew with `larder stats GROUP --refresh`")
            })?;
            states.insert(column.feature.clone(), state);
        }
    }
    Ok(states)
}

/// Rows that are added to one window.
struct Part<'a> {
    rows: u64,
    deleted: u64,
    times: Option<(i64, i64)>,
    columns: Columns<'a>,
}

enum Columns<'a> {
    Profiles(&'a [ColumnProfile]),
    Numbers(&'a [ColumnNumbers]),
}

fn joined(names: &[String], window: Window, known: Option<StoredProfile>, part: &Part<'_>, now: EventTime) -> Result<StoredProfile> {
    let mut profile = known.unwrap_or_else(|| StoredProfile {
        population: Population::Events,
        window,
        rows: 0,
        deleted: 0,
        oldest_event_time: None,
        newest_event_time: None,
        taken: now,
        columns: Vec::new(),
    });
    // Rows from before a feature was added have no value of it.
    let earlier_rows = profile.rows.saturating_sub(profile.deleted);
    profile.rows += part.rows;
    profile.deleted += part.deleted;
    profile.taken = now;
    if let Some((oldest, newest)) = part.times {
        let (oldest, newest) = (EventTime::from_unix_micros(oldest), EventTime::from_unix_micros(newest));
        profile.oldest_event_time = profile.oldest_event_time.into_iter().chain(oldest).min();
        profile.newest_event_time = profile.newest_event_time.into_iter().chain(newest).max();
    }
    let mut known: HashMap<String, StoredColumn> =
        std::mem::take(&mut profile.columns).into_iter().map(|column| (column.feature.clone(), column)).collect();
    for (position, name) in names.iter().enumerate() {
        let known = known.remove(name);
        let column = match part.columns {
            Columns::Profiles(profiles) => match profiles.get(position) {
                Some(new) => with_profile(name, known, new, earlier_rows)?,
                None => continue,
            },
            Columns::Numbers(numbers) => match numbers.get(position) {
                Some(new) => with_numbers(name, known.as_ref().map(numbers_of), *new, earlier_rows),
                None => continue,
            },
        };
        profile.columns.push(column);
    }
    Ok(profile)
}

fn with_profile(name: &str, known: Option<StoredColumn>, new: &ColumnProfile, earlier_rows: u64) -> Result<StoredColumn> {
    let Some(known) = known else {
        let mut state = new.clone();
        state.add_nulls(earlier_rows)?;
        return stored_column(name, &state);
    };
    let Some(bytes) = &known.state else {
        return Ok(with_numbers(name, Some(numbers_of(&known)), ColumnNumbers::from(new), earlier_rows));
    };
    let mut state = ColumnProfile::from_bytes(bytes)?;
    state.merge(new)?;
    stored_column(name, &state)
}

fn with_numbers(name: &str, known: Option<ColumnNumbers>, new: ColumnNumbers, earlier_rows: u64) -> StoredColumn {
    let known = known.unwrap_or(ColumnNumbers { rows: earlier_rows, nulls: earlier_rows, ..ColumnNumbers::default() });
    let both = known.merged(new);
    StoredColumn {
        feature: name.to_owned(),
        rows: both.rows,
        nulls: both.nulls,
        mean: (both.numbers > 0).then_some(both.mean),
        distinct: None,
        figures: NO_FIGURES.to_owned(),
        state: None,
    }
}

/// The light numbers of a column: NaN and infinities are rare enough not to be told from values here.
fn numbers_of(column: &StoredColumn) -> ColumnNumbers {
    let numbers = if column.mean.is_some() { column.rows.saturating_sub(column.nulls) } else { 0 };
    ColumnNumbers { rows: column.rows, nulls: column.nulls, numbers, mean: column.mean.unwrap_or(0.0) }
}

/// A column in the form the catalog keeps.
pub fn stored_column(name: &str, state: &ColumnProfile) -> Result<StoredColumn> {
    let figures: Figures = state.figures();
    Ok(StoredColumn {
        feature: name.to_owned(),
        rows: figures.n,
        nulls: figures.nulls,
        mean: figures.mean,
        distinct: Some((figures.distinct.low, figures.distinct.high)),
        figures: serde_json::to_string(&figures).map_err(|error| Error::internal("can't write figures").source(error))?,
        state: Some(state.to_bytes()),
    })
}
