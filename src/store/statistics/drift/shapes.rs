//! Two samples of one feature as pictures that lie over each other: the same bins, or the same values, for both.

use std::collections::BTreeMap;

use crate::statistics::{ColumnProfile, HistogramBins, TopValue, Value};

/// Bins of numbers: a terminal has room for so many beside words.
const BINS: usize = 40;
/// Values of texts.
const VALUES: usize = 8;

/// How the values of a feature are distributed in both samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Shapes {
    /// What stands at the ends of the axis; none where each bar is one value.
    pub axis: Option<(Value, Value)>,
    /// The value of each bar, the most frequent first; empty where bars are bins of an axis.
    pub values: Vec<String>,
    /// Share of the values of the baseline in each bar.
    pub reference: Vec<f64>,
    /// Share of the values of the current window.
    pub current: Vec<f64>,
}

impl Shapes {
    /// What two columns of one kind look like; none without values, and of collections.
    pub(super) fn of(reference: &ColumnProfile, current: &ColumnProfile) -> Option<Self> {
        if reference.values() == 0 || current.values() == 0 {
            return None;
        }
        Self::over_an_axis(reference, current).or_else(|| Self::of_values(reference, current))
    }

    fn over_an_axis(reference: &ColumnProfile, current: &ColumnProfile) -> Option<Self> {
        let edges = reference.shared_edges(current, HistogramBins::Count(BINS))?;
        let shares = |column: &ColumnProfile| {
            let histogram = column.histogram(HistogramBins::Edges(edges.clone()))?;
            Some(histogram.counts.iter().map(|count| *count as f64 / column.values() as f64).collect::<Vec<_>>())
        };
        let (before, now) = (reference.figures(), current.figures());
        let end = |one: Option<Value>, other: Option<Value>, edge: Option<&f64>| match (one?, other?) {
            (Value::Number(_), Value::Number(_)) => edge.copied().map(Value::Number),
            // The texts of instants stand in the order of time.
            (one, other) if edge == edges.first() => Some(if one.to_string() <= other.to_string() { one } else { other }),
            (one, other) => Some(if one.to_string() >= other.to_string() { one } else { other }),
        };
        let axis = end(before.min, now.min, edges.first()).zip(end(before.max, now.max, edges.last()));
        Some(Self { axis, values: Vec::new(), reference: shares(reference)?, current: shares(current)? })
    }

    fn of_values(reference: &ColumnProfile, current: &ColumnProfile) -> Option<Self> {
        let share = |top: &TopValue, column: &ColumnProfile| top.low as f64 / column.values() as f64;
        let mut shares: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        // Asked for more than are shown: what is frequent in one sample has its share in the other, too.
        for top in reference.top(VALUES * 4) {
            shares.entry(top.value.clone()).or_default().0 = share(&top, reference);
        }
        for top in current.top(VALUES * 4) {
            shares.entry(top.value.clone()).or_default().1 = share(&top, current);
        }
        let mut bars: Vec<(String, (f64, f64))> = shares.into_iter().collect();
        bars.sort_by(|(_, one), (_, other)| other.0.max(other.1).total_cmp(&one.0.max(one.1)));
        bars.truncate(VALUES);
        (!bars.is_empty()).then(|| Self {
            axis: None,
            reference: bars.iter().map(|(_, shares)| shares.0).collect(),
            current: bars.iter().map(|(_, shares)| shares.1).collect(),
            values: bars.into_iter().map(|(value, _)| value).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray};

    use super::*;
    use crate::statistics::ColumnKind;

    #[test]
    fn numbers_of_both_samples_lie_over_one_axis() {
        let profile = |values: Vec<f64>| {
            let mut profile = ColumnProfile::new(ColumnKind::Fractional);
            profile.update(&Float64Array::from(values)).unwrap();
            profile
        };
        let before = profile((0..1_000).map(|value| f64::from(value) / 10.0).collect());
        let now = profile((0..1_000).map(|value| 100.0 + f64::from(value) / 10.0).collect());
        let shapes = Shapes::of(&before, &now).unwrap();
        let Some((Value::Number(low), Value::Number(high))) = shapes.axis else { panic!("no axis") };
        assert!(low.abs() < 1e-9 && (high - 199.9).abs() < 1e-6, "{low} to {high}");
        let half = shapes.current.len() / 2;
        assert!((shapes.reference[..half].iter().sum::<f64>() - 1.0).abs() < 0.05, "all of the baseline lies in the lower half");
        assert!((shapes.current[half..].iter().sum::<f64>() - 1.0).abs() < 0.05);
    }

    #[test]
    fn texts_have_the_shares_of_the_same_values() {
        let profile = |values: Vec<&str>| {
            let mut profile = ColumnProfile::new(ColumnKind::Text);
            profile.update(Arc::new(StringArray::from(values)).as_ref()).unwrap();
            profile
        };
        let shapes = Shapes::of(&profile(vec!["a", "a", "a", "b"]), &profile(vec!["b", "c"])).unwrap();
        assert_eq!(shapes.values, ["a", "b", "c"]);
        assert_eq!((shapes.reference, shapes.current), (vec![0.75, 0.25, 0.0], vec![0.0, 0.5, 0.5]));
    }
}
