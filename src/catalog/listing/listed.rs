//! What is listed: the groups, and their features in columns.
//!
//! The groups of a large list leave their features to the columns: each still answers for them, at the cost of reading its own
//! the first time it is asked. Whoever looks at rows asks the listing, which reads nothing but the row.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::columns::{Columns, ColumnsBuilder};
use crate::catalog::search::entity;
use crate::model::{FeatureDefinition, FeatureGroup, FeatureKeeper, Result};

/// Features of groups, a row each, in the order of the groups and of their schemas.
#[derive(Debug)]
pub struct Listing {
    /// The groups.
    pub groups: Vec<Arc<FeatureGroup>>,
    pub(super) columns: Arc<Columns>,
    pub(super) entities: Vec<String>,
}

impl Default for Listing {
    fn default() -> Self {
        ListingBuilder::default().build()
    }
}

impl Listing {
    /// Lists the features of groups, which stay as they are.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names or descriptions.
    pub fn new(groups: Vec<Arc<FeatureGroup>>) -> Result<Self> {
        let mut builder = ListingBuilder::default();
        for group in groups {
            builder.add(group)?;
        }
        Ok(builder.build())
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The group of a row, and the feature's place in it.
    pub fn place(&self, row: usize) -> Option<(&Arc<FeatureGroup>, usize)> {
        if row >= self.len() {
            return None;
        }
        let number = self.columns.names.group_number(row as u32);
        Some((self.groups.get(number)?, row - self.rows_of(number).start))
    }

    /// The definition of a row.
    pub fn feature(&self, row: usize) -> Option<FeatureDefinition> {
        self.columns.feature(row)
    }

    /// The name of a row; empty beyond the last.
    pub fn name(&self, row: usize) -> &str {
        if row < self.len() { self.columns.names.name(row as u32) } else { "" }
    }

    /// Names of a row's group and of itself.
    pub fn names(&self, row: usize) -> Option<(&str, &str)> {
        let (group, _) = self.place(row)?;
        Some((group.name.as_str(), self.name(row)))
    }

    /// The rows of a group.
    pub fn rows_of(&self, group: usize) -> Range<usize> {
        self.columns.rows_of(group)
    }

    /// The row of a feature, by the names of its group and of itself.
    pub fn row_named(&self, group: &str, feature: &str) -> Option<usize> {
        let number = self.groups.iter().position(|known| known.name.as_str() == group)?;
        self.rows_of(number).find(|row| self.name(*row).eq_ignore_ascii_case(feature))
    }

    /// Bytes that the columns hold in memory, the groups themselves apart.
    pub fn memory(&self) -> usize {
        self.columns.memory()
    }
}

/// Lists groups one by one.
#[derive(Default)]
pub struct ListingBuilder {
    groups: Vec<Arc<FeatureGroup>>,
    columns: ColumnsBuilder,
    entities: Vec<String>,
    keeper: Arc<Keeper>,
}

/// The columns, once they are complete.
#[derive(Default)]
struct Keeper(OnceLock<Arc<Columns>>);

impl FeatureKeeper for Keeper {
    fn features(&self, group: usize) -> Vec<FeatureDefinition> {
        self.0.get().map(|columns| columns.features(group)).unwrap_or_default()
    }
}

impl ListingBuilder {
    /// Adds a group that stays as it is.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names or descriptions.
    pub fn add(&mut self, group: Arc<FeatureGroup>) -> Result<()> {
        self.list(&group)?;
        self.groups.push(group);
        Ok(())
    }

    fn list(&mut self, group: &FeatureGroup) -> Result<()> {
        let tags = group.tags.iter().map(|(key, value)| format!("{key}={value}\n")).collect::<String>();
        let other = format!("{}\n{tags}", group.owner.as_deref().unwrap_or_default());
        self.columns.group(group.name.as_str(), &other, &group.schema)?;
        self.entities.push(entity(group));
        Ok(())
    }

    /// Adds a group that leaves its features to the columns; they are to be had again once all is built.
    ///
    /// # Errors
    /// `Full` beyond 4 GiB of names or descriptions.
    pub fn keep(&mut self, group: FeatureGroup) -> Result<()> {
        self.list(&group)?;
        let schema = group.schema.kept_by(self.keeper.clone(), self.groups.len());
        self.groups.push(Arc::new(FeatureGroup { schema, ..group }));
        Ok(())
    }

    /// What was listed.
    pub fn build(self) -> Listing {
        let columns = Arc::new(self.columns.build());
        // Nobody else sets it.
        let _ = self.keeper.0.set(columns.clone());
        Listing { groups: self.groups, columns, entities: self.entities }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::group_rows::samples::group;

    #[test]
    fn groups_that_left_their_features_to_the_list_are_the_same_groups() {
        let groups = [group("customer-features"), group("orders")];
        let mut builder = ListingBuilder::default();
        groups.iter().for_each(|group| builder.keep(group.clone()).unwrap());
        let listing = builder.build();
        assert!(listing.groups.iter().map(Arc::as_ref).eq(&groups));
        assert_eq!(listing.names(6), Some(("orders", "Score")));
        assert_eq!(listing.row_named("orders", "score"), Some(6));
        assert_eq!(listing.feature(6).as_ref(), groups[1].schema.features().get(2));
        assert!(listing.place(8).is_none() && listing.name(8).is_empty());
    }
}
