//! Instants as the date and the time of day they are in UTC, and back.
//!
//! The library's own instants end a day before those of the store do, so the way leads over the time since 1970.

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// Date and time of day; none outside the years -9999 to 9999.
pub(super) fn civil(micros: i64) -> Option<DateTime> {
    EPOCH.checked_add(SignedDuration::from_micros(micros)).ok()
}

/// Microseconds since 1970, rounded towards the past.
pub(super) fn micros(civil: DateTime) -> Option<i64> {
    i64::try_from(civil.duration_since(EPOCH).as_nanos().div_euclid(1_000)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::time::EventTime;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn leads_there_and_back(instant in EventTime::MIN.unix_micros()..=EventTime::MAX.unix_micros()) {
            let there = civil(instant).unwrap();
            prop_assert_eq!(micros(there), Some(instant));
            prop_assert!(EventTime::from_unix_micros(instant).unwrap().to_iso8601().starts_with(&there.strftime("%Y-%m-%dT%H:%M:%S").to_string()));
        }
    }

    #[test]
    fn the_ends_of_time_are_within() {
        assert_eq!(civil(EventTime::MAX.unix_micros()).unwrap().to_string(), "9999-12-31T23:59:59.999999");
        assert_eq!(civil(EventTime::MIN.unix_micros()).unwrap().year(), 0);
        assert_eq!(civil(i64::MAX), None);
        assert_eq!(micros(date(1969, 12, 31).at(23, 59, 59, 999_999_999)), Some(-1));
    }
}
