//! "Since when" on the command line: a time, or an age.

use super::place::now;
use crate::model::{Error, EventTime, Result, TimeMode, Ttl};

/// Reads a time (`2026-01-05`, `2026-01-05T10:00:00Z`) or an age (`90s`, `12h`, `7d`).
pub(crate) fn instant_or_age(text: &str) -> Result<EventTime> {
    if text.contains('-') {
        return EventTime::parse_text(text, TimeMode::Lenient);
    }
    let age: Ttl = text.parse().map_err(|_| {
        Error::usage(format!("'{}' is neither a time nor an age", text.escape_debug()))
            .remedy("write it as 2026-01-05 or as 30s, 5m, 12h, 7d")
    })?;
    let back = i64::try_from(age.seconds()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    Ok(EventTime::from_unix_micros(now().saturating_sub(back)).unwrap_or(EventTime::MIN))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_times_and_ages() {
        assert_eq!(instant_or_age("2026-01-05").unwrap().to_iso8601(), "2026-01-05T00:00:00Z");
        let hour = (now() - instant_or_age("1h").unwrap().unix_micros()) / 1_000_000;
        assert!((3_599..3_660).contains(&hour), "{hour}");
        assert!(instant_or_age("soon").unwrap_err().to_string().contains("2026-01-05"));
    }
}
