//! Draws the SQL screen: the statement above, its result below.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::{grid, layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{exact, span as time_span};
use crate::tui::update::sql_offers;
use crate::tui::widgets::text::{put, span};

pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let lines = model.sql.editor.lines().len() as u16;
    let (editor_area, rest) = layout::below(body, (lines + 2).clamp(4, (body.height / 2).max(4)));
    editor(model, theme, frame, editor_area);
    result(model, theme, frame, rest);
}

/// The key of an action here, as the keymap has it.
fn key(model: &Model, action: Action) -> String {
    model.keymap.shown(model.focus(), action).unwrap_or_default()
}

fn editor(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let screen = &model.sql;
    let focus = if screen.typing { Span::styled(sign::FOCUS, theme.accent) } else { Span::raw(" ") };
    let title = Span::styled("STATEMENT", if screen.typing { theme.strong } else { theme.muted });
    put(frame.buffer_mut(), area, 0, &Line::from(vec![focus, title]));
    let height = usize::from(area.height.saturating_sub(2));
    let first = (screen.editor.row() + 1).saturating_sub(height);
    for (row, line) in screen.editor.lines().iter().enumerate().skip(first).take(height) {
        let room = usize::from(area.width).saturating_sub(6);
        let (before, behind) = line.parts();
        let before = fit::tail(&clean(before), room);
        let behind = fit::cut(&clean(behind), room.saturating_sub(fit::width(&before)));
        let y = (row - first) as u16 + 1;
        let text = Line::from(vec![
            Span::styled(format!("{:>3}  ", row + 1), theme.muted),
            Span::styled(before.clone(), theme.text),
            Span::styled(behind, theme.text),
        ]);
        put(frame.buffer_mut(), area, y, &text);
        if screen.typing && row == screen.editor.row() {
            frame.set_cursor_position(Position::new(area.x + 5 + fit::width(&before) as u16, area.y + y));
        }
    }
    let offers = if screen.typing { sql_offers(model) } else { Vec::new() };
    if !offers.is_empty() {
        let text = fit::cut(&clean(&offers.join("   ")), usize::from(area.width).saturating_sub(12));
        let line = Line::from(vec![
            Span::styled(format!("     {}  ", key(model, Action::CompleteName)), theme.key),
            Span::styled(text, theme.accent),
        ]);
        put(frame.buffer_mut(), area, area.height.saturating_sub(1), &line);
    }
}

fn result(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let screen = &model.sql;
    if let Some(since) = screen.grid.rows.waiting_since() {
        let waited = model.now.saturating_sub(since);
        if let Some(mark) = states::spinner(model, Some(since)) {
            let line = Line::from(vec![
                Span::styled(format!("   {mark} "), theme.accent),
                Span::styled(
                    format!("{} rows   {}   {} stops it", exact(screen.arrived), time_span(waited), key(model, Action::Cancel)),
                    theme.muted,
                ),
            ]);
            put(frame.buffer_mut(), area, 1, &line);
        }
        return;
    }
    if let Some(error) = screen.grid.rows.error() {
        let columns = usize::from(area.width).saturating_sub(6);
        let mut row = 1;
        for (part, style) in [(Some(&error.what), theme.text), (error.why.as_ref(), theme.text), (error.remedy.as_ref(), theme.accent)] {
            for (place, line) in part.map(|part| fit::wrap(&clean(part), columns)).unwrap_or_default().iter().enumerate() {
                let mark = if row == 1 && place == 0 { Span::styled(format!(" {} ", sign::BAD), theme.bad) } else { Span::raw("   ") };
                put(frame.buffer_mut(), area, row, &Line::from(vec![mark, span(line, style)]));
                row += 1;
            }
        }
        return;
    }
    match screen.grid.rows.value() {
        Some(pages) => {
            grid::draw(model, &screen.grid, None, theme, frame, area);
            if pages.total == 0 {
                let text = Line::from(Span::styled("No rows.", theme.text));
                put(frame.buffer_mut(), layout::indent(layout::below(area, 1).1, 1), 0, &text);
            }
        }
        None => {
            let run = key(model, Action::RunStatement);
            let text = format!("{run} runs the statement; every group is a table, \"NAME$latest\" its newest records");
            let text = fit::cut(&text, usize::from(area.width).saturating_sub(4));
            put(frame.buffer_mut(), layout::indent(area, 3), 1, &Line::from(Span::styled(text, theme.muted)));
        }
    }
}
