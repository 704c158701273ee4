//! `larder stats`: what the values of a group's features look like.

use std::sync::atomic::Ordering;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::console::Console;
use super::exit::{Exit, Failure, Verdict};
use super::interrupt::{Begun, Stopped, stopping_on_signal};
use super::numbers::{bar, number, percent, spark};
use super::place::{Place, now};
use super::progress::{Progress, Stand};
use super::table::{Facts, Side, Table};
use super::text::{UNKNOWN, counted, full_count, relative_time, short_count, to_the_second, visible};
use crate::model::ErrorKind;
use crate::store::statistics::{
    ColumnProfile, DayLine, Distinct, FeatureStatistics, Figures, GroupStatistics, Histogram, HistogramBins, Population, QUANTILE_RANKS,
    Standing, StatisticsOptions, StatisticsWatch, Value,
};
use crate::sync;

/// Bars of a histogram that stand below each other.
const MOST_BARS: usize = 20;

/// Show what the values of a group's features look like
#[derive(Args, Debug)]
#[command(after_help = "\
Figures are of all records ever (events) or of the newest live record of each identifier (latest). They are kept while records are \
written, so showing them reads what is new only. A number that is an estimate has ≈ before it; std is the sample one (n − 1); \
quantiles are values that occurred. NaN and infinities are counted and in no other figure.

Examples:
  larder stats customer-features
  larder stats customer-features --feature loyalty_score
  larder stats customer-features --population latest --json | jq '.features[] | {name, nulls, mean}'")]
pub(crate) struct Stats {
    /// Name of the group
    group: String,
    /// Show one feature in full, repeatable
    #[arg(long = "feature", value_name = "FEATURE")]
    features: Vec<String>,
    /// Rows that the figures are of
    #[arg(long, value_enum, default_value_t = Rows::Events)]
    population: Rows,
    /// Read everything anew, however much it is
    #[arg(long)]
    refresh: bool,
}

/// Populations by their names.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// Every record ever
    Events,
    /// The newest live record of each identifier
    Latest,
}

/// The document of `stats --json`.
#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    population: &'static str,
    state: &'static str,
    missing_rows: u64,
    rows: u64,
    deleted: u64,
    oldest_event_time: Option<String>,
    newest_event_time: Option<String>,
    taken: String,
    features: Vec<FeatureDocument<'a>>,
}

#[derive(Serialize)]
struct FeatureDocument<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    type_text: &'a str,
    /// Values: rows without nulls.
    count: u64,
    nulls: u64,
    nan: Option<u64>,
    infinite: Option<u64>,
    zeros: Option<u64>,
    negatives: Option<u64>,
    empty: Option<u64>,
    distinct: Option<u64>,
    distinct_low: Option<u64>,
    distinct_high: Option<u64>,
    min: Option<&'a Value>,
    max: Option<&'a Value>,
    mean: Option<f64>,
    std: Option<f64>,
    sum: Option<&'a str>,
    quantiles: Map<String, Json>,
    quantile_rank_error: f64,
    top: Vec<Json>,
    length: Option<Json>,
    histogram: Option<Json>,
    exact: bool,
}

impl Stats {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let store = place.open().await?;
        let population = match self.population {
            Rows::Events => Population::Events,
            Rows::Latest => Population::Latest,
        };
        let watch = StatisticsWatch::default();
        let options = StatisticsOptions { population, refresh: self.refresh, watch: watch.clone() };
        let mut statistics = watched(console, &watch, sync::statistics(&store, &self.group, &options)).await?;
        if !self.features.is_empty() {
            let group = statistics.group.clone();
            let mut chosen = Vec::new();
            for name in &self.features {
                let (position, _) = group.schema.feature(name)?;
                chosen.extend(statistics.features.get(position).cloned());
            }
            statistics.features = chosen;
        }
        if console.json() {
            console.document(&document(&statistics))?;
        } else if self.features.is_empty() {
            write_list(console, &statistics)?;
        } else {
            let features = std::mem::take(&mut statistics.features);
            write_heading(console, &statistics)?;
            for feature in &features {
                let line = match population {
                    Population::Events => sync::statistics_by_day(&store, &self.group, Some(&feature.name)).await?,
                    Population::Latest => Vec::new(),
                };
                console.line("")?;
                write_feature(console, feature, &line)?;
            }
        }
        store.close().await?;
        if let Standing::Stale { files, rows } = statistics.standing {
            console.hint(format!(
                "{} in {} are in no figure yet: `larder stats {} --refresh` reads them",
                counted(rows, "row"),
                counted(files, "file"),
                visible(statistics.group.name.as_str())
            ));
        }
        if statistics.standing == Standing::Footers {
            console.hint(format!(
                "these are the files' own words; `larder stats {} --refresh` reads the values",
                visible(statistics.group.name.as_str())
            ));
        }
        Ok(Exit::Done)
    }
}

/// Runs work that may read many rows, shows how far it is, and stops it on a signal.
pub(crate) async fn watched<T>(
    console: &mut Console,
    watch: &StatisticsWatch,
    work: impl Future<Output = crate::model::Result<T>>,
) -> Result<T, Failure> {
    let mut progress = Progress::new(console);
    let stand = || {
        let [read, total] = [&watch.rows_read, &watch.rows_to_read].map(|count| count.load(Ordering::Relaxed));
        Some(Stand { words: "reading".to_owned(), note: String::new(), rows: read, done: read, total: (total > 0).then_some(total) })
    };
    let shown = progress.during_showing(work, stand);
    let stop = || {
        watch.cancel.store(true, Ordering::Relaxed);
        Begun::Yes
    };
    let stopped = stopping_on_signal(shown, stop).await;
    progress.clear();
    match stopped {
        Stopped::No(done) => Ok(done?),
        Stopped::Before(number) => Err(Failure::Signal(number)),
        Stopped::Amid(Err(error), number) if error.kind() == ErrorKind::Interrupted => {
            console.complain(error.to_string());
            Err(Failure::Signal(number))
        }
        Stopped::Amid(done, _) => Ok(done?),
    }
}

fn document(statistics: &GroupStatistics) -> Document<'_> {
    let iso = |time: Option<crate::model::EventTime>| time.map(|time| time.to_iso8601());
    let (state, missing_rows) = match statistics.standing {
        Standing::Fresh => ("fresh", 0),
        Standing::Stale { rows, .. } => ("stale", rows),
        Standing::Footers => ("footers", statistics.rows),
    };
    Document {
        group: statistics.group.name.as_str(),
        population: statistics.population.as_str(),
        state,
        missing_rows,
        rows: statistics.rows,
        deleted: statistics.deleted,
        oldest_event_time: iso(statistics.oldest_event_time),
        newest_event_time: iso(statistics.newest_event_time),
        taken: statistics.taken.to_iso8601(),
        features: statistics.features.iter().map(feature_document).collect(),
    }
}

fn feature_document(feature: &FeatureStatistics) -> FeatureDocument<'_> {
    let figures = &feature.figures;
    // The files' own words are rows, nulls and bounds; anything else is unknown, not zero.
    let read = |count: u64| feature.profile.is_some().then_some(count);
    let counted = |value: f64| feature.profile.is_some().then_some(value.round() as u64);
    let quantiles = figures.quantiles.iter().zip(QUANTILE_RANKS).map(|(value, rank)| (rank.to_string(), json!(value))).collect();
    let length = figures
        .bytes
        .map(|bytes| json!({"bytes": bytes, "characters": figures.chars}))
        .or_else(|| figures.items.map(|items| json!({"items": items})));
    FeatureDocument {
        name: &feature.name,
        type_text: &feature.type_text,
        count: figures.n.saturating_sub(figures.nulls),
        nulls: figures.nulls,
        nan: read(figures.nan),
        infinite: read(figures.pos_inf + figures.neg_inf),
        zeros: read(figures.zeros),
        negatives: read(figures.negatives),
        empty: read(figures.empty),
        distinct: counted(figures.distinct.estimate),
        distinct_low: counted(figures.distinct.low.ceil()),
        distinct_high: counted(figures.distinct.high.floor()),
        min: figures.min.as_ref(),
        max: figures.max.as_ref(),
        mean: figures.mean,
        std: figures.std,
        sum: figures.sum.as_deref(),
        quantiles,
        quantile_rank_error: figures.rank_error,
        top: figures.top.iter().map(|top| json!({"value": top.value, "count": top.low, "at_most": top.high})).collect(),
        length,
        histogram: feature
            .profile
            .as_ref()
            .and_then(|profile| profile.histogram(HistogramBins::Auto))
            .map(|histogram| json!({"edges": histogram.edges, "values": histogram.values, "counts": histogram.counts, "below": histogram.underflow, "above": histogram.overflow, "error": histogram.error})),
        exact: figures.exact,
    }
}

fn write_heading(console: &mut Console, statistics: &GroupStatistics) -> Result<(), Failure> {
    let style = console.style();
    let mut parts = vec![statistics.population.as_str().to_owned(), counted(statistics.rows, "row")];
    if statistics.deleted > 0 {
        parts.push(counted(statistics.deleted, "delete marker"));
    }
    if let (Some(oldest), Some(newest)) = (statistics.oldest_event_time, statistics.newest_event_time) {
        parts.push(format!("{} to {}", to_the_second(&oldest.to_iso8601()), to_the_second(&newest.to_iso8601())));
    }
    let standing = match statistics.standing {
        Standing::Fresh => String::new(),
        Standing::Stale { .. } => format!("  stale, taken {}", relative_time(statistics.taken.unix_micros(), now())),
        Standing::Footers => "  from file footers".to_owned(),
    };
    let name = style.strong(&visible(statistics.group.name.as_str()));
    console.line(format!("{name}  {}{}", style.muted(&parts.join(" · ")), style.bad(&standing)))
}

fn write_list(console: &mut Console, statistics: &GroupStatistics) -> Result<(), Failure> {
    write_heading(console, statistics)?;
    console.line("")?;
    let mut table = Table::new(&[
        ("FEATURE", Side::Left),
        ("TYPE", Side::Left),
        ("NULL", Side::Right),
        ("DISTINCT", Side::Right),
        ("MIN", Side::Right),
        ("MEDIAN", Side::Right),
        ("MAX", Side::Right),
        ("MEAN", Side::Right),
        ("STD", Side::Right),
        ("SHAPE", Side::Left),
        ("TOP", Side::Left),
    ]);
    for feature in &statistics.features {
        let figures = &feature.figures;
        let is_read = feature.profile.is_some();
        table.row([
            feature.name.as_str(),
            &feature.type_text,
            &percent(figures.nulls, figures.n),
            &if is_read { distinct(&figures.distinct, false) } else { UNKNOWN.to_owned() },
            &value(figures.min.as_ref()),
            &value(figures.quantile(0.5)),
            &value(figures.max.as_ref()),
            &figures.mean.map(number).unwrap_or_default(),
            &figures.std.map(number).unwrap_or_default(),
            &spark(&figures.spark),
            &if figures.quantiles.is_empty() { most_frequent(figures) } else { String::new() },
        ]);
    }
    console.table(&table)
}

/// The three most frequent values with their shares.
fn most_frequent(figures: &Figures) -> String {
    let shown = figures.top.iter().take(3).map(|top| format!("{} {}", clip(&top.value, 16), percent(top.low, figures.values())));
    shown.collect::<Vec<_>>().join(", ")
}

fn write_feature(console: &mut Console, feature: &FeatureStatistics, days: &[DayLine]) -> Result<(), Failure> {
    let style = console.style();
    let figures = &feature.figures;
    console.line(format!("{}  {}", style.strong(&visible(&feature.name)), style.muted(&feature.type_text)))?;
    for line in facts(feature, days).lines(style) {
        console.line(line)?;
    }
    if let Some(histogram) = feature.profile.as_ref().and_then(shown_histogram) {
        console.line("")?;
        let most = histogram.counts.iter().copied().max().unwrap_or(0);
        let labels: Vec<String> = if histogram.values.is_empty() {
            histogram.edges.windows(2).map(|edges| format!("{} … {}", number(edges[0]), number(edges[1]))).collect()
        } else {
            histogram.values.iter().map(|value| clip(&value.to_string(), 32)).collect()
        };
        write_bars(console, &labels, &histogram.counts, most)?;
    } else if !figures.top.is_empty() {
        console.line("")?;
        let most = figures.top.iter().map(|top| top.low).max().unwrap_or(0);
        let labels: Vec<String> = figures.top.iter().map(|top| clip(&top.value, 32)).collect();
        write_bars(console, &labels, &figures.top.iter().map(|top| top.low).collect::<Vec<_>>(), most)?;
    }
    Ok(())
}

/// As many bars as fit on a screen.
fn shown_histogram(profile: &ColumnProfile) -> Option<Histogram> {
    let histogram = profile.histogram(HistogramBins::Auto)?;
    if histogram.counts.len() <= MOST_BARS { Some(histogram) } else { profile.histogram(HistogramBins::Count(MOST_BARS)) }
}

fn facts(feature: &FeatureStatistics, days: &[DayLine]) -> Facts {
    let figures = &feature.figures;
    let mut facts = Facts::default();
    let mut counts = vec![format!("{} values", full_count(figures.values())), format!("null {}", percent(figures.nulls, figures.n))];
    if feature.profile.is_some() {
        for (count, name) in [
            (figures.nan, "NaN"),
            (figures.pos_inf, "+Inf"),
            (figures.neg_inf, "−Inf"),
            (figures.zeros, "zero"),
            (figures.negatives, "negative"),
            (figures.empty, "empty"),
        ] {
            if count > 0 {
                counts.push(format!("{name} {}", percent(count, figures.n)));
            }
        }
    }
    facts.fact("counts", counts.join("  "));
    if feature.profile.is_some() {
        facts.fact("distinct", distinct(&figures.distinct, true));
    }
    if let (Some(min), Some(max)) = (&figures.min, &figures.max) {
        facts.fact("bounds", format!("{} … {}", bound(min), bound(max)));
    }
    if let Some(mean) = figures.mean {
        let std = figures.std.map(|std| format!("  std {}", number(std))).unwrap_or_default();
        facts.fact("mean", format!("{}{std}", number(mean)));
    }
    if !figures.quantiles.is_empty() {
        let shown = [("p1", 0.01), ("p5", 0.05), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p95", 0.95), ("p99", 0.99)];
        let parts: Vec<String> =
            shown.iter().filter_map(|(name, rank)| figures.quantile(*rank).map(|found| format!("{name} {}", value(Some(found))))).collect();
        let error = if figures.rank_error > 0.0 { format!("  (rank ±{:.2} %)", figures.rank_error * 100.0) } else { String::new() };
        facts.fact("quantiles", format!("{}{error}", parts.join("  ")));
    }
    if let Some(bytes) = figures.bytes {
        facts.fact("length", format!("{} … {} bytes, {:.1} on average", bytes.min, bytes.max, bytes.mean));
    }
    if let Some(items) = figures.items {
        facts.fact(
            "items",
            if items.min == items.max {
                items.min.to_string()
            } else {
                format!("{} … {}, {:.1} on average", items.min, items.max, items.mean)
            },
        );
    }
    if let Some(parses) = figures.parses.filter(|_| figures.values() > 0) {
        for (count, what) in [(parses.float, "numbers"), (parses.time, "times")] {
            if count * 100 >= figures.values() * 90 {
                facts.fact("looks like", format!("{} read as {what}", percent(count, figures.values())));
            }
        }
    }
    let newest: Vec<&DayLine> = days.iter().rev().take(30).rev().filter(|day| day.feature.is_some()).collect();
    if newest.len() > 1 {
        let series = |of: &dyn Fn(&DayLine) -> Option<f64>| newest.iter().map(|day| of(day)).collect::<Vec<_>>();
        let mean = series(&|day| day.feature.and_then(|(_, _, mean)| mean));
        let nulls = series(&|day| day.feature.map(|(rows, nulls, _)| if rows == 0 { 0.0 } else { nulls as f64 / rows as f64 }));
        if mean.iter().any(Option::is_some) {
            facts.fact("mean by day", super::numbers::series(&mean));
        }
        facts.fact("null by day", super::numbers::series_from_zero(&nulls));
    }
    facts
}

fn write_bars(console: &mut Console, labels: &[String], counts: &[u64], most: u64) -> Result<(), Failure> {
    let style = console.style();
    let labels: Vec<String> = labels.iter().map(|label| visible(label).into_owned()).collect();
    let label_width = labels.iter().map(|label| super::text::width(label)).max().unwrap_or(0);
    for (label, count) in labels.iter().zip(counts) {
        let gap = " ".repeat(label_width.saturating_sub(super::text::width(label)));
        console.line(format!("  {gap}{}  {} {}", style.muted(label), bar(*count, most, 40), short_count(*count)))?;
    }
    Ok(())
}

fn distinct(distinct: &Distinct, with_bounds: bool) -> String {
    let estimate = short_count(distinct.estimate.max(0.0).round() as u64);
    if distinct.exact {
        return if with_bounds { full_count(distinct.estimate.round() as u64) } else { estimate };
    }
    if with_bounds {
        return format!(
            "≈ {estimate}  ({} … {})",
            short_count(distinct.low.max(0.0) as u64),
            short_count(distinct.high.max(0.0).ceil() as u64)
        );
    }
    format!("≈{estimate}")
}

fn value(found: Option<&Value>) -> String {
    match found {
        None => String::new(),
        Some(Value::Number(found)) => number(*found),
        Some(Value::Text(text)) => clip(text, 20),
        Some(found) => found.to_string(),
    }
}

/// A bound with all that fits on a line.
fn bound(found: &Value) -> String {
    match found {
        Value::Text(text) => clip(text, 40),
        found => value(Some(found)),
    }
}

fn clip(text: &str, cells: usize) -> String {
    super::text::clipped(&visible(text), cells).into_owned()
}
