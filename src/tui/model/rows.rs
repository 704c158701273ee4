//! State of the tab Data: a history seen through a window; and what is asked of the store for it.
//!
//! A condition or an order asks for the first rows of the answer, which are kept whole; else pages are asked for by place.

use super::grid::{Grid, Stretch};
use super::line::Line;
use super::remote::ErrorText;

/// Rows of an answer to a condition that are shown.
pub(crate) const MOST_FOUND: u64 = 10_000;

/// What a person has done there.
#[derive(Debug, Default)]
pub(crate) struct RowsPage {
    /// The group the rows are of.
    pub(crate) group: String,
    /// The rows.
    pub(crate) grid: Grid,
    /// The condition as typed.
    pub(crate) condition: Line,
    /// True while it is being typed.
    pub(crate) typing: bool,
    /// The condition in force.
    pub(crate) applied: String,
    /// The column that orders the rows, and whether the greatest come first.
    pub(crate) order: Option<(String, bool)>,
}

impl RowsPage {
    /// True if rows are asked for by a condition or in an order, not by their places.
    pub(crate) fn is_query(&self) -> bool {
        !self.applied.is_empty() || self.order.is_some()
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// Rows by their place.
    At {
        /// The group.
        group: String,
        /// The first row.
        from: u64,
        /// At most so many.
        limit: u64,
    },
    /// The first rows that a condition leaves, in an order.
    Where {
        /// The group.
        group: String,
        /// The condition in SQL; empty is none.
        condition: String,
        /// The column, and whether the greatest come first.
        order: Option<(String, bool)>,
    },
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Rows by their place.
    At(Result<Stretch, ErrorText>),
    /// All that is shown of a query.
    Where(Result<Stretch, ErrorText>),
    /// The job failed.
    Failed(ErrorText),
}
