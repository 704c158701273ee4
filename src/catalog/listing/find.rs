//! Answers what a list is asked: the rows to show, how many there are, and of what kinds.

use std::sync::Arc;

use super::facets::{ListedFacet, facets};
use super::filters;
use super::listed::Listing;
use super::query::ListQuery;
use super::standing::Standing;
use crate::catalog::fuzzy::{self, Among, Bits, Searcher, fold_in_place};

/// In which order rows stand while no word ranks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By group, then in the order of its schema.
    #[default]
    Group,
    /// By name.
    Name,
    /// The most nulls first.
    Nulls,
    /// The most readers first.
    Readers,
    /// The newest first.
    Fresh,
    /// The most drift first.
    Drift,
}

/// A question to a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What was typed.
    pub text: String,
    /// Rows wanted at most where words rank them; without words all are told.
    pub limit: usize,
    /// The order without words.
    pub order: Order,
    /// The other way round.
    pub reversed: bool,
    /// The time, in microseconds since 1970.
    pub now: i64,
}

/// What a list answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// Rows to show, best first.
    pub rows: Vec<usize>,
    /// How many match.
    pub total: usize,
    /// Counts of what matches.
    pub facets: Vec<ListedFacet>,
    /// True if words were taken for misspelt.
    pub forgiven: bool,
    /// What could not be answered.
    pub note: Option<String>,
}

/// Finds rows of a listing. Of two questions at once, the later one is answered.
#[derive(Debug)]
pub struct Finder {
    /// What is listed.
    pub listing: Arc<Listing>,
    standing: Standing,
    searcher: Arc<Searcher>,
}

impl Finder {
    /// A finder that knows how things stand.
    pub fn new(listing: Arc<Listing>, standing: Standing) -> Self {
        let searcher = Arc::new(Searcher::new(listing.columns.names.clone(), None));
        Self { listing, standing, searcher }
    }

    /// The same list that stands otherwise by now.
    pub fn standing(&self, standing: Standing) -> Self {
        Self { listing: self.listing.clone(), standing, searcher: self.searcher.clone() }
    }

    /// Answers; `first` is told what the names alone say, before descriptions are looked at. None if a newer question came meanwhile.
    pub fn find(&self, asked: &Asked, first: &mut dyn FnMut(Listed)) -> Option<Listed> {
        let query = ListQuery::parse(&asked.text);
        let (among, note) = self.among(&query, asked.now);
        let text = query.text();
        if text.is_empty() {
            self.searcher.cancel();
            let rows = among.unwrap_or_else(|| Bits::all(self.listing.len()));
            return Some(Listed { rows: self.ordered(&rows, asked), note, ..self.counted(&rows, asked.now) });
        }
        let number = xxhash_rust::xxh3::xxh3_64(format!("{:?}{:?}", query.filters, query.excluded).as_bytes());
        let among = among.map(|rows| Among { rows: Arc::new(rows), number });
        let further = |word: &str| self.listing.columns.described_by(word);
        let question = fuzzy::Asked { text: &text, limit: asked.limit, among, further: Some(&further) };
        let listed = |found: &fuzzy::Found| Listed {
            rows: found.hits.iter().map(|hit| hit.row as usize).collect(),
            forgiven: found.forgiven,
            note: note.clone(),
            ..self.counted(&found.rows, asked.now)
        };
        let found = self.searcher.answer(&question, &mut |found| first(listed(found)))?;
        Some(listed(&found))
    }

    fn counted(&self, rows: &Bits, now: i64) -> Listed {
        Listed { total: rows.count(), facets: facets(&self.listing, &self.standing, rows, now), ..Listed::default() }
    }

    /// The rows that filters and excluded words leave; none if that is all of them.
    fn among(&self, query: &ListQuery, now: i64) -> (Option<Bits>, Option<String>) {
        let mut left: Option<Bits> = None;
        let mut note = query.complaint.clone();
        for filter in &query.filters {
            match filters::rows(&self.listing, &self.standing, filter, now) {
                Some(rows) => match &mut left {
                    Some(left) => left.keep(&rows),
                    None => left = Some(rows),
                },
                None => note = note.or_else(|| Some("that filter is answered by `larder search` only".to_owned())),
            }
        }
        for word in query.excluded.iter().map(|word| fold_in_place(word)) {
            let mut out = self.listing.columns.described_by(&word);
            out.add(&self.listing.columns.names.containing(&word));
            left.get_or_insert_with(|| Bits::all(self.listing.len())).take_out(&out);
        }
        (left, note)
    }

    fn ordered(&self, rows: &Bits, asked: &Asked) -> Vec<usize> {
        let mut ordered: Vec<usize> = rows.rows().collect();
        let standing = &self.standing;
        let names = &self.listing.columns.names;
        let name = |row: &usize| names.name(*row as u32);
        let nulls = |row: &usize| standing.nulls(*row).unwrap_or(-1.0);
        match asked.order {
            Order::Group => {}
            Order::Name => ordered.sort_unstable_by(|left, right| name(left).cmp(name(right)).then(left.cmp(right))),
            Order::Nulls => ordered.sort_by(|left, right| nulls(right).total_cmp(&nulls(left))),
            Order::Readers => ordered.sort_by_key(|row| std::cmp::Reverse(standing.readers(*row))),
            Order::Fresh => ordered.sort_by_key(|row| std::cmp::Reverse(standing.newest[names.group_number(*row as u32)])),
            Order::Drift => ordered.sort_by_key(|row| std::cmp::Reverse(standing.drift(*row) as u8)),
        }
        if asked.reversed {
            ordered.reverse();
        }
        ordered
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::group_rows::samples::group;
    use crate::model::FeatureGroup;

    fn finder() -> Finder {
        let mut risk: FeatureGroup = group("payment-risk");
        risk.owner = Some("risk".to_owned());
        risk.tags.clear();
        let groups = vec![Arc::new(group("customer-features")), Arc::new(risk)];
        let listing = Arc::new(Listing::new(groups).unwrap());
        let mut standing = Standing::unknown(&listing);
        standing.set_nulls(2, 0.25);
        standing.set_drift(6, super::super::Drift::Alert);
        standing.newest[1] = Some(1_000_000);
        Finder::new(listing, standing)
    }

    fn listed(text: &str) -> Listed {
        let asked = Asked { text: text.to_owned(), limit: 10, order: Order::Group, reversed: false, now: 2_000_000 };
        finder().find(&asked, &mut |_| {}).unwrap()
    }

    #[test]
    fn filters_words_and_exclusions_meet() {
        for (text, rows) in [
            ("", vec![0, 1, 2, 3, 4, 5, 6, 7]),
            ("score", vec![2, 6]),
            ("scroe", vec![2, 6]),
            ("score owner:risk", vec![6]),
            ("score !payment", vec![2]),
            ("type:vector", vec![3, 7]),
            ("tag:pii=no group:customer", vec![2]),
            ("tag:stage type:vec", vec![3]),
            ("null:>20%", vec![2]),
            ("drift:alert", vec![6]),
            ("fresh:<1d id", vec![4]),
            ("quoted", vec![2, 6]),
            ("documented:yes owner:growth", vec![2]),
            ("unused:90d drift:alert", vec![6]),
            ("nothing", vec![]),
        ] {
            assert_eq!(listed(text).rows, rows, "{text}");
        }
        assert!(listed("scroe").forgiven);
        assert!(listed("unused:90d").note.is_some());
    }

    #[test]
    fn counts_follow_the_question() {
        let count = |text: &str, facet: &str, value: &str| {
            let found = listed(text).facets.into_iter().find(|known| known.name == facet);
            found.and_then(|facet| facet.values.into_iter().find(|known| known.value == value)).map_or(0, |value| value.count)
        };
        assert_eq!(count("", "type", "string"), 4);
        assert_eq!(count("score", "type", "string"), 0);
        assert_eq!(count("score", "type", "fractional"), 2);
        assert_eq!(count("score owner:risk", "owner", "risk"), 1);
        assert_eq!(count("", "tag", "pii=no"), 2);
        assert_eq!(count("", "fresh", "<1d"), 4);
        assert_eq!(count("", "drift", "alert"), 1);
    }

    #[test]
    fn without_words_rows_stand_in_the_order_that_is_asked_for() {
        let ordered = |order, reversed| {
            let asked = Asked { text: String::new(), limit: 1, order, reversed, now: 0 };
            finder().find(&asked, &mut |_| {}).unwrap().rows
        };
        assert_eq!(ordered(Order::Nulls, false)[0], 2);
        assert_eq!(ordered(Order::Drift, false)[0], 6);
        assert_eq!(ordered(Order::Fresh, false)[0], 4);
        assert_eq!(ordered(Order::Group, true)[0], 7);
        assert_eq!(ordered(Order::Name, false)[..2], [2, 6], "capitals come first");
    }
}
