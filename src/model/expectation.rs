//! What values are expected to be: rules in a group's definition that people write once and larder checks for ever.
//!
//! A rule of a feature is checked on every value that is written, and over all of them by `larder check`. Text is parsed here
//! into rules that make sense: a range has an order, a pattern compiles, a share lies between 0 and 1. Nulls break `not_null`
//! and no other rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::ttl::Ttl;

/// Most rules of one feature.
pub const MAX_RULES: usize = 10;
/// Most values of a set.
const MAX_VALUES: usize = 1_000;
/// Most bytes of a pattern.
const MAX_PATTERN: usize = 1_024;

/// A finite number that compares with itself.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Finite(f64);

impl Eq for Finite {}

impl Finite {
    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Finite {
    type Error = Error;
    fn try_from(value: f64) -> Result<Self> {
        if value.is_finite() { Ok(Self(value)) } else { Err(Error::invalid(format!("{value} is no number to compare with"))) }
    }
}

impl From<Finite> for f64 {
    fn from(value: Finite) -> Self {
        value.0
    }
}

impl FromStr for Finite {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let value: f64 = text.trim().parse().map_err(|_| Error::usage(format!("'{}' is no number", text.escape_debug())))?;
        Self::try_from(value)
    }
}

impl fmt::Display for Finite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One rule about the values of a feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// At least this share of the rows has a value; 1 is all of them.
    NotNull {
        /// 0 to 1.
        at_least: Finite,
    },
    /// Numbers lie within bounds, which belong to it.
    Between {
        /// Least, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<Finite>,
        /// Greatest, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<Finite>,
    },
    /// Values are among these texts; numbers as they are written.
    OneOf {
        /// The values.
        values: BTreeSet<String>,
    },
    /// Texts match a regular expression, anywhere unless it is anchored.
    Matches {
        /// The expression.
        pattern: String,
    },
}

/// What happens to a row that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnViolation {
    /// It can't be stored: a put fails, a load stops or skips it as it was told to.
    #[default]
    Reject,
    /// It is set aside in the store's quarantine and not stored.
    Quarantine,
    /// It is stored and counted.
    Warn,
}

impl OnViolation {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Quarantine => "quarantine",
            Self::Warn => "warn",
        }
    }
}

/// A rule, and what follows from breaking it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// What happens to rows that break it.
    #[serde(default)]
    pub on_violation: OnViolation,
}

/// Limits of drift that differ from the usual ones, by the name of the distance: watch and alert.
pub type DriftLimits = BTreeMap<String, (Finite, Finite)>;

/// What is expected of a group as a whole; checked when asked, not on writing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupExpectations {
    /// No two records have the same identifier and event time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// The newest event time is no older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Ttl>,
    /// There are at least so many records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rows: Option<u64>,
}

impl GroupExpectations {
    /// True if nothing is expected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Rule {
    /// Checks what the types of its fields don't.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::NotNull { at_least } if !(0.0..=1.0).contains(&at_least.get()) => {
                Err(Error::invalid(format!("{at_least} is no share of rows")).remedy("use a number from 0 to 1"))
            }
            Self::Between { min: None, max: None } => Err(Error::invalid("a range has at least one end")),
            Self::Between { min: Some(min), max: Some(max) } if min > max => {
                Err(Error::invalid(format!("nothing lies between {min} and {max}")).remedy("write the smaller number first"))
            }
            Self::OneOf { values } if values.is_empty() || values.len() > MAX_VALUES => {
                Err(Error::invalid(format!("a set of {} values", values.len())).remedy(format!("name 1 to {MAX_VALUES}")))
            }
            Self::Matches { pattern } => compiled(pattern).map(drop),
            _ => Ok(()),
        }
    }
}

/// A pattern, ready to match.
pub fn compiled(pattern: &str) -> Result<regex::Regex> {
    if pattern.len() > MAX_PATTERN {
        return Err(Error::invalid("the pattern is too long").remedy(format!("write at most {MAX_PATTERN} bytes")));
    }
    regex::RegexBuilder::new(pattern).size_limit(1 << 20).build().map_err(|error| {
        let reason = error.to_string();
        Error::invalid(format!("'{}' is no regular expression", pattern.escape_debug()))
            .why(reason.lines().last().unwrap_or_default().trim().to_owned())
    })
}

impl FromStr for Rule {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()));
        let unknown = || {
            Error::usage(format!("'{}' is no rule", text.escape_debug()))
                .remedy("write not_null, not_null 0.99, between 0 1, at_least 0, at_most 1, one_of a,b or matches ^x")
        };
        let rule = match (word, rest) {
            ("not_null", "") => Self::NotNull { at_least: Finite(1.0) },
            ("not_null", share) => Self::NotNull { at_least: share.parse()? },
            ("at_least", min) => Self::Between { min: Some(min.parse()?), max: None },
            ("at_most", max) => Self::Between { min: None, max: Some(max.parse()?) },
            ("between", ends) => {
                let (min, max) = ends.split_once(char::is_whitespace).ok_or_else(unknown)?;
                Self::Between { min: Some(min.parse()?), max: Some(max.parse()?) }
            }
            ("one_of", values) if !values.is_empty() => {
                Self::OneOf { values: values.split(',').map(|value| value.trim().to_owned()).collect() }
            }
            ("matches", pattern) if !pattern.is_empty() => Self::Matches { pattern: pattern.to_owned() },
            _ => return Err(unknown()),
        };
        rule.check()?;
        Ok(rule)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNull { at_least } if at_least.get() >= 1.0 => f.write_str("not_null"),
            Self::NotNull { at_least } => write!(f, "not_null {at_least}"),
            Self::Between { min: Some(min), max: Some(max) } => write!(f, "between {min} {max}"),
            Self::Between { min: Some(min), max: None } => write!(f, "at_least {min}"),
            Self::Between { min: None, max } => write!(f, "at_most {}", max.map_or(f64::INFINITY, Finite::get)),
            Self::OneOf { values } => write!(f, "one_of {}", values.iter().map(String::as_str).collect::<Vec<_>>().join(",")),
            Self::Matches { pattern } => write!(f, "matches {pattern}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in [
            "not_null",
            "not_null 0.99",
            "between 0 1",
            "between -2.5 1000",
            "at_least 0",
            "at_most 1",
            "one_of a,b,c d",
            "matches ^[a-z]+ x$",
        ] {
            let rule: Rule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
            let expectation = Expectation { rule, on_violation: OnViolation::Warn };
            let json = serde_json::to_string(&expectation).unwrap();
            assert_eq!(serde_json::from_str::<Expectation>(&json).unwrap(), expectation, "{json}");
        }
    }

    #[test]
    fn rules_without_sense_are_refused() {
        for text in [
            "",
            "between 2 1",
            "between 0",
            "at_least x",
            "at_least nan",
            "not_null 2",
            "one_of",
            "matches",
            "matches (",
            "unique",
            "at_most inf",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Finite>("1e999").is_err());
    }
}
