//! What lies over a screen and has the keys while it does: the palette, the choices of colours and columns, a form, what was said lately.
//!
//! One layer at a time. Esc closes it and leaves everything below as it was.

use super::columns::ColumnChoice;
use super::edits::Edit;
use super::export::Exported;
use super::line::Line;
use super::list::List;
use super::writes::RecordForm;
use crate::tui::keymap::Action;

/// A layer over the screen.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Any action, screen, group or feature by name.
    Palette(Palette),
    /// The choice of colours; the theme before, to go back to.
    Themes(List, String),
    /// A text to edit.
    Form(Form),
    /// A record to put or to delete.
    Record(Box<RecordForm>),
    /// The choice of columns.
    Columns(ColumnChoice),
    /// What was said lately.
    Messages(List),
}

/// The palette.
#[derive(Debug, Default)]
pub(crate) struct Palette {
    /// What was typed.
    pub(crate) line: Line,
    /// What is on offer for it, best first; found once for each edit.
    pub(crate) rows: Vec<Row>,
    /// The offer under the cursor.
    pub(crate) list: List,
}

/// One row of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// What it is called.
    pub(crate) name: String,
    /// What it does or is.
    pub(crate) help: String,
    /// Its keys, for an action; else what it is.
    pub(crate) keys: String,
    /// What happens when it is taken.
    pub(crate) offer: Offer,
}

/// What happens when a row of the palette is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offer {
    /// An action of the screen below.
    Do(Action),
    /// A group opens, or a feature of it.
    Open(String, Option<String>),
    /// A theme is used.
    Theme(String),
}

/// A text to edit.
#[derive(Debug)]
pub(crate) struct Form {
    /// What it belongs to.
    pub(crate) title: String,
    /// What it is.
    pub(crate) label: &'static str,
    /// How it is written.
    pub(crate) note: &'static str,
    /// The text.
    pub(crate) line: Line,
    /// What is done with it.
    pub(crate) purpose: Purpose,
    /// What is wrong with what was typed.
    pub(crate) complaint: Option<String>,
}

/// What a form is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Purpose {
    /// To write something about a group or a feature; as it is written now.
    Write(Edit),
    /// The file for rows.
    Export(Exported),
    /// The name of a baseline of a group.
    Pin(String),
}
