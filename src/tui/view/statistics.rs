//! Draws what values look like and how far they drifted: the tabs Stats and Drift.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::tui::model::Model;
use crate::tui::theme::Theme;

pub(super) fn stats(_model: &Model, _theme: &Theme, _frame: &mut Frame<'_>, _body: Rect) {}

pub(super) fn drift(_model: &Model, _theme: &Theme, _frame: &mut Frame<'_>, _body: Rect) {}
