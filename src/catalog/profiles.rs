//! Profiles: what the values of each feature looked like, in all rows of a population or in one day of them.
//!
//! The catalog keeps what [`crate::statistics`] says without understanding it: scalars that questions are asked about as
//! columns, the rest as JSON, what profiles merge by as bytes. Merging happens inside the transaction that also notes
//! which files were merged, so that a file counts once whoever profiles it, and however often.

use std::collections::BTreeMap;

use sqlx::Row;

use super::profile_rows::{day_line, days, forget, select, upsert};
use super::{Catalog, from_sql, to_sql};
use crate::model::{Error, EventTime, GroupId, Result};

/// Which rows a profile is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Population {
    /// Every record ever.
    Events,
    /// The newest live record of each identifier.
    Latest,
}

impl Population {
    /// Its name, everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Latest => "latest",
        }
    }
}

/// What delimits the rows of a profile within its population.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Window {
    /// Nothing: all of them.
    Whole,
    /// One day of event time, counted from 1970-01-01 UTC.
    Day(i32),
    /// Rows that somebody gave a name, to compare others with.
    Baseline(String),
    /// The rows of a training dataset, by `name@version`.
    Dataset(String),
}

impl Window {
    pub(super) fn parts(&self) -> (&'static str, i64, &str) {
        match self {
            Self::Whole => ("whole", 0, ""),
            Self::Day(day) => ("day", i64::from(*day), ""),
            Self::Baseline(name) => ("baseline", 0, name),
            Self::Dataset(name) => ("dataset", 0, name),
        }
    }
}

/// A profile.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredProfile {
    /// Its population.
    pub population: Population,
    /// Its window.
    pub window: Window,
    /// Rows, delete markers included.
    pub rows: u64,
    /// Delete markers, whose features are in no figure.
    pub deleted: u64,
    /// Earliest event time.
    pub oldest_event_time: Option<EventTime>,
    /// Latest event time.
    pub newest_event_time: Option<EventTime>,
    /// When its numbers were found.
    pub taken: EventTime,
    /// Its columns.
    pub columns: Vec<StoredColumn>,
}

/// One column of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredColumn {
    /// The feature.
    pub feature: String,
    /// Rows that could have a value.
    pub rows: u64,
    /// Those without one.
    pub nulls: u64,
    /// Mean of its values, if they are numbers.
    pub mean: Option<f64>,
    /// Bounds of the number of distinct values.
    pub distinct: Option<(f64, f64)>,
    /// All scalars as JSON, or `{}` where only those above are known.
    pub figures: String,
    /// What it merges by, where that is kept.
    pub state: Option<Vec<u8>>,
}

/// Files whose rows are about to be merged in, by path, with their rows.
pub type ProfiledFiles = BTreeMap<String, u64>;

/// A day of a group's history in few numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct DayLine {
    /// Days since 1970.
    pub day: i32,
    /// Rows of all features.
    pub rows: u64,
    /// For one feature: rows, nulls, mean.
    pub feature: Option<(u64, u64, Option<f64>)>,
}

impl Catalog {
    /// Merges rows of files into the profiles of a group: all of them, or none if any of the files is in already.
    ///
    /// `merge` gets the profiles of the windows that are there and answers those to keep in their place. States of days
    /// more than `keep_days` before the newest are dropped, their scalars stay. False if nothing was merged.
    pub async fn merge_profiles(
        &self,
        group: &GroupId,
        files: &ProfiledFiles,
        windows: &[Window],
        keep_days: i32,
        merge: impl FnOnce(Vec<StoredProfile>) -> Result<Vec<StoredProfile>> + Send,
    ) -> Result<bool> {
        let what = "note statistics";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let exists: Option<i64> = sqlx::query_scalar("SELECT 1 FROM feature_groups WHERE id = ?1")
            .bind(group.bytes().as_slice())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        if exists.is_none() {
            return Ok(false);
        }
        for (path, rows) in files {
            let added = sqlx::query("INSERT OR IGNORE INTO profiled_files (group_id, path, row_count) VALUES (?1, ?2, ?3)")
                .bind(group.bytes().as_slice())
                .bind(path)
                .bind(to_sql(*rows))
                .execute(&mut *transaction)
                .await
                .map_err(self.fault(what))?;
            if added.rows_affected() == 0 {
                return Ok(false);
            }
        }
        let days = days(&mut transaction, group).await.map_err(self.fault(what))?;
        let may_exist = |window: &&Window| !matches!(window, Window::Day(day) if !days.contains(&i64::from(*day)));
        let mut found = Vec::new();
        for window in windows.iter().filter(may_exist) {
            if let Some(profile) = select(&mut transaction, group, Population::Events, window, true).await.map_err(self.fault(what))? {
                found.push(profile);
            }
        }
        for profile in merge(found)? {
            upsert(&mut transaction, group, &profile).await.map_err(self.fault(what))?;
        }
        sqlx::query(
            "DELETE FROM profile_sketches WHERE profile_id IN (
                 SELECT id FROM profiles WHERE group_id = ?1 AND population = 'events' AND grain = 'day' AND day <
                     (SELECT max(day) FROM profiles WHERE group_id = ?1 AND population = 'events' AND grain = 'day') - ?2)",
        )
        .bind(group.bytes().as_slice())
        .bind(keep_days)
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(true)
    }

    /// Notes that files with the same rows have taken the place of others. Where only some of the old ones had been
    /// profiled, nobody can tell what is in the profiles any more: they are given up, to be made anew.
    pub async fn replace_profiled_files(&self, group: &GroupId, removed: &[String], added: &ProfiledFiles) -> Result<()> {
        let what = "note which files statistics are of";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let mut known = 0;
        for path in removed {
            known += sqlx::query("DELETE FROM profiled_files WHERE group_id = ?1 AND path = ?2")
                .bind(group.bytes().as_slice())
                .bind(path)
                .execute(&mut *transaction)
                .await
                .map_err(self.fault(what))?
                .rows_affected();
        }
        if known == removed.len() as u64 {
            for (path, rows) in added {
                sqlx::query(
                    "INSERT OR IGNORE INTO profiled_files (group_id, path, row_count) SELECT id, ?2, ?3 FROM feature_groups WHERE id = ?1",
                )
                .bind(group.bytes().as_slice())
                .bind(path)
                .bind(to_sql(*rows))
                .execute(&mut *transaction)
                .await
                .map_err(self.fault(what))?;
            }
        } else if known > 0 {
            forget(&mut transaction, group).await.map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await
    }

    /// Gives up the profiles of a group's events, to make them anew. Baselines and those of datasets stay.
    pub async fn forget_profiles(&self, group: &GroupId) -> Result<()> {
        let what = "forget statistics";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        forget(&mut transaction, group).await.map_err(self.fault(what))?;
        self.commit(transaction, what).await
    }

    /// Keeps a profile that merges with no other: in place of the one of its population and window.
    pub async fn set_profile(&self, group: &GroupId, profile: &StoredProfile) -> Result<()> {
        let what = "note statistics";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        upsert(&mut transaction, group, profile).await.map_err(self.fault(what))?;
        self.commit(transaction, what).await
    }

    /// The files whose rows are in the profiles of a group, with their rows.
    pub async fn profiled_files(&self, group: &GroupId) -> Result<ProfiledFiles> {
        let what = "read which files statistics are of";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query("SELECT path, row_count FROM profiled_files WHERE group_id = ?1")
            .bind(group.bytes().as_slice())
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, from_sql(row.try_get(1)?))))
            .collect::<std::result::Result<_, sqlx::Error>>()
            .map_err(self.fault(what))
    }

    /// One profile, with what it merges by if asked.
    pub async fn profile(
        &self,
        group: &GroupId,
        population: Population,
        window: &Window,
        with_state: bool,
    ) -> Result<Option<StoredProfile>> {
        let mut reader = self.reader.lock().await;
        select(&mut reader, group, population, window, with_state).await.map_err(self.fault("read statistics"))
    }

    /// The days of a group's events that have a profile, in order, with their rows; and of one feature the numbers that
    /// stay for ever.
    pub async fn day_lines(&self, group: &GroupId, feature: Option<&str>) -> Result<Vec<DayLine>> {
        let what = "read statistics of days";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT p.day, p.row_count, c.n, c.n_null, c.mean FROM profiles p
             LEFT JOIN profile_columns c ON c.profile_id = p.id AND c.feature = ?2
             WHERE p.group_id = ?1 AND p.population = 'events' AND p.grain = 'day' ORDER BY p.day",
        )
        .bind(group.bytes().as_slice())
        .bind(feature)
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        rows.iter().map(day_line).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Names of the baselines that are kept for a group.
    pub async fn baselines(&self, group: &GroupId) -> Result<Vec<String>> {
        let mut reader = self.reader.lock().await;
        sqlx::query_scalar("SELECT label FROM profiles WHERE group_id = ?1 AND grain = 'baseline' ORDER BY label")
            .bind(group.bytes().as_slice())
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault("read the names of baselines"))
    }

    /// Forgets a baseline; false if there is none of that name.
    pub async fn remove_baseline(&self, group: &GroupId, name: &str) -> Result<bool> {
        let what = "forget a baseline";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let removed = sqlx::query("DELETE FROM profiles WHERE group_id = ?1 AND grain = 'baseline' AND label = ?2")
            .bind(group.bytes().as_slice())
            .bind(name)
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(removed.rows_affected() > 0)
    }
}

impl std::str::FromStr for Population {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "events" => Ok(Self::Events),
            "latest" => Ok(Self::Latest),
            _ => Err(Error::usage(format!("'{text}' is no population")).remedy("use events (every record) or latest (one per identifier)")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::group_rows::samples::{catalog, group};

    fn profile(window: Window, rows: u64) -> StoredProfile {
        let column = StoredColumn {
            feature: "price".into(),
            rows,
            nulls: 1,
            mean: Some(rows as f64),
            distinct: Some((2.0, 3.0)),
            figures: "{}".into(),
            state: Some(vec![1, 2, 3]),
        };
        StoredProfile {
            population: Population::Events,
            window,
            rows,
            deleted: 0,
            oldest_event_time: EventTime::from_unix_micros(5),
            newest_event_time: EventTime::from_unix_micros(9),
            taken: EventTime::from_unix_seconds(5).unwrap(),
            columns: vec![column],
        }
    }

    fn files(paths: &[&str]) -> ProfiledFiles {
        paths.iter().map(|path| ((*path).to_owned(), 10)).collect()
    }

    #[tokio::test]
    async fn a_file_is_merged_once() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        catalog.insert_group(&clicks).await.unwrap();
        let windows = [Window::Whole, Window::Day(20_000)];
        let add = |found: Vec<StoredProfile>| {
            let rows: u64 = found.iter().filter(|found| found.window == Window::Whole).map(|found| found.rows).sum();
            Ok(vec![profile(Window::Whole, rows + 10), profile(Window::Day(20_000), rows + 10)])
        };
        assert!(catalog.merge_profiles(&clicks.id, &files(&["a"]), &windows, 30, add).await.unwrap());
        assert!(!catalog.merge_profiles(&clicks.id, &files(&["b", "a"]), &windows, 30, add).await.unwrap(), "a is in already");
        assert!(catalog.merge_profiles(&clicks.id, &files(&["b"]), &windows, 30, add).await.unwrap());
        let whole = catalog.profile(&clicks.id, Population::Events, &Window::Whole, true).await.unwrap();
        assert_eq!(whole, Some(profile(Window::Whole, 20)));
        assert_eq!(catalog.profiled_files(&clicks.id).await.unwrap(), files(&["a", "b"]));
        let lines = catalog.day_lines(&clicks.id, Some("price")).await.unwrap();
        assert_eq!(lines, [DayLine { day: 20_000, rows: 20, feature: Some((20, 1, Some(20.0))) }]);
    }

    #[tokio::test]
    async fn a_profile_of_some_of_the_compacted_files_is_given_up() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        catalog.insert_group(&clicks).await.unwrap();
        let whole = |_: Vec<StoredProfile>| Ok(vec![profile(Window::Whole, 20)]);
        let names = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        catalog.merge_profiles(&clicks.id, &files(&["a", "b"]), &[Window::Whole], 30, whole).await.unwrap();
        catalog.replace_profiled_files(&clicks.id, &names(&["a", "b"]), &files(&["ab"])).await.unwrap();
        assert_eq!(catalog.profiled_files(&clicks.id).await.unwrap(), files(&["ab"]));
        catalog.replace_profiled_files(&clicks.id, &names(&["c"]), &files(&["cd"])).await.unwrap();
        assert_eq!(catalog.profiled_files(&clicks.id).await.unwrap(), files(&["ab"]), "files that were not profiled stay so");
        catalog.replace_profiled_files(&clicks.id, &names(&["ab", "cd"]), &files(&["abcd"])).await.unwrap();
        assert_eq!(catalog.profiled_files(&clicks.id).await.unwrap(), files(&[]));
        assert_eq!(catalog.profile(&clicks.id, Population::Events, &Window::Whole, false).await.unwrap(), None);
    }

    #[tokio::test]
    async fn states_of_old_days_go_and_their_scalars_stay() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        catalog.insert_group(&clicks).await.unwrap();
        let days = |_: Vec<StoredProfile>| Ok((0..5).map(|day| profile(Window::Day(day), 7)).collect());
        catalog.merge_profiles(&clicks.id, &files(&["a"]), &[], 2, days).await.unwrap();
        for day in 0..5 {
            let found = catalog.profile(&clicks.id, Population::Events, &Window::Day(day), true).await.unwrap().unwrap();
            assert_eq!(found.columns[0].state.is_some(), day >= 2, "{day}");
            assert_eq!(found.columns[0].mean, Some(7.0));
        }
    }

    #[tokio::test]
    async fn a_baseline_has_a_name_and_goes_with_its_group() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        catalog.set_profile(&clicks.id, &profile(Window::Baseline("june".into()), 3)).await.unwrap();
        assert!(catalog.baselines(&clicks.id).await.unwrap().is_empty(), "a group that is gone has no baseline");
        catalog.insert_group(&clicks).await.unwrap();
        catalog.set_profile(&clicks.id, &profile(Window::Baseline("june".into()), 3)).await.unwrap();
        assert_eq!(catalog.baselines(&clicks.id).await.unwrap(), ["june"]);
        catalog.forget_profiles(&clicks.id).await.unwrap();
        assert!(catalog.remove_baseline(&clicks.id, "june").await.unwrap());
        assert!(!catalog.remove_baseline(&clicks.id, "june").await.unwrap());
    }
}
