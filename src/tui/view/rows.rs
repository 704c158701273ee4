//! Draws the tab Data: a history through a window, the record identifier and the event time always in sight.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{grid, layout, states};
use crate::model::FeatureGroup;
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{counted, exact, span as time_span};
use crate::tui::update::row_offers;
use crate::tui::widgets::input::Input;
use crate::tui::widgets::text::{put, put_right, span};

pub(super) fn draw(model: &Model, group: &FeatureGroup, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let page = &model.rows;
    if group.offline.is_none() {
        let lines = ["This group keeps no history: it has no offline store.", "The tab Online looks its records up."];
        for (row, text) in lines.into_iter().enumerate() {
            let text = fit::cut(text, usize::from(area.width).saturating_sub(4));
            put(frame.buffer_mut(), layout::indent(area, 3), row as u16 + 1, &Line::from(Span::styled(text, theme.text)));
        }
        return;
    }
    let (heading, rest) = layout::below(area, 1);
    head(model, theme, frame, heading);
    let rest = if page.typing { offered(model, theme, frame, rest) } else { rest };
    if let Some(error) = page.grid.rows.error()
        && page.grid.rows.value().is_none()
    {
        match page.is_query() {
            true => refused(&error.line(), theme, frame, rest),
            false => states::failed(error, "the rows", theme, frame, rest),
        }
        return;
    }
    let Some(pages) = page.grid.rows.value() else {
        states::loading(model, page.grid.rows.waiting_since(), "reading rows", theme, frame, rest);
        return;
    };
    if pages.total == 0 {
        empty(model, theme, frame, rest);
        return;
    }
    grid::draw(model, &page.grid, page.order.as_ref(), theme, frame, rest);
    let renewed = page.is_query() && states::looks_old(model, &page.grid.rows);
    if renewed || page.grid.rows.error().is_some() {
        states::fade(frame.buffer_mut(), rest, theme.stale);
    }
}

/// The condition, or what these rows are; at the right where one is.
fn head(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let page = &model.rows;
    let mut facts = Vec::new();
    let waited = page.grid.rows.waiting_since().map(|since| model.now.saturating_sub(since));
    match page.grid.rows.value() {
        _ if page.is_query() && states::spinner(model, page.grid.rows.waiting_since()).is_some() => {
            let stop = model.keymap.shown(model.focus(), Action::Cancel).unwrap_or_default();
            let mark = states::spinner(model, page.grid.rows.waiting_since()).unwrap_or_default();
            facts.push(format!("{mark} {}", time_span(waited.unwrap_or(0))));
            facts.push(format!("{stop} stops it"));
        }
        Some(pages) if pages.total > 0 => {
            let at = exact(page.grid.list.at as u64 + 1);
            facts.push(match pages.cut {
                true => format!("{at} of the first {}", exact(pages.total)),
                false => format!("{at} of {}", counted_exactly(pages.total)),
            });
            if area.width >= 60 {
                facts.push(counted(pages.columns.len() as u64, "column", "columns"));
            }
        }
        _ => {}
    }
    let facts = Line::from(Span::styled(format!("{} ", facts.join(" · ")), theme.muted));
    let taken = if page.typing || !page.applied.is_empty() {
        let placeholder = "a condition: loyalty_score > 0.9 and return_rate is null";
        let room = area.width.saturating_sub(facts.width() as u16 + 2);
        let input_area = Rect { width: if page.typing { area.width } else { room }, ..area };
        Input { sign: "where", placeholder, line: &page.condition, typing: page.typing }.draw(frame, input_area, theme)
    } else {
        let order = match &page.order {
            Some((column, descending)) => format!("by {} {}", clean(column), if *descending { "↓" } else { "↑" }),
            None => "in the order of the files".to_owned(),
        };
        let text = fit::cut(&order, usize::from(area.width).saturating_sub(facts.width() + 3));
        let line = Line::from(Span::styled(format!(" {text}"), theme.muted));
        put(frame.buffer_mut(), area, 0, &line);
        line.width() as u16
    };
    put_right(frame.buffer_mut(), area, 0, taken + 1, &facts);
}

fn counted_exactly(rows: u64) -> String {
    format!("{} {}", exact(rows), if rows == 1 { "row" } else { "rows" })
}

/// Columns on offer while a condition is typed.
fn offered(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let (line_area, rest) = layout::below(area, 1);
    let offers = row_offers(model);
    if !offers.is_empty() {
        let key = model.keymap.shown(model.focus(), Action::CompleteName).unwrap_or_default();
        let text = fit::cut(&clean(&offers.join("   ")), usize::from(area.width).saturating_sub(12));
        let line = Line::from(vec![Span::styled(format!("       {key}  "), theme.key), Span::styled(text, theme.accent)]);
        put(frame.buffer_mut(), line_area, 0, &line);
    }
    rest
}

/// Why a condition could not be asked.
fn refused(text: &str, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    for (row, part) in fit::wrap(&clean(text), usize::from(area.width).saturating_sub(6)).iter().enumerate() {
        let mark = if row == 0 { Span::styled(format!(" {} ", sign::BAD), theme.bad) } else { Span::raw("   ") };
        put(frame.buffer_mut(), area, row as u16 + 1, &Line::from(vec![mark, span(part, theme.text)]));
    }
}

fn empty(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let key = |action| model.keymap.shown(model.focus_below_layer(), action).unwrap_or_default();
    let (text, way) = match model.rows.applied.is_empty() {
        true => ("No rows yet.".to_owned(), format!("larder ingest {} FILE brings some", model.rows.group)),
        false => ("No row matches the condition.".to_owned(), format!("{} takes it back", key(Action::Back))),
    };
    let inner = layout::indent(area, 3);
    put(frame.buffer_mut(), inner, 1, &Line::from(Span::styled(text, theme.text)));
    put(frame.buffer_mut(), inner, 3, &Line::from(span(&fit::cut(&way, usize::from(inner.width)), theme.muted)));
}
