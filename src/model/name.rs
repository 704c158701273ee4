//! Names of feature groups and features, with SageMaker's patterns and limits, and of training datasets.
//!
//! All are 1–64 characters, `[a-zA-Z0-9]([_-]*[a-zA-Z0-9]){0,63}`: they start and end with a letter or a
//! digit. Their spelling is kept, yet two names that differ only in case are the same name, because catalogues
//! downstream (Glue, Athena) fold case; [`GroupName::folded`] is the form to compare.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};

const MAX_LENGTH: usize = 64;

/// Names a table of the offline store already uses, so that no feature may.
pub const RESERVED_FEATURES: [&str; 4] = ["write_time", "api_invocation_time", "is_deleted", "__event_time"];

/// Why a text is no name, or nothing if it is one.
fn fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".into());
    }
    let length = text.chars().count();
    if length > MAX_LENGTH {
        return Some(format!("it has {length} characters, at most {MAX_LENGTH} are allowed"));
    }
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-' && *c != '_') {
        return Some(format!("'{}' is not allowed, only letters, digits, '-' and '_' are", bad.escape_default()));
    }
    let edge = |c: Option<char>| c.is_some_and(|c| !c.is_ascii_alphanumeric());
    if edge(text.chars().next()) || edge(text.chars().next_back()) {
        return Some("it must start and end with a letter or a digit".into());
    }
    None
}

/// The nearest legal name to a text, for suggestions; none if nothing of it can stay.
pub fn nearest_legal(text: &str) -> Option<String> {
    let kept: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect();
    let trimmed = kept.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let short: String = trimmed.chars().take(MAX_LENGTH).collect();
    let short = short.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned();
    (!short.is_empty()).then_some(short)
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// True for a text that [`Self::parse`] takes.
            pub fn is_legal(text: &str) -> bool {
                fault(text).is_none()
            }

            /// Parses a name; the error says which rule it breaks.
            pub fn parse(text: &str) -> Result<Self> {
                match fault(text) {
                    None => Ok(Self(text.to_owned())),
                    Some(why) => {
                        let shown: String = text.chars().take(80).collect();
                        let error = Error::invalid(format!(concat!("'{}' is not a ", $what, " name"), shown.escape_debug())).why(why);
                        Err(match nearest_legal(text) {
                            Some(legal) => error.remedy(format!("'{legal}' would be one")),
                            None => error,
                        })
                    }
                }
            }

            /// The name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The form in which names are compared: lower case.
            pub fn folded(&self) -> String {
                self.0.to_ascii_lowercase()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// Name of a feature group.
    GroupName, "feature group"
);
name_type!(
    /// Name of a feature.
    FeatureName, "feature"
);
name_type!(
    /// Name of a training dataset.
    DatasetName, "training dataset"
);

impl FeatureName {
    /// True for the names that the offline table's own columns bear.
    pub fn is_reserved(&self) -> bool {
        RESERVED_FEATURES.iter().any(|reserved| self.0.eq_ignore_ascii_case(reserved))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn accepts_what_the_pattern_accepts() {
        for good in ["a", "customer-features", "A_b--c9", &"x".repeat(64)] {
            assert_eq!(GroupName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "_a", "a_", "a b", "a.b", "é", "a\u{1b}[0m", &"x".repeat(65)] {
            assert!(GroupName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn offers_the_nearest_legal_name() {
        let error = FeatureName::parse("__index_level_0__").unwrap_err().to_string();
        assert!(error.contains("'index_level_0' would be one"), "{error}");
        assert_eq!(nearest_legal("…"), None);
    }
}
