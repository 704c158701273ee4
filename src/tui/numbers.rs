//! Figures of values as this face shows them: four significant digits, shares with one decimal, pictures of eighth blocks.

use super::units::exact;

const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// A number with four significant digits where it isn't whole: `12`, `0.6102`, `1.234e-7`.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { value.to_string() };
    }
    let text = if value.fract() == 0.0 && size < 1e15 {
        exact(size as u64)
    } else if (1e-4..1e9).contains(&size) {
        let decimals = (3 - size.log10().floor() as i32).clamp(0, 9) as usize;
        format!("{size:.decimals$}")
    } else {
        format!("{size:.3e}")
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

/// A share with one decimal that never says nothing of something or all of almost all.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0".to_owned();
    }
    match part as f64 * 100.0 / whole as f64 {
        100.0.. => "100%".to_owned(),
        percent if percent < 0.1 => "<0.1%".to_owned(),
        percent if percent > 99.9 => ">99.9%".to_owned(),
        percent => format!("{percent:.1}%"),
    }
}

/// Counts as one row of blocks, the greatest of them full; what isn't zero is seen.
pub(crate) fn spark(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    counts.iter().map(|count| level(*count as f64 / most as f64 * 8.0)).collect()
}

/// A line over time between its least and its greatest value; a gap is a blank.
pub(crate) fn series(values: &[Option<f64>], from_zero: bool) -> String {
    let known = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let most = known().fold(f64::NEG_INFINITY, f64::max);
    let least = if from_zero { 0.0 } else { known().fold(f64::INFINITY, f64::min) };
    let height = |value: f64| if most > least { 1.0 + (value - least) / (most - least) * 7.0 } else { 1.0 };
    values.iter().map(|value| value.filter(|value| value.is_finite()).map_or(" ", |value| level(height(value)))).collect()
}

fn level(eighths: f64) -> &'static str {
    if eighths <= 0.0 { " " } else { EIGHTHS[(eighths.ceil() as usize).clamp(1, 8) - 1] }
}

/// Counts as columns of blocks, `rows` high, from the top row down. Each count gets the same whole number of cells, at most `widest`.
pub(crate) fn columns(counts: &[u64], most: u64, cells: usize, rows: usize, widest: usize) -> Vec<String> {
    if counts.is_empty() || cells == 0 {
        return vec![String::new(); rows];
    }
    let merged: Vec<u64> = match counts.len() > cells {
        // Neighbours are added up where there isn't a cell for each.
        true => (0..cells).map(|cell| counts[cell * counts.len() / cells..(cell + 1) * counts.len() / cells].iter().sum()).collect(),
        false => counts.to_vec(),
    };
    let most = if counts.len() > cells { merged.iter().copied().max().unwrap_or(0) } else { most }.max(1);
    let width = (cells / merged.len()).clamp(1, widest);
    let column = |count: &u64, row: usize| {
        let height = *count as f64 / most as f64 * rows as f64 * 8.0;
        let height = if *count > 0 { height.max(1.0) } else { 0.0 };
        level((height - (rows - 1 - row) as f64 * 8.0).min(8.0)).repeat(width)
    };
    (0..rows).map(|row| merged.iter().map(|count| column(count, row)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_say_their_sign() {
        let shown: Vec<String> = [0.0, 12.0, 0.61234, -1.5, 1_234_567.0, 0.000_000_123_4, f64::NAN].map(number).into();
        assert_eq!(shown, ["0", "12", "0.6123", "−1.500", "1 234 567", "1.234e-7", "NaN"]);
    }

    #[test]
    fn shares_never_round_something_to_nothing_or_all() {
        assert_eq!(
            [share(0, 9), share(1, 100_000), share(4, 1000), share(99_999, 100_000), share(9, 9)],
            ["0", "<0.1%", "0.4%", ">99.9%", "100%"]
        );
    }

    #[test]
    fn columns_stand_on_the_ground_and_are_as_high_as_their_counts() {
        assert_eq!(columns(&[0, 1, 8, 16], 16, 4, 2, 9), ["   █", " ▁██"]);
        assert_eq!(columns(&[8, 16], 16, 7, 1, 9), ["▄▄▄███"]);
        assert_eq!(columns(&[1, 1, 2, 2], 2, 2, 1, 9), ["▄█"], "neighbours are added up");
        assert_eq!(columns(&[], 0, 9, 2, 9), ["", ""]);
        assert_eq!(columns(&[1, 1_000_000], 1_000_000, 2, 1, 9), ["▁█"], "what isn't zero is seen");
    }

    #[test]
    fn a_line_keeps_its_gaps() {
        assert_eq!(series(&[Some(1.0), None, Some(3.0)], false), "▁ █");
        assert_eq!(series(&[Some(2.0), Some(2.0)], false), "▁▁");
        assert_eq!(spark(&[0, 1, 4]), " ▂█");
    }
}
