//! Which pairs of features are worth comparing by value: those that are called or described alike.
//!
//! Fifty thousand features have a billion pairs. Candidates come from an inverted index of the words of names and descriptions,
//! rarest words first, only between groups about the same entity and features of the same family of types, and never more than
//! [`MOST_CANDIDATES`]: what is left out is counted and told.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::catalog::search::Synonyms;
use crate::catalog::search::words::folded_words;
use crate::model::{FeatureDefinition, FeatureType};

/// Pairs that are compared by value at most.
const MOST_CANDIDATES: usize = 200_000;

/// Share of common words from which names, and descriptions, are alike.
const ALIKE_NAMES: f64 = 0.3;
const ALIKE_DESCRIPTIONS: f64 = 0.5;
/// Share of common trigrams from which names are alike.
const ALIKE_SPELLING: f64 = 0.6;

/// Words that tell nothing of a feature.
const EMPTY_WORDS: [&str; 28] = [
    "feature", "value", "val", "col", "column", "field", "the", "a", "an", "of", "in", "on", "to", "for", "and", "or", "by", "per", "each",
    "is", "was", "with", "without", "from", "this", "that", "s", "id",
];

/// A feature as far as names and descriptions go.
#[derive(Debug)]
pub(super) struct Described {
    /// Place of its group in the list.
    pub(super) group: usize,
    /// What its group is about, in the head words of the synonyms.
    pub(super) entity: String,
    pub(super) is_text: bool,
    name: BTreeSet<String>,
    trigrams: HashSet<[char; 3]>,
    description: BTreeSet<String>,
}

/// Why two features were compared.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Likeness {
    /// Share of common words of their names, after synonyms.
    pub names: f64,
    /// Share of common trigrams of their names.
    pub spelling: f64,
    /// Share of common words of their descriptions.
    pub descriptions: f64,
}

impl Likeness {
    fn is_enough(self) -> bool {
        self.names >= ALIKE_NAMES || self.spelling >= ALIKE_SPELLING || self.descriptions >= ALIKE_DESCRIPTIONS
    }

    /// The largest of them.
    pub fn best(self) -> f64 {
        self.names.max(self.spelling).max(self.descriptions)
    }
}

impl Described {
    /// None for a collection: its values are not compared.
    pub(super) fn new(group: usize, entity: &str, feature: &FeatureDefinition, synonyms: &Synonyms) -> Option<Self> {
        if feature.collection.is_some() {
            return None;
        }
        // `orders` is called like `order`.
        let singular = |word: &str| {
            if word.len() > 3 && !word.ends_with("ss") { word.strip_suffix('s').unwrap_or(word).to_owned() } else { word.to_owned() }
        };
        let head = |word: &String| synonyms.head(&singular(word)).to_owned();
        let telling = |text: &str| -> BTreeSet<String> {
            folded_words(text).iter().filter(|word| !EMPTY_WORDS.contains(&word.as_str())).map(head).collect()
        };
        let spelling: Vec<char> = feature.name.folded().chars().filter(|letter| letter.is_alphanumeric()).collect();
        Some(Self {
            group,
            entity: folded_words(entity).iter().map(head).collect::<Vec<_>>().join("-"),
            is_text: feature.feature_type == FeatureType::String,
            name: telling(feature.name.as_str()),
            trigrams: spelling.windows(3).map(|three| [three[0], three[1], three[2]]).collect(),
            description: telling(feature.description.as_deref().unwrap_or_default()),
        })
    }

    fn likeness(&self, other: &Self) -> Likeness {
        Likeness {
            names: jaccard(self.name.intersection(&other.name).count(), self.name.len(), other.name.len()),
            spelling: jaccard(self.trigrams.intersection(&other.trigrams).count(), self.trigrams.len(), other.trigrams.len()),
            descriptions: jaccard(
                self.description.intersection(&other.description).count(),
                self.description.len(),
                other.description.len(),
            ),
        }
    }
}

fn jaccard(common: usize, one: usize, other: usize) -> f64 {
    common as f64 / (one + other - common).max(1) as f64
}

/// The pairs that are alike, by their places, the likeliest first; and how many looks were left out because there were too many.
pub(super) fn candidates(features: &[&Described]) -> (Vec<(usize, usize, Likeness)>, u64) {
    let mut places: HashMap<(&str, bool, &str), Vec<usize>> = HashMap::new();
    for (place, feature) in features.iter().enumerate() {
        for word in feature.name.union(&feature.description) {
            places.entry((feature.entity.as_str(), feature.is_text, word)).or_default().push(place);
        }
    }
    let mut buckets: Vec<_> = places.into_iter().filter(|(_, places)| places.len() > 1).collect();
    // Rare words tell most; among equals the order of words makes every run look at the same pairs.
    buckets.sort_unstable_by(|(one, one_places), (other, other_places)| (one_places.len(), one).cmp(&(other_places.len(), other)));
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let (mut looks, mut left_out) = (0_usize, 0_u64);
    for (_, places) in buckets {
        let pairs = places.len() * (places.len() - 1) / 2;
        if looks + pairs > 10 * MOST_CANDIDATES {
            left_out += pairs as u64;
            continue;
        }
        looks += pairs;
        for (number, one) in places.iter().enumerate() {
            for other in &places[number + 1..] {
                if features[*one].group == features[*other].group || !seen.insert((*one, *other)) {
                    continue;
                }
                let likeness = features[*one].likeness(features[*other]);
                if likeness.is_enough() {
                    found.push((*one, *other, likeness));
                }
            }
        }
    }
    found.sort_by(|one, two| two.2.best().total_cmp(&one.2.best()).then_with(|| (one.0, one.1).cmp(&(two.0, two.1))));
    left_out += found.len().saturating_sub(MOST_CANDIDATES) as u64;
    found.truncate(MOST_CANDIDATES);
    (found, left_out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::FeatureName;

    fn described(group: usize, entity: &str, name: &str, description: &str) -> Described {
        let mut feature = FeatureDefinition::new(FeatureName::parse(name).unwrap(), FeatureType::Fractional);
        feature.description = (!description.is_empty()).then(|| description.to_owned());
        Described::new(group, entity, &feature, &Synonyms::built_in()).unwrap()
    }

    #[test]
    fn pairs_are_alike_by_words_spelling_or_description_within_an_entity() {
        let features = [
            described(0, "customer", "avg_order_value", ""),
            described(1, "cust", "meanOrder", ""),
            described(1, "customer", "delivery_minutes", "Minutes from order to door"),
            described(2, "customer", "eta", "Minutes from the order to the door"),
            described(0, "customer", "order_average", ""),
            described(3, "product", "avg_order_value", ""),
            described(1, "customer", "weather", ""),
        ];
        let (found, left_out) = candidates(&features.iter().collect::<Vec<_>>());
        let mut pairs: Vec<(usize, usize)> = found.iter().map(|(one, other, _)| (*one, *other)).collect();
        pairs.sort_unstable();
        assert_eq!(pairs, [(0, 1), (1, 4), (2, 3)], "the group of 0 and 4 is the same one");
        assert_eq!(left_out, 0);
    }
}
