//! Numbers and small pictures of them: four significant digits, percentages that never lie at the ends, bars of eighths.

const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A number with four significant digits where it is not whole: `12`, `0.6102`, `1.234e-7`, `1 204 113`.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e15 {
        let digits = super::text::full_count(size as u64);
        return if value < 0.0 { format!("−{digits}") } else { digits };
    }
    let text = if (1e-4..1e9).contains(&size) {
        let decimals = (3 - size.log10().floor() as i32).clamp(0, 9) as usize;
        let text = format!("{size:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{size:.3e}")
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

/// A part of a whole: `0`, `0.4 %`, `100 %`; `< 0.1 %` and `> 99.9 %` where rounding would say nothing or all.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0".to_owned();
    }
    if part >= whole {
        return "100 %".to_owned();
    }
    match part as f64 * 100.0 / whole as f64 {
        share if share < 0.1 => "< 0.1 %".to_owned(),
        share if share >= 99.95 => "> 99.9 %".to_owned(),
        share => format!("{share:.1} %"),
    }
}

/// Counts as small bars, the highest of them full. What isn't zero is seen.
pub(crate) fn spark(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0);
    counts
        .iter()
        .map(|count| match count {
            0 => ' ',
            count => EIGHTHS[((*count as f64 / most as f64 * 8.0).ceil() as usize).clamp(1, 8) - 1],
        })
        .collect()
}

/// A line over time, from its least value to its greatest; a gap is a space.
pub(crate) fn series(values: &[Option<f64>]) -> String {
    let known = || values.iter().flatten().copied().filter(|value| value.is_finite());
    let (least, most) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    picture(values, least, most)
}

/// A line over time of shares: from nothing to the greatest.
pub(crate) fn series_from_zero(values: &[Option<f64>]) -> String {
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    picture(values, 0.0, most)
}

fn picture(values: &[Option<f64>], least: f64, most: f64) -> String {
    let cell = |value: &Option<f64>| match value {
        Some(value) if value.is_finite() && most > least => {
            let height = ((value - least) / (most - least) * 7.0).round();
            EIGHTHS[(height as usize).min(7)]
        }
        Some(_) => EIGHTHS[0],
        None => ' ',
    };
    let line: String = values.iter().map(cell).collect();
    match (least.is_finite(), most > least) {
        (true, true) => format!("{line}  {} … {}", number(least), number(most)),
        (true, false) => format!("{line}  {}", number(least)),
        _ => line,
    }
}

/// A bar of a count among counts whose greatest fills all cells.
pub(crate) fn bar(count: u64, most: u64, cells: usize) -> String {
    if count == 0 || most == 0 {
        return String::new();
    }
    let eighths = ((count as f64 / most as f64) * cells as f64 * 8.0).round().max(1.0) as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(PARTS[eighths % 8 - 1]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        let shown: Vec<String> = [0.0, -0.0, 12.0, -3.0, 1_204_113.0, 0.610_23, 2.5, 123.456, 99_999.5, 1.234_56e-7, -0.25, 1e300]
            .into_iter()
            .map(number)
            .collect();
        let expected = ["0", "0", "12", "−3", "1 204 113", "0.6102", "2.5", "123.5", "100000", "1.235e-7", "−0.25", "1.000e300"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn percentages_are_never_rounded_to_nothing_or_all() {
        let shown: Vec<String> =
            [(0, 5), (1, 5), (5, 5), (1, 100_000), (99_999, 100_000), (0, 0)].map(|(part, whole)| percent(part, whole)).into();
        assert_eq!(shown, ["0", "20.0 %", "100 %", "< 0.1 %", "> 99.9 %", "0"]);
    }

    #[test]
    fn what_is_there_is_seen() {
        assert_eq!(spark(&[0, 1, 500, 1_000]), " ▁▄█");
        assert_eq!(spark(&[]), "");
        assert_eq!((bar(1, 10_000, 10), bar(10_000, 10_000, 3), bar(0, 5, 3)), ("▏".to_owned(), "███".to_owned(), String::new()));
    }

    #[test]
    fn a_line_has_gaps_and_bounds() {
        assert_eq!(series(&[Some(1.0), None, Some(2.0)]), "▁ █  1 … 2");
        assert_eq!(series(&[Some(3.0), Some(3.0)]), "▁▁  3");
        assert_eq!(series(&[None]), " ");
        assert_eq!(series_from_zero(&[Some(0.0), Some(0.5)]), "▁█  0 … 0.5");
    }
}
