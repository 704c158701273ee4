//! Asks the store what values look like and how far they drifted, and puts the answers into words and bars.

use async_trait::async_trait;

use super::compared::compared;
use super::watched::watched;
use crate::model::EventTime;
use crate::store::FeatureStore;
use crate::store::statistics::{
    self, BaselineChoice, DriftOptions, DriftReport, DriftWindow, FeatureStatistics, GroupStatistics, HistogramBins, Population,
    StatisticsOptions, StatisticsWatch, Value,
};
use crate::sync;
use crate::tui::jobs::Voice;
use crate::tui::model::remote::ErrorText;
use crate::tui::model::statistics::{
    Answer, Day, Drift, FeatureDrift, FeatureNumbers, Level, Numbers, OF_DATASET, Question, Shapes, Standing,
};
use crate::tui::msg::News;
use crate::tui::numbers::number;

/// Most bars of a histogram.
const MOST_BARS: usize = 60;
const QUANTILES: [(&str, f64); 5] = [("p5", 0.05), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p95", 0.95)];

/// What the browser asks.
#[async_trait]
pub(crate) trait StatisticsSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_statistics(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl StatisticsSource for FeatureStore {
    async fn answer_statistics(&self, question: Question, voice: &Voice) -> Answer {
        match question {
            Question::Numbers { group, latest, refresh } => {
                let population = if latest { Population::Latest } else { Population::Events };
                let reading = |read, of| News::Statistics(Answer::Reading(read, of));
                let work = |watch| async move {
                    let options = StatisticsOptions { refresh, watch, ..StatisticsOptions::of(population) };
                    sync::statistics(self, &group, &options).await
                };
                let found = watched(voice, reading, work).await;
                Answer::Numbers(found.map(|found| numbers(&found)).map_err(|error| ErrorText::from(&error)))
            }
            Question::Days { group, feature } => {
                let found = sync::statistics_by_day(self, &group, Some(&feature)).await;
                let days = found.map(|days| days.iter().filter_map(day).collect());
                Answer::Days(feature, days.map_err(|error| ErrorText::from(&error)))
            }
            Question::Drift { group, baseline } => Answer::Drift(drift(self, &group, &baseline).await),
            Question::Baselines(group) => Answer::Baselines(baselines(self, &group, None).await),
            Question::Pin { group, name } => Answer::Baselines(pin(self, &group, name).await),
            Question::Unpin { group, name } => {
                let gone = self.unpin_baseline(&group, &name).await.map_err(|error| ErrorText::from(&error));
                Answer::Baselines(match gone {
                    Ok(()) => baselines(self, &group, None).await,
                    Err(error) => Err(error),
                })
            }
        }
    }
}

/// Pinned baselines of a group, and the newest version of each training dataset that has features of it.
async fn baselines(store: &FeatureStore, group: &str, chosen: Option<String>) -> Result<(Vec<String>, Option<String>), ErrorText> {
    let found = async {
        let mut all = store.baselines(group).await?;
        let mut seen = std::collections::HashSet::new();
        for (dataset, _) in store.datasets_using(group, None).await? {
            if seen.insert(dataset.name.folded()) {
                all.push(format!("{OF_DATASET}{}@{}", dataset.name, dataset.version));
            }
        }
        Ok((all, chosen))
    };
    found.await.map_err(|error: crate::model::Error| ErrorText::from(&error))
}

async fn pin(store: &FeatureStore, group: &str, name: String) -> Result<(Vec<String>, Option<String>), ErrorText> {
    let options = drift_options(BaselineChoice::Previous);
    store.pin_baseline(group, &name, &options).await.map_err(|error| ErrorText::from(&error))?;
    baselines(store, group, Some(name)).await
}

fn drift_options(baseline: BaselineChoice) -> DriftOptions {
    DriftOptions { baseline, days: None, features: Vec::new(), max_age: None, watch: StatisticsWatch::default() }
}

fn day(line: &statistics::DayLine) -> Option<Day> {
    let (rows, nulls, mean) = line.feature?;
    Some(Day { rows, nulls, mean })
}

fn numbers(found: &GroupStatistics) -> Numbers {
    Numbers {
        rows: found.rows,
        standing: match found.standing {
            statistics::Standing::Fresh => Standing::Fresh,
            statistics::Standing::Stale { rows, .. } => Standing::Stale(rows),
            statistics::Standing::Footers => Standing::Footers,
        },
        taken: found.taken.unix_micros(),
        features: found.features.iter().map(feature_numbers).collect(),
    }
}

pub(super) fn feature_numbers(feature: &FeatureStatistics) -> FeatureNumbers {
    let figures = &feature.figures;
    let counts = [
        ("zero", figures.zeros),
        ("negative", figures.negatives),
        ("empty", figures.empty),
        ("NaN", figures.nan),
        ("+Inf", figures.pos_inf),
        ("−Inf", figures.neg_inf),
    ];
    let histogram = feature.profile.as_ref().and_then(|profile| {
        let histogram = profile.histogram(HistogramBins::Auto)?;
        if histogram.counts.len() <= MOST_BARS { Some(histogram) } else { profile.histogram(HistogramBins::Count(MOST_BARS)) }
    });
    let axis = histogram.as_ref().and_then(|histogram| match (histogram.values.as_slice(), histogram.edges.as_slice()) {
        ([first, .., last], _) => Some((text(first), text(last))),
        (_, [first, .., last]) => Some((number(*first), number(*last))),
        _ => None,
    });
    FeatureNumbers {
        name: feature.name.clone(),
        kind: feature.type_text.clone(),
        rows: figures.n,
        nulls: figures.nulls,
        read: feature.profile.is_some(),
        distinct: (figures.distinct.estimate, figures.distinct.exact, figures.distinct.low, figures.distinct.high),
        bounds: figures.min.as_ref().zip(figures.max.as_ref()).map(|(min, max)| (text(min), text(max))),
        mean: figures.mean,
        std: figures.std,
        counts: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
        quantiles: QUANTILES.iter().filter_map(|(name, rank)| Some((*name, text(figures.quantile(*rank)?)))).collect(),
        rank_error: figures.rank_error,
        spark: figures.shape(),
        bars: histogram.map(|histogram| histogram.counts).unwrap_or_default(),
        axis,
        top: figures.top.iter().map(|top| (top.value.clone(), top.low)).collect(),
    }
}

pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Number(value) => number(*value),
        other => other.to_string(),
    }
}

async fn drift(store: &FeatureStore, group: &str, baseline: &str) -> Result<Drift, ErrorText> {
    let told = |error: crate::model::Error| ErrorText::from(&error);
    let baseline = baseline.parse().map_err(told)?;
    let report = store.drift(group, &drift_options(baseline)).await.map_err(told)?;
    Ok(Drift { windows: windows(&report), features: report.features.iter().map(feature_drift).collect(), notes: report.notes })
}

fn windows(report: &DriftReport) -> String {
    let days = |window: &DriftWindow| {
        if window.first == window.last { date(window.first) } else { format!("{} to {}", date(window.first), date(window.last)) }
    };
    match (&report.current, &report.reference) {
        (Some(current), Some(reference)) => format!("{} against {}", days(current), days(reference)),
        (Some(current), None) => format!("{} against {}", days(current), report.baseline),
        _ => String::new(),
    }
}

/// A day as `24 Nov`.
fn date(day: i32) -> String {
    let time = EventTime::from_unix_seconds(i64::from(day) * 86_400).map(EventTime::unix_micros).unwrap_or_default();
    crate::tui::units::day(time, time)
}

fn feature_drift(feature: &statistics::FeatureDrift) -> FeatureDrift {
    let level = |level: statistics::Level| match level {
        statistics::Level::Few => Level::Few,
        statistics::Level::Ok => Level::Ok,
        statistics::Level::Watch => Level::Watch,
        statistics::Level::Alert => Level::Alert,
    };
    FeatureDrift {
        name: feature.name.clone(),
        level: level(feature.drift.level),
        severity: feature.drift.severity(),
        measures: feature
            .drift
            .measures
            .iter()
            .map(|measure| (measure.metric.as_str(), measure.value, level(measure.level), measure.detail.clone()))
            .collect(),
        shapes: feature.shapes.as_ref().map(|shapes| Shapes {
            axis: shapes.axis.as_ref().map(|(least, greatest)| (text(least), text(greatest))),
            values: shapes.values.clone(),
            before: shapes.reference.clone(),
            now: shapes.current.clone(),
        }),
        figures: compared(&feature.figures.0, &feature.figures.1),
    }
}
