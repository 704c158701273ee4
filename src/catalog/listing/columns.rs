//! Features as columns: what a million definitions say, without a million definitions.
//!
//! Names lie one after the other in the fuzzy index, descriptions in one text; types and parameters, of which there are few, are numbers of
//! what they stand for; what hardly any feature has stands apart. A definition is made again when it is asked for, and is then the one that was
//! put in.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use regex::RegexBuilder;

use crate::catalog::fuzzy::{Bits, FuzzyIndex, FuzzyIndexBuilder, Texts};
use crate::model::{
    Collection, DriftLimits, Error, ErrorKind, Expectation, FeatureDefinition, FeatureKeeper, FeatureName, FeatureType, Result, Schema,
};

/// Features of groups, a row each, in the order of the groups and of their schemas.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) names: Arc<FuzzyIndex>,
    /// The first row of each group, and the number of all rows.
    starts: Vec<u32>,
    /// Descriptions as they were written, each with the end of a line.
    descriptions: Texts,
    /// Number of each row's type.
    kinds: Vec<u16>,
    types: Vec<(FeatureType, Option<Collection>)>,
    /// Types as people read them.
    pub(super) kind_texts: Vec<String>,
    /// Sets of parameters, by the number of the label that the index has for them; the first is empty.
    pub(super) label_sets: Vec<BTreeMap<String, String>>,
    rare: HashMap<u32, Rare>,
}

/// What hardly any feature has.
#[derive(Debug)]
struct Rare {
    expectations: Vec<Expectation>,
    drift: DriftLimits,
    former_names: Vec<FeatureName>,
}

impl Columns {
    /// Number of features.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The rows of a group.
    pub(super) fn rows_of(&self, group: usize) -> Range<usize> {
        self.starts[group] as usize..self.starts[group + 1] as usize
    }

    /// Number of a row's type.
    pub(super) fn kind(&self, row: usize) -> usize {
        self.kinds[row].into()
    }

    /// Number of a row's parameters.
    pub(super) fn label(&self, row: usize) -> usize {
        self.names.label(row)
    }

    /// True if there is a description of it.
    pub(super) fn is_described(&self, row: usize) -> bool {
        self.descriptions.start(row + 1) - self.descriptions.start(row) > 1
    }

    /// The definition of a row.
    pub(super) fn feature(&self, row: usize) -> Option<FeatureDefinition> {
        if row >= self.len() {
            return None;
        }
        let (feature_type, collection) = *self.types.get(self.kind(row))?;
        let description = self.descriptions.get(row).strip_suffix('\n').unwrap_or_default();
        let mut feature = FeatureDefinition::new(FeatureName::parse(self.names.name(row as u32)).ok()?, feature_type);
        feature.collection = collection;
        feature.description = Some(description).filter(|text| !text.is_empty()).map(str::to_owned);
        feature.parameters = self.label_sets.get(self.label(row)).cloned().unwrap_or_default();
        if let Some(rare) = self.rare.get(&(row as u32)) {
            feature.expectations.clone_from(&rare.expectations);
            feature.drift.clone_from(&rare.drift);
            feature.former_names.clone_from(&rare.former_names);
        }
        Some(feature)
    }

    /// Rows whose description contains a word, in whatever case.
    pub(super) fn described_by(&self, word: &str) -> Bits {
        let mut found = Bits::none(self.len());
        let Ok(pattern) = RegexBuilder::new(&regex::escape(word)).case_insensitive(true).build() else { return found };
        let mut row = 0;
        let mut from = 0;
        // One hit in a row is enough: the search goes on behind it.
        while let Some(hit) = pattern.find_at(self.descriptions.all(), from) {
            while self.descriptions.start(row + 1) <= hit.start() {
                row += 1;
            }
            found.put(row);
            from = self.descriptions.start(row + 1);
        }
        found
    }

    /// Bytes that the columns hold in memory.
    pub(super) fn memory(&self) -> usize {
        self.names.memory() + self.descriptions.bytes() + 2 * self.kinds.capacity() + 4 * self.starts.capacity()
    }
}

impl FeatureKeeper for Columns {
    fn features(&self, group: usize) -> Vec<FeatureDefinition> {
        self.rows_of(group).filter_map(|row| self.feature(row)).collect()
    }
}

/// Puts features into columns.
#[derive(Debug)]
pub(super) struct ColumnsBuilder {
    columns: Columns,
    names: FuzzyIndexBuilder,
    kind_numbers: HashMap<(FeatureType, Option<Collection>), u16>,
    label_numbers: HashMap<BTreeMap<String, String>, u32>,
}

impl Default for ColumnsBuilder {
    fn default() -> Self {
        let columns = Columns {
            names: Arc::default(),
            starts: vec![0],
            descriptions: Texts::default(),
            kinds: Vec::new(),
            types: Vec::new(),
            kind_texts: Vec::new(),
            label_sets: vec![BTreeMap::new()],
            rare: HashMap::new(),
        };
        Self { columns, names: FuzzyIndexBuilder::default(), kind_numbers: HashMap::new(), label_numbers: HashMap::new() }
    }
}

impl ColumnsBuilder {
    /// Adds a group that is found by its name and by another text.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names or descriptions.
    pub(super) fn group(&mut self, name: &str, other: &str, schema: &Schema) -> Result<()> {
        self.names.group_found_by(name, other)?;
        for feature in schema.features() {
            self.feature(feature)?;
        }
        self.columns.starts.push(self.columns.kinds.len() as u32);
        Ok(())
    }

    fn feature(&mut self, feature: &FeatureDefinition) -> Result<()> {
        let label = self.label(&feature.parameters)?;
        let kind = self.kind(feature)?;
        self.names.labelled(feature.name.as_str(), label)?;
        let columns = &mut self.columns;
        columns.descriptions.push_line(feature.description.as_deref().unwrap_or_default())?;
        let FeatureDefinition { expectations, drift, former_names, .. } = feature;
        if !(expectations.is_empty() && drift.is_empty() && former_names.is_empty()) {
            let rare = Rare { expectations: expectations.clone(), drift: drift.clone(), former_names: former_names.clone() };
            columns.rare.insert(columns.kinds.len() as u32, rare);
        }
        columns.kinds.push(kind);
        Ok(())
    }

    fn label(&mut self, parameters: &BTreeMap<String, String>) -> Result<u32> {
        if parameters.is_empty() {
            return Ok(0);
        }
        if let Some(number) = self.label_numbers.get(parameters) {
            return Ok(*number);
        }
        let text: String = parameters.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let number = self.names.label(&text)?;
        self.label_numbers.insert(parameters.clone(), number);
        self.columns.label_sets.push(parameters.clone());
        Ok(number)
    }

    fn kind(&mut self, feature: &FeatureDefinition) -> Result<u16> {
        let kind = (feature.feature_type, feature.collection);
        if let Some(number) = self.kind_numbers.get(&kind) {
            return Ok(*number);
        }
        let number = u16::try_from(self.columns.types.len()).map_err(|_| Error::new(ErrorKind::Full, "too many types of features"))?;
        self.kind_numbers.insert(kind, number);
        self.columns.types.push(kind);
        self.columns.kind_texts.push(feature.type_text());
        Ok(number)
    }

    /// The columns, without memory to spare.
    pub(super) fn build(self) -> Columns {
        let Self { mut columns, names, .. } = self;
        columns.names = Arc::new(names.build());
        columns.descriptions.shrink();
        columns.kinds.shrink_to_fit();
        columns.starts.shrink_to_fit();
        columns
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::group_rows::samples::group;

    #[test]
    fn a_definition_comes_out_as_it_was_put_in() {
        let sample = group("customer-features");
        let mut features = sample.schema.features().to_vec();
        features[1].former_names = vec![FeatureName::parse("was").unwrap()];
        features[2].drift = DriftLimits::from([("psi".to_owned(), ("0.1".parse().unwrap(), "0.3".parse().unwrap()))]);
        features[3].description = Some("Ends in\nlines\n and ÄÖ".into());
        let schema = Schema::new(features, "id", "at").unwrap();
        let mut builder = ColumnsBuilder::default();
        builder.group("before", "", &sample.schema).unwrap();
        builder.group("customer-features", "", &schema).unwrap();
        let columns = builder.build();
        assert_eq!(FeatureKeeper::features(&columns, 1), schema.features());
        assert_eq!(columns.feature(columns.len()), None);
        assert_eq!(columns.described_by("äö").rows().collect::<Vec<_>>(), [7]);
        assert_eq!(columns.described_by("QUOTED").rows().collect::<Vec<_>>(), [2, 6]);
    }
}
