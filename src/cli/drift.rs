//! `larder drift`: whether features are still what they were. Made for cron: one line a feature, exit 4 over a threshold.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use super::numbers::number;
use super::place::Place;
use super::stats::watched;
use super::table::{Side, Table};
use super::text::{counted, short_age, visible};
use crate::model::{Error, EventTime, Ttl};
use crate::store::FeatureStore;
use crate::store::statistics::{
    BaselineChoice, DriftOptions, DriftReport, DriftWindow, FeatureDrift, Level, Measure, Metric, StatisticsWatch,
};

/// Compare the last days of features with a baseline; exit 4 over a threshold
#[derive(Args, Debug)]
#[command(after_help = "\
The current window is the last 7 days of event time that are over. Distances: ks (greatest gap of the two distributions), psi \
(stability index, ten bins), l_infinity (greatest change of one category's share), null_share, mean_shift (in standard deviations), \
new_categories; volume compares rows with the windows before, freshness the age of the newest record with the ttl. A distance counts \
where it is above what chance alone brings.

Examples:
  larder drift                                        every group against the week before
  larder drift customer-features --baseline weekday
  larder drift customer-features --pin june           keep the current window
  larder drift customer-features --baseline june --json
  larder drift customer-features --baseline dataset:churn-training@1")]
pub(crate) struct Drift {
    /// Group to compare [default: every group with a history]
    group: Option<String>,
    /// What to compare with: previous, weekday, a pinned name, or dataset:NAME[@VERSION]
    #[arg(long, value_name = "BASELINE", default_value = "previous")]
    baseline: BaselineChoice,
    /// Days of the current window [default: 7, 1 for weekday]
    #[arg(long, value_name = "DAYS", value_parser = parse_days)]
    window: Option<u32>,
    /// Compare this feature only, repeatable
    #[arg(long = "feature", value_name = "FEATURE", requires = "group")]
    features: Vec<String>,
    /// Let the newest record be at most so old, such as 2d
    #[arg(long, value_name = "AGE")]
    max_age: Option<Ttl>,
    /// Level from which on the answer is exit 4
    #[arg(long, value_enum, default_value_t = FailOn::Alert)]
    fail_on: FailOn,
    /// Keep the current window under a name, as a baseline for later
    #[arg(long, value_name = "NAME", requires = "group", conflicts_with = "baseline")]
    pin: Option<String>,
    /// Forget a baseline
    #[arg(long, value_name = "NAME", requires = "group", conflicts_with_all = ["baseline", "pin"])]
    unpin: Option<String>,
}

/// From where on drift fails the check.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum FailOn {
    /// A distance worth a look
    Watch,
    /// A distance worth being woken
    Alert,
    /// Nothing: always exit 0
    Never,
}

/// The document of `drift --json`.
#[derive(Serialize)]
struct Document<'a> {
    baseline: String,
    level: Level,
    groups: Vec<GroupDocument<'a>>,
}

#[derive(Serialize)]
struct GroupDocument<'a> {
    group: &'a str,
    level: Level,
    current: Option<WindowDocument>,
    reference: Option<WindowDocument>,
    features: Vec<FeatureDocument<'a>>,
    volume: Option<&'a Measure>,
    freshness: Option<FreshnessDocument>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct WindowDocument {
    from: String,
    to: String,
    rows: u64,
}

#[derive(Serialize)]
struct FeatureDocument<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    type_text: &'a str,
    level: Level,
    measures: &'a [Measure],
}

#[derive(Serialize)]
struct FreshnessDocument {
    age_seconds: f64,
    allowed_seconds: Option<f64>,
    level: Level,
}

impl Drift {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let watch = StatisticsWatch::default();
        let options = DriftOptions {
            baseline: self.baseline.clone(),
            days: self.window,
            features: self.features.clone(),
            max_age: self.max_age.map(|age| age.seconds()),
            watch: watch.clone(),
        };
        if let (Some(group), Some(name)) = (&self.group, &self.pin) {
            let window = watched(console, &watch, store.pin_baseline(group, name, &options)).await?;
            let line = format!(
                "kept {} to {} of {} as '{}' ({})",
                date(window.first),
                date(window.last),
                visible(group),
                visible(name),
                counted(window.rows, "row")
            );
            console.confirm(line, &window_document(&window))?;
            store.close().await?;
            return Ok(Exit::Done);
        }
        if let (Some(group), Some(name)) = (&self.group, &self.unpin) {
            store.unpin_baseline(group, name).await?;
            console.confirm(
                format!("forgot baseline '{}' of {}", visible(name), visible(group)),
                &serde_json::json!({"group": group, "forgotten": name}),
            )?;
            store.close().await?;
            return Ok(Exit::Done);
        }
        let reports = self.compare(&store, console, &options).await?;
        store.close().await?;
        let level = reports.iter().map(DriftReport::level).max().unwrap_or(Level::Few);
        if console.json() {
            console.document(&Document { baseline: self.baseline.label(), level, groups: reports.iter().map(group_document).collect() })?;
        } else {
            for (number, report) in reports.iter().enumerate() {
                if number > 0 {
                    console.line("")?;
                }
                write(console, report)?;
            }
        }
        for report in &reports {
            for note in &report.notes {
                console.hint(format!("{}: {}", visible(&report.group), visible(note)));
            }
        }
        let fails = match self.fail_on {
            FailOn::Watch => level >= Level::Watch,
            FailOn::Alert => level >= Level::Alert,
            FailOn::Never => false,
        };
        if !fails {
            return Ok(Exit::Done);
        }
        console.complain(complaint(&reports, if self.fail_on == FailOn::Watch { Level::Watch } else { Level::Alert }));
        Ok(Exit::CheckSaysNo)
    }

    async fn compare(&self, store: &FeatureStore, console: &mut Console, options: &DriftOptions) -> Result<Vec<DriftReport>, Failure> {
        let Some(group) = &self.group else { return watched(console, &options.watch, store.drift_of_all(options)).await };
        Ok(vec![watched(console, &options.watch, store.drift(group, options)).await?])
    }
}

/// What is over its threshold, in one line for whoever reads cron's mail.
fn complaint(reports: &[DriftReport], from: Level) -> String {
    let mut over = Vec::new();
    for report in reports {
        let features = report.features.iter().filter(|feature| feature.drift.level >= from).map(|feature| feature.name.as_str());
        let volume = report.volume.iter().filter(|volume| volume.level >= from).map(|_| "(volume)");
        let freshness = report.freshness.iter().filter(|freshness| freshness.level >= from).map(|_| "(freshness)");
        over.extend(features.chain(volume).chain(freshness).map(|name| format!("{}.{name}", report.group)));
    }
    let more = if over.len() > 5 { format!(" and {} more", over.len() - 5) } else { String::new() };
    format!("over the threshold: {}{more}", visible(&over.iter().take(5).cloned().collect::<Vec<_>>().join(", ")))
}

fn group_document(report: &DriftReport) -> GroupDocument<'_> {
    GroupDocument {
        group: &report.group,
        level: report.level(),
        current: report.current.as_ref().map(window_document),
        reference: report.reference.as_ref().map(window_document),
        features: report
            .features
            .iter()
            .map(|FeatureDrift { name, type_text, drift, .. }| FeatureDocument {
                name,
                type_text,
                level: drift.level,
                measures: &drift.measures,
            })
            .collect(),
        volume: report.volume.as_ref(),
        freshness: report.freshness.map(|freshness| FreshnessDocument {
            age_seconds: freshness.age,
            allowed_seconds: freshness.allowed,
            level: freshness.level,
        }),
        notes: &report.notes,
    }
}

fn window_document(window: &DriftWindow) -> WindowDocument {
    WindowDocument { from: date(window.first), to: date(window.last), rows: window.rows }
}

/// A day as `2026-11-24`.
fn date(day: i32) -> String {
    let time = EventTime::from_unix_seconds(i64::from(day) * 86_400).map(|time| time.to_iso8601()).unwrap_or_default();
    time.split('T').next().unwrap_or_default().to_owned()
}

fn write(console: &mut Console, report: &DriftReport) -> Result<(), Failure> {
    let style = console.style();
    let days = |window: &DriftWindow| format!("{} to {}, {}", date(window.first), date(window.last), counted(window.rows, "row"));
    let against = match &report.reference {
        Some(window) => format!("{} ({})", report.baseline, days(window)),
        None => report.baseline.clone(),
    };
    let current = report.current.as_ref().map_or_else(|| "no rows".to_owned(), days);
    console.line(format!(
        "{}  {}",
        style.strong(&visible(&report.group)),
        style.muted(&visible(&format!("{current} against {against}")))
    ))?;
    console.line("")?;
    let mut table =
        Table::new(&[("", Side::Left), ("FEATURE", Side::Left), ("LEVEL", Side::Left), ("DISTANCES", Side::Left), ("DETAIL", Side::Left)]);
    for feature in &report.features {
        table.row([
            mark(feature.drift.level),
            feature.name.as_str(),
            feature.drift.level.as_str(),
            &distances(&feature.drift.measures),
            &details(&feature.drift.measures),
        ]);
    }
    if let Some(volume) = &report.volume {
        table.row([mark(volume.level), "(volume)", volume.level.as_str(), &distance(volume), volume.detail.as_deref().unwrap_or_default()]);
    }
    if let Some(freshness) = &report.freshness {
        let age = format!("newest record {} old", short_age(freshness.age.max(0.0) as u64));
        let allowed = freshness.allowed.map(|allowed| format!("{} are allowed", short_age(allowed as u64))).unwrap_or_default();
        table.row([mark(freshness.level), "(freshness)", freshness.level.as_str(), &age, &allowed]);
    }
    console.table(&table)
}

fn mark(level: Level) -> &'static str {
    match level {
        Level::Alert => "✖",
        Level::Watch => "▲",
        Level::Few => "–",
        Level::Ok => "✓",
    }
}

/// Those that are over a threshold, or else the telling ones.
fn distances(measures: &[Measure]) -> String {
    let worst = measures.iter().map(|measure| measure.level).max().unwrap_or(Level::Few);
    // Nulls that came up no more often say nothing.
    let tells = |measure: &&Measure| measure.value != 0.0 || measure.metric != Metric::NullShare;
    let shown = measures.iter().filter(tells).filter(|measure| worst < Level::Watch || measure.level >= Level::Watch);
    shown.take(3).map(distance).collect::<Vec<_>>().join("  ")
}

fn distance(measure: &Measure) -> String {
    let noise =
        measure.noise.filter(|_| measure.level >= Level::Watch).map(|noise| format!(" (noise {})", number(noise))).unwrap_or_default();
    format!("{} {}{noise}", measure.metric.as_str(), number(measure.value))
}

fn details(measures: &[Measure]) -> String {
    let over = measures.iter().filter(|measure| measure.level >= Level::Watch);
    over.filter_map(|measure| measure.detail.clone()).collect::<Vec<_>>().join("; ")
}

fn parse_days(text: &str) -> Result<u32, Error> {
    let digits = text.strip_suffix('d').unwrap_or(text);
    digits.parse().map_err(|_| Error::usage(format!("'{}' is no number of days", text.escape_debug())).remedy("write it as 7 or 7d"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn days_are_written_with_and_without_their_unit() {
        assert_eq!((parse_days("7").unwrap(), parse_days("14d").unwrap()), (7, 14));
        assert!(parse_days("week").is_err());
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(20_000), "2024-10-04");
    }
}
