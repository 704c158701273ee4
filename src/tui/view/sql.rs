//! Draws the SQL screen: the statement above, its result below.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::{layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::sql::Table;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{exact, span as time_span};
use crate::tui::update::sql_offers;
use crate::tui::widgets::table::placed;
use crate::tui::widgets::text::{put, span};

/// Least and most columns of the screen that a column of the result takes.
const NARROW: usize = 4;
const WIDE: usize = 40;

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
    if let Some(since) = screen.result.waiting_since() {
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
    if let Some(error) = screen.result.error() {
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
    match screen.result.value() {
        Some(table) => grid(model, table, theme, frame, area),
        None => {
            let run = key(model, Action::RunStatement);
            let text = format!("{run} runs the statement; every group is a table, \"NAME$latest\" its newest records");
            let text = fit::cut(&text, usize::from(area.width).saturating_sub(4));
            put(frame.buffer_mut(), layout::indent(area, 3), 1, &Line::from(Span::styled(text, theme.muted)));
        }
    }
}

/// The rows one can see; columns are as wide as what is seen of them.
fn grid(model: &Model, table: &Table, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let screen = &model.sql;
    let (heading, body) = layout::below(area, 1);
    let window = screen.list.window(table.rows.len(), usize::from(body.height));
    screen.list.drawn_at(placed(body, window.len()));
    let seen = &table.rows[window.clone()];
    let mut x = 1;
    let mut shown: Vec<(usize, usize, u16)> = Vec::new();
    for (column, (name, _)) in table.columns.iter().enumerate().skip(screen.column) {
        let cell_width = |row: &Vec<Option<String>>| row.get(column).and_then(Option::as_deref).map_or(1, |text| fit::width(&clean(text)));
        let width = seen.iter().map(cell_width).chain([fit::width(name)]).max().unwrap_or(NARROW).clamp(NARROW, WIDE);
        if x + 2 > usize::from(area.width) {
            break;
        }
        let width = width.min(usize::from(area.width) - x - 1);
        shown.push((column, width, x as u16));
        x += width + 2;
    }
    for (column, width, x) in &shown {
        let (name, is_number) = &table.columns[*column];
        let text = fit::cut_middle(&clean(name), *width);
        let shift = if *is_number { width - fit::width(&text) } else { 0 };
        put(frame.buffer_mut(), layout::indent(heading, x + shift as u16), 0, &Line::from(Span::styled(text, theme.muted)));
    }
    if table.columns.len() > screen.column + shown.len() {
        put(frame.buffer_mut(), layout::indent(heading, heading.width.saturating_sub(2)), 0, &Line::from(Span::styled("→", theme.muted)));
    }
    for (line, place) in window.enumerate() {
        let line_area = Rect { y: body.y + line as u16, height: 1, ..body };
        for (column, width, x) in &shown {
            let cell = table.rows[place].get(*column).and_then(Option::as_deref);
            let (text, style) =
                cell.map_or_else(|| (sign::NULL.to_owned(), theme.muted), |text| (fit::cut(&clean(text), *width), theme.text));
            let shift = if table.columns[*column].1 { width - fit::width(&text).min(*width) } else { 0 };
            put(frame.buffer_mut(), layout::indent(line_area, x + shift as u16), 0, &Line::from(Span::styled(text, style)));
        }
        if place == screen.list.at && !screen.typing {
            frame.buffer_mut().set_style(line_area, theme.selection);
        }
    }
    if table.rows.is_empty() {
        put(frame.buffer_mut(), layout::indent(body, 1), 0, &Line::from(Span::styled("No rows.", theme.text)));
    }
}
