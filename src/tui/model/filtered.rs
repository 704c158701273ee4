//! A list with a filter: what was typed, which rows are left, and the cursor among them.
//!
//! The cursor belongs to a row, not to a place on the screen: when rows are filtered, sorted or read again it stays on the row it was on,
//! as long as that row is there. Only typing moves it to the best match, because that is what one types for.

use std::collections::BTreeSet;

use super::line::{Edit, Line};
use super::list::{List, Move};
use crate::tui::matching::Query;

/// Rows left by a filter, with a cursor.
#[derive(Debug, Default)]
pub(crate) struct Filtered {
    /// The filter as typed.
    pub(crate) line: Line,
    /// True while it is being typed.
    pub(crate) typing: bool,
    /// Places of the rows left, in the order shown.
    pub(crate) rows: Vec<usize>,
    /// Cursor and window.
    pub(crate) list: List,
    /// Identities of the rows that are marked; a filter that hides them takes no mark away.
    pub(crate) marks: BTreeSet<String>,
    /// The row that was marked last: a range begins there.
    pub(crate) marked_last: Option<String>,
    /// Identity of the row under the cursor.
    key: Option<String>,
}

impl Filtered {
    /// The parsed filter.
    pub(crate) fn query(&self) -> Query {
        Query::parse(self.line.text())
    }

    /// Place of the row under the cursor among all rows.
    pub(crate) fn selected(&self) -> Option<usize> {
        self.rows.get(self.list.at).copied()
    }

    /// Shows these rows and finds the row the cursor was on again.
    pub(crate) fn show(&mut self, rows: Vec<usize>, key_of: impl Fn(usize) -> String) {
        self.rows = rows;
        let again = self.key.as_ref().and_then(|key| self.rows.iter().position(|row| key_of(*row) == *key));
        self.list.at = again.unwrap_or(self.list.at).min(self.rows.len().saturating_sub(1));
        self.remember(key_of);
    }

    /// Shows these rows with the cursor on the first, the best match.
    pub(crate) fn show_best(&mut self, rows: Vec<usize>, key_of: impl Fn(usize) -> String) {
        self.rows = rows;
        self.list.at = 0;
        self.remember(key_of);
    }

    /// Moves the cursor.
    pub(crate) fn go(&mut self, to: Move, key_of: impl Fn(usize) -> String) {
        self.list.go(to, self.rows.len());
        self.remember(key_of);
    }

    /// Puts the cursor on the row of that identity once it is shown.
    pub(crate) fn aim(&mut self, key: String) {
        self.key = Some(key);
    }

    /// Edits the filter; true if it reads differently now.
    pub(crate) fn edit(&mut self, edit: Edit) -> bool {
        self.line.edit(edit)
    }

    fn remember(&mut self, key_of: impl Fn(usize) -> String) {
        // With no rows left the old identity stays: clearing the filter brings the cursor back.
        if let Some(row) = self.selected() {
            self.key = Some(key_of(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_on_its_row_through_filter_and_refresh() {
        let names = ["a", "b", "c", "d"];
        let key = |row: usize| names[row].to_owned();
        let mut filtered = Filtered::default();
        filtered.show(vec![0, 1, 2, 3], key);
        filtered.go(Move::Down, key);
        filtered.go(Move::Down, key);
        filtered.show(vec![3, 2, 1, 0], key);
        assert_eq!(filtered.selected(), Some(2));
        filtered.show(vec![], key);
        assert_eq!(filtered.selected(), None);
        filtered.show(vec![0, 1, 2, 3], key);
        assert_eq!(filtered.selected(), Some(2));
    }
}
