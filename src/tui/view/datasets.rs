//! Draws training datasets.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::tui::model::Model;
use crate::tui::theme::Theme;

pub(super) fn draw(_model: &Model, _theme: &Theme, _frame: &mut Frame<'_>, _body: Rect) {}
