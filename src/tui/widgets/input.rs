//! A one-line input: its sign, its text, and the caret where the terminal's own cursor stands.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line as TextLine, Span};

use super::text::put;
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::model::line::Line;
use crate::tui::theme::Theme;

/// An input to draw.
pub(crate) struct Input<'a> {
    /// What stands before it.
    pub(crate) sign: &'a str,
    /// Shown while there is no text.
    pub(crate) placeholder: &'a str,
    /// The text.
    pub(crate) line: &'a Line,
    /// True if it has the keys; then the terminal's cursor stands in it.
    pub(crate) typing: bool,
}

impl Input<'_> {
    /// Draws it into the first row of an area and returns the columns it took.
    pub(crate) fn draw(&self, frame: &mut Frame<'_>, area: Rect, theme: &Theme) -> u16 {
        let sign = format!(" {} ", self.sign);
        let sign_width = fit::width(&sign);
        let room = usize::from(area.width).saturating_sub(sign_width + 1);
        let mut spans = vec![Span::styled(sign, if self.typing { theme.accent } else { theme.muted })];
        if self.line.is_empty() {
            spans.push(Span::styled(fit::cut(self.placeholder, room), theme.muted));
        }
        let (before, behind) = self.line.parts();
        // The part around the caret stays visible when the text is longer than its place.
        let before = fit::tail(&clean(before), room);
        let caret = sign_width + fit::width(&before);
        let behind = fit::cut(&clean(behind), room.saturating_sub(fit::width(&before)));
        let style = if self.typing { theme.strong } else { theme.accent };
        spans.push(Span::styled(before, style));
        spans.push(Span::styled(behind, style));
        let line = TextLine::from(spans);
        let width = line.width() as u16;
        put(frame.buffer_mut(), area, 0, &line);
        if self.typing && area.height > 0 && (caret as u16) < area.width {
            frame.set_cursor_position(Position::new(area.x + caret as u16, area.y));
        }
        width.min(area.width)
    }
}
