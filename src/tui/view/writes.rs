//! Draws the form of a record: a field for each feature, then what would change.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::layer::popup;
use super::layout;
use crate::tui::clean::clean;
use crate::tui::fit;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::writes::{Act, Field, RecordForm};
use crate::tui::theme::{Theme, sign};
use crate::tui::widgets::input::Input;
use crate::tui::widgets::table::placed;
use crate::tui::widgets::text::{put, span};

pub(super) fn draw(model: &Model, form: &RecordForm, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let title = match &form.act {
        Act::Put(_) if form.confirming => format!("put this record into {}?", form.group),
        Act::Put(_) => format!("put a record into {}", form.group),
        Act::Delete(identifier) => format!("delete {identifier} of {}", form.group),
    };
    let rows = if form.confirming { form.changed().count().max(1) } else { form.fields.len() };
    let height = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(4);
    let inner = popup(&fit::cut_middle(&clean(&title), 60), 92, height.min(body.height), theme, frame, body);
    let (fields, last) = layout::below(inner, inner.height.saturating_sub(1));
    match form.confirming {
        true => changes(form, theme, frame, fields),
        false => edit(form, theme, frame, fields),
    }
    put(frame.buffer_mut(), last, 0, &footer(model, form, theme, usize::from(last.width)));
}

fn footer(model: &Model, form: &RecordForm, theme: &Theme, columns: usize) -> Line<'static> {
    if let Some(complaint) = &form.complaint {
        let text = fit::cut(&clean(complaint), columns.saturating_sub(4));
        return Line::from(Span::styled(format!(" {} {text}", sign::BAD), theme.bad));
    }
    let key = |action| model.keymap.shown(model.focus_below_help(), action).unwrap_or_default();
    let text = match (&form.act, form.confirming) {
        _ if form.sent => "writing".to_owned(),
        (Act::Put(_), true) => format!("{} writes it   {} back to the fields", key(Action::Choose), key(Action::Leave)),
        (Act::Put(_), false) => format!("empty is null, \"\" the empty text   {} shows what would change", key(Action::Choose)),
        (Act::Delete(_), _) => format!("its history stays   {} deletes", key(Action::Choose)),
    };
    Line::from(Span::styled(format!(" {}", fit::cut(&text, columns.saturating_sub(2))), theme.muted))
}

fn edit(form: &RecordForm, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let names = form.fields.iter().map(|field| fit::width(&field.name)).max().unwrap_or(0).clamp(6, usize::from(area.width) / 3);
    let kinds = if area.width >= 56 { form.fields.iter().map(|field| fit::width(&field.kind)).max().unwrap_or(0).min(52) } else { 0 };
    form.list.drawn_at(placed(area, form.fields.len()));
    for (line, place) in form.list.window(form.fields.len(), usize::from(area.height)).enumerate() {
        let Some(field) = form.fields.get(place) else { break };
        let row = Rect { y: area.y + line as u16, height: 1, ..area };
        let style = if field.is_key { theme.muted } else { theme.text };
        let name = fit::cut_middle(&clean(&field.name), names);
        put(frame.buffer_mut(), layout::indent(row, 1), 0, &Line::from(Span::styled(name, style)));
        let start = names as u16 + 1;
        let is_here = place == form.list.at;
        // What is behind the text says how it is written, and gives way to it.
        let used = fit::width(field.line.text()) + names + 6;
        let kind_room = usize::from(area.width).saturating_sub(used + 2).min(kinds);
        if kind_room >= 8 {
            let kind = fit::cut(&clean(&field.kind), kind_room);
            let x = area.width.saturating_sub(fit::width(&kind) as u16 + 1);
            put(frame.buffer_mut(), layout::indent(row, x), 0, &Line::from(Span::styled(kind, theme.muted)));
        }
        let width = if kind_room >= 8 { used as u16 - start } else { area.width.saturating_sub(start) };
        let input = Rect { x: row.x + start, width: width.max(6), ..row }.intersection(row);
        let placeholder = if is_here { "" } else { sign::NULL };
        Input { sign: if is_here { "›" } else { " " }, placeholder, line: &field.line, typing: is_here }.draw(frame, input, theme);
    }
}

/// What differs from the record online now.
fn changes(form: &RecordForm, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let names = form.fields.iter().map(|field| fit::width(&field.name)).max().unwrap_or(0).clamp(6, usize::from(area.width) / 3);
    let changed: Vec<&Field> = form.changed().collect();
    let room = usize::from(area.width).saturating_sub(names + 8) / 2;
    let hidden = changed.len().saturating_sub(usize::from(area.height));
    let shown = if hidden > 0 { usize::from(area.height).saturating_sub(1) } else { changed.len() };
    let value = |text: &str| if text.is_empty() { sign::NULL.to_owned() } else { fit::cut(&clean(text), room) };
    for (line, field) in changed.iter().take(shown).enumerate() {
        let name = fit::cut_middle(&clean(&field.name), names);
        let pad = " ".repeat(names.saturating_sub(fit::width(&name)) + 2);
        let text = Line::from(vec![
            Span::styled(format!(" {name}{pad}"), theme.muted),
            Span::styled(value(&field.before), theme.text),
            Span::styled(" → ", theme.muted),
            span(&value(field.line.text()), theme.strong),
        ]);
        put(frame.buffer_mut(), area, line as u16, &text);
    }
    if hidden > 0 {
        let text = format!(" … {} more", changed.len() - shown);
        put(frame.buffer_mut(), area, shown as u16, &Line::from(Span::styled(text, theme.muted)));
    }
}
