//! Draws a [`Grid`]: the rows one can see of a long table, its first columns frozen, the others around the cursor.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::layout;
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::Focus;
use crate::tui::model::Model;
use crate::tui::model::grid::{Grid, Pages, Row};
use crate::tui::model::mouse::{Place, Target};
use crate::tui::theme::{Theme, sign};
use crate::tui::widgets::table::placed;
use crate::tui::widgets::text::put;

/// Least and most columns of the screen that a column takes.
const NARROW: usize = 4;
const WIDE: usize = 40;
/// From this width on both keys are frozen, below it the first alone.
const BOTH_KEYS: u16 = 72;

/// A column as it stands on the screen.
struct Shown {
    column: usize,
    x: u16,
    width: usize,
}

/// Draws the rows one can see, with the cell under the cursor marked in its row; `order` is the column that orders them.
pub(super) fn draw(model: &Model, grid: &Grid, order: Option<&(String, bool)>, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let Some(pages) = grid.rows.value() else { return };
    let (heading, body) = layout::below(area, 1);
    let total = usize::try_from(pages.total).unwrap_or(usize::MAX);
    let window = grid.list.window(total, usize::from(body.height));
    grid.list.drawn_at(placed(body, window.len()));
    let rows: Vec<Option<&Row>> = window.clone().map(|place| pages.row(place)).collect();
    let seen = columns(grid, pages, &rows, area.width);
    headings(model, grid, order, &seen, theme, frame, heading);
    let Seen { shown, rule, .. } = seen;
    let deleted = pages.columns.iter().position(|head| head.added && head.name == "is_deleted");
    for (line, (place, row)) in window.zip(&rows).enumerate() {
        let line_area = Rect { y: body.y + line as u16, height: 1, ..body };
        let is_deleted = deleted.and_then(|at| row.as_ref()?.get(at)?.as_deref()) == Some("true");
        for one in &shown {
            let head = &pages.columns[one.column];
            let base = if head.added || is_deleted { theme.muted } else { theme.text };
            let (text, style) = match row.map(|row| row.get(one.column).and_then(Option::as_deref)) {
                // On its way.
                None => ("·".to_owned(), theme.muted),
                Some(None) => (sign::NULL.to_owned(), theme.muted),
                Some(Some("")) => ("\"\"".to_owned(), theme.muted),
                Some(Some(text)) => (fit::cut(&clean(text), one.width), base),
            };
            let shift = if head.right { one.width.saturating_sub(fit::width(&text)) } else { 0 };
            put(frame.buffer_mut(), layout::indent(line_area, one.x + shift as u16), 0, &Line::from(Span::styled(text, style)));
        }
        if let Some(x) = rule {
            put(frame.buffer_mut(), layout::indent(line_area, x), 0, &Line::from(Span::styled(sign::RULE, theme.muted)));
        }
        if place == grid.list.at && model.focus() != Focus::SqlInput {
            frame.buffer_mut().set_style(Rect { width: line_area.width.saturating_sub(1), ..line_area }, theme.selection);
            if let Some(one) = shown.iter().find(|one| one.column == grid.column) {
                let cell = Rect { x: line_area.x + one.x, width: one.width as u16, ..line_area }.intersection(line_area);
                frame.buffer_mut().set_style(cell, Style::new().add_modifier(Modifier::BOLD.union(Modifier::UNDERLINED)));
            }
        }
    }
    thumb(grid.list.at, total, theme, frame, body);
    for one in &shown {
        let place = Place { x: area.x + one.x, y: body.y, width: one.width as u16 + 2, height: body.height };
        model.targets.borrow_mut().push((place, Target::Cell(one.column)));
    }
}

/// Where the cursor is among all rows.
fn thumb(at: usize, total: usize, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let height = usize::from(body.height);
    if height == 0 || total <= height {
        return;
    }
    let row = (at as u128 * (height as u128 - 1) / (total as u128 - 1).max(1)) as u16;
    frame.buffer_mut().set_string(body.right() - 1, body.y + row, sign::THUMB, theme.muted);
}

/// The columns that are seen.
struct Seen {
    /// The frozen ones, then those around the cursor.
    shown: Vec<Shown>,
    /// Where the rule between them stands.
    rule: Option<u16>,
    /// There are more at the left.
    left: bool,
    /// There are more at the right.
    right: bool,
}

fn columns(grid: &Grid, pages: &Pages, rows: &[Option<&Row>], room: u16) -> Seen {
    let order = grid.shown();
    let mut widths = grid.widths.borrow_mut();
    widths.resize(pages.columns.len(), NARROW);
    let keys = match room {
        _ if grid.keyless => 0,
        room if room >= BOTH_KEYS => 2,
        _ => 1,
    };
    let mut width_of = |column: usize| {
        let cell = |row: &&Row| row.get(column).and_then(Option::as_deref).map_or(1, |text| fit::width(&clean(text)));
        let seen = rows.iter().flatten().map(cell).chain([fit::width(&pages.columns[column].name) + 1]).max().unwrap_or(NARROW);
        widths[column] = widths[column].max(seen).clamp(NARROW, WIDE);
        widths[column]
    };
    let room = usize::from(room).saturating_sub(1);
    let mut shown = Vec::new();
    let mut x = 1;
    for column in order.iter().copied().take(grid.frozen.unwrap_or(keys)) {
        let width = width_of(column).min(room / 2);
        // However many are frozen, one walks over the others beside them.
        if !shown.is_empty() && x + width > room * 2 / 3 {
            break;
        }
        shown.push(Shown { column, x: x as u16, width });
        x += width + 2;
    }
    let frozen = shown.len();
    if frozen == order.len() {
        return Seen { shown, rule: None, left: false, right: false };
    }
    let rule = (frozen > 0).then_some(x as u16 - 1);
    x += usize::from(frozen > 0);
    let left = room.saturating_sub(x);
    let cursor = order.iter().position(|column| *column == grid.column).unwrap_or(0);
    let mut first = grid.first.get().clamp(frozen, order.len() - 1);
    if cursor >= frozen {
        first = first.min(cursor);
        // The last column that is wanted must be seen whole, if it fits at all.
        while first < cursor && order[first..=cursor].iter().map(|column| width_of(*column) + 2).sum::<usize>() > left + 2 {
            first += 1;
        }
    }
    grid.first.set(first);
    let mut next = first;
    for column in order[first..].iter().copied() {
        let width = width_of(column).min(room.saturating_sub(x));
        // A number cut short reads as another number.
        let is_cut = |row: &&Row| row.get(column).and_then(Option::as_deref).is_some_and(|text| fit::width(&clean(text)) > width);
        let is_cut_number = next > first && pages.columns[column].right && rows.iter().flatten().any(is_cut);
        if width < NARROW || is_cut_number {
            break;
        }
        shown.push(Shown { column, x: x as u16, width });
        x += width + 2;
        next += 1;
    }
    Seen { shown, rule, left: first > frozen, right: next < order.len() }
}

fn headings(model: &Model, grid: &Grid, order: Option<&(String, bool)>, seen: &Seen, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let Some(pages) = grid.rows.value() else { return };
    for one in &seen.shown {
        let head = &pages.columns[one.column];
        let mark = match order {
            Some((column, true)) if *column == head.name => "↓",
            Some((column, false)) if *column == head.name => "↑",
            _ => "",
        };
        let text = format!("{}{mark}", fit::cut_middle(&clean(&head.name), one.width.saturating_sub(fit::width(mark))));
        let style = if one.column == grid.column { theme.accent.patch(theme.strong) } else { theme.muted };
        let shift = if head.right { one.width.saturating_sub(fit::width(&text)) } else { 0 };
        put(frame.buffer_mut(), layout::indent(area, one.x + shift as u16), 0, &Line::from(Span::styled(text, style)));
        let place = Place { x: area.x + one.x, y: area.y, width: one.width as u16, height: 1 };
        model.targets.borrow_mut().push((place, Target::Head(one.column)));
    }
    if seen.right {
        put(frame.buffer_mut(), layout::indent(area, area.width.saturating_sub(1)), 0, &Line::from(Span::styled("→", theme.muted)));
    }
    if seen.left {
        put(frame.buffer_mut(), layout::indent(area, seen.rule.unwrap_or(0)), 0, &Line::from(Span::styled("←", theme.muted)));
    }
}
