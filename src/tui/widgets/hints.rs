//! The last line: what can be done here, the most useful first, as many as fit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text::put;
use crate::tui::fit;
use crate::tui::theme::Theme;

/// Draws pairs of key and word. What doesn't fit is left out from the end, but the last pair (the way to the help) stays.
/// Returns where each pair stands: its place among them, first column, columns.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, pairs: &[(String, &str)], theme: &Theme) -> Vec<(usize, u16, u16)> {
    let width_of = |(key, word): &(String, &str)| fit::width(key) + 1 + fit::width(word);
    let room = usize::from(area.width).saturating_sub(1);
    let mut shown: Vec<usize> = (0..pairs.len()).collect();
    let taken =
        |shown: &[usize]| shown.iter().filter_map(|at| pairs.get(*at)).map(|pair| width_of(pair) + 3).sum::<usize>().saturating_sub(3);
    while shown.len() > 1 && taken(&shown) > room {
        let last_but_one = shown.len() - 2;
        shown.remove(last_but_one);
    }
    let mut spans = vec![Span::raw(" ")];
    let mut places = Vec::with_capacity(shown.len());
    let mut x = area.x + 1;
    for at in shown {
        let Some((key, word)) = pairs.get(at) else { continue };
        if !places.is_empty() {
            spans.push(Span::raw("   "));
            x += 3;
        }
        let width = width_of(&pairs[at]) as u16;
        places.push((at, x, width));
        x += width;
        spans.push(Span::styled(key.clone(), theme.key));
        spans.push(Span::styled(format!(" {word}"), theme.muted));
    }
    put(buffer, area, 0, &Line::from(spans));
    places
}
