//! What is written into a file from the screen: all rows of a statement or of a history, or a list as it stands there.

use std::sync::Arc;

use super::catalog::{Evidence, Shelf};
use super::data::Summary;
use crate::model::FeatureGroup;

/// What is to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Exported {
    /// All rows of a statement, not only those shown.
    Statement(String),
    /// All rows of a history that a condition leaves, in an order.
    Rows {
        /// The group.
        group: String,
        /// The condition in SQL; empty is none.
        condition: String,
        /// The column, and whether the greatest come first.
        order: Option<(String, bool)>,
    },
    /// The list of features.
    Features(FeatureList),
    /// The list of groups, each with its numbers if they are known.
    Groups(Vec<(Arc<FeatureGroup>, Option<Summary>)>),
    /// Rows of a screen.
    Sheet(Sheet),
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

/// Rows under headings. Every column has the same number of cells.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sheet {
    /// The columns with their names.
    pub(crate) columns: Vec<(String, Cells)>,
}

/// The cells of a column; none is null.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub(crate) enum Cells {
    Texts(Vec<Option<String>>),
    Counts(Vec<Option<u64>>),
    Numbers(Vec<Option<f64>>),
}

impl Sheet {
    /// A sheet of these columns.
    pub(crate) fn new<const COLUMNS: usize>(columns: [(&str, Cells); COLUMNS]) -> Self {
        Self { columns: columns.into_iter().map(|(name, cells)| (name.to_owned(), cells)).collect() }
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, cells)| match cells {
            Cells::Texts(cells) => cells.len(),
            Cells::Counts(cells) => cells.len(),
            Cells::Numbers(cells) => cells.len(),
        })
    }
}
