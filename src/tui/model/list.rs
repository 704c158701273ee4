//! The cursor of a list and the window through which the list is seen.
//!
//! The cursor is a position among the rows shown; the screens hold the identity of the row beside it, so that a filter or a
//! refresh finds the same row again. The window (first row shown, rows that fit) is the view's memory of its last
//! frame: it is in `Cell`s because drawing must not need the model mutably.

use std::cell::Cell;

use super::mouse::Place;

/// Cursor and window of one list.
#[derive(Debug, Clone, Default)]
pub(crate) struct List {
    /// The row under the cursor.
    pub(crate) at: usize,
    top: Cell<usize>,
    height: Cell<usize>,
    /// Where its rows stood in the last frame.
    place: Cell<Place>,
}

/// How the cursor moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Move {
    Down,
    Up,
    PageDown,
    PageUp,
    HalfDown,
    HalfUp,
    First,
    Last,
    /// To that row.
    To(usize),
}

impl List {
    /// A list with its cursor on a row.
    pub(crate) fn at(row: usize) -> Self {
        Self { at: row, ..Self::default() }
    }

    /// Moves the cursor among `length` rows; it stops at the ends.
    pub(crate) fn go(&mut self, to: Move, length: usize) {
        let page = self.height.get().max(1);
        let half = page.div_ceil(2);
        let at = match to {
            Move::Down => self.at.saturating_add(1),
            Move::Up => self.at.saturating_sub(1),
            Move::PageDown => self.at.saturating_add(page),
            Move::PageUp => self.at.saturating_sub(page),
            Move::HalfDown => self.at.saturating_add(half),
            Move::HalfUp => self.at.saturating_sub(half),
            Move::First => 0,
            Move::Last => length,
            Move::To(row) => row,
        };
        self.at = at.min(length.saturating_sub(1));
    }

    /// Rows that fitted into the last frame.
    pub(crate) fn height(&self) -> usize {
        self.height.get()
    }

    /// Remembers where the rows are drawn, one line each.
    pub(crate) fn drawn_at(&self, place: Place) {
        self.place.set(place);
    }

    /// The row drawn on a cell, if one is.
    pub(crate) fn row_at(&self, column: u16, row: u16) -> Option<usize> {
        let place = self.place.get();
        place.holds(column, row).then(|| self.top.get() + usize::from(row - place.y))
    }

    /// The rows to draw where `height` rows fit: a range that holds the cursor and moves as little as it can.
    pub(crate) fn window(&self, length: usize, height: usize) -> std::ops::Range<usize> {
        let at = self.at.min(length.saturating_sub(1));
        let mut top = self.top.get().min(length.saturating_sub(height));
        top = top.min(at);
        if height > 0 && at >= top + height {
            top = at + 1 - height;
        }
        self.top.set(top);
        self.height.set(height);
        top..length.min(top + height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_cursor_and_no_further() {
        let mut list = List::default();
        assert_eq!(list.window(100, 10), 0..10);
        list.go(Move::PageDown, 100);
        assert_eq!(list.window(100, 10), 1..11);
        list.go(Move::Up, 100);
        assert_eq!(list.window(100, 10), 1..11);
        list.go(Move::Last, 100);
        assert_eq!((list.at, list.window(100, 10)), (99, 90..100));
        assert_eq!(list.window(5, 10), 0..5);
        assert_eq!(list.window(0, 10), 0..0);
        assert_eq!(list.window(100, 0).len(), 0);
    }
}
