//! Numbers, sizes, ages and dates as this face shows them: three significant digits and a thin unit.
//!
//! Zero is `0`, unknown is `–`, never blank. In columns the unit takes two cells even where there is none, so that digits stand
//! under digits. The clock is always an argument.

use crate::model::EventTime;

/// An instant, in microseconds since 1970-01-01 UTC.
pub(crate) type Micros = i64;

/// One second in [`Micros`].
pub(crate) const SECOND: Micros = 1_000_000;

/// What stands where a value is not known.
pub(crate) const UNKNOWN: &str = "–";

/// A count with three significant digits: `412`, `1.20 k`, `84.1 k`, `1.20 M`.
pub(crate) fn thin(count: u64) -> String {
    let (number, unit) = scaled(count as f64, 1000.0, &["", "k", "M", "G", "T", "P", "E"]);
    join(number, unit)
}

/// Like [`thin`], padded so that digits line up in a column whether they have a unit or not.
pub(crate) fn thin_cell(count: u64) -> String {
    let (number, unit) = scaled(count as f64, 1000.0, &["", "k", "M", "G", "T", "P", "E"]);
    format!("{number} {unit:<1}")
}

/// All digits in groups of three: `1 204 331`.
pub(crate) fn exact(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// `1 feature`, `12 features`, `84.1 k features`.
pub(crate) fn counted(count: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", thin(count), if count == 1 { singular } else { plural })
}

/// A size on disk: `412 B`, `84.1 kB`, `1.20 MB`.
pub(crate) fn bytes(count: u64) -> String {
    let (number, unit) = scaled(count as f64, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB"]);
    join(number, unit)
}

/// A latency: `18 µs`, `1.20 ms`, `2.00 s`.
pub(crate) fn latency(micros: u64) -> String {
    let (number, unit) = scaled(micros as f64, 1000.0, &["µs", "ms", "s"]);
    join(number, unit)
}

/// A length of time in its largest sensible unit: `42 s`, `12 m`, `5 h`, `3 d`, `4 y`.
pub(crate) fn span(micros: Micros) -> String {
    let seconds = micros.unsigned_abs() / SECOND.unsigned_abs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} m", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        172_800..86_400_000 => format!("{} d", seconds / 86_400),
        _ => format!("{} y", seconds / 31_557_600),
    }
}

/// How long ago an instant was; one in the future reads `in 5 m`.
pub(crate) fn age(then: Micros, now: Micros) -> String {
    let apart = now.saturating_sub(then);
    if apart < -SECOND { format!("in {}", span(apart)) } else { span(apart.max(0)) }
}

/// An age in a sentence: `12 m ago`, `in 5 m`.
pub(crate) fn ago(then: Micros, now: Micros) -> String {
    if then.saturating_sub(now) > SECOND { age(then, now) } else { format!("{} ago", age(then, now)) }
}

/// A ttl as it was meant: the largest unit that divides it, `30 d` rather than `2592000 s`.
pub(crate) fn whole_span(seconds: u64) -> String {
    for (size, unit) in [(86_400, "d"), (3600, "h"), (60, "m")] {
        if seconds >= size && seconds.is_multiple_of(size) {
            return format!("{} {unit}", seconds / size);
        }
    }
    format!("{seconds} s")
}

/// A date near enough to need no year: `12 Nov 09:14`; another year is named: `12 Nov 2024 09:14`.
pub(crate) fn moment(instant: Micros, now: Micros) -> String {
    match civil(instant) {
        Some((.., hour, minute)) => format!("{} {hour:02}:{minute:02}", day(instant, now)),
        None => UNKNOWN.to_owned(),
    }
}

/// A day alone, for the ends of an axis: `5 Sep`.
pub(crate) fn day(instant: Micros, now: Micros) -> String {
    match (civil(instant), civil(now)) {
        (Some((year, month, day, ..)), Some((this_year, ..))) if year == this_year => format!("{day} {}", month_name(month)),
        (Some((year, month, day, ..)), _) => format!("{day} {} {year}", month_name(month)),
        (None, _) => UNKNOWN.to_owned(),
    }
}

/// Year, month, day, hour and minute in UTC; none outside the years that event times have.
fn civil(instant: Micros) -> Option<(i32, u32, u32, u32, i64)> {
    let time = EventTime::from_unix_micros(instant)?;
    let (year, month, day, hour) = time.year_month_day_hour();
    Some((year, month, day, hour, time.unix_seconds().rem_euclid(3600) / 60))
}

fn month_name(month: u32) -> &'static str {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    NAMES.get(month.saturating_sub(1) as usize).copied().unwrap_or(UNKNOWN)
}

fn join(number: String, unit: &str) -> String {
    if unit.is_empty() { number } else { format!("{number} {unit}") }
}

/// The number with three significant digits and the unit that makes this possible.
fn scaled<'u>(value: f64, step: f64, units: &[&'u str]) -> (String, &'u str) {
    let mut value = value;
    let mut unit = 0;
    // 999.5 would round to four digits, so it moves on to the next unit.
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let number = match unit {
        0 => format!("{value:.0}"),
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    (number, units.get(unit).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_three_significant_digits() {
        let shown: Vec<String> = [0, 7, 412, 999, 1000, 1204, 84_100, 99_950, 999_499, 999_500, 1_200_000].map(thin).into();
        assert_eq!(shown, ["0", "7", "412", "999", "1.00 k", "1.20 k", "84.1 k", "100 k", "999 k", "1.00 M", "1.20 M"]);
        assert_eq!(exact(1_204_331), "1 204 331");
        assert_eq!(exact(12), "12");
        assert_eq!(thin(u64::MAX), "18.4 E");
    }

    #[test]
    fn ages_take_their_largest_unit() {
        let now = 1_700_000_000 * SECOND;
        let shown: Vec<String> = [0, 59, 60, 7200, 172_799, 172_800, 86_400 * 64].map(|s| age(now - s * SECOND, now)).into();
        assert_eq!(shown, ["0 s", "59 s", "1 m", "2 h", "47 h", "2 d", "64 d"]);
        assert_eq!(age(now + 300 * SECOND, now), "in 5 m");
        assert_eq!(whole_span(2_592_000), "30 d");
        assert_eq!(whole_span(90), "90 s");
    }

    #[test]
    fn dates_name_the_year_only_where_it_differs() {
        let now = 1_763_889_243 * SECOND;
        assert_eq!(moment(now, now), "23 Nov 09:14");
        assert_eq!(moment(1_700_000_000 * SECOND, now), "14 Nov 2023 22:13");
        assert_eq!(moment(i64::MAX, now), UNKNOWN);
    }
}
