//! Counts of what matches: by type, entity, owner, tag, freshness, drift.

use std::collections::HashMap;

use super::listed::Listing;
use super::standing::{Drift, Standing};
use crate::catalog::fuzzy::Bits;

/// Values of one facet that are told, the most frequent first.
const MOST_VALUES: usize = 12;

const DAY: i64 = 86_400_000_000;

/// A way to part what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFacet {
    /// The filter that its values go with.
    pub name: &'static str,
    /// Its values, the most frequent first.
    pub values: Vec<ListedCount>,
}

/// A value of a facet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCount {
    /// The value, as the filter takes it.
    pub value: String,
    /// How many rows have it.
    pub count: usize,
}

/// Counts the rows of a set.
pub(super) fn facets(listing: &Listing, standing: &Standing, rows: &Bits, now: i64) -> Vec<ListedFacet> {
    let columns = &*listing.columns;
    let mut kinds = vec![0; columns.kind_texts.len()];
    let mut labels = vec![0; columns.label_sets.len()];
    let mut drifts = [0; Drift::WORDS.len()];
    for row in rows.rows() {
        kinds[columns.kind(row)] += 1;
        labels[columns.label(row)] += 1;
        if let Some(level) = Drift::WORDS.iter().position(|(drift, _)| *drift == standing.drift(row)) {
            drifts[level] += 1;
        }
    }
    let (mut owners, mut entities, mut tags, mut fresh) = (Counts::default(), Counts::default(), Counts::default(), Counts::default());
    let mut sources = Counts::default();
    for (number, group) in listing.groups.iter().enumerate() {
        let count = rows.count_in(listing.rows_of(number));
        if count == 0 {
            continue;
        }
        owners.add(group.owner.as_deref().unwrap_or_default(), count);
        entities.add(&listing.entities[number], count);
        group.tags.iter().for_each(|(key, value)| tags.add(&format!("{key}={value}"), count));
        sources.add(standing.sources[number].as_deref().unwrap_or_default(), count);
        if let Some(newest) = standing.newest[number] {
            fresh.add(
                if now - newest <= DAY {
                    "<1d"
                } else if now - newest <= 7 * DAY {
                    "<7d"
                } else {
                    ">7d"
                },
                count,
            );
        }
    }
    for (set, count) in columns.label_sets.iter().zip(&labels) {
        set.iter().for_each(|(key, value)| tags.add(&format!("{key}={value}"), *count));
    }
    let kinds = columns.kind_texts.iter().map(|kind| kind.to_lowercase()).zip(kinds);
    let drifts = Drift::WORDS.iter().map(|(_, word)| (*word).to_owned()).zip(drifts);
    [
        ("type", Counts(kinds.collect())),
        ("entity", entities),
        ("owner", owners),
        ("tag", tags),
        ("source", sources),
        ("fresh", fresh),
        ("drift", Counts(drifts.collect())),
    ]
    .into_iter()
    .map(|(name, counts)| ListedFacet { name, values: counts.most() })
    .filter(|facet| !facet.values.is_empty())
    .collect()
}

#[derive(Default)]
struct Counts(HashMap<String, usize>);

impl Counts {
    fn add(&mut self, value: &str, count: usize) {
        match self.0.get_mut(value) {
            Some(known) => *known += count,
            None => drop(self.0.insert(value.to_owned(), count)),
        }
    }

    fn most(self) -> Vec<ListedCount> {
        let counted = self.0.into_iter().filter(|(value, count)| !value.is_empty() && *count > 0);
        let mut values: Vec<ListedCount> = counted.map(|(value, count)| ListedCount { value, count }).collect();
        values.sort_unstable_by(|left, right| right.count.cmp(&left.count).then_with(|| left.value.cmp(&right.value)));
        values.truncate(MOST_VALUES);
        values
    }
}
