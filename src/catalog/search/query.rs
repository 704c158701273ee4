//! The language of searches: words, words that must not occur, and filters.
//!
//! ```text
//! loyalty score               both words, each the begin of one
//! loyal !tier                 without that one
//! owner:growth type:frac      filters, see [`Filter`]; several must all hold
//! owner:"data platform"       blanks within quotes
//! ```
//!
//! What stands before a colon and is no filter is a word like any other: `customer-features:loyalty_score` finds it. A filter
//! with a value that makes no sense is an error, because an answer to another question is worse than none.

use crate::catalog::listing::terms;
use crate::model::suggest::suggest;
use crate::model::{Error, FeatureType, Result, Ttl};

/// Words and filters beyond these are refused.
const MOST_TERMS: usize = 32;

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A feature of a group.
    Feature,
    /// A feature group.
    Group,
    /// A training dataset.
    Dataset,
    /// A model that the lineage knows.
    Model,
}

impl Kind {
    /// All of them, in the order they are offered.
    pub const ALL: [Kind; 4] = [Self::Feature, Self::Group, Self::Dataset, Self::Model];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Group => "group",
            Self::Dataset => "dataset",
            Self::Model => "model",
        }
    }
}

/// Which side of a bound is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `<`
    Below,
    /// `>`
    Above,
}

/// A condition beside the words. Texts are in lower case and match as a part.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// `kind:feature`
    Kind(Kind),
    /// `type:fractional`, `type:vector`
    Type(String),
    /// `tag:pii`, `tag:pii=no`
    Tag(String, Option<String>),
    /// `owner:growth`
    Owner(String),
    /// `entity:customer`
    Entity(String),
    /// `group:customer`
    Group(String),
    /// `fresh:<1d`, `fresh:>7d`: seconds since the newest event time of the group. Not known: does not match.
    Fresh(Side, u64),
    /// `null:<5%`, `null:>0.5`: share of nulls over all history. Not profiled: does not match.
    Null(Side, f64),
    /// `drift:alert`, `drift:watch`, `drift:ok`: the worst level of the last comparison.
    Drift(&'static str),
    /// `unused:90d`: seconds in which nobody read it.
    Unused(u64),
    /// `used-by:churn*`: training datasets built from it, by a pattern of their name.
    UsedBy(String),
    /// `documented:no`
    Documented(bool),
    /// `store:online`, `store:offline`
    Online(bool),
    /// `source:lake`: what a sync brought in from there. Nothing of this store's own.
    Source(String),
}

const FILTERS: [&str; 14] =
    ["kind", "type", "tag", "owner", "entity", "group", "fresh", "null", "drift", "unused", "used-by", "documented", "store", "source"];

/// A parsed search.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchQuery {
    /// Words as typed, in lower case but for where their own words begin.
    pub(in crate::catalog) words: Vec<String>,
    pub(in crate::catalog) excluded: Vec<String>,
    pub(in crate::catalog) filters: Vec<Filter>,
}

impl SearchQuery {
    /// Parses what was typed.
    ///
    /// # Errors
    /// `Usage` for a filter with a value that makes no sense, and for too many terms.
    pub fn parse(text: &str) -> Result<Self> {
        Self::of_terms(terms(text).into_iter())
    }

    /// Reads the parts of what was typed.
    pub(in crate::catalog) fn of_terms(terms: impl Iterator<Item = String>) -> Result<Self> {
        let mut query = Self::default();
        for (number, term) in terms.enumerate() {
            if number == MOST_TERMS {
                return Err(Error::usage("too many words in a search").remedy(format!("use at most {MOST_TERMS}")));
            }
            if let Some(word) = term.strip_prefix('!') {
                query.excluded.extend((!word.is_empty()).then(|| word.to_owned()));
                continue;
            }
            match term.split_once(':') {
                Some((field, value)) if FILTERS.contains(&field.to_ascii_lowercase().as_str()) => {
                    query.filters.push(Filter::parse(&field.to_ascii_lowercase(), value)?);
                }
                _ => query.words.push(term.clone()),
            }
        }
        Ok(query)
    }

    /// Adds a filter.
    pub fn with(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// True if nothing is asked for by word.
    pub fn is_wordless(&self) -> bool {
        self.words.is_empty()
    }

    /// The text that names are compared with as a whole, in lower case.
    pub(super) fn whole(&self) -> String {
        self.words.join(" ").to_lowercase()
    }
}

impl Filter {
    fn parse(field: &str, value: &str) -> Result<Self> {
        let folded = value.to_lowercase();
        if folded.is_empty() {
            return Err(Error::usage(format!("'{field}:' says nothing")).remedy(format!("write it like {}", example(field))));
        }
        let wrong = || {
            Error::usage(format!("'{}' is not what {field}: takes", value.escape_debug()))
                .remedy(format!("write it like {}", example(field)))
        };
        Ok(match field {
            "kind" => {
                Self::Kind(Kind::ALL.into_iter().find(|kind| kind.as_str() == folded.trim_end_matches('s')).ok_or_else(
                    || match suggest(&folded, Kind::ALL.map(Kind::as_str)) {
                        Some(near) => wrong().remedy(format!("did you mean kind:{near}?")),
                        None => wrong(),
                    },
                )?)
            }
            // `type:int` means Integral; `type:frac` and `type:vector<384>` are parts of the type's own name.
            "type" => Self::Type(folded.parse::<FeatureType>().map_or(folded, |known| known.as_str().to_lowercase())),
            "tag" => match folded.split_once('=') {
                Some((key, value)) => Self::Tag(key.to_owned(), Some(value.to_owned())),
                None => Self::Tag(folded, None),
            },
            "owner" => Self::Owner(folded),
            "entity" => Self::Entity(folded),
            "source" => Self::Source(folded),
            "group" => Self::Group(folded),
            "fresh" => {
                let (side, length) = side(&folded, Side::Below);
                Self::Fresh(side, length.parse::<Ttl>().map_err(|_| wrong())?.seconds())
            }
            "null" => {
                let (side, share) = side(&folded, Side::Below);
                let (number, scale) = share.strip_suffix('%').map_or((share, 1.0), |percent| (percent, 0.01));
                let share = number.parse::<f64>().map_err(|_| wrong())? * scale;
                Self::Null(side, if (0.0..=1.0).contains(&share) { share } else { return Err(wrong()) })
            }
            "drift" => Self::Drift(["ok", "watch", "alert", "few"].into_iter().find(|level| *level == folded).ok_or_else(wrong)?),
            "unused" => Self::Unused(folded.parse::<Ttl>().map_err(|_| wrong())?.seconds()),
            "used-by" => Self::UsedBy(folded),
            "documented" => Self::Documented(match folded.as_str() {
                "yes" | "true" => true,
                "no" | "false" => false,
                _ => return Err(wrong()),
            }),
            _ => Self::Online(match folded.as_str() {
                "online" => true,
                "offline" => false,
                _ => return Err(wrong()),
            }),
        })
    }
}

fn side(text: &str, usual: Side) -> (Side, &str) {
    match text.split_at_checked(1) {
        Some(("<", rest)) => (Side::Below, rest.trim_start_matches('=')),
        Some((">", rest)) => (Side::Above, rest.trim_start_matches('=')),
        _ => (usual, text),
    }
}

fn example(field: &str) -> &'static str {
    match field {
        "kind" => "kind:feature, kind:group, kind:dataset or kind:model",
        "type" => "type:fractional",
        "tag" => "tag:pii or tag:pii=no",
        "owner" => "owner:growth",
        "entity" => "entity:customer",
        "source" => "source:lake",
        "group" => "group:customer-features",
        "fresh" => "'fresh:<1d'",
        "null" => "'null:<5%'",
        "drift" => "drift:alert, drift:watch or drift:ok",
        "unused" => "unused:90d",
        "used-by" => "'used-by:churn*'",
        "documented" => "documented:no",
        _ => "store:online or store:offline",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn filters(text: &str) -> Vec<Filter> {
        SearchQuery::parse(text).unwrap().filters
    }

    #[test]
    fn words_exclusions_and_filters_are_told_apart() {
        let query = SearchQuery::parse("Loyal !tier ! owner:Growth customer-features:score").unwrap();
        assert_eq!(query.words, ["Loyal", "customer-features:score"]);
        assert_eq!(query.excluded, ["tier"]);
        assert_eq!(query.filters, [Filter::Owner("growth".into())]);
    }

    #[test]
    fn bounds_have_a_side_and_a_unit() {
        assert_eq!(
            filters("fresh:<1d fresh:>=2h fresh:30m"),
            [Filter::Fresh(Side::Below, 86_400), Filter::Fresh(Side::Above, 7_200), Filter::Fresh(Side::Below, 1_800)]
        );
        assert_eq!(filters("null:<5% null:>0.5"), [Filter::Null(Side::Below, 0.05), Filter::Null(Side::Above, 0.5)]);
        assert_eq!(
            filters("TYPE:int type:vec kind:features"),
            [Filter::Type("integral".into()), Filter::Type("vec".into()), Filter::Kind(Kind::Feature)]
        );
        assert_eq!(filters("tag:pii=No"), [Filter::Tag("pii".into(), Some("no".into()))]);
    }

    #[test]
    fn a_value_that_makes_no_sense_is_told_with_an_example() {
        for text in ["fresh:soon", "null:200%", "null:<x", "drift:bad", "kind:grop", "owner:", "documented:maybe", "unused:x", "store:s3"] {
            let error = SearchQuery::parse(text).unwrap_err();
            assert_eq!(error.kind(), crate::model::ErrorKind::Usage, "{text}");
        }
        assert!(SearchQuery::parse("kind:grop").unwrap_err().to_string().contains("did you mean kind:group?"));
        assert!(SearchQuery::parse(&"a ".repeat(33)).is_err());
    }
}
