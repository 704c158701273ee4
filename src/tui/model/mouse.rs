//! What a person does with the mouse, and the places of the last frame that a click means something on.

use super::screens::Tab;
use crate::tui::keymap::Action;

/// Something done with the mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mouse {
    /// What.
    pub(crate) gesture: Gesture,
    /// Where, from the left.
    pub(crate) column: u16,
    /// Where, from the top.
    pub(crate) row: u16,
}

/// What is done with the mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Gesture {
    Click,
    /// The right button.
    Menu,
    WheelDown,
    WheelUp,
}

/// A rectangle of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// First column.
    pub(crate) x: u16,
    /// First row.
    pub(crate) y: u16,
    /// Columns.
    pub(crate) width: u16,
    /// Rows.
    pub(crate) height: u16,
}

impl Place {
    /// True if the cell lies in it.
    pub(crate) fn holds(self, column: u16, row: u16) -> bool {
        (self.x..self.x.saturating_add(self.width)).contains(&column) && (self.y..self.y.saturating_add(self.height)).contains(&row)
    }
}

/// What a click does, where it isn't on a row of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Does an action.
    Act(Action),
    /// Shows a tab.
    Tab(Tab),
    /// Puts the cursor on a node of a drawn graph.
    Node(usize),
    /// Sorts by a column.
    Head(usize),
    /// Puts the cursor into a column; the row is that of the list.
    Cell(usize),
    /// Puts a line of the counts into the filter, or takes it out.
    Facet(usize),
}
