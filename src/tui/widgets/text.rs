//! Text on the screen: cleaned, cut to its place, with the matched letters marked.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::clean::clean;
use crate::tui::fit;

/// A span of text that may come from anybody: control characters are made visible.
pub(crate) fn span(text: &str, style: Style) -> Span<'static> {
    Span::styled(clean(text).into_owned(), style)
}

/// A name in a place of that width, cut in its middle, with the matched characters marked.
pub(crate) fn name(text: &str, columns: usize, hits: &[usize], style: Style, matched: Style) -> Vec<Span<'static>> {
    marked(text, &fit::cut_middle(&clean(text), columns), true, hits, style, matched)
}

/// Other text in a place of that width, cut at its end, with the matched characters marked.
pub(crate) fn prose(text: &str, columns: usize, hits: &[usize], style: Style, matched: Style) -> Vec<Span<'static>> {
    marked(text, &fit::cut(&clean(text), columns), false, hits, style, matched)
}

/// Marks characters of `shown`, which is `whole` with a part replaced by `…` in the middle or at the end.
fn marked(whole: &str, shown: &str, cut_in_middle: bool, hits: &[usize], style: Style, matched: Style) -> Vec<Span<'static>> {
    if hits.is_empty() {
        return vec![Span::styled(shown.to_owned(), style)];
    }
    let length = whole.chars().count();
    let shown_length = shown.chars().count();
    let gap = if shown_length < length { shown.chars().position(|character| character == '…') } else { None };
    let place_in_whole = |place: usize| match gap {
        Some(gap) if place == gap => None,
        Some(gap) if place > gap && cut_in_middle => Some(length - (shown_length - place)),
        _ => Some(place),
    };
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (place, character) in shown.chars().enumerate() {
        let is_hit = place_in_whole(place).is_some_and(|place| hits.binary_search(&place).is_ok());
        let wanted = if is_hit { style.patch(matched) } else { style };
        match spans.last_mut() {
            Some(last) if last.style == wanted => last.content.to_mut().push(character),
            _ => spans.push(Span::styled(character.to_string(), wanted)),
        }
    }
    spans
}

/// The line, cut at its end with `…` so that it takes at most `columns`: half a number would be another one.
pub(crate) fn fitted(line: Line<'static>, columns: usize) -> Line<'static> {
    if line.width() <= columns {
        return line;
    }
    let mut room = columns;
    let mut spans = Vec::new();
    for span in line.spans {
        let width = span.width();
        if width < room {
            room -= width;
            spans.push(span);
            continue;
        }
        // More follows, so the mark is due even if this span would just fit.
        spans.push(Span::styled(fit::cut(&format!("{} ", span.content), room), span.style));
        break;
    }
    Line::from(spans)
}

/// Draws a line from the left edge of an area's row.
pub(crate) fn put(buffer: &mut Buffer, area: Rect, row: u16, line: &Line<'_>) {
    if row < area.height {
        buffer.set_line(area.x, area.y + row, line, area.width);
    }
}

/// Draws a line that ends at the right edge of an area's row, if `taken` columns to its left leave the room.
pub(crate) fn put_right(buffer: &mut Buffer, area: Rect, row: u16, taken: u16, line: &Line<'_>) {
    let width = line.width() as u16;
    if row < area.height && taken.saturating_add(width) <= area.width {
        buffer.set_line(area.right() - width, area.y + row, line, width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Modifier;

    #[test]
    fn a_line_that_is_too_long_says_so() {
        let line = |columns| {
            let line = Line::from(vec![Span::raw("rows  "), Span::raw("42.0 k"), Span::raw("   976 kB")]);
            fitted(line, columns).spans.iter().map(|span| span.content.to_string()).collect::<String>()
        };
        assert_eq!(line(21), "rows  42.0 k   976 kB");
        assert_eq!(line(18), "rows  42.0 k   97…");
        assert_eq!(line(12), "rows  42.0 …", "nothing may look whole that isn't");
        assert_eq!(line(6), "rows …");
        assert_eq!(line(0), "");
    }

    #[test]
    fn marks_stay_on_their_letters_when_a_name_is_cut() {
        let matched = Style::new().add_modifier(Modifier::BOLD);
        let spans = name("customer_purchases_30d_avg", 15, &[0, 23, 24, 25], Style::new(), matched);
        let marked: String = spans.iter().filter(|span| span.style == matched).map(|span| span.content.as_ref()).collect();
        assert_eq!(marked, "cavg");
        let spans = prose("Balance of an account", 8, &[0, 1, 2, 10], Style::new(), matched);
        let marked: String = spans.iter().filter(|span| span.style == matched).map(|span| span.content.as_ref()).collect();
        assert_eq!(marked, "Bal");
    }
}
