//! Draws why a cell of a training dataset is what it is: the value, the record it comes from, and those that lost.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::model::Model;
use crate::tui::model::datasets::{Candidate, Explained, OpenDataset};
use crate::tui::model::list::List;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{UNKNOWN, counted, moment, span as time_span};
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{put, span};

const COLUMNS: [Column; 6] = [
    Column::text("EVENT TIME", 12, 18, 0),
    Column::number("BEFORE", 7, 2),
    Column::text("VALUE", 9, 24, 0),
    Column::text("VERDICT", 20, 20, 1),
    Column::text("WRITTEN", 12, 18, 3),
    Column::text("IN", 8, 24, 4),
];

pub(super) fn draw(model: &Model, open: &OpenDataset, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(1);
    if open.grid.head().is_some_and(|head| head.added) {
        let text = "a column of the spine: carried through as it is";
        put(frame.buffer_mut(), area, 0, &Line::from(Span::styled(fit::cut(text, columns), theme.muted)));
        return;
    }
    let Some(found) = open.cell.value() else {
        match open.cell.error() {
            Some(error) => {
                for (row, part) in fit::wrap(&clean(&error.line()), columns.saturating_sub(2)).iter().enumerate() {
                    let mark = if row == 0 { Span::styled(format!("{} ", sign::BAD), theme.bad) } else { Span::raw("  ") };
                    put(frame.buffer_mut(), area, row as u16, &Line::from(vec![mark, span(part, theme.text)]));
                }
            }
            None => states::loading(model, open.cell.waiting_since(), "looking for its record", theme, frame, area),
        }
        return;
    };
    let lines = told(found, theme, columns);
    for (row, line) in lines.iter().enumerate() {
        put(frame.buffer_mut(), area, row as u16, line);
    }
    let (_, rest) = layout::below(area, lines.len() as u16 + 1);
    candidates(model, found, theme, frame, rest);
    if states::looks_old(model, &open.cell) {
        states::fade(frame.buffer_mut(), area, theme.stale);
    }
}

fn told(found: &Explained, theme: &Theme, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let name = if found.feature.ends_with(&format!(".{}", found.column)) {
        found.feature.clone()
    } else {
        format!("{} ({})", found.column, found.feature)
    };
    lines.push(Line::from(span(&fit::cut_middle(&clean(&name), columns), theme.strong)));
    lines.extend(
        fit::wrap(&clean(&format!("row {}: {}", found.row, found.asked)), columns).iter().map(|part| Line::from(span(part, theme.muted))),
    );
    lines.push(Line::default());
    match &found.value {
        Some(value) => lines.push(Line::from(span(&fit::cut(&clean(value), columns), theme.accent.patch(theme.strong)))),
        None => lines.push(Line::from(Span::styled(format!("{} null", sign::NULL), theme.watch))),
    }
    lines.extend(fit::wrap(&clean(&found.why), columns).iter().map(|part| Line::from(span(part, theme.text))));
    if let Some(note) = found.note {
        lines.extend(fit::wrap(note, columns).iter().map(|part| Line::from(span(part, theme.muted))));
    }
    lines
}

/// The records of the identifier around the one that wins, newest first.
fn candidates(model: &Model, found: &Explained, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    if found.candidates.is_empty() || area.height < 2 {
        return;
    }
    let all = found.candidates.len();
    let unlisted = found.left_out > 0 && area.height > 3;
    let (table_area, note_area) = layout::below(area, area.height - u16::from(unlisted));
    let list = List::at(found.winner.unwrap_or(0));
    let mut columns = COLUMNS;
    let longest = found.candidates.iter().filter_map(|one| one.value.as_deref()).map(fit::width).max().unwrap_or(0);
    columns[2] = columns[2].fitting(longest, table_area.width);
    let table = Table { columns: &columns, length: all, list: &list, focused: false, sorted: None, marked: None };
    table.draw(frame.buffer_mut(), table_area, theme, |row, widths| {
        let Some(one) = found.candidates.get(row) else { return Vec::new() };
        let style = if Some(row) == found.winner { theme.strong } else { theme.text };
        let cell = |(at, width): &(usize, u16)| {
            let room = usize::from(*width);
            let (text, style) = match at {
                0 => (one.event_time.map_or_else(|| UNKNOWN.to_owned(), |time| moment(time, model.now)), style),
                1 => (before(one), theme.muted),
                2 if one.deleted => (format!("{} deleted", sign::BAD), theme.bad),
                2 => match &one.value {
                    Some(value) => (fit::cut(&clean(value), room), style),
                    None => (sign::NULL.to_owned(), theme.muted),
                },
                3 => (fit::cut(one.verdict, room), if Some(row) == found.winner { theme.good } else { theme.muted }),
                4 => (one.written.map_or_else(|| UNKNOWN.to_owned(), |time| moment(time, model.now)), theme.muted),
                _ => (fit::cut_middle(&clean(&one.place), room), theme.muted),
            };
            Line::from(Span::styled(text, style))
        };
        widths.iter().map(cell).collect()
    });
    if unlisted {
        let text = format!("… {} of this identifier", counted(found.left_out, "other record", "other records"));
        put(frame.buffer_mut(), note_area, 0, &Line::from(Span::styled(text, theme.muted)));
    }
}

/// How long before the row; behind it with a minus.
fn before(one: &Candidate) -> String {
    let seconds = one.before.unwrap_or(f64::NAN);
    if seconds.is_nan() {
        return UNKNOWN.to_owned();
    }
    format!("{}{}", if seconds < 0.0 { "−" } else { "" }, time_span((seconds.abs() * 1e6) as i64))
}
