//! The online look-up: the identifier, the time line of the record, and its values then and now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{layout, states};
use crate::model::FeatureGroup;
use crate::tui::fit;
use crate::tui::model::Model;
use crate::tui::model::data::{Found, Value, Version};
use crate::tui::model::list::List;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{UNKNOWN, age, ago, counted, moment, span as time_span};
use crate::tui::update::offers;
use crate::tui::widgets::input::Input;
use crate::tui::widgets::scrubber::{self, Point};
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{put, put_right, span};

const NOW: [Column; 4] =
    [Column::text("FEATURE", 14, 34, 0), Column::text("VALUE", 10, 60, 0), Column::text("TYPE", 8, 16, 2), Column::number("AGE", 6, 1)];

const THEN: [Column; 5] = [
    Column::text("FEATURE", 14, 34, 0),
    Column::text("VALUE", 10, 40, 0),
    Column::text("THEN → NOW", 14, 46, 1),
    Column::text("TYPE", 8, 16, 3),
    Column::number("AGE", 6, 1),
];

const VERSIONS: [Column; 3] = [Column::text("VERSION", 12, 18, 0), Column::number("STORED", 8, 1), Column::text("IN", 7, 12, 1)];

pub(super) fn draw(model: &Model, group: &FeatureGroup, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let record = &model.group_screen.record;
    let (id_area, rest) = layout::below(area, 1);
    let placeholder = format!("{} of a record", group.schema.identifier().name);
    let input = Input { sign: "id", placeholder: &placeholder, line: &record.line, typing: record.typing };
    let taken = input.draw(frame, id_area, theme);
    if record.typing {
        offered(model, group, theme, frame, rest);
        return;
    }
    let Some(found) = record.found.value() else {
        match record.found.error() {
            Some(error) => states::failed(error, "the record", theme, frame, rest),
            None => states::loading(model, record.found.waiting_since(), "looking it up", theme, frame, rest),
        }
        return;
    };
    put_right(frame.buffer_mut(), id_area, 0, taken + 2, &Line::from(standing(model, group, found, theme)));
    if found.versions.is_empty() {
        missing(group, found, theme, frame, rest);
        return;
    }
    let (scrubber_area, rest) = layout::below(rest, if rest.height >= 8 { 3 } else { 2 });
    let points: Vec<Point> = found.versions.iter().map(|version| Point { time: version.event_time, deleted: version.deleted }).collect();
    scrubber::draw(frame.buffer_mut(), scrubber_area, &points, record.version, model.now, theme);
    let (values_area, versions_area) = match layout::beside(rest) {
        (_, Some(_)) => {
            let width = 46.min(rest.width / 3);
            let (left, right) = (Rect { width: rest.width - width, ..rest }, Rect { x: rest.right() - width, width, ..rest });
            (left, Some(right))
        }
        (whole, None) => (whole, None),
    };
    values(model, group, found, theme, frame, values_area);
    if let Some(area) = versions_area {
        versions(model, found, theme, frame, area);
    }
}

/// What one can say of the record in a line.
fn standing(model: &Model, group: &FeatureGroup, found: &Found, theme: &Theme) -> Vec<Span<'static>> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut say = |text: String, style| {
        if !spans.is_empty() {
            spans.push(Span::styled(" · ", theme.muted));
        }
        spans.push(Span::styled(text, style));
    };
    if let Some(oldest) = found.versions.first() {
        let more = if found.truncated { "newest " } else { "" };
        let count = counted(found.versions.len() as u64, "version", "versions");
        say(format!("{more}{count}, oldest {}", ago(oldest.event_time, model.now)), theme.muted);
    }
    let newest_deleted = found.versions.last().is_some_and(|version| version.deleted);
    match (&found.current, found.expires) {
        (Some(_), Some(expires)) => say(format!("expires in {}", time_span(expires.saturating_sub(model.now))), theme.muted),
        (Some(_), None) => {}
        (None, _) if found.versions.is_empty() => {}
        (None, _) if group.online.is_none() && !model.origins.contains_key(group.name.as_str()) => {
            say("offline only".to_owned(), theme.muted);
        }
        (None, _) if newest_deleted => say(format!("{} deleted", sign::BAD), theme.bad),
        (None, _) => say(format!("{} expired", sign::WATCH), theme.watch),
    }
    if model.group_screen.record.found.error().is_some() {
        say(format!("{} not refreshed", sign::BAD), theme.bad);
    }
    spans.push(Span::raw(" "));
    spans
}

/// The identifiers on offer while one types.
fn offered(model: &Model, group: &FeatureGroup, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let record = &model.group_screen.record;
    let offers = offers(model);
    let inner = layout::indent(area, 1);
    let (heading, body) = layout::below(inner, 2);
    if offers.is_empty() {
        let kept_by = model.origins.get(group.name.as_str()).map(|origin| origin.source.as_str());
        let text = match (record.offers.error(), record.offers.value(), record.line.is_empty()) {
            (Some(error), ..) => format!("{} {}", sign::BAD, error.line()),
            (None, Some(_), _) if kept_by.is_some() => {
                format!("kept by {}: type an identifier and ↵ asks there", kept_by.unwrap_or_default())
            }
            (None, Some(_), _) if group.online.is_none() => "kept offline only: type an identifier and ↵ shows its history".to_owned(),
            (None, Some(_), false) => "no identifier begins like this; ↵ looks it up all the same".to_owned(),
            (None, Some(_), true) => "no records online yet".to_owned(),
            (None, None, _) => String::new(),
        };
        put(frame.buffer_mut(), heading, 1, &Line::from(span(&fit::cut(&text, usize::from(inner.width)), theme.muted)));
        return;
    }
    put(frame.buffer_mut(), heading, 1, &Line::from(Span::styled(" IDENTIFIERS", theme.muted)));
    let list = List::at(record.chosen.unwrap_or(0));
    let window = list.window(offers.len(), usize::from(body.height));
    let recent = model.recent.get(&model.group_screen.name);
    let typed = record.line.text();
    for (row, place) in window.enumerate() {
        let Some(offer) = offers.get(place) else { break };
        let hits: Vec<usize> = (0..typed.chars().count()).collect();
        let room = usize::from(inner.width).saturating_sub(12);
        let mut spans = vec![Span::raw(" ")];
        spans.extend(crate::tui::widgets::text::prose(offer, room, &hits, theme.text, theme.matched));
        if recent.is_some_and(|recent| recent.iter().any(|identifier| identifier == offer)) {
            spans.push(Span::styled("   recent", theme.muted));
        }
        put(frame.buffer_mut(), body, row as u16, &Line::from(spans));
        if record.chosen == Some(place) {
            let row_area = Rect { y: body.y + row as u16, height: 1, width: body.width.saturating_sub(1), ..body };
            frame.buffer_mut().set_style(row_area, theme.selection);
        }
    }
}

/// A look-up that found nothing at all.
fn missing(group: &FeatureGroup, found: &Found, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let inner = layout::indent(area, 4);
    let room = usize::from(inner.width).saturating_sub(16);
    let line = Line::from(vec![
        Span::styled("No record ", theme.text),
        Span::styled(fit::cut(&crate::tui::clean::clean(&found.identifier), room), theme.strong),
        Span::styled(".", theme.text),
    ]);
    put(frame.buffer_mut(), inner, 1, &line);
    let text = format!("{} has never held one with this {}.", group.name, group.schema.identifier().name);
    put(frame.buffer_mut(), inner, 2, &Line::from(span(&text, theme.muted)));
    let line = Line::from(vec![Span::styled("/", theme.key), Span::styled(" looks up another", theme.muted)]);
    put(frame.buffer_mut(), inner, 4, &line);
}

fn values(model: &Model, group: &FeatureGroup, found: &Found, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let record = &model.group_screen.record;
    let last = found.versions.len().saturating_sub(1);
    let at = record.version.min(last);
    let Some(version) = found.versions.get(at) else { return };
    let is_now = at == last;
    let mut columns: Vec<Column> = if is_now { NOW.to_vec() } else { THEN.to_vec() };
    let features = group.schema.features();
    columns[0] = columns[0].fitting(features.iter().map(|feature| fit::width(feature.name.as_str())).max().unwrap_or(0), area.width);
    let longest_value = version.values.iter().flatten().map(|value| fit::width(&value.text)).max().unwrap_or(0);
    columns[1] = columns[1].fitting(longest_value, area.width * 3 / 4);
    let longest_type = features.iter().map(|feature| fit::width(&feature.type_text())).max().unwrap_or(0);
    if let Some(kind) = columns.iter_mut().find(|column| column.title == "TYPE") {
        *kind = kind.fitting(longest_type, area.width);
    }
    let base = if states::looks_old(model, &record.found) { theme.stale } else { theme.text };
    let table = Table { columns: &columns, length: group.schema.len(), list: &record.rows, focused: true, sorted: None, marked: None };
    table.draw(frame.buffer_mut(), area, theme, |row, widths| {
        let Some(feature) = group.schema.features().get(row) else { return Vec::new() };
        let cell = |(place, width): &(usize, u16)| {
            let room = usize::from(*width);
            match columns[*place].title {
                "FEATURE" => {
                    let key = row == group.schema.identifier_position() || row == group.schema.event_time_position();
                    let style = if key { theme.muted } else { base };
                    Line::from(span(&fit::cut_middle(feature.name.as_str(), room), style))
                }
                "VALUE" => Line::from(shown_value(value_of(Some(version), row), room, base, theme)),
                "TYPE" => Line::from(Span::styled(fit::cut(&feature.type_text(), room), theme.muted)),
                "AGE" => Line::from(Span::styled(held(model, found, at, row), theme.muted)),
                _ => Line::from(then_to_now(version, found.current.as_ref(), row, room, base, theme)),
            }
        };
        widths.iter().map(cell).collect()
    });
}

fn value_of(version: Option<&Version>, feature: usize) -> Option<&Value> {
    version.filter(|version| !version.deleted)?.values.get(feature)?.as_ref()
}

fn shown_value(value: Option<&Value>, room: usize, style: Style, theme: &Theme) -> Vec<Span<'static>> {
    match value {
        Some(value) if value.text.is_empty() => vec![Span::styled("\"\"", theme.muted)],
        Some(value) => vec![Span::styled(fit::cut(&crate::tui::clean::clean(&value.text), room), style)],
        None => vec![Span::styled(sign::NULL, theme.muted)],
    }
}

/// `=` where nothing changed since, otherwise both values; where there is no room for both the newer one stands alone.
fn then_to_now(then: &Version, now: Option<&Version>, feature: usize, room: usize, style: Style, theme: &Theme) -> Vec<Span<'static>> {
    let (old, new) = (value_of(Some(then), feature), value_of(now, feature));
    if old.map(|value| &value.text) == new.map(|value| &value.text) {
        return vec![Span::styled("=", theme.muted)];
    }
    let wanted = |value: Option<&Value>| value.map_or(1, |value| fit::width(&value.text));
    let mut spans = Vec::new();
    if wanted(old) + 3 + wanted(new) <= room {
        spans.extend(shown_value(old, room, theme.muted, theme));
        spans.push(Span::styled(" ", theme.muted));
    }
    spans.push(Span::styled("→ ", theme.muted));
    let left = room.saturating_sub(spans.iter().map(Span::width).sum());
    spans.extend(shown_value(new, left, style.patch(theme.accent), theme));
    spans
}

/// For how long the value shown has been the same.
fn held(model: &Model, found: &Found, version: usize, feature: usize) -> String {
    match found.held_since(version, feature) {
        Some((since, true)) => format!("≥ {}", age(since, model.now)),
        Some((since, false)) => age(since, model.now),
        None => UNKNOWN.to_owned(),
    }
}

/// The versions as a list, newest first, beside the values on wide screens.
fn versions(model: &Model, found: &Found, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    for row in 0..area.height {
        put(frame.buffer_mut(), layout::indent(area, 1), row, &Line::from(Span::styled(sign::RULE, theme.muted)));
    }
    let inner = layout::indent(area, 3);
    let last = found.versions.len().saturating_sub(1);
    let list = List::at(last.saturating_sub(model.group_screen.record.version));
    let table = Table { columns: &VERSIONS, length: found.versions.len(), list: &list, focused: false, sorted: None, marked: None };
    table.draw(frame.buffer_mut(), inner, theme, |row, widths| {
        let Some(version) = last.checked_sub(row).and_then(|at| found.versions.get(at)) else { return Vec::new() };
        let cell = |(place, width): &(usize, u16)| match VERSIONS[*place].title {
            "VERSION" => {
                let sign = if version.deleted { Span::styled(format!("{} ", sign::BAD), theme.bad) } else { Span::raw("") };
                Line::from(vec![sign, Span::styled(moment(version.event_time, model.now), theme.text)])
            }
            "STORED" => {
                let stored = version.write_time.map_or(UNKNOWN.to_owned(), |time| age(time, model.now));
                Line::from(Span::styled(stored, theme.muted))
            }
            _ => Line::from(span(&fit::cut(&version.place, usize::from(*width)), theme.muted)),
        };
        widths.iter().map(cell).collect()
    });
}
