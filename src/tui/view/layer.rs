//! Draws what lies over a screen: palette, choices of colours and columns, forms, what was said, and the ways a begun key sequence can go on.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Widget};

use super::{layout, states};
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::entry;
use crate::tui::matching::Query;
use crate::tui::model::Model;
use crate::tui::model::columns::ColumnChoice;
use crate::tui::model::layer::{Form, Layer, Palette};
use crate::tui::model::list::List;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::ago;
use crate::tui::update::ways_on;
use crate::tui::widgets::input::Input;
use crate::tui::widgets::table::placed;
use crate::tui::widgets::text::{name, prose, put, put_right};

/// A bordered popup over a dimmed screen; returns what is inside.
pub(super) fn popup(title: &str, columns: u16, rows: u16, theme: &Theme, frame: &mut Frame<'_>, body: Rect) -> Rect {
    let area = layout::popup(body, columns, rows);
    if body.width < area.width + 20 {
        // Slivers of the screen beside the popup would only disturb.
        Clear.render(body, frame.buffer_mut());
    } else {
        states::fade(frame.buffer_mut(), body, theme.muted);
        Clear.render(area, frame.buffer_mut());
    }
    let title = Span::styled(format!(" {title} "), theme.strong);
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(theme.muted).title(title);
    let inner = block.inner(area);
    block.render(area, frame.buffer_mut());
    inner
}

pub(super) fn draw(model: &Model, layer: &Layer, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    match layer {
        Layer::Palette(palette) => draw_palette(palette, theme, frame, body),
        Layer::Themes(list, _) => draw_themes(model, list, theme, frame, body),
        Layer::Columns(choice) => draw_columns(choice, theme, frame, body),
        Layer::Form(form) => draw_form(form, theme, frame, body),
        Layer::Record(form) => super::writes::draw(model, form, theme, frame, body),
        Layer::Messages(list) => draw_messages(model, list, theme, frame, body),
    }
}

fn draw_palette(palette: &Palette, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let inner = popup("commands", 84, body.height.saturating_sub(2).min(26), theme, frame, body);
    let (input_area, list_area) = layout::below(inner, 2);
    Input { sign: ":", placeholder: "an action, group, feature or theme", line: &palette.line, typing: true }
        .draw(frame, input_area, theme);
    let rows = &palette.rows;
    if rows.is_empty() {
        put(frame.buffer_mut(), layout::indent(list_area, 3), 0, &Line::from(Span::styled("Nothing is called so.", theme.text)));
        return;
    }
    let query = Query::parse(palette.line.text());
    let names = rows.iter().map(|row| fit::width(&row.name)).max().unwrap_or(0).clamp(12, usize::from(inner.width) / 2);
    palette.list.drawn_at(placed(list_area, rows.len()));
    for (line, place) in palette.list.window(rows.len(), usize::from(list_area.height)).enumerate() {
        let Some(row) = rows.get(place) else { continue };
        let line_area = Rect { y: list_area.y + line as u16, height: 1, ..list_area };
        let mut spans = vec![Span::raw("  ")];
        let shown = fit::width(&row.name).min(names);
        spans.extend(name(&clean(&row.name), names, &query.name_hits(&row.name), theme.strong, theme.matched));
        spans.push(Span::raw(" ".repeat(names - shown + 2)));
        let room = usize::from(line_area.width).saturating_sub(names + 5 + fit::width(&row.keys) + 1);
        spans.extend(prose(&clean(&row.help), room, &[], theme.muted, theme.matched));
        let text = Line::from(spans);
        let taken = text.width() as u16;
        put(frame.buffer_mut(), line_area, 0, &text);
        put_right(frame.buffer_mut(), line_area, 0, taken, &Line::from(Span::styled(format!("{} ", row.keys), theme.key)));
        if place == palette.list.at {
            frame.buffer_mut().set_style(line_area, theme.selection);
        }
    }
}

fn draw_themes(model: &Model, list: &List, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    // Beside the screen, not over its middle: what the colours do is what one wants to see.
    let (columns, rows) = (24.min(body.width), (model.themes.len() as u16 + 2).min(body.height));
    let area = Rect { x: body.right() - columns, y: body.bottom() - rows, width: columns, height: rows };
    Clear.render(area, frame.buffer_mut());
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(theme.muted).title(Span::styled(" colours ", theme.strong));
    let inner = block.inner(area);
    block.render(area, frame.buffer_mut());
    list.drawn_at(placed(inner, model.themes.len()));
    for (line, place) in list.window(model.themes.len(), usize::from(inner.height)).enumerate() {
        let Some(name) = model.themes.get(place) else { continue };
        let text =
            Line::from(Span::styled(format!(" {} ", fit::cut(&clean(name), usize::from(inner.width).saturating_sub(2))), theme.text));
        put(frame.buffer_mut(), inner, line as u16, &text);
        if place == list.at {
            frame.buffer_mut().set_style(Rect { y: inner.y + line as u16, height: 1, ..inner }, theme.selection);
        }
    }
}

fn draw_columns(choice: &ColumnChoice, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    // Beside the screen, as the colours are: what a choice does is seen at once.
    let widest = choice.columns.iter().map(|(name, _)| fit::width(&clean(name))).max().unwrap_or(0);
    let columns = (widest as u16 + 6).clamp(34, 48).min(body.width);
    let rows = (choice.columns.len() as u16 + 2).min(body.height);
    let area = Rect { x: body.right() - columns, y: body.bottom() - rows, width: columns, height: rows };
    Clear.render(area, frame.buffer_mut());
    let title = Span::styled(" columns · space shows or hides ", theme.strong);
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(theme.muted).title(title);
    let inner = block.inner(area);
    block.render(area, frame.buffer_mut());
    choice.list.drawn_at(placed(inner, choice.columns.len()));
    for (line, place) in choice.list.window(choice.columns.len(), usize::from(inner.height)).enumerate() {
        let Some((name, shown)) = choice.columns.get(place) else { continue };
        let (mark, style) = if *shown { (sign::GOOD, theme.good) } else { (" ", theme.muted) };
        let name = fit::cut_middle(&clean(name), usize::from(inner.width).saturating_sub(4));
        let text =
            Line::from(vec![Span::styled(format!(" {mark} "), style), Span::styled(name, if *shown { theme.text } else { theme.muted })]);
        put(frame.buffer_mut(), inner, line as u16, &text);
        if place == choice.list.at {
            frame.buffer_mut().set_style(Rect { y: inner.y + line as u16, height: 1, ..inner }, theme.selection);
        }
    }
}

fn draw_form(form: &Form, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let inner = popup(&fit::cut_middle(&clean(&form.title), 60), 76, 6, theme, frame, body);
    put(frame.buffer_mut(), inner, 0, &Line::from(Span::styled(format!(" {}   {}", form.label, form.note), theme.muted)));
    let (_, input_area) = layout::below(inner, 1);
    Input { sign: "›", placeholder: "", line: &form.line, typing: true }.draw(frame, input_area, theme);
    if let Some(complaint) = &form.complaint {
        let (_, last) = layout::below(inner, inner.height.saturating_sub(1));
        let text = fit::cut(&clean(complaint), usize::from(inner.width).saturating_sub(4));
        put(frame.buffer_mut(), last, 0, &Line::from(Span::styled(format!(" {} {text}", sign::BAD), theme.bad)));
    }
}

fn draw_messages(model: &Model, list: &List, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let rows = (model.said.len() as u16 + 2).clamp(4, body.height);
    let inner = popup("messages", 100, rows, theme, frame, body);
    if model.said.is_empty() {
        put(frame.buffer_mut(), layout::indent(inner, 2), 0, &Line::from(Span::styled("Nothing was said yet.", theme.text)));
        return;
    }
    list.drawn_at(placed(inner, model.said.len()));
    for (line, place) in list.window(model.said.len(), usize::from(inner.height)).enumerate() {
        let Some((when, is_error, text)) = model.said.get(place) else { continue };
        let (mark, style) = if *is_error { (sign::BAD, theme.bad) } else { (sign::GOOD, theme.good) };
        let said = fit::cut(&clean(text), usize::from(inner.width).saturating_sub(16));
        let text = Line::from(vec![
            Span::styled(format!("{:>10}  ", ago(*when, model.now)), theme.muted),
            Span::styled(format!("{mark} "), style),
            Span::styled(said, theme.text),
        ]);
        put(frame.buffer_mut(), inner, line as u16, &text);
        if place == list.at {
            frame.buffer_mut().set_style(Rect { y: inner.y + line as u16, height: 1, ..inner }, theme.selection);
        }
    }
}

/// The ways on from keys pressed a while ago, at the lower left: whoever knows them has pressed the next one before this is seen.
pub(super) fn ways(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let ways = ways_on(model);
    if ways.is_empty() {
        return;
    }
    let rows: Vec<(String, &str)> = ways.into_iter().filter_map(|(keys, action)| Some((keys, entry(action)?.help))).collect();
    let pressed: String = model.pressed.iter().map(ToString::to_string).collect();
    let width = rows.iter().map(|(keys, help)| fit::width(keys) + fit::width(help) + 6).max().unwrap_or(0) as u16;
    let (columns, height) = ((width + 2).min(body.width), (rows.len() as u16 + 2).min(body.height));
    let area = Rect { x: body.x, y: body.bottom() - height, width: columns, height };
    Clear.render(area, frame.buffer_mut());
    let title = Span::styled(format!(" {pressed} "), theme.strong);
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(theme.muted).title(title);
    let inner = block.inner(area);
    block.render(area, frame.buffer_mut());
    for (line, (keys, help)) in rows.iter().take(usize::from(inner.height)).enumerate() {
        let text = Line::from(vec![Span::styled(format!(" {keys:<3}"), theme.key), Span::styled(format!(" {help}"), theme.text)]);
        put(frame.buffer_mut(), inner, line as u16, &text);
    }
}
