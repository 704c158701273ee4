//! The columns: what is listed, and how it stands.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::catalog::fuzzy::{Bits, FuzzyIndex, FuzzyIndexBuilder, Texts, fold_in_place};
use crate::catalog::search::entity;
use crate::model::{FeatureGroup, Result};

/// Features of groups, a row each, in the order of the groups and of their schemas.
#[derive(Debug)]
pub struct Listing {
    /// The groups.
    pub groups: Vec<Arc<FeatureGroup>>,
    pub(super) names: Arc<FuzzyIndex>,
    /// The first row of each group, and the number of all rows.
    starts: Vec<u32>,
    /// Descriptions in lower case, each on a line.
    pub(super) descriptions: Texts,
    /// Number of each row's type.
    pub(super) kinds: Vec<u32>,
    /// Types as people read them.
    pub(super) kind_texts: Vec<String>,
    /// Number of each row's parameters; 0 for none.
    pub(super) labels: Vec<u32>,
    pub(super) label_sets: Vec<BTreeMap<String, String>>,
    pub(super) entities: Vec<String>,
}

/// How far a feature drifted, the worst of its last comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Drift {
    /// Nobody compared it.
    #[default]
    Unknown,
    /// Too few rows to say.
    Few,
    /// Not noticeably.
    Ok,
    /// Worth watching.
    Watch,
    /// Beyond the limit.
    Alert,
}

impl Drift {
    pub(super) const WORDS: [(Self, &'static str); 4] =
        [(Self::Alert, "alert"), (Self::Watch, "watch"), (Self::Ok, "ok"), (Self::Few, "few")];
}

/// How what is listed stands: columns beside those of a [`Listing`], which change more often.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Share of rows without a value; negative if it is not known.
    pub nulls: Vec<f32>,
    /// Drift.
    pub drift: Vec<Drift>,
    /// Readers in 30 days; none if reads are not recorded.
    pub readers: Vec<Option<u32>>,
    /// Newest event time of each group, in microseconds since 1970.
    pub newest: Vec<Option<i64>>,
    /// Where each group was synced from; none for one of this store.
    pub sources: Vec<Option<String>>,
}

impl Standing {
    /// Nothing is known of anything.
    pub fn unknown(listing: &Listing) -> Self {
        let (rows, groups) = (listing.len(), listing.groups.len());
        Self {
            nulls: vec![-1.0; rows],
            drift: vec![Drift::Unknown; rows],
            readers: vec![None; rows],
            newest: vec![None; groups],
            sources: vec![None; groups],
        }
    }
}

impl Listing {
    /// Lists the features of groups.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names or descriptions.
    pub fn new(groups: Vec<Arc<FeatureGroup>>) -> Result<Self> {
        let mut names = FuzzyIndexBuilder::default();
        let mut kind_numbers: HashMap<String, u32> = HashMap::new();
        let mut label_numbers: HashMap<String, u32> = HashMap::new();
        let mut listing = Self {
            names: Arc::default(),
            starts: vec![0],
            descriptions: Texts::default(),
            kinds: Vec::new(),
            kind_texts: Vec::new(),
            labels: Vec::new(),
            label_sets: vec![BTreeMap::new()],
            entities: groups.iter().map(|group| entity(group)).collect(),
            groups: Vec::new(),
        };
        for group in &groups {
            let tags = group.tags.iter().map(|(key, value)| format!("{key}={value}\n")).collect::<String>();
            names.group_found_by(group.name.as_str(), &format!("{}\n{tags}", group.owner.as_deref().unwrap_or_default()))?;
            for feature in group.schema.features() {
                let label = if feature.parameters.is_empty() {
                    0
                } else {
                    let text: String = feature.parameters.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
                    match label_numbers.get(&text) {
                        Some(number) => *number,
                        None => {
                            let number = names.label(&text)?;
                            label_numbers.insert(text, number);
                            listing.label_sets.push(feature.parameters.clone());
                            number
                        }
                    }
                };
                names.labelled(feature.name.as_str(), label)?;
                let description = feature.description.as_deref().unwrap_or_default();
                listing.descriptions.push(&format!("{}\n", fold_in_place(description)))?;
                let kind = feature.type_text();
                let next = listing.kind_texts.len() as u32;
                let number = *kind_numbers.entry(kind).or_insert_with_key(|kind| {
                    listing.kind_texts.push(kind.clone());
                    next
                });
                listing.kinds.push(number);
                listing.labels.push(label);
            }
            listing.starts.push(listing.kinds.len() as u32);
        }
        listing.names = Arc::new(names.build());
        listing.descriptions.shrink();
        listing.groups = groups;
        Ok(listing)
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The group of a row, and the feature's place in it.
    pub fn place(&self, row: usize) -> Option<(&Arc<FeatureGroup>, usize)> {
        if row >= self.len() {
            return None;
        }
        let number = self.names.group_number(row as u32);
        Some((self.groups.get(number)?, row - self.starts[number] as usize))
    }

    /// The rows of a group.
    pub fn rows_of(&self, group: usize) -> Range<usize> {
        self.starts[group] as usize..self.starts[group + 1] as usize
    }

    /// The row of a feature, by the names of its group and of itself.
    pub fn row_named(&self, group: &str, feature: &str) -> Option<usize> {
        let number = self.groups.iter().position(|known| known.name.as_str() == group)?;
        let (place, _) = self.groups.get(number)?.schema.feature(feature).ok()?;
        Some(self.starts[number] as usize + place)
    }

    /// Rows whose description contains a word in lower case.
    pub(super) fn described_by(&self, word: &str) -> Bits {
        let mut found = Bits::none(self.len());
        let mut row = 0;
        for (at, _) in self.descriptions.all().match_indices(word) {
            while self.descriptions.start(row + 1) <= at {
                row += 1;
            }
            found.put(row);
        }
        found
    }

    /// Bytes that the columns hold in memory, the groups themselves apart.
    pub fn memory(&self) -> usize {
        self.names.memory() + self.descriptions.bytes() + 4 * (self.kinds.capacity() + self.labels.capacity() + self.starts.capacity())
    }
}
