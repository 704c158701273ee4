//! Draws the rows and files of a group: the tabs Data and Files.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::tui::model::Model;
use crate::tui::theme::Theme;

pub(super) fn data(_model: &Model, _theme: &Theme, _frame: &mut Frame<'_>, _body: Rect) {}

pub(super) fn files(_model: &Model, _theme: &Theme, _frame: &mut Frame<'_>, _body: Rect) {}
