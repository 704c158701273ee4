//! The last line: what can be done here, the most useful first, as many as fit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text::put;
use crate::tui::fit;
use crate::tui::theme::Theme;

/// Draws pairs of key and word. What doesn't fit is left out from the end, but the last pair (the way to the help) stays.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, pairs: &[(String, &str)], theme: &Theme) {
    let width_of = |(key, word): &(String, &str)| fit::width(key) + 1 + fit::width(word);
    let room = usize::from(area.width).saturating_sub(1);
    let mut shown: Vec<&(String, &str)> = pairs.iter().collect();
    let taken = |shown: &[&(String, &str)]| shown.iter().map(|pair| width_of(pair) + 3).sum::<usize>().saturating_sub(3);
    while shown.len() > 1 && taken(&shown) > room {
        let last_but_one = shown.len() - 2;
        shown.remove(last_but_one);
    }
    let mut spans = vec![Span::raw(" ")];
    for (place, (key, word)) in shown.into_iter().enumerate() {
        if place > 0 {
            spans.push(Span::raw("   "));
        }
        spans.push(Span::styled(key.clone(), theme.key));
        spans.push(Span::styled(format!(" {word}"), theme.muted));
    }
    put(buffer, area, 0, &Line::from(spans));
}
