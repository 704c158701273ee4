//! A table of unknown length seen through a window: rows of a history, of a training dataset.
//!
//! However long the table is, only pages around the window are here: [`Pages`] forgets the farthest ones when there are too many, and
//! all of them when places begin to mean other rows. One question is under way at a time, so that scrolling fast asks for where
//! one is, not for where one was. The first columns are frozen: they are seen wherever one is.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::list::{List, Move};
use super::remote::Remote;
use crate::tui::keymap::Action;

/// Cells of a page, about.
const PAGE_CELLS: u64 = 8_192;
/// Pages kept at most: more than a window and its neighbours can need, or they would be asked for for ever.
const MOST_PAGES: usize = 16;
/// Rows that are seen at most, however high a terminal claims to be.
const HIGHEST: u64 = 256;

/// A row as texts; none is null.
pub(crate) type Row = Vec<Option<String>>;

/// Rows, and where one is among them.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    /// The rows.
    pub(crate) rows: Remote<Pages>,
    /// The row under the cursor.
    pub(crate) list: List,
    /// The column under the cursor, in the order shown.
    pub(crate) column: usize,
    /// First column shown beside the frozen ones: what the last frame needed to show the one under the cursor.
    pub(crate) first: Cell<usize>,
    /// Columns that are kept in sight, where a person says so.
    pub(crate) frozen: Option<usize>,
    /// No column is a key: none is frozen unless a person says so.
    pub(crate) keyless: bool,
    /// Names of the columns that are not shown.
    pub(crate) hidden: BTreeSet<String>,
    /// Columns of the screen that each column has needed so far: they only grow, so that scrolling doesn't shake them.
    pub(crate) widths: RefCell<Vec<usize>>,
}

impl Grid {
    /// The row under the cursor.
    pub(crate) fn row(&self) -> Option<&Row> {
        self.rows.value()?.row(self.list.at)
    }

    /// The column under the cursor.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.rows.value()?.columns.get(self.column)
    }

    /// Moves the cursor over the rows.
    pub(crate) fn go(&mut self, to: Move) {
        let length = self.rows.value().map_or(0, |pages| usize::try_from(pages.total).unwrap_or(usize::MAX));
        self.list.go(to, length);
    }

    /// Moves the cursor over the columns; false for an action that doesn't.
    pub(crate) fn turn(&mut self, action: Action) -> bool {
        let shown = self.shown();
        let last = shown.len().saturating_sub(1);
        let at = shown.iter().position(|column| *column >= self.column).unwrap_or(last);
        let to = match action {
            Action::ColumnsRight => (at + 1).min(last),
            Action::ColumnsLeft => at.saturating_sub(1),
            Action::FirstColumn => 0,
            Action::LastColumn => last,
            Action::FreezeColumns => {
                self.frozen = Some(at + 1).filter(|frozen| self.frozen != Some(*frozen));
                at
            }
            _ => return false,
        };
        self.column = shown.get(to).copied().unwrap_or(0);
        true
    }

    /// The columns that are shown, by their places among all.
    pub(crate) fn shown(&self) -> Vec<usize> {
        let columns = self.rows.value().map(|pages| pages.columns.as_slice()).unwrap_or_default();
        (0..columns.len()).filter(|column| !self.hidden.contains(&columns[*column].name)).collect()
    }

    /// Shows a column, or no longer; the last one that is shown stays.
    pub(crate) fn toggle(&mut self, name: &str) {
        if !self.hidden.remove(name) && self.shown().len() > 1 {
            self.hidden.insert(name.to_owned());
        }
        self.stay_inside();
    }

    /// The first row of the next page to ask for: one that is missing around what is seen, unless an answer is on its way.
    pub(crate) fn wanted(&self) -> Option<u64> {
        let Remote::Ready(pages) = &self.rows else { return None };
        let (at, height) = (self.list.at as u64, (self.list.height() as u64).clamp(1, HIGHEST));
        pages.missing(at.saturating_sub(height)..at.saturating_add(height).min(pages.total))
    }

    /// Takes rows by their place in, as pages of so many.
    pub(crate) fn take(&mut self, stretch: Stretch, size: u64) {
        let mut pages = match std::mem::take(&mut self.rows) {
            Remote::Ready(pages) | Remote::Stale(pages, _) | Remote::Failed(_, Some(pages)) if pages.size() == size => pages,
            _ => Pages::sized(size),
        };
        pages.put(stretch);
        self.rows = Remote::Ready(pages);
        self.stay_inside();
    }

    /// Keeps the cursor on what there is.
    pub(crate) fn stay_inside(&mut self) {
        let pages = self.rows.value();
        let total = pages.map_or(0, |pages| usize::try_from(pages.total).unwrap_or(usize::MAX));
        let columns = pages.map_or(0, |pages| pages.columns.len());
        self.list.at = self.list.at.min(total.saturating_sub(1));
        self.column = self.column.min(columns.saturating_sub(1));
        let shown = self.shown();
        if !shown.contains(&self.column) {
            let next = shown.iter().find(|column| **column > self.column).or(shown.last());
            self.column = next.copied().unwrap_or(0);
        }
    }

    /// The row under the cursor with tabs between its cells.
    pub(crate) fn copied(&self) -> Option<(String, String)> {
        let cells: Vec<&str> = self.row()?.iter().map(|cell| cell.as_deref().unwrap_or_default()).collect();
        Some((cells.join("\t"), "the row".to_owned()))
    }

    /// The cell under the cursor and the name of its column.
    pub(crate) fn copied_cell(&self) -> Option<(String, String)> {
        let cell = self.row()?.get(self.column)?.clone().unwrap_or_default();
        Some((cell, self.head()?.name.clone()))
    }

    /// The row under the cursor as JSON.
    pub(crate) fn copied_json(&self) -> Option<(String, String)> {
        let value = |(head, cell): (&Head, &Option<String>)| {
            let text = cell.as_deref();
            let number = text.filter(|_| head.right).and_then(|text| serde_json::from_str::<serde_json::Number>(text).ok());
            (head.name.clone(), number.map_or_else(|| serde_json::Value::from(text), Into::into))
        };
        let object: serde_json::Map<String, serde_json::Value> = self.rows.value()?.columns.iter().zip(self.row()?).map(value).collect();
        Some((serde_json::to_string_pretty(&object).ok()?, "the row as JSON".to_owned()))
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its name.
    pub(crate) name: String,
    /// Numbers end at the right.
    pub(crate) right: bool,
    /// It is the store's, not a feature.
    pub(crate) added: bool,
}

/// Rows from a place on, as the store answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Stretch {
    /// Columns, the record identifier and the event time first.
    pub(crate) columns: Vec<Head>,
    /// The first row.
    pub(crate) from: u64,
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// Rows there are.
    pub(crate) total: u64,
    /// True if there are more than that.
    pub(crate) cut: bool,
    /// Differs once places mean other rows.
    pub(crate) edition: u64,
}

/// The rows that are here, in pages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pages {
    /// Columns, the record identifier and the event time first.
    pub(crate) columns: Vec<Head>,
    /// Rows there are.
    pub(crate) total: u64,
    /// True if there are more than that.
    pub(crate) cut: bool,
    edition: u64,
    /// Rows of a page; all of them in one for a query.
    size: u64,
    pages: BTreeMap<u64, Vec<Row>>,
}

/// Rows of a page for so many columns: wide rows make short pages.
pub(crate) fn page_size(columns: usize) -> u64 {
    (PAGE_CELLS / (columns.max(1) as u64)).clamp(64, 256)
}

impl Pages {
    /// The answer to a query: all of it, in one page.
    pub(crate) fn whole(stretch: Stretch) -> Self {
        let mut pages = Self { size: u64::MAX, ..Self::default() };
        pages.put(stretch);
        pages
    }

    /// Pages of so many rows.
    pub(crate) fn sized(size: u64) -> Self {
        Self { size, ..Self::default() }
    }

    /// Takes rows in; those of another edition go.
    pub(crate) fn put(&mut self, stretch: Stretch) {
        if (stretch.edition, stretch.total) != (self.edition, self.total) || stretch.columns != self.columns {
            self.pages.clear();
        }
        let Stretch { columns, from, rows, total, cut, edition } = stretch;
        (self.columns, self.total, self.cut, self.edition) = (columns, total, cut, edition);
        let page = from / self.size.max(1);
        self.pages.insert(page, rows);
        while self.pages.len() > MOST_PAGES
            && let Some(farthest) = self.pages.keys().copied().max_by_key(|known| known.abs_diff(page))
        {
            self.pages.remove(&farthest);
        }
    }

    /// The row at a place, if it is here.
    pub(crate) fn row(&self, place: usize) -> Option<&Row> {
        let place = place as u64;
        self.pages.get(&(place / self.size.max(1)))?.get((place % self.size.max(1)) as usize)
    }

    /// The first row of the first page that is missing among these rows and the pages next to them; those of the rows come first.
    pub(crate) fn missing(&self, rows: std::ops::Range<u64>) -> Option<u64> {
        let size = self.size.max(1);
        let last = self.total.saturating_sub(1) / size;
        let (first_page, last_page) = (rows.start / size, (rows.end.saturating_sub(1) / size).min(last));
        let beside = [last_page + 1, first_page.saturating_sub(1)].into_iter().filter(|page| *page <= last);
        let missing = (first_page..=last_page).chain(beside).find(|page| !self.pages.contains_key(page));
        missing.filter(|_| self.total > 0).map(|page| page * size)
    }

    /// Rows of a page.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(from: u64, edition: u64) -> Stretch {
        let row = |place: u64| vec![Some(place.to_string())];
        Stretch { from, rows: (from..(from + 10).min(1_000)).map(row).collect(), total: 1_000, edition, ..Stretch::default() }
    }

    #[test]
    fn rows_are_found_by_their_place_and_what_is_missing_is_known() {
        let mut pages = Pages::sized(10);
        pages.put(stretch(20, 1));
        assert_eq!(pages.row(23), Some(&vec![Some("23".to_owned())]));
        assert_eq!(pages.row(33), None);
        assert_eq!(pages.missing(22..41), Some(30), "what is seen comes before what is beside it");
        pages.put(stretch(30, 1));
        assert_eq!(pages.missing(22..39), Some(40), "then the page behind it");
        pages.put(stretch(40, 1));
        assert_eq!(pages.missing(22..39), Some(10), "and the one before");
        pages.put(stretch(10, 1));
        assert_eq!(pages.missing(22..39), None);
        assert_eq!(Pages::sized(10).missing(0..30), None, "nothing is missing of no rows");
    }

    #[test]
    fn the_cursor_passes_over_hidden_columns_and_the_last_one_stays() {
        let head = |name: &str| Head { name: name.to_owned(), right: false, added: false };
        let columns = vec![head("id"), head("at"), head("score"), head("note")];
        let mut grid = Grid { rows: Remote::Ready(Pages::whole(Stretch { columns, ..Stretch::default() })), ..Grid::default() };
        grid.turn(Action::ColumnsRight);
        grid.toggle("at");
        assert_eq!(grid.column, 2, "the cursor leaves a column that is hidden");
        grid.turn(Action::FreezeColumns);
        assert_eq!(grid.frozen, Some(2), "what is hidden is not counted");
        grid.turn(Action::ColumnsLeft);
        assert_eq!(grid.column, 0);
        for name in ["id", "score", "note"] {
            grid.toggle(name);
        }
        assert_eq!(grid.shown(), [3]);
        grid.toggle("at");
        assert_eq!(grid.shown(), [1, 3]);
    }

    #[test]
    fn pages_are_limited_and_go_when_places_mean_other_rows() {
        let mut pages = Pages::sized(10);
        for page in 0..100 {
            pages.put(stretch(page * 10, 1));
        }
        assert_eq!(pages.pages.len(), MOST_PAGES);
        assert!(pages.row(999).is_some() && pages.row(0).is_none(), "those far away went");
        pages.put(stretch(500, 2));
        assert_eq!(pages.pages.len(), 1);
    }
}
