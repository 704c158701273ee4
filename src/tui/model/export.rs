//! What is written into a file from the screen: all rows of a statement, or a list as it stands there.

use std::sync::Arc;

use super::catalog::{Evidence, Shelf};
use super::data::Summary;
use crate::model::FeatureGroup;

/// What is to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Exported {
    /// All rows of a statement, not only those shown.
    Statement(String),
    /// The list of features.
    Features(FeatureList),
    /// The list of groups, each with its numbers if they are known.
    Groups(Vec<(Arc<FeatureGroup>, Option<Summary>)>),
}

/// Features as they are listed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FeatureList {
    /// All features.
    pub(crate) shelf: Shelf,
    /// Rows of the shelf that are listed, in their order.
    pub(crate) rows: Vec<usize>,
    /// What is known of them.
    pub(crate) evidence: Option<Arc<Evidence>>,
}
