//! The statistics of one group, brought up to date where that is cheap, and honest about it where it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;

use super::StatisticsWatch;
use super::known::ROWS_READ_UNASKED;
use super::stored::{alone, states};
use crate::backend::offline::bounds::Bound;
use crate::catalog::{Population, StoredColumn, StoredProfile, Window};
use crate::dataset::GroupScan;
use crate::dataset::profiling::ProfiledColumns;
use crate::model::{Error, EventTime, FeatureGroup, Result};
use crate::statistics::{ColumnKind, ColumnProfile, Distinct, Figures, Value};
use crate::store::FeatureStore;
use crate::store::queries::quoted;

/// Which statistics of a group are wanted.
#[derive(Debug, Clone)]
pub struct StatisticsOptions {
    /// Of which rows.
    pub population: Population,
    /// Read everything anew, however much that is.
    pub refresh: bool,
    /// Sees how far it is, and stops it.
    pub watch: StatisticsWatch,
}

impl StatisticsOptions {
    /// Statistics of a population as they are, with small arrears made up.
    pub fn of(population: Population) -> Self {
        Self { population, refresh: false, watch: StatisticsWatch::default() }
    }
}

/// How far statistics can be trusted to be of the rows that are there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Of all of them.
    Fresh,
    /// Some rows are in no figure yet.
    Stale {
        /// Files that were never read for them.
        files: u64,
        /// Rows of those files.
        rows: u64,
    },
    /// Nothing was read: rows, nulls and bounds are what the files say about themselves.
    Footers,
}

/// Statistics of one feature.
#[derive(Debug, Clone)]
pub struct FeatureStatistics {
    /// Its name.
    pub name: String,
    /// Its type as people read it.
    pub type_text: String,
    /// Every number.
    pub figures: Figures,
    /// What quantiles and histograms are cut from; none where only the files' own words are known.
    pub profile: Option<ColumnProfile>,
}

/// Statistics of a group.
#[derive(Debug, Clone)]
pub struct GroupStatistics {
    /// The group.
    pub group: Arc<FeatureGroup>,
    /// Of which rows.
    pub population: Population,
    /// How far they are of the rows that are there now.
    pub standing: Standing,
    /// Rows, delete markers included.
    pub rows: u64,
    /// Delete markers.
    pub deleted: u64,
    /// Earliest event time.
    pub oldest_event_time: Option<EventTime>,
    /// Latest event time.
    pub newest_event_time: Option<EventTime>,
    /// When the oldest of these numbers was found.
    pub taken: EventTime,
    /// Every feature, in definition order.
    pub features: Vec<FeatureStatistics>,
}

/// True if two profiles agree in every exact number. Sketches are not looked at: they draw by chance, and differ for the same rows.
fn says_the_same(one: &StoredProfile, other: &StoredProfile) -> bool {
    let rows = |profile: &StoredProfile| (profile.rows, profile.deleted, profile.oldest_event_time, profile.newest_event_time);
    let columns = |profile: &StoredProfile| {
        let exact = |column: &StoredColumn| (column.feature.clone(), (column.rows, column.nulls, column.mean.map(f64::to_bits)));
        profile.columns.iter().map(exact).collect::<BTreeMap<_, _>>()
    };
    rows(one) == rows(other) && columns(one) == columns(other)
}

impl FeatureStore {
    /// Statistics of a group's features.
    ///
    /// # Errors
    /// `Invalid` for a group that keeps no history, `Interrupted` if it was stopped.
    pub async fn statistics(&self, group: &str, options: &StatisticsOptions) -> Result<GroupStatistics> {
        let group = self.group(group).await?;
        if group.offline.is_none() {
            return Err(Error::invalid(format!("'{}' has no statistics", group.name))
                .why("it keeps the latest records only, and statistics are of a history")
                .remedy("create it with an offline store"));
        }
        match options.population {
            Population::Events => self.statistics_of_events(&group, options).await,
            Population::Latest => self.statistics_of_latest(&group, options).await,
        }
    }

    /// A line over time: for each day of event time the rows of a group, and of one feature nulls and mean.
    pub async fn statistics_by_day(&self, group: &str, feature: Option<&str>) -> Result<Vec<crate::catalog::DayLine>> {
        let group = self.group(group).await?;
        self.inner.catalog.day_lines(&group.id, feature).await
    }

    async fn statistics_of_events(&self, group: &Arc<FeatureGroup>, options: &StatisticsOptions) -> Result<GroupStatistics> {
        let known = self.known_profile(group, options).await?;
        let stored = match known.is_replaced {
            true => None,
            false => self.inner.catalog.profile(&group.id, Population::Events, &Window::Whole, true).await?,
        };
        if known.standing != Standing::Fresh && stored.is_none() {
            return Ok(self.footer_statistics(group, &known.scan));
        }
        let mut kept = stored.as_ref().map(states).transpose()?.unwrap_or_default();
        let (mut rows, mut deleted) = stored.as_ref().map_or((0, 0), |stored| (stored.rows, stored.deleted));
        for more in &known.loose {
            rows += more.rows();
            deleted += more.deleted();
            add_to(&mut kept, group, &more.whole()?)?;
        }
        let times = stored.iter().flat_map(|stored| [stored.oldest_event_time, stored.newest_event_time]).flatten();
        let times: Vec<EventTime> = times.chain(known.event_times()).collect();
        Ok(GroupStatistics {
            group: group.clone(),
            population: Population::Events,
            standing: known.standing,
            rows,
            deleted,
            oldest_event_time: times.iter().min().copied(),
            newest_event_time: times.iter().max().copied(),
            taken: stored.map_or_else(|| self.now(), |stored| stored.taken),
            features: features_of(group, kept, known.columns.kinds()),
        })
    }

    async fn statistics_of_latest(&self, group: &Arc<FeatureGroup>, options: &StatisticsOptions) -> Result<GroupStatistics> {
        let scan = self.open_scan(group).await?;
        let columns = ProfiledColumns::of(&scan)?;
        let rows: u64 = scan.files.iter().map(rows_of).sum();
        if rows > ROWS_READ_UNASKED && !options.refresh {
            let stored = self.inner.catalog.profile(&group.id, Population::Latest, &Window::Whole, true).await?;
            let Some(stored) = stored else {
                return Err(Error::invalid(format!("the latest records of '{}' were never counted", group.name))
                    .why(format!("that reads all {rows} rows"))
                    .remedy("add --refresh"));
            };
            let standing = Standing::Stale { files: scan.files.len() as u64, rows };
            return stored_statistics(group, &stored, standing, &columns);
        }
        let mut profile = columns.empty();
        let mut stream = self.own_query(&format!("SELECT * FROM {}", quoted(&format!("{}$latest", group.name)))).await?;
        options.watch.rows_to_read.store(rows, std::sync::atomic::Ordering::Relaxed);
        while let Some(batch) = stream.next().await {
            if options.watch.cancel.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Error::interrupted("the statistics were stopped"));
            }
            let batch = batch?;
            columns.add(&mut profile, &batch)?;
            options.watch.rows_read.fetch_add(batch.num_rows() as u64, std::sync::atomic::Ordering::Relaxed);
        }
        let names: Vec<String> = group.schema.features().iter().map(|feature| feature.name.to_string()).collect();
        let counts = (profile.rows(), profile.deleted());
        let whole = profile.whole()?;
        let stored = alone(&names, Population::Latest, Window::Whole, counts, profile.event_times(), &whole, self.now())?;
        if !self.inner.read_only {
            let before = self.inner.catalog.profile(&group.id, Population::Latest, &Window::Whole, false).await?;
            // Written only if it says something else: whoever asks anew at each change of the catalog would never come to rest.
            if options.refresh || before.is_none_or(|before| !says_the_same(&before, &stored)) {
                self.inner.catalog.set_profile(&group.id, &stored).await?;
            }
        }
        stored_statistics(group, &stored, Standing::Fresh, &columns)
    }

    /// What the files say about themselves.
    fn footer_statistics(&self, group: &Arc<FeatureGroup>, scan: &GroupScan) -> GroupStatistics {
        let rows: u64 = scan.files.iter().map(rows_of).sum();
        let features = group
            .schema
            .features()
            .iter()
            .map(|feature| {
                let field = scan.schema.fields().iter().find(|field| field.name().eq_ignore_ascii_case(feature.column().as_str()));
                let kind = field.and_then(|field| ColumnKind::of(field.data_type()).ok()).unwrap_or(ColumnKind::Text);
                FeatureStatistics {
                    name: feature.name.to_string(),
                    type_text: feature.type_text(),
                    figures: footer_figures(scan, feature.column().as_str(), kind, rows),
                    profile: None,
                }
            })
            .collect();
        GroupStatistics {
            group: group.clone(),
            population: Population::Events,
            standing: Standing::Footers,
            rows,
            deleted: 0,
            oldest_event_time: None,
            newest_event_time: None,
            taken: self.now(),
            features,
        }
    }
}

pub(super) fn rows_of(file: &crate::dataset::ScanFile) -> u64 {
    file.statistics().map_or(0, |statistics| statistics.rows)
}

fn add_to(kept: &mut BTreeMap<String, ColumnProfile>, group: &FeatureGroup, more: &[ColumnProfile]) -> Result<()> {
    for (feature, more) in group.schema.features().iter().zip(more) {
        match kept.get_mut(feature.name.as_str()) {
            Some(kept) => kept.merge(more)?,
            None => {
                kept.insert(feature.name.to_string(), more.clone());
            }
        }
    }
    Ok(())
}

fn features_of(group: &FeatureGroup, mut kept: BTreeMap<String, ColumnProfile>, kinds: &[ColumnKind]) -> Vec<FeatureStatistics> {
    let features = group.schema.features().iter().zip(kinds);
    features
        .map(|(feature, kind)| {
            let profile = kept.remove(feature.name.as_str()).unwrap_or_else(|| ColumnProfile::new(*kind));
            FeatureStatistics {
                name: feature.name.to_string(),
                type_text: feature.type_text(),
                figures: profile.figures(),
                profile: Some(profile),
            }
        })
        .collect()
}

fn stored_statistics(
    group: &Arc<FeatureGroup>,
    stored: &StoredProfile,
    standing: Standing,
    columns: &ProfiledColumns,
) -> Result<GroupStatistics> {
    Ok(GroupStatistics {
        group: group.clone(),
        population: stored.population,
        standing,
        rows: stored.rows,
        deleted: stored.deleted,
        oldest_event_time: stored.oldest_event_time,
        newest_event_time: stored.newest_event_time,
        taken: stored.taken,
        features: features_of(group, states(stored)?, columns.kinds()),
    })
}

/// Rows, nulls and bounds of a column over all files; what one of them doesn't say is left out.
fn footer_figures(scan: &GroupScan, name: &str, kind: ColumnKind, rows: u64) -> Figures {
    let empty = ColumnProfile::new(kind).figures();
    let mut nulls = Some(0);
    let (mut least, mut greatest) = (Vec::new(), Vec::new());
    for file in &scan.files {
        let column = file.statistics().and_then(|statistics| {
            statistics.columns.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)).map(|(_, bounds)| bounds)
        });
        nulls = nulls.zip(column.and_then(|column| column.nulls)).map(|(a, b)| a + b);
        least.push(column.and_then(|column| column.min.clone()));
        greatest.push(column.and_then(|column| column.max.clone()));
    }
    let extreme = |bounds: Vec<Option<Bound>>, wanted: std::cmp::Ordering| -> Option<Value> {
        let bounds: Option<Vec<Bound>> = bounds.into_iter().collect();
        let chosen = bounds?.into_iter().reduce(|a, b| if b.compare(&a) == Some(wanted) { b } else { a })?;
        Some(match chosen {
            Bound::Int(value) => Value::Integer(value),
            Bound::Float(value) => Value::Number(value),
            Bound::Text(value) => Value::Text(value),
            Bound::Bool(value) => Value::Integer(i64::from(value)),
            Bound::Micros(value) => Value::Text(EventTime::from_unix_micros(value)?.to_iso8601()),
        })
    };
    Figures {
        n: rows,
        nulls: nulls.unwrap_or(0),
        min: extreme(least, std::cmp::Ordering::Less),
        max: extreme(greatest, std::cmp::Ordering::Greater),
        distinct: Distinct::default(),
        exact: false,
        ..empty
    }
}

/// Names of features that statistics are asked for, all if none is named.
pub(super) fn chosen_features(group: &FeatureGroup, named: &[String]) -> Result<BTreeSet<String>> {
    let mut chosen = BTreeSet::new();
    for name in named {
        chosen.insert(group.schema.feature(name)?.1.name.to_string());
    }
    Ok(chosen)
}
