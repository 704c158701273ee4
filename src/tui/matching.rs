//! Finds rows for what a person types, and says which letters to highlight. The only user of `fuzzy-matcher`.
//!
//! A query is words that must all match: `loyal score`. A word matches a name fuzzily (its letters in order) or a
//! description, tag or owner as a plain part of it; a name counts more. `tag:pii`, `tag:pii=yes`, `owner:growth`, `type:frac`
//! and `group:cust` filter by that field alone, and `!word` excludes. Case is ignored.
//!
//! Scoring alone costs a copy of both texts for each row, so a letter mask and a subsequence test throw out what cannot match
//! before it. Rows that score alike keep a total order (shorter name, then original place): the same query always
//! shows the same list. Highlights are computed for visible rows only.

use std::collections::BTreeMap;

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;

/// What can be searched in a row.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Haystack<'a> {
    /// Matched fuzzily.
    pub(crate) name: &'a str,
    /// The group a feature belongs to; the name itself for a group.
    pub(crate) group: &'a str,
    /// Matched as plain text.
    pub(crate) description: &'a str,
    /// Matched as plain text.
    pub(crate) owner: &'a str,
    /// Type of a feature.
    pub(crate) kind: &'a str,
    /// Keys and values, each matched as plain text: a group's tags, a feature's parameters and its group's tags.
    pub(crate) tags: [Option<&'a BTreeMap<String, String>>; 2],
}

impl<'a> Haystack<'a> {
    fn tag_pairs(&self) -> impl Iterator<Item = (&'a String, &'a String)> + use<'a> {
        self.tags.into_iter().flatten().flatten()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Word(String),
    Not(String),
    Tag(String, Option<String>),
    Owner(String),
    Kind(String),
    Group(String),
}

/// A parsed query with its matcher.
pub(crate) struct Query {
    terms: Vec<Term>,
    matcher: SkimMatcherV2,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Query").field("terms", &self.terms).finish()
    }
}

/// A name that contains the word whole stands before any that merely has its letters.
const WHOLE_WORD: i64 = 1_000;
/// A word that stands whole in another field counts less than that, and more than scattered letters of a name.
const IN_OTHER_FIELD: i64 = 500;

impl Query {
    /// Parses what was typed.
    pub(crate) fn parse(text: &str) -> Self {
        let terms = crate::tui::listing::terms(text).iter().take(16).filter_map(|term| Term::parse(term)).collect();
        Self { terms, matcher: SkimMatcherV2::default().ignore_case() }
    }

    /// True if every row matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// True if words rank the rows.
    pub(crate) fn has_words(&self) -> bool {
        self.terms.iter().any(|term| matches!(term, Term::Word(_)))
    }

    /// Positions of the rows that match, best first; all of them, in their order, for an empty query.
    pub(crate) fn rank<'a>(&self, rows: impl Iterator<Item = Haystack<'a>>) -> Vec<usize> {
        let mut found: Vec<(i64, usize, usize)> =
            rows.enumerate().filter_map(|(place, row)| self.score(&row).map(|score| (-score, row.name.len(), place))).collect();
        if !self.is_empty() {
            found.sort_unstable();
        }
        found.into_iter().map(|(_, _, place)| place).collect()
    }

    fn score(&self, row: &Haystack<'_>) -> Option<i64> {
        let mut total = 0;
        for term in &self.terms {
            total += match term {
                Term::Word(word) => match (self.score_name(word, row.name), in_other_fields(word, row)) {
                    (Some(score), true) => score.max(IN_OTHER_FIELD),
                    (Some(score), false) => score,
                    (None, true) => IN_OTHER_FIELD,
                    (None, false) => return None,
                },
                Term::Not(word) => {
                    if contains(row.name, word) || in_other_fields(word, row) {
                        return None;
                    }
                    0
                }
                Term::Tag(key, value) => {
                    let hit = row.tag_pairs().any(|(tag, content)| match value {
                        Some(value) => contains(tag, key) && contains(content, value),
                        None => contains(tag, key) || contains(content, key),
                    });
                    hit.then_some(0)?
                }
                Term::Owner(owner) => contains(row.owner, owner).then_some(0)?,
                Term::Kind(kind) => contains(row.kind, kind).then_some(0)?,
                Term::Group(group) => contains(row.group, group).then_some(0)?,
            };
        }
        Some(total)
    }

    fn score_name(&self, word: &str, name: &str) -> Option<i64> {
        if letters(word) & !letters(name) != 0 || !is_subsequence(word, name) {
            return None;
        }
        let score = self.matcher.fuzzy_match(name, word)?;
        Some(score + if contains(name, word) { WHOLE_WORD } else { 0 })
    }

    /// Positions (in chars) of the letters of a name that the query matched.
    pub(crate) fn name_hits(&self, name: &str) -> Vec<usize> {
        let mut hits = Vec::new();
        for term in &self.terms {
            match term {
                Term::Word(word) => match find(name, word) {
                    Some(place) => hits.extend(place),
                    None => match self.matcher.fuzzy_indices(name, word) {
                        Some((_, places)) => hits.extend(places),
                        // A misspelt word marks the one that was meant.
                        None => hits.extend(crate::tui::fuzzy::highlights(&self.matcher, word, name)),
                    },
                },
                Term::Group(word) => hits.extend(find(name, word).into_iter().flatten()),
                _ => {}
            }
        }
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    /// Positions (in chars) of the parts of another field that the query matched.
    pub(crate) fn text_hits(&self, text: &str) -> Vec<usize> {
        let mut hits = Vec::new();
        for term in &self.terms {
            if let Term::Word(word) | Term::Owner(word) | Term::Tag(word, None) | Term::Kind(word) = term {
                hits.extend(find(text, word).into_iter().flatten());
            }
        }
        hits.sort_unstable();
        hits.dedup();
        hits
    }
}

impl Term {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        if let Some(word) = text.strip_prefix('!') {
            return (!word.is_empty()).then(|| Self::Not(word.to_owned()));
        }
        let Some((field, value)) = text.split_once(':') else { return Some(Self::Word(text)) };
        let owned = value.to_owned();
        let term = match field {
            "tag" => match value.split_once('=') {
                Some((key, value)) => Self::Tag(key.to_owned(), Some(value.to_owned())),
                None => Self::Tag(owned, None),
            },
            "owner" => Self::Owner(owned),
            "type" => Self::Kind(owned),
            "group" => Self::Group(owned),
            // Filters that the catalog's own search answers; they rank and mark nothing.
            "fresh" | "null" | "drift" | "unused" | "entity" | "kind" | "documented" | "store" | "used-by" => return None,
            _ => return Some(Self::Word(text)),
        };
        // `tag:` while it is being typed filters nothing yet.
        (!value.is_empty()).then_some(term)
    }
}

fn in_other_fields(word: &str, row: &Haystack<'_>) -> bool {
    contains(row.description, word)
        || contains(row.owner, word)
        || contains(row.group, word)
        || row.tag_pairs().any(|(key, value)| contains(key, word) || contains(value, word))
}

/// True if the text contains the word, ignoring case; the word is lower case already.
fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() && word.is_ascii() {
        let Some((first, rest)) = word.as_bytes().split_first() else { return true };
        // The first letter alone rejects nearly every place, so it is compared before anything is sliced.
        let text = text.as_bytes();
        let starts = text.len().saturating_sub(rest.len());
        let is_here = |(place, byte): (usize, &u8)| {
            byte.eq_ignore_ascii_case(first) && text[place + 1..place + 1 + rest.len()].eq_ignore_ascii_case(rest)
        };
        return text[..starts].iter().enumerate().any(is_here);
    }
    find(text, word).is_some()
}

/// Where the word first stands in the text, as a range of char positions.
fn find(text: &str, word: &str) -> Option<std::ops::Range<usize>> {
    // One lower-case char for each char keeps the positions true.
    let fold = |character: char| character.to_lowercase().next().unwrap_or(character);
    let text: Vec<char> = text.chars().map(fold).collect();
    let word: Vec<char> = word.chars().map(fold).collect();
    if word.is_empty() || word.len() > text.len() {
        return None;
    }
    text.windows(word.len()).position(|part| part == word).map(|start| start..start + word.len())
}

/// One bit for each letter and digit that occurs, so that one operation rejects most rows.
fn letters(text: &str) -> u64 {
    text.bytes().fold(0, |mask, byte| match byte.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => mask | 1 << (letter - b'a'),
        digit @ b'0'..=b'9' => mask | 1 << (26 + digit - b'0'),
        b'_' => mask | 1 << 36,
        b'-' => mask | 1 << 37,
        _ => mask,
    })
}

fn is_subsequence(word: &str, name: &str) -> bool {
    let mut rest = name.chars();
    word.chars().all(|wanted| rest.any(|character| character.eq_ignore_ascii_case(&wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_rows<R>(look: impl FnOnce(&[Haystack<'_>]) -> R) -> R {
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let (no, yes) = (tags(&[("pii", "no"), ("team", "crm")]), tags(&[("pii", "yes")]));
        look(&[
            Haystack { name: "last_order_years_ago_late", description: "Time since an order", ..Haystack::default() },
            Haystack { name: "loyalty_score", owner: "growth", tags: [Some(&no), None], kind: "Fractional", ..Haystack::default() },
            Haystack { name: "loyalty_tier", owner: "growth", kind: "String", ..Haystack::default() },
            Haystack { name: "账户_余额", description: "Balance of a Loyal account", tags: [None, Some(&yes)], ..Haystack::default() },
        ])
    }

    fn found(text: &str) -> Vec<String> {
        with_rows(|rows| Query::parse(text).rank(rows.iter().copied()).into_iter().map(|place| rows[place].name.to_owned()).collect())
    }

    #[test]
    fn whole_words_come_before_scattered_letters_and_names_before_descriptions() {
        assert_eq!(found("loyal"), ["loyalty_tier", "loyalty_score", "账户_余额", "last_order_years_ago_late"]);
    }

    #[test]
    fn a_word_is_found_wherever_it_stands_and_nowhere_else() {
        for (text, word, is_in) in
            [("abc", "abc", true), ("xxabC", "abc", true), ("ab", "abc", false), ("", "a", false), ("aab", "ab", true), ("Äbc", "äb", true)]
        {
            assert_eq!(contains(text, word), is_in, "{word} in {text}");
        }
    }

    #[test]
    fn every_word_must_match_somewhere() {
        assert_eq!(found("loyal growth sco"), ["loyalty_score"]);
        assert_eq!(found("balance loyal"), ["账户_余额"]);
        assert!(found("nothing_like_it").is_empty());
    }

    #[test]
    fn fields_can_be_named_and_words_excluded() {
        assert_eq!(found("tag:pii=yes"), ["账户_余额"]);
        assert_eq!(found("tag:pii").len(), 2);
        assert_eq!(found("owner:GROWTH type:str"), ["loyalty_tier"]);
        assert_eq!(found("loyal !growth"), ["账户_余额", "last_order_years_ago_late"]);
        assert_eq!(found("tag:").len(), 4, "a filter being typed hides nothing");
        assert_eq!(found("余额"), ["账户_余额"]);
    }

    #[test]
    fn every_highlighted_letter_is_one_that_was_typed() {
        for (query, name) in [("lylty", "loyalty_score"), ("score", "loyalty_score"), ("余额", "账户_余额"), ("LS", "loyalty_score")]
        {
            let hits = Query::parse(query).name_hits(name);
            assert_eq!(hits.len(), query.chars().count(), "{query} in {name}");
            let letters: Vec<char> = name.chars().collect();
            for (place, wanted) in hits.iter().zip(query.chars()) {
                assert!(letters[*place].eq_ignore_ascii_case(&wanted));
            }
        }
    }

    #[test]
    fn the_prefilter_never_rejects_what_the_scorer_takes() {
        let words = ["l", "ls", "core", "y_s", "yt", "zz", "sl", "e", "r0"];
        with_rows(|rows| {
            for row in rows {
                for word in words {
                    let query = Query::parse(word);
                    let scored = query.matcher.fuzzy_match(row.name, word).is_some();
                    assert_eq!(query.score_name(word, row.name).is_some(), scored, "{word} {}", row.name);
                }
            }
        });
    }
}
