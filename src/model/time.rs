//! Event time: an instant with nanoseconds, and how it is read from text.
//!
//! A String event time is ISO-8601, a Fractional one is Unix seconds. Strict mode takes what the AWS guide
//! allows (`yyyy-MM-dd'T'HH:mm:ss[.fraction]Z`; plain seconds). Lenient mode, the default, also takes offsets,
//! a missing zone (read as UTC), a blank for the `T`, a date alone, and Unix time in a String; a number beyond
//! year 9999 in seconds is read as milliseconds or microseconds, since no real event lies there.
//! Instants compare as instants, never as text. The range is year 0000 to year 9999.
//!
//! This is the only place that parses or prints time.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{Error, Result};

/// How much a text may differ from the documented forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeMode {
    /// Offsets, no zone, dates, Unix time in a String, milliseconds.
    #[default]
    Lenient,
    /// Only the documented forms.
    Strict,
}

/// 0000-01-01T00:00:00Z
const MIN_SECONDS: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59Z
const MAX_SECONDS: i64 = 253_402_300_799;

/// An instant in UTC: whole seconds since 1970 and nanoseconds within the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime {
    seconds: i64,
    nanos: u32,
}

impl EventTime {
    /// The earliest event time.
    pub const MIN: Self = Self { seconds: MIN_SECONDS, nanos: 0 };
    /// The latest event time.
    pub const MAX: Self = Self { seconds: MAX_SECONDS, nanos: 999_999_999 };

    /// Builds an instant; none outside years 0000–9999.
    pub fn new(seconds: i64, nanos: u32) -> Option<Self> {
        ((MIN_SECONDS..=MAX_SECONDS).contains(&seconds) && nanos < 1_000_000_000).then_some(Self { seconds, nanos })
    }

    /// From nanoseconds since 1970, `i128` because years 0–9999 don't fit 64 bits.
    pub fn from_unix_nanos(nanos: i128) -> Option<Self> {
        let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
        Self::new(seconds, nanos.rem_euclid(1_000_000_000) as u32)
    }

    /// From microseconds since 1970.
    pub fn from_unix_micros(micros: i64) -> Option<Self> {
        Self::new(micros.div_euclid(1_000_000), (micros.rem_euclid(1_000_000) * 1_000) as u32)
    }

    /// From whole seconds since 1970.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        Self::new(seconds, 0)
    }

    /// Whole seconds since 1970, rounded towards the past.
    pub fn unix_seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second.
    pub fn subsecond_nanos(self) -> u32 {
        self.nanos
    }

    /// Microseconds since 1970, rounded towards the past.
    pub fn unix_micros(self) -> i64 {
        self.seconds * 1_000_000 + i64::from(self.nanos / 1_000)
    }

    /// Nanoseconds since 1970.
    pub fn unix_nanos(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }

    /// Later by whole seconds, held within the range.
    pub fn saturating_add_seconds(self, seconds: i64) -> Self {
        match self.seconds.saturating_add(seconds) {
            sum if sum > MAX_SECONDS => Self::MAX,
            sum if sum < MIN_SECONDS => Self::MIN,
            sum => Self { seconds: sum, nanos: self.nanos },
        }
    }

    /// Seconds from `earlier` to here, as a float for people to read.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.unix_nanos() - earlier.unix_nanos()) as f64 / 1e9
    }

    /// Reads a String event time.
    pub fn parse_text(text: &str, mode: TimeMode) -> Result<Self> {
        if let Some(time) = parse_strict(text) {
            return Ok(time);
        }
        if mode == TimeMode::Lenient
            && let Some(time) = parse_lenient(text.trim())
        {
            return Ok(time);
        }
        Err(not_a_time(text, "2026-11-23T09:30:00Z"))
    }

    /// Reads a Fractional event time: Unix seconds in decimal or scientific notation.
    pub fn parse_fractional(text: &str, mode: TimeMode) -> Result<Self> {
        parse_unix(text.trim(), mode).ok_or_else(|| not_a_time(text, "1763890200.25 (Unix seconds)"))
    }

    /// From a double of Unix seconds, by its shortest decimal text: `0.1` is 100 ms, not 100.000000000000005 ms.
    pub fn from_unix_float(seconds: f64, mode: TimeMode) -> Option<Self> {
        if !seconds.is_finite() {
            return None;
        }
        parse_unix(ryu::Buffer::new().format_finite(seconds), mode)
    }

    /// ISO-8601 in UTC with as many fraction digits as needed: `2026-11-23T09:30:00Z`, `…00.250Z`.
    pub fn to_iso8601(self) -> String {
        let mut text = String::with_capacity(30);
        self.write_iso8601(&mut text);
        text
    }

    /// Appends [`Self::to_iso8601`] to a text.
    pub fn write_iso8601(self, out: &mut String) {
        let days = self.seconds.div_euclid(86_400);
        let second_of_day = self.seconds.rem_euclid(86_400);
        let (year, month, day) = civil_from_days(days);
        push_digits(out, year as u32, 4);
        out.push('-');
        push_digits(out, month, 2);
        out.push('-');
        push_digits(out, day, 2);
        out.push('T');
        push_digits(out, (second_of_day / 3_600) as u32, 2);
        out.push(':');
        push_digits(out, (second_of_day / 60 % 60) as u32, 2);
        out.push(':');
        push_digits(out, (second_of_day % 60) as u32, 2);
        if self.nanos != 0 {
            out.push('.');
            match self.nanos {
                n if n % 1_000_000 == 0 => push_digits(out, n / 1_000_000, 3),
                n if n % 1_000 == 0 => push_digits(out, n / 1_000, 6),
                n => push_digits(out, n, 9),
            }
        }
        out.push('Z');
    }

    /// Unix seconds as decimal text, exact to the nanosecond: `1763890200.25`.
    pub fn to_unix_text(self) -> String {
        if self.nanos == 0 {
            return self.seconds.to_string();
        }
        let nanos = self.unix_nanos();
        let (whole, part) = (nanos / 1_000_000_000, (nanos % 1_000_000_000).unsigned_abs());
        let sign = if nanos < 0 && whole == 0 { "-" } else { "" };
        let fraction = format!("{part:09}");
        format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }

    /// Year, month, day and hour in UTC, for the folders of the offline store.
    pub fn year_month_day_hour(self) -> (i32, u32, u32, u32) {
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(86_400));
        (year as i32, month, day, (self.seconds.rem_euclid(86_400) / 3_600) as u32)
    }
}

fn not_a_time(text: &str, example: &str) -> Error {
    let shown: String = text.chars().take(60).collect();
    Error::invalid(format!("'{}' is not an event time", shown.escape_debug())).remedy(format!("write it like {example}"))
}

fn push_digits(out: &mut String, value: u32, width: usize) {
    let mut digits = [b'0'; 10];
    let mut rest = value;
    for place in (0..width).rev() {
        digits[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend(digits[..width].iter().map(|byte| *byte as char));
}

/// Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = i64::from((month + 9) % 12);
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// The documented form, read byte by byte: this runs once for every record of a bulk load.
fn parse_strict(text: &str) -> Option<EventTime> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || bytes[bytes.len() - 1] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u32> {
        bytes[from..to].iter().try_fold(0u32, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    if bytes[4] != b'-' || bytes[7] != b'-' || bytes[10] != b'T' || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let (year, month, day) = (i64::from(number(0, 4)?), number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = match bytes.len() - 20 {
        0 => 0,
        digits @ 2..=10 if bytes[19] == b'.' => number(20, 19 + digits)? * 10u32.pow(10 - digits as u32),
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + i64::from(hour * 3_600 + minute * 60 + second);
    EventTime::new(seconds, nanos)
}

fn parse_lenient(text: &str) -> Option<EventTime> {
    if let Some(time) = parse_unix(text, TimeMode::Lenient) {
        return Some(time);
    }
    // A shape check first: the library also reads forms (week dates, bare hours) that nobody means here.
    let bytes = text.as_bytes();
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (civil, offset) = split_offset(text)?;
    let civil: DateTime = civil.parse().ok()?;
    let local = days_from_civil(i64::from(civil.year()), civil.month() as u32, civil.day() as u32) * 86_400
        + i64::from(civil.hour()) * 3_600
        + i64::from(civil.minute()) * 60
        + i64::from(civil.second());
    EventTime::new(local - i64::from(offset.seconds()), civil.subsec_nanosecond() as u32)
}

/// Splits `2026-11-23 09:30:00 +02:00` into its civil part and its offset (UTC when there is none).
fn split_offset(text: &str) -> Option<(&str, Offset)> {
    for zone in ["Z", "z", " UTC", "UTC"] {
        if let Some(civil) = text.strip_suffix(zone) {
            return Some((civil.trim_end(), Offset::UTC));
        }
    }
    let Some(at) = text.char_indices().skip(10).find(|(_, c)| *c == '+' || *c == '-').map(|(at, _)| at) else {
        return Some((text, Offset::UTC));
    };
    let (civil, zone) = text.split_at(at);
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    if !(digits.len() == 2 || digits.len() == 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 = digits.get(2..4).filter(|rest| !rest.is_empty()).map_or(Some(0), |rest| rest.parse().ok())?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 3_600 + minutes * 60) * if zone.starts_with('-') { -1 } else { 1 };
    Some((civil.trim_end(), Offset::from_seconds(seconds).ok()?))
}

/// Unix time from decimal text, exact to the nanosecond; beyond that rounded towards the past.
fn parse_unix(text: &str, mode: TimeMode) -> Option<EventTime> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let decimal = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !decimal(whole) || !decimal(fraction) || exponent.abs() > 30 {
        return None;
    }
    let nanos = scaled(whole, fraction, exponent + 9)?;
    let limit = i128::from(MAX_SECONDS + 1) * 1_000_000_000;
    let nanos = match mode {
        // Seconds, else milliseconds, else microseconds: the first that lies before year 10000.
        TimeMode::Lenient => [1, 1_000, 1_000_000].into_iter().map(|unit| nanos / unit).find(|nanos| *nanos < limit)?,
        TimeMode::Strict => nanos,
    };
    EventTime::from_unix_nanos(if negative { -nanos } else { nanos })
}

/// `whole.fraction` × 10^power as an integer, digits beyond it cut off; none past 30 digits.
fn scaled(whole: &str, fraction: &str, power: i32) -> Option<i128> {
    let point = i32::try_from(whole.len()).ok()?.checked_add(power)?;
    let mut value: i128 = 0;
    let mut digits = whole.bytes().chain(fraction.bytes());
    for _ in 0..point.max(0) {
        let digit = digits.next().map_or(0, |byte| i128::from(byte - b'0'));
        value = value.checked_mul(10)?.checked_add(digit)?;
        if value > 10i128.pow(30) {
            return None;
        }
    }
    Some(value)
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_iso8601())
    }
}

impl Serialize for EventTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_iso8601())
    }
}

impl<'de> Deserialize<'de> for EventTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_text(&text, TimeMode::Strict).map_err(serde::de::Error::custom)
    }
}

/// When a record reached this store: microseconds since 1970, strictly increasing within a store.
///
/// It is the write time that readers see and, at the same time, the order of arrival: no two acknowledged
/// records of one store share it, whichever process wrote them, and it never steps back with the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Arrival(pub u64);

impl Arrival {
    /// The next arrival after `self`, at the clock's time if that has moved on.
    #[must_use]
    pub fn next(self, now: EventTime) -> Self {
        Self(u64::try_from(now.unix_micros()).unwrap_or(0).max(self.0 + 1))
    }

    /// As the signed number that Parquet timestamps and Delta transactions hold.
    pub fn micros(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// From such a number.
    pub fn from_micros(micros: i64) -> Self {
        Self(u64::try_from(micros).unwrap_or(0))
    }

    /// The instant it stands for.
    pub fn time(self) -> EventTime {
        EventTime::from_unix_micros(self.micros()).unwrap_or(EventTime::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn lenient(text: &str) -> Option<String> {
        EventTime::parse_text(text, TimeMode::Lenient).ok().map(EventTime::to_iso8601)
    }

    #[test]
    fn reads_the_documented_forms_in_both_modes() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("2023-11-30T05:01:15.364Z", 1_701_320_475, 364_000_000),
            ("2023-11-30T05:01:15.000000001Z", 1_701_320_475, 1),
            ("0000-01-01T00:00:00Z", MIN_SECONDS, 0),
            ("9999-12-31T23:59:59.999999999Z", MAX_SECONDS, 999_999_999),
            ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
        ] {
            let time = EventTime::parse_text(text, TimeMode::Strict).unwrap();
            assert_eq!((time.unix_seconds(), time.subsecond_nanos()), (seconds, nanos), "{text}");
        }
    }

    #[test]
    fn strict_refuses_what_lenient_takes() {
        for (text, iso) in [
            ("2026-11-23T09:30:00+02:00", "2026-11-23T07:30:00Z"),
            ("2026-11-23T09:30:00.5-0530", "2026-11-23T15:00:00.500Z"),
            ("2026-11-23 09:30:00", "2026-11-23T09:30:00Z"),
            ("2026-11-23T09:30", "2026-11-23T09:30:00Z"),
            ("2026-11-23 09:30:00 UTC", "2026-11-23T09:30:00Z"),
            ("2026-11-23", "2026-11-23T00:00:00Z"),
            ("1701320475", "2023-11-30T05:01:15Z"),
            ("1701320475364", "2023-11-30T05:01:15.364Z"),
            ("1701320475364123", "2023-11-30T05:01:15.364123Z"),
            (" 1701320475.25 ", "2023-11-30T05:01:15.250Z"),
        ] {
            assert_eq!(lenient(text).as_deref(), Some(iso), "{text}");
            assert!(EventTime::parse_text(text, TimeMode::Strict).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2026-02-30T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T09:30:00.Z",
            "10000-01-01T00:00:00Z",
            "2026-11-23T09:30:00+99:00",
            "2026-11-23T09:30:00+é",
            "NaN",
            "inf",
            "1e400",
            "--5",
            "1.2.3",
            "２026-11-23T09:30:00Z",
        ] {
            assert_eq!(lenient(text), None, "{text}");
        }
    }

    #[test]
    fn unix_seconds_keep_their_nanoseconds() {
        let read = |text: &str| EventTime::parse_fractional(text, TimeMode::Strict).unwrap();
        assert_eq!(read("1701320475.123456789").subsecond_nanos(), 123_456_789);
        assert_eq!(read("1.7013204751e9").unix_nanos(), 1_701_320_475_100_000_000);
        assert_eq!(read("-0.5").unix_nanos(), -500_000_000);
        assert_eq!(read("-0.5").to_unix_text(), "-0.5");
        assert_eq!(read("1701320475.250").to_unix_text(), "1701320475.25");
        assert!(EventTime::parse_fractional("1701320475364", TimeMode::Strict).is_err());
        assert_eq!(EventTime::from_unix_float(0.1, TimeMode::Strict).unwrap().unix_nanos(), 100_000_000);
    }

    #[test]
    fn arrivals_never_repeat_nor_step_back() {
        let now = EventTime::from_unix_micros(1_000).unwrap();
        let first = Arrival(0).next(now);
        assert_eq!(first, Arrival(1_000));
        assert_eq!(first.next(now), Arrival(1_001));
        assert_eq!(Arrival(5_000).next(now), Arrival(5_001));
    }

    proptest! {
        #[test]
        fn prints_what_it_reads_back(seconds in MIN_SECONDS..=MAX_SECONDS, nanos in 0u32..1_000_000_000) {
            let time = EventTime::new(seconds, nanos).unwrap();
            prop_assert_eq!(EventTime::parse_text(&time.to_iso8601(), TimeMode::Strict).unwrap(), time);
            prop_assert_eq!(EventTime::parse_fractional(&time.to_unix_text(), TimeMode::Strict).unwrap(), time);
        }

        #[test]
        fn agrees_with_an_independent_calendar(seconds in MIN_SECONDS..=MAX_SECONDS - 86_400) {
            let theirs = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            prop_assert_eq!(EventTime::from_unix_seconds(seconds).unwrap().to_iso8601(), theirs);
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = EventTime::parse_text(&text, TimeMode::Lenient);
            let _ = EventTime::parse_fractional(&text, TimeMode::Lenient);
        }
    }
}
