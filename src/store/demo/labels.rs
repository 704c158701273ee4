//! The demo's labels: which customers had left, seen at some day. A spine for a training dataset.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::DAY_SECONDS;
use super::company::{CUSTOMERS, customer_id, orders, tenure};
use super::draw::Draw;
use super::shape::{DAYS, Moment};
use crate::model::{Error, EventTime, Result};

/// What the training dataset is called.
pub(super) const DATASET: &str = "churn-training";
/// What it is for.
pub(super) const DESCRIPTION: &str = "Customers with what was known of them, and whether they left";
/// Column of the identifier.
pub(super) const IDENTIFIER: &str = "customer_id";
/// Column of the time.
pub(super) const TIME: &str = "observed_at";
/// What it takes of which group, and the ttl that differs.
pub(super) const FEATURES: [&str; 3] = [
    "customer-features:total_purchases,avg_order_value,return_rate,loyalty_score",
    "customer-account:plan,account_age_days,days_since_login",
    "support-features as support:tickets_90d,message_sentiment as sentiment",
];
/// Tickets of long ago say nothing.
pub(super) const TTL: &str = "support=30d";

/// Rows of a full demo.
const ROWS: u32 = 1_500;
/// Rows of the smallest.
const FEWEST_ROWS: u32 = 30;

/// The labels that a seed makes at a moment, in order of time.
pub(super) fn churn_labels(seed: u64, now: EventTime, percent: u8) -> Result<RecordBatch> {
    let mut draw = Draw::new(seed, DATASET);
    let rows = (ROWS * u32::from(percent.min(100)) / 100).max(FEWEST_ROWS);
    let mut labels: Vec<(i64, u32, bool)> = (0..rows)
        .map(|_| {
            let customer = 1 + draw.below(CUSTOMERS);
            let days_ago = draw.between(10.0, 70.0);
            let time = now.saturating_add_seconds(-(days_ago * DAY_SECONDS as f64) as i64);
            let moment = Moment { seed, entity: customer, time, day: DAYS - days_ago };
            // Who buys often stays.
            let orders_a_month = orders(&moment) as f64 * 30.0 / (tenure(&moment) + 30.0);
            let has_left = draw.chance((0.42 - 0.2 * orders_a_month).clamp(0.04, 0.9));
            (time.unix_seconds(), customer, has_left)
        })
        .collect();
    labels.sort_unstable();
    let customers: StringArray = labels.iter().map(|(_, customer, _)| Some(customer_id(*customer))).collect();
    let times: TimestampMicrosecondArray = labels.iter().map(|(seconds, ..)| Some(seconds * 1_000_000)).collect();
    let churned: Int64Array = labels.iter().map(|(.., has_left)| Some(i64::from(*has_left))).collect();
    let schema = Schema::new(vec![
        Field::new(IDENTIFIER, DataType::Utf8, false),
        Field::new(TIME, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("churned", DataType::Int64, false),
    ]);
    let columns: Vec<ArrayRef> = vec![Arc::new(customers), Arc::new(times.with_timezone("UTC")), Arc::new(churned)];
    RecordBatch::try_new(Arc::new(schema), columns).map_err(|error| Error::internal("the demo's labels don't make a table").source(error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn labels_are_those_of_seed_and_moment_and_some_customers_have_left() {
        let now = EventTime::from_unix_seconds(1_763_890_200).unwrap();
        let labels = churn_labels(1, now, 100).unwrap();
        assert_eq!(labels, churn_labels(1, now, 100).unwrap());
        assert_ne!(labels, churn_labels(2, now, 100).unwrap());
        let left: i64 = labels.column(2).as_primitive::<Int64Type>().values().iter().sum();
        assert!(labels.num_rows() == 1_500 && (100..1_000).contains(&left), "{left}");
        assert_eq!(churn_labels(1, now, 1).unwrap().num_rows(), 30);
    }
}
