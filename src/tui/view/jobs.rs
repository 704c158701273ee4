//! Draws the jobs: a line for each run, and what the one under the cursor has to say.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::model::Model;
use crate::tui::model::columns::Listed;
use crate::tui::model::jobs::Run;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{UNKNOWN, age, exact, latency, span as time_span, thin_cell};
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{put, span};

pub(super) const COLUMNS: [Column; 7] = [
    Column::text("STATE", 13, 13, 0),
    Column::text("JOB", 8, 8, 0),
    Column::text("GROUP", 14, 40, 1),
    Column::number("ROWS", 8, 2),
    Column::number("A SECOND", 8, 5),
    Column::number("TOOK", 8, 3),
    Column::number("BEGAN", 7, 1),
];

pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let screen = &model.jobs;
    let Some(runs) = screen.runs.value() else {
        match screen.runs.error() {
            Some(error) => states::failed(error, "the runs", theme, frame, body),
            None => states::loading(model, screen.runs.waiting_since(), "reading runs", theme, frame, body),
        }
        return;
    };
    if runs.is_empty() {
        let inner = layout::indent(body, 3);
        put(frame.buffer_mut(), inner, 1, &Line::from(Span::styled("Nothing ran yet.", theme.text)));
        put(
            frame.buffer_mut(),
            inner,
            3,
            &Line::from(Span::styled("larder ingest GROUP FILE   loads a file; its run stands here", theme.muted)),
        );
        return;
    }
    let said = if body.height >= 14 { 5 } else { 0 };
    let (list_area, said_area) = layout::below(body, body.height - said);
    let mut columns = COLUMNS;
    let longest = runs.iter().filter_map(|run| run.group.as_deref()).map(fit::width).max().unwrap_or(0);
    columns[2] = columns[2].fitting(longest, list_area.width);
    let columns = columns.map(|column| column.hidden_if(model.hidden_columns.holds(Listed::Jobs, column.title)));
    let table = Table { columns: &columns, length: runs.len(), list: &screen.list, focused: true, sorted: None, marked: None };
    table.draw(frame.buffer_mut(), list_area, theme, |row, widths| {
        let Some(run) = runs.get(row) else { return Vec::new() };
        widths.iter().map(|(at, width)| cell(model, run, *at, usize::from(*width), theme)).collect()
    });
    if let Some(run) = runs.get(screen.list.at) {
        details(run, theme, frame, layout::indent(said_area, 1));
    }
}

fn cell(model: &Model, run: &Run, column: usize, width: usize, theme: &Theme) -> Line<'static> {
    let took = run.updated.saturating_sub(run.started).max(0);
    let plain = |text: String| Line::from(Span::styled(text, theme.text));
    match column {
        0 => {
            let (mark, style) = match run.state {
                "done" => (sign::GOOD, theme.good),
                "failed" => (sign::BAD, theme.bad),
                "running" => ("●", theme.accent),
                _ => (sign::WATCH, theme.watch),
            };
            Line::from(Span::styled(format!("{mark} {}", run.state), style))
        }
        1 => Line::from(Span::styled(run.kind.to_owned(), theme.strong)),
        2 => plain(fit::cut_middle(&clean(run.group.as_deref().unwrap_or(UNKNOWN)), width)),
        3 => plain(thin_cell(run.rows.0)),
        4 if took > 0 && run.rows.0 > 0 => plain(thin_cell((run.rows.0 as f64 * 1e6 / took as f64) as u64)),
        4 => plain(UNKNOWN.to_owned()),
        5 if took < 10_000_000 => plain(latency(took.unsigned_abs())),
        5 => plain(time_span(took)),
        _ => plain(age(run.started, model.now)),
    }
}

fn details(run: &Run, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let (seen, taken, refused) = run.rows;
    let rows = format!("{} rows seen   {} taken   {} refused", exact(seen), exact(taken), exact(refused));
    put(frame.buffer_mut(), area, 1, &Line::from(span(&rows, theme.muted)));
    let message = run.message.as_deref().unwrap_or_default();
    let style = if run.state == "failed" { theme.bad } else { theme.text };
    for (row, part) in fit::wrap(&clean(message), usize::from(area.width).saturating_sub(2)).iter().take(3).enumerate() {
        put(frame.buffer_mut(), area, row as u16 + 2, &Line::from(span(part, style)));
    }
}
