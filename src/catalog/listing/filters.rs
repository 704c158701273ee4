//! Filters as sets of rows.

use std::collections::BTreeMap;

use super::listed::Listing;
use super::standing::{Drift, Standing};
use crate::catalog::fuzzy::Bits;
use crate::catalog::search::{Filter, Kind, Side};
use crate::model::FeatureGroup;

/// The rows that a filter lets through; none for one that a list can't answer.
pub(super) fn rows(listing: &Listing, standing: &Standing, filter: &Filter, now: i64) -> Option<Bits> {
    let by_group = |holds: &dyn Fn(usize, &FeatureGroup) -> bool| {
        let mut rows = Bits::none(listing.len());
        for (number, group) in listing.groups.iter().enumerate().filter(|(number, group)| holds(*number, group)) {
            let _ = group;
            rows.put_range(listing.rows_of(number));
        }
        rows
    };
    let by_row = |holds: &dyn Fn(usize) -> bool| {
        let mut rows = Bits::none(listing.len());
        (0..listing.len()).filter(|row| holds(*row)).for_each(|row| rows.put(row));
        rows
    };
    Some(match filter {
        Filter::Kind(kind) => {
            if *kind == Kind::Feature {
                Bits::all(listing.len())
            } else {
                Bits::none(listing.len())
            }
        }
        Filter::Type(text) => {
            let wanted: Vec<bool> = listing.columns.kind_texts.iter().map(|kind| contains(kind, text)).collect();
            by_row(&|row| wanted[listing.columns.kind(row)])
        }
        Filter::Owner(text) => by_group(&|_, group| group.owner.as_deref().is_some_and(|owner| contains(owner, text))),
        Filter::Entity(text) => by_group(&|number, _| contains(&listing.entities[number], text)),
        Filter::Source(text) => by_group(&|number, _| standing.sources[number].as_deref().is_some_and(|source| contains(source, text))),
        Filter::Group(text) => by_group(&|_, group| contains(group.name.as_str(), text)),
        Filter::Tag(key, value) => {
            let wanted: Vec<bool> = listing.columns.label_sets.iter().map(|set| has_tag(set, key, value.as_deref())).collect();
            let mut rows = by_row(&|row| wanted[listing.columns.label(row)]);
            // What a feature says of a key itself stands before what its group says.
            let of_group = by_group(&|_, group| has_tag(&group.tags, key, value.as_deref()));
            rows.add(&of_group);
            rows
        }
        Filter::Fresh(side, seconds) => {
            let since = now - i64::try_from(*seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000).min(now);
            let holds = |newest: i64| if *side == Side::Below { newest >= since } else { newest < since };
            by_group(&|number, _| standing.newest[number].is_some_and(holds))
        }
        Filter::Null(side, share) => by_row(&|row| {
            let holds = |nulls: f64| if *side == Side::Below { nulls < *share } else { nulls > *share };
            standing.nulls(row).is_some_and(|nulls| holds(nulls.into()))
        }),
        Filter::Drift(level) => {
            let wanted = Drift::WORDS.into_iter().find(|(_, word)| word == level).map_or(Drift::Unknown, |(drift, _)| drift);
            by_row(&|row| standing.drift(row) == wanted)
        }
        // Readers are counted over 30 days; of a longer time a list knows nothing.
        Filter::Unused(seconds) if *seconds <= 30 * 86_400 => by_row(&|row| standing.readers(row) == Some(0)),
        Filter::Documented(yes) => by_row(&|row| listing.columns.is_described(row) == *yes),
        Filter::Online(true) => by_group(&|_, group| group.online.is_some()),
        Filter::Online(false) => by_group(&|_, group| group.offline.is_some()),
        Filter::Unused(_) | Filter::UsedBy(_) => return None,
    })
}

pub(super) fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(part)
}

fn has_tag(tags: &BTreeMap<String, String>, key: &str, value: Option<&str>) -> bool {
    tags.iter().any(|(tag, content)| match value {
        Some(value) => contains(tag, key) && contains(content, value),
        None => contains(tag, key) || contains(content, key),
    })
}
