//! Time to live: how long after its event time a record exists.
//!
//! A unit and a value are kept as given, because SageMaker answers with the pair it was told. Both ends of
//! the window are inclusive: a record expires once `now` is later than `event time + ttl`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::time::EventTime;

/// Unit of a ttl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TtlUnit {
    /// 1 s
    Seconds,
    /// 60 s
    Minutes,
    /// 3,600 s
    Hours,
    /// 86,400 s
    Days,
    /// 604,800 s
    Weeks,
}

impl TtlUnit {
    /// Seconds in one unit.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Seconds => 1,
            Self::Minutes => 60,
            Self::Hours => 3_600,
            Self::Days => 86_400,
            Self::Weeks => 604_800,
        }
    }

    /// The letter that stands for it on the command line.
    pub fn letter(self) -> char {
        match self {
            Self::Seconds => 's',
            Self::Minutes => 'm',
            Self::Hours => 'h',
            Self::Days => 'd',
            Self::Weeks => 'w',
        }
    }
}

/// A time to live of at least one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ttl {
    value: u32,
    unit: TtlUnit,
}

impl Ttl {
    /// Builds a ttl; the value must be at least 1.
    pub fn new(value: u32, unit: TtlUnit) -> Result<Self> {
        if value == 0 {
            return Err(Error::invalid("a ttl of 0 would hide every record").remedy("use 1 or more, or leave the ttl out"));
        }
        Ok(Self { value, unit })
    }

    /// Length in seconds.
    pub fn seconds(self) -> u64 {
        u64::from(self.value) * self.unit.seconds()
    }

    /// Number of units.
    pub fn value(self) -> u32 {
        self.value
    }

    /// The unit as given.
    pub fn unit(self) -> TtlUnit {
        self.unit
    }

    /// The last instant at which a record of that event time exists; at most the end of year 9999.
    pub fn expiry(self, event_time: EventTime) -> EventTime {
        event_time.saturating_add_seconds(i64::try_from(self.seconds()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.value, self.unit.letter()))
    }
}

impl FromStr for Ttl {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let fault = || Error::invalid(format!("'{text}' is not a ttl")).remedy("use a number and a unit: 90s, 30m, 12h, 7d or 4w");
        let trimmed = text.trim();
        let unit = match trimmed.chars().next_back() {
            Some('s') => TtlUnit::Seconds,
            Some('m') => TtlUnit::Minutes,
            Some('h') => TtlUnit::Hours,
            Some('d') => TtlUnit::Days,
            Some('w') => TtlUnit::Weeks,
            _ => return Err(fault()),
        };
        let value = trimmed[..trimmed.len() - 1].parse::<u32>().map_err(|_| fault())?;
        Self::new(value, unit)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_and_prints_the_pair_it_was_given() {
        for text in ["90s", "30m", "12h", "7d", "4w"] {
            assert_eq!(text.parse::<Ttl>().unwrap().to_string(), text);
        }
        assert_eq!("2w".parse::<Ttl>().unwrap().seconds(), 1_209_600);
        for bad in ["", "7", "d", "0d", "-1d", "7days", "1.5h", "7é", "99999999999d"] {
            assert!(bad.parse::<Ttl>().is_err(), "{bad}");
        }
    }
}
