//! Puts the figures of a feature in a baseline and now side by side, with what changed in the unit that says most.

use super::statistics::text;
use crate::store::statistics::Figures;
use crate::tui::model::statistics::ComparedFigure;
use crate::tui::numbers::{number, share};
use crate::tui::units::thin;

pub(super) fn compared(before: &Figures, now: &Figures) -> Vec<ComparedFigure> {
    let figure = |name, before: String, now: String, change: String| ComparedFigure { name, before, now, change };
    let null = |figures: &Figures| if figures.n == 0 { 0.0 } else { figures.nulls as f64 / figures.n as f64 };
    let points = (null(now) - null(before)) * 100.0;
    let distinct =
        |figures: &Figures| format!("{}{}", if figures.distinct.exact { "" } else { "≈" }, thin(figures.distinct.estimate.round() as u64));
    let mut all = vec![
        figure("rows", thin(before.n), thin(now.n), relative(before.n as f64, now.n as f64)),
        figure(
            "null",
            share(before.nulls, before.n),
            share(now.nulls, now.n),
            signed(points, |points| format!("{points:.1} points"), 0.05),
        ),
        figure("distinct", distinct(before), distinct(now), relative(before.distinct.estimate, now.distinct.estimate)),
    ];
    let (values_before, values_now) = match (&before.elements, &now.elements) {
        (Some(before), Some(now)) => (before.as_ref(), now.as_ref()),
        _ => (before, now),
    };
    if let (Some(then), Some(mean)) = (values_before.mean, values_now.mean) {
        let change = match values_before.std {
            Some(std) if std > 0.0 => signed((mean - then) / std, |deviations| format!("{deviations:.2} std"), 0.005),
            _ => signed(mean - then, number, 0.0),
        };
        all.push(figure("mean", number(then), number(mean), change));
    }
    if let (Some(then), Some(std)) = (values_before.std, values_now.std) {
        all.push(figure("std", number(then), number(std), relative(then, std)));
    }
    for (name, rank) in [("p5", 0.05), ("p50", 0.5), ("p95", 0.95)] {
        let (Some(then), Some(value)) = (values_before.quantile(rank), values_now.quantile(rank)) else { continue };
        if let (Some(from), Some(to)) = (then.as_f64(), value.as_f64()) {
            all.push(figure(name, text(then), text(value), signed(to - from, number, 0.0)));
        }
    }
    all
}

/// A change in percent of what it was.
fn relative(before: f64, now: f64) -> String {
    if before == 0.0 {
        return if now == 0.0 { "=".to_owned() } else { "new".to_owned() };
    }
    signed((now - before) / before.abs() * 100.0, |percent| format!("{percent:.1}%"), 0.05)
}

/// A change with its sign; `=` for one that would be shown as none.
fn signed(change: f64, told: impl Fn(f64) -> String, least: f64) -> String {
    if change == 0.0 || !change.is_finite() || change.abs() < least {
        return "=".to_owned();
    }
    format!("{}{}", if change < 0.0 { "−" } else { "+" }, told(change.abs()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow::array::{Array, Float64Array, StringArray};

    use super::*;
    use crate::store::statistics::{ColumnKind, ColumnProfile};

    fn figures(kind: ColumnKind, values: &dyn Array) -> Figures {
        let mut profile = ColumnProfile::new(kind);
        profile.update(values).unwrap();
        profile.figures()
    }

    fn row(all: &[ComparedFigure], name: &str) -> (String, String, String) {
        let found = all.iter().find(|figure| figure.name == name).unwrap_or_else(|| panic!("no {name} in {all:?}"));
        (found.before.clone(), found.now.clone(), found.change.clone())
    }

    #[test]
    fn numbers_change_in_standard_deviations_and_rows_and_nulls_in_percent() {
        let of = |from: i32, count: i32, nulls: usize| {
            let values = (0..count).map(|at| Some(f64::from(from + at % 100))).chain(std::iter::repeat_n(None, nulls));
            figures(ColumnKind::Fractional, &values.collect::<Float64Array>())
        };
        let all = compared(&of(0, 1_000, 0), &of(100, 200, 50));
        assert_eq!(row(&all, "rows").2, "−75.0%");
        assert_eq!(row(&all, "null"), ("0".to_owned(), "20.0%".to_owned(), "+20.0 points".to_owned()));
        // The values 0 to 99 have the mean 49.5 and the deviation 28.9; 100 more is 3.46 of these.
        assert_eq!(row(&all, "mean"), ("49.50".to_owned(), "149.5".to_owned(), "+3.46 std".to_owned()));
        assert_eq!(row(&all, "p50").2, "+100");
    }

    #[test]
    fn what_stays_is_said_to_stay_and_texts_have_no_mean() {
        let texts = figures(ColumnKind::Text, &StringArray::from(vec!["a", "b"]));
        let all = compared(&texts, &texts);
        assert!(all.iter().all(|figure| figure.change == "="), "{all:?}");
        assert!(all.iter().all(|figure| figure.name != "mean"));
    }
}
