//! What was typed, read kindly: a filter that is not finished yet filters nothing, and one that makes no sense is told of.

use crate::catalog::search::{Filter, SearchQuery};

/// Words and filters of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListQuery {
    /// Words that must all match, as typed.
    pub words: Vec<String>,
    /// Words that must not occur.
    pub excluded: Vec<String>,
    /// Conditions that must all hold.
    pub filters: Vec<Filter>,
    /// What is wrong with the first filter that makes no sense.
    pub complaint: Option<String>,
}

/// The parts of a typed text: blanks part them, unless they stand between quotes.
pub fn terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut term = String::new();
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            character if character.is_whitespace() && !quoted => {
                if !term.is_empty() {
                    terms.push(std::mem::take(&mut term));
                }
            }
            character => term.push(character),
        }
    }
    if !term.is_empty() {
        terms.push(term);
    }
    terms
}

impl ListQuery {
    /// Reads what was typed.
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for term in terms(text) {
            let unfinished = term.ends_with([':', '<', '>']) || term == "!";
            match SearchQuery::of_terms(std::iter::once(term.clone())) {
                Ok(read) => {
                    query.words.extend(read.words);
                    query.excluded.extend(read.excluded);
                    query.filters.extend(read.filters);
                }
                Err(_) if unfinished => {}
                Err(error) => query.complaint = query.complaint.or_else(|| Some(error.to_string())),
            }
        }
        query
    }

    /// The words in one text.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    /// True if everything is listed.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.excluded.is_empty() && self.filters.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finished_filters_nothing_and_what_makes_no_sense_is_told() {
        for text in ["tag:", "owner:", "fresh:<", "!", "type:"] {
            assert_eq!(ListQuery::parse(text), ListQuery::default(), "{text}");
        }
        assert!(ListQuery::parse("drift:bad loyal").complaint.is_some_and(|complaint| complaint.contains("drift:alert")));
        assert_eq!(ListQuery::parse("drift:bad loyal").words, ["loyal"]);
    }

    #[test]
    fn blanks_between_quotes_part_nothing() {
        assert_eq!(terms("loyal  owner:\"data platform\" x"), ["loyal", "owner:data platform", "x"]);
        assert_eq!(ListQuery::parse("owner:\"Data platform\"").filters, [Filter::Owner("data platform".into())]);
    }
}
