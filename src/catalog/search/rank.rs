//! In which order hits stand, and why.
//!
//! First how the words matched: a name that is just what was typed, a name that begins so, words anywhere, words that are
//! probably misspelt. Within that, relevance (BM25 over weighted fields) times what makes a thing worth finding. The score is
//! one number of both: its whole part says how it matched, its fraction is `x / (1 + x)` of relevance times factors.

/// How a hit matched, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matched {
    /// Only if words are misspelt.
    Misspelt,
    /// Its words, somewhere.
    Words,
    /// Its name begins with what was typed.
    Beginning,
    /// Its name is what was typed.
    Exact,
}

impl Matched {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Misspelt => "misspelt",
            Self::Words => "words",
            Self::Beginning => "beginning",
            Self::Exact => "exact",
        }
    }
}

/// Something that makes a hit better (above 1) or worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor {
    /// What it is.
    pub name: &'static str,
    /// What the relevance is multiplied by.
    pub value: f64,
}

/// What is known of a thing that makes it more or less worth finding.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    pub(super) is_deprecated: bool,
    /// Its group is being deleted.
    pub(super) is_going: bool,
    pub(super) is_described: bool,
    /// None for a thing that has no owner by nature.
    pub(super) is_owned: Option<bool>,
    /// Whether its newest record is within the ttl; none without a ttl, or if it is not known.
    pub(super) is_fresh: Option<bool>,
    pub(super) has_alert: bool,
    /// Principals that read it lately, if reads are recorded.
    pub(super) readers: Option<u64>,
    /// It is about what the group in view is about.
    pub(super) is_near: bool,
}

impl Standing {
    /// The factors that are not 1.
    pub(super) fn factors(self) -> Vec<Factor> {
        let readers = 1.0 + 0.3 * (1.0 + self.readers.unwrap_or(0) as f64).log10();
        let all = [
            (self.is_deprecated, "deprecated", 0.25),
            (self.is_going, "being deleted", 0.1),
            (!self.is_described, "no description", 0.8),
            (self.is_owned == Some(false), "no owner", 0.9),
            (self.is_fresh == Some(true), "fresh", 1.1),
            (self.has_alert, "drift alert", 0.9),
            (self.readers.is_some_and(|readers| readers > 0), "readers in 30 days", readers),
            (self.is_near, "same entity", 1.2),
        ];
        all.into_iter().filter(|(holds, ..)| *holds).map(|(_, name, value)| Factor { name, value }).collect()
    }
}

/// The score of a hit; `relevance` is positive, larger for more of the words in weightier fields.
pub(super) fn score(matched: Matched, relevance: f64, factors: &[Factor]) -> f64 {
    let weighted = relevance.max(0.0) * factors.iter().map(|factor| factor.value).product::<f64>();
    let whole = match matched {
        Matched::Misspelt => 0.0,
        Matched::Words => 1.0,
        Matched::Beginning => 2.0,
        Matched::Exact => 3.0,
    };
    whole + weighted / (1.0 + weighted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_matched_comes_before_everything_else() {
        let good = Standing { is_described: true, readers: Some(1_000), is_near: true, ..Standing::default() }.factors();
        let bad = Standing { is_deprecated: true, is_going: true, is_owned: Some(false), has_alert: true, ..Standing::default() }.factors();
        for pair in [Matched::Misspelt, Matched::Words, Matched::Beginning, Matched::Exact].windows(2) {
            assert!(score(pair[0], 1e9, &good) <= score(pair[1], 1e-6, &bad), "{pair:?}");
        }
        assert!(score(Matched::Words, 2.0, &good) > score(Matched::Words, 2.0, &bad));
    }

    #[test]
    fn what_is_unknown_changes_nothing() {
        let plain = Standing { is_described: true, ..Standing::default() };
        assert_eq!(plain.factors(), []);
        let read = Standing { readers: Some(9), ..plain }.factors();
        assert!((read[0].value - 1.3).abs() < 1e-12);
    }
}
