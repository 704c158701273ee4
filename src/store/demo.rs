//! The demo: a store that looks like a company's, made from a seed and a moment.
//!
//! Everything is a pure function of seed and `now`: the same two make the same rows, so that documentation,
//! tests and benches can speak of them. What is in it, on purpose:
//! - ten groups with 145 features, of several teams, all described, tagged and owned; one with a Fractional event
//!   time, one with a ttl, one online only, one offline only, one with a List and a Vector;
//! - some 216,000 rows over 90 days, with the skew, the nulls and the daily and weekly rhythm such data has;
//! - rows that arrive late (a second load of older event times, and single puts), and records that are deleted;
//! - a drifting feature: `loyalty_score` of `customer-features` sinks over the last 30 days;
//! - a training dataset: labels of customers who left, with features of three groups as they were at each label's time; a model
//!   that is trained on it, an endpoint that serves the model, a dashboard and a notebook;
//! - a pair of duplicates: `avg_order_value` of `customer-features` and `mean_basket_value` of `customer-account`.

mod company;
mod customers;
mod draw;
mod fill;
mod labels;
mod payments;
mod shape;
mod shop;
mod table;
mod uses;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

pub use self::fill::{DemoOptions, DemoProgress, DemoReport, FilledDataset, FilledGroup, OnDemoProgress};

use self::draw::Draw;
use self::shape::{Cell, DAYS, GroupShape, Moment, Rhythm, Stores};
use crate::model::{EventTime, FeatureType, OnlineSettings, RawValue, Result, Schema};

const DAY_SECONDS: i64 = 86_400;

/// History ends this long before now; single puts follow.
const PUTS_SECONDS: i64 = 900;

/// Share of the rows that a second load brings, after newer ones.
const LATE_SHARE: f64 = 0.015;

/// Puts that are the newest of their record, and puts that come too late to be that, in each group.
const PUTS: u32 = 16;

/// Records that are deleted in each group that has an online store.
const DELETIONS: u32 = 6;

/// Rows of history a group has at least, however small the demo: enough for the known entity.
const FEWEST_ROWS: u32 = 100;

/// The customer whom the documentation looks up; never deleted.
const KNOWN_ENTITY: u32 = 42;

/// How busy each hour is, UTC.
const HOURS: [f64; 24] =
    [1.2, 0.7, 0.4, 0.3, 0.4, 0.9, 2.0, 3.4, 4.4, 4.9, 5.2, 5.6, 5.9, 5.5, 5.2, 5.3, 5.8, 6.6, 7.6, 8.3, 8.0, 6.2, 4.0, 2.2];

const GROUPS: [&GroupShape; 10] = [
    &customers::FEATURES,
    &customers::ACCOUNT,
    &customers::SUPPORT,
    &customers::CAMPAIGN,
    &payments::MERCHANT,
    &payments::CARD_TRANSACTION,
    &payments::DEVICE,
    &shop::PRODUCT,
    &shop::SESSION,
    &shop::SHIPMENT,
];

/// One group of the demo: its definition, and its data on demand.
pub(crate) struct DemoGroup {
    shape: &'static GroupShape,
    schema: Schema,
    seed: u64,
    now: EventTime,
    rows: u32,
}

/// The groups of the demo that a seed makes at a moment, with that percentage of their rows.
pub(crate) fn groups(seed: u64, now: EventTime, percent: u8) -> Result<Vec<DemoGroup>> {
    let rows = |shape: &GroupShape| {
        let rows = (shape.rows * u32::from(percent.min(100)) / 100).max(FEWEST_ROWS);
        match shape.rhythm {
            Rhythm::Steady => (rows - rows % shape.entities).max(shape.entities),
            Rhythm::Lively => rows,
        }
    };
    GROUPS.into_iter().map(|shape| Ok(DemoGroup { shape, schema: shape.schema()?, seed, now, rows: rows(shape) })).collect()
}

impl DemoGroup {
    pub(crate) fn name(&self) -> &'static str {
        self.shape.name
    }

    pub(crate) fn description(&self) -> &'static str {
        self.shape.description
    }

    pub(crate) fn owner(&self) -> &'static str {
        self.shape.owner
    }

    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        self.shape.tags()
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Rows that [`Self::history`] has in both parts.
    pub(crate) fn rows(&self) -> u64 {
        u64::from(self.rows)
    }

    /// Settings of its online store, if it has one.
    pub(crate) fn online(&self) -> Result<Option<OnlineSettings>> {
        let ttl = self.shape.ttl.map(str::parse).transpose()?;
        Ok((self.shape.stores != Stores::OfflineOnly).then_some(OnlineSettings { ttl, ..OnlineSettings::default() }))
    }

    /// True if its history is kept.
    pub(crate) fn keeps_history(&self) -> bool {
        self.shape.stores != Stores::OnlineOnly
    }

    /// What was loaded in bulk, as it happened, and what a second load brought later: older event times.
    pub(crate) fn history(&self) -> Result<(RecordBatch, RecordBatch)> {
        let mut draw = Draw::new(self.seed, self.shape.name);
        let mut moments = self.moments(&mut draw);
        moments.sort_by_key(|moment| (moment.time, moment.entity));
        let (mut in_time, mut late) = (Vec::with_capacity(moments.len()), Vec::new());
        for moment in &moments {
            let row = self.row(&mut draw, moment);
            // The last days cannot be late yet.
            if moment.day < DAYS - 3.0 && draw.chance(LATE_SHARE) { late.push(row) } else { in_time.push(row) }
        }
        Ok((table::batch(&self.schema, &in_time)?, table::batch(&self.schema, &late)?))
    }

    /// Records put one by one after the loads, in this order: some the newest of theirs, some older than others.
    pub(crate) fn puts(&self) -> Vec<Vec<(String, RawValue)>> {
        let mut draw = Draw::new(self.seed ^ 1, self.shape.name);
        let mut puts = Vec::with_capacity(2 * PUTS as usize);
        for number in 0..PUTS {
            let newest = self.now.saturating_add_seconds(-(PUTS_SECONDS - 60) * i64::from(PUTS - number) / i64::from(PUTS));
            let late = self.now.saturating_add_seconds(-(draw.between(5.0, 60.0) * DAY_SECONDS as f64) as i64);
            for time in [newest, late] {
                let moment = self.moment(draw.skewed(self.shape.entities), time);
                let row = self.row(&mut draw, &moment);
                puts.push(table::pairs(&self.schema, row));
            }
        }
        puts
    }

    /// Records deleted after all else: identifier and event time of each.
    pub(crate) fn deletions(&self) -> Vec<(String, String)> {
        if self.shape.stores == Stores::OfflineOnly {
            return Vec::new();
        }
        let entities = (0..DELETIONS).map(|number| 1 + (self.shape.entities / 3 + 11 * number) % self.shape.entities);
        entities.filter(|entity| *entity != KNOWN_ENTITY).map(|entity| (self.identifier_text(entity), self.time_text(self.now))).collect()
    }

    fn moments(&self, draw: &mut Draw) -> Vec<Moment> {
        let (entities, rows) = (self.shape.entities, self.rows);
        let end = self.now.saturating_add_seconds(-PUTS_SECONDS);
        match self.shape.rhythm {
            Rhythm::Steady => {
                let steps = (rows / entities).max(1);
                let interval = (DAYS as i64 * DAY_SECONDS - PUTS_SECONDS) / i64::from(steps);
                let step_of = |row: u32| end.saturating_add_seconds(-interval * i64::from(steps - 1 - row / entities));
                (0..rows)
                    .map(|row| self.moment(1 + row % entities, step_of(row).saturating_add_seconds(-i64::from(draw.below(600)))))
                    .collect()
            }
            Rhythm::Lively => {
                // Everyone appears at least once, as far as the rows go.
                let entity_of = |row: u32, draw: &mut Draw| if row < entities { row + 1 } else { draw.skewed(entities) };
                (0..rows)
                    .map(|row| {
                        let entity = entity_of(row, draw);
                        self.moment(entity, self.lively_time(draw, end))
                    })
                    .collect()
            }
        }
    }

    /// A time between the history's begin and end, when people are about.
    fn lively_time(&self, draw: &mut Draw, end: EventTime) -> EventTime {
        let begin = self.begin();
        loop {
            let day = (begin.unix_seconds() + (draw.unit() * DAYS * DAY_SECONDS as f64) as i64).div_euclid(DAY_SECONDS);
            // 1970-01-01 was a Thursday.
            let is_weekend = matches!((day + 3).rem_euclid(7), 5 | 6);
            let hour = draw.pick(&HOURS_BY_WEIGHT);
            let second = day * DAY_SECONDS + hour * 3_600 + i64::from(draw.below(3_600));
            if !is_weekend && draw.chance(0.22) {
                continue;
            }
            let nanos = if self.has_fractional_time() { draw.below(1_000) * 1_000_000 } else { 0 };
            match EventTime::new(second, nanos) {
                Some(time) if time >= begin && time <= end => return time,
                _ => {}
            }
        }
    }

    fn begin(&self) -> EventTime {
        self.now.saturating_add_seconds(-(DAYS as i64) * DAY_SECONDS)
    }

    fn moment(&self, entity: u32, time: EventTime) -> Moment {
        Moment { seed: self.seed, entity, time, day: time.seconds_since(self.begin()) / DAY_SECONDS as f64 }
    }

    fn row(&self, draw: &mut Draw, moment: &Moment) -> Vec<Cell> {
        let time = match self.has_fractional_time() {
            // Milliseconds of this century are exact in a double.
            true => Cell::Fractional((moment.time.unix_micros() / 1_000) as f64 / 1_000.0),
            false => Cell::Text(moment.time.to_iso8601()),
        };
        let mut row = vec![(self.shape.identifier)(moment.entity), time];
        row.extend((self.shape.values)(draw, moment));
        row
    }

    fn identifier_text(&self, entity: u32) -> String {
        match (self.shape.identifier)(entity) {
            Cell::Integral(number) => number.to_string(),
            Cell::Text(text) => text,
            other => format!("{other:?}"),
        }
    }

    fn time_text(&self, time: EventTime) -> String {
        if self.has_fractional_time() { time.to_unix_text() } else { time.to_iso8601() }
    }

    fn has_fractional_time(&self) -> bool {
        self.schema.event_time().feature_type == FeatureType::Fractional
    }
}

/// [`HOURS`] as choices.
const HOURS_BY_WEIGHT: [(i64, f64); 24] = {
    let mut choices = [(0, 0.0); 24];
    let mut hour = 0;
    while hour < 24 {
        choices[hour] = (hour as i64, HOURS[hour]);
        hour += 1;
    }
    choices
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::{HashMap, HashSet};

    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Float64Type;

    use super::*;
    use crate::model::{Collection, Record, TimeMode};

    fn now() -> EventTime {
        EventTime::parse_text("2026-11-23T09:30:00.5Z", TimeMode::Strict).unwrap()
    }

    fn demo() -> Vec<DemoGroup> {
        groups(1, now(), 100).unwrap()
    }

    fn named(name: &str) -> DemoGroup {
        demo().into_iter().find(|group| group.name() == name).unwrap()
    }

    fn floats(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
        batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect()
    }

    fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
        batch.column_by_name(name).unwrap().as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
    }

    /// Event times of a batch, whatever their type.
    fn times(group: &DemoGroup, batch: &RecordBatch) -> Vec<EventTime> {
        let name = group.schema.event_time().name.as_str();
        match group.has_fractional_time() {
            true => floats(batch, name).into_iter().map(|at| EventTime::from_unix_float(at.unwrap(), TimeMode::Strict).unwrap()).collect(),
            false => texts(batch, name).iter().map(|text| EventTime::parse_text(text, TimeMode::Strict).unwrap()).collect(),
        }
    }

    #[test]
    fn it_is_as_large_and_as_various_as_promised() {
        let demo = demo();
        assert!(demo.len() >= 8);
        assert!(demo.iter().map(|group| group.schema.len()).sum::<usize>() >= 120);
        assert!(demo.iter().any(|group| group.has_fractional_time()));
        assert!(demo.iter().any(|group| group.online().unwrap().is_some_and(|online| online.ttl.is_some())));
        assert!(demo.iter().any(|group| !group.keeps_history()));
        assert!(demo.iter().any(|group| group.online().unwrap().is_none()));
        let collections: Vec<_> = demo.iter().flat_map(|group| group.schema.features()).filter_map(|feature| feature.collection).collect();
        assert!(collections.contains(&Collection::List) && collections.contains(&Collection::Vector { dimension: 8 }));
    }

    #[test]
    fn everything_is_described_owned_tagged_and_within_the_limits() {
        for group in demo() {
            assert!(!group.owner().is_empty() && group.tags().len() >= 3, "{}", group.name());
            crate::model::limits::check_tags(&group.tags()).unwrap();
            crate::model::limits::check_group_description(group.description()).unwrap();
            for feature in group.schema.features() {
                assert!(feature.description.as_ref().is_some_and(|text| text.len() > 7), "{}.{}", group.name(), feature.name);
            }
        }
        let customers = named("customer-features");
        let names: Vec<&str> = customers.schema.features().iter().map(|feature| feature.name.as_str()).collect();
        let promised =
            ["customer_id", "event_time", "total_purchases", "avg_order_value", "return_rate", "preferred_category", "loyalty_score"];
        assert_eq!(names, promised);
    }

    #[test]
    fn the_same_seed_and_moment_make_the_same_data_and_others_do_not() {
        for (one, two) in demo().iter().zip(demo().iter()).filter(|(one, _)| one.shape.rows < 15_000) {
            assert_eq!(one.history().unwrap(), two.history().unwrap(), "{}", one.name());
            assert_eq!(one.puts(), two.puts());
            assert_eq!(one.deletions(), two.deletions());
        }
        let other = groups(2, now(), 100).unwrap();
        assert_ne!(demo()[3].history().unwrap().0, other[3].history().unwrap().0);
    }

    #[test]
    fn history_is_long_and_spans_ninety_days_and_some_of_it_is_late() {
        let mut rows = 0;
        for group in demo().iter().filter(|group| group.keeps_history()) {
            let (loaded, late) = group.history().unwrap();
            rows += loaded.num_rows() + late.num_rows();
            let times: Vec<EventTime> = [&loaded, &late].into_iter().flat_map(|batch| times(group, batch)).collect();
            let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
            assert!(*first >= group.begin() && *last <= now().saturating_add_seconds(-PUTS_SECONDS), "{}", group.name());
            assert!(last.seconds_since(*first) > 86.0 * DAY_SECONDS as f64, "{}", group.name());
            assert!(late.num_rows() * 200 > loaded.num_rows(), "{}: {} late rows", group.name(), late.num_rows());
        }
        assert!(rows >= 200_000, "{rows}");
    }

    #[test]
    fn a_small_demo_has_fewer_rows_of_the_same_kind() {
        for group in groups(1, now(), 1).unwrap() {
            let (loaded, late) = group.history().unwrap();
            assert_eq!((loaded.num_rows() + late.num_rows()) as u64, group.rows(), "{}", group.name());
            assert!(group.rows() <= 600, "{}", group.name());
        }
    }

    #[test]
    fn puts_are_records_some_the_newest_and_some_too_late() {
        for group in demo() {
            let history_ends = now().saturating_add_seconds(-PUTS_SECONDS);
            let records: Vec<Record> =
                group.puts().into_iter().map(|pairs| Record::from_pairs(&group.schema, pairs, TimeMode::Strict).unwrap()).collect();
            assert_eq!(records.iter().filter(|record| record.event_time > history_ends).count() as u32, PUTS, "{}", group.name());
            assert!(records.iter().all(|record| record.event_time < now()));
            for (identifier, time) in group.deletions() {
                let tombstone = Record::tombstone(&group.schema, &identifier, &time, TimeMode::Strict).unwrap();
                assert!(records.iter().all(|record| record.event_time < tombstone.event_time));
            }
        }
        assert!(named("customer-features").deletions().iter().all(|(identifier, _)| identifier != "C0042"));
        let (loaded, late) = named("customer-features").history().unwrap();
        assert!([loaded, late].iter().flat_map(|batch| texts(batch, "customer_id")).any(|identifier| identifier == "C0042"));
    }

    #[test]
    fn values_are_in_range_and_some_are_missing() {
        let (customers, _) = named("customer-features").history().unwrap();
        for (name, low, high) in [("return_rate", 0.0, 1.0), ("loyalty_score", 0.0, 100.0), ("avg_order_value", 1.0, 1_000.0)] {
            assert!(floats(&customers, name).into_iter().flatten().all(|value| (low..=high).contains(&value)), "{name}");
        }
        let (cards, _) = named("card-transaction-features").history().unwrap();
        assert!(floats(&cards, "fraud_score").into_iter().flatten().all(|score| (0.0..=1.0).contains(&score)));
        let amounts: Vec<f64> = floats(&cards, "amount").into_iter().flatten().collect();
        let mean = amounts.iter().sum::<f64>() / amounts.len() as f64;
        let above = amounts.iter().filter(|amount| **amount > mean).count() as f64 / amounts.len() as f64;
        assert!(above < 0.35, "amounts are skewed: {above} lie above the mean");

        for group in demo() {
            let (loaded, _) = group.history().unwrap();
            assert!(loaded.columns()[..2].iter().all(|column| column.null_count() == 0), "{}", group.name());
            assert!(loaded.columns().iter().any(|column| column.null_count() > 0), "{}", group.name());
            assert!(loaded.columns().iter().all(|column| column.null_count() < column.len()), "{}", group.name());
        }
    }

    #[test]
    fn the_loyalty_score_drifts_in_the_last_week() {
        let group = named("customer-features");
        let (loaded, _) = group.history().unwrap();
        let mut sums = [(0.0, 0.0); 3];
        for (time, score) in times(&group, &loaded).into_iter().zip(floats(&loaded, "loyalty_score")) {
            let day = time.seconds_since(group.begin()) / DAY_SECONDS as f64;
            let part = if day < 30.0 { 0 } else { 1 + usize::from(day > DAYS - 7.0) };
            sums[part].0 += score.unwrap();
            sums[part].1 += 1.0;
        }
        let [first, middle, last] = sums.map(|(sum, count)| sum / count);
        assert!((first - middle).abs() < 3.0 && middle - last > 9.0, "{first} {middle} {last}");
    }

    #[test]
    fn two_features_of_two_groups_say_the_same() {
        let mean_of = |group: &str, feature: &str| {
            let (loaded, _) = named(group).history().unwrap();
            let mut sums: HashMap<String, (f64, f64)> = HashMap::new();
            for (customer, value) in texts(&loaded, "customer_id").into_iter().zip(floats(&loaded, feature)) {
                if let Some(value) = value {
                    let sum = sums.entry(customer).or_default();
                    *sum = (sum.0 + value, sum.1 + 1.0);
                }
            }
            sums.into_iter().map(|(customer, (sum, count))| (customer, sum / count)).collect::<HashMap<_, _>>()
        };
        let (one, two) = (mean_of("customer-features", "avg_order_value"), mean_of("customer-account", "mean_basket_value"));
        let shared: HashSet<&String> = one.keys().filter(|customer| two.contains_key(*customer)).collect();
        assert!(shared.len() > 1_000);
        for customer in shared {
            assert!((one[customer] / two[customer] - 1.0).abs() < 0.01, "{customer}: {} and {}", one[customer], two[customer]);
        }
    }
}
