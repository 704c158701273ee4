//! The list of groups, with the details of the one under the cursor beside it where there is room.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{facts, layout, states};
use crate::model::{FeatureGroup, GroupStatus};
use crate::tui::fit;
use crate::tui::keymap::Focus;
use crate::tui::matching::Query;
use crate::tui::model::Model;
use crate::tui::model::columns::Listed;
use crate::tui::model::filtered::Filtered;
use crate::tui::model::screens::SortBy;
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{UNKNOWN, age, counted, exact, thin_cell};
use crate::tui::update::catalog;
use crate::tui::widgets::input::Input;
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{name, prose, put, put_right, span};

pub(super) const COLUMNS: [Column; 7] = [
    Column::text("GROUP", 16, 36, 0),
    Column::text("STORES", 7, 7, 4),
    Column::number("FEATURES", 8, 3),
    Column::number("RECORDS", 7, 0),
    Column::number("NEWEST", 6, 1),
    Column::text("OWNER", 8, 16, 2),
    Column::text("TAGS", 14, 40, 5),
];

/// Most features that are looked through while a frame is drawn.
const MOST_RANKED: usize = 20_000;
/// Rows whose names are measured to find how wide a column must be.
pub(super) const MEASURED: usize = 500;
/// What can be typed, for whoever has typed nothing yet.
const PLACEHOLDER: &str = "words   tag:pii   owner:growth";

pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let screen = &model.groups_screen;
    let (list_area, detail_area) = layout::beside(body);
    let (filter_area, table_area) = layout::below(list_area, 1);
    let Some(groups) = model.groups.value() else {
        filter_input(&screen.filtered, PLACEHOLDER, theme, frame, filter_area);
        states::loading(model, model.groups.waiting_since(), "reading the catalog", theme, frame, table_area);
        return;
    };
    filter_line(&screen.filtered, groups.len(), PLACEHOLDER, theme, frame, filter_area);
    let query = screen.filtered.query();
    if screen.filtered.rows.is_empty() {
        // Of a large catalog the other list says so itself, when one goes there.
        let few = groups.iter().map(|group| group.schema.len()).sum::<usize>() <= MOST_RANKED;
        let features = groups.iter().flat_map(|group| (0..group.schema.len()).map(|feature| catalog::haystack(group, feature)));
        let found = if few { query.rank(features).len() as u64 } else { 0 };
        let elsewhere = (found > 0).then(|| counted(found, "feature matches", "features match"));
        states::nothing(&screen.filtered, "group", elsewhere, theme, frame, table_area);
        return;
    }
    let sorted = query.is_empty().then(|| sorted_column(screen.sort, screen.reversed));
    let shown = || screen.filtered.rows.iter().take(MEASURED).filter_map(|place| groups.get(*place));
    let mut columns = COLUMNS;
    columns[0] = columns[0].fitting(
        shown().map(|group| fit::width(group.name.as_str()) + 2 * usize::from(is_unwell(group))).max().unwrap_or(0),
        table_area.width,
    );
    columns[5] =
        columns[5].fitting(shown().filter_map(|group| group.owner.as_deref()).map(fit::width).max().unwrap_or(0), table_area.width);
    let columns = columns.map(|column| column.hidden_if(model.hidden_columns.holds(Listed::Groups, column.title)));
    let is_marked = |row: usize| {
        let group = screen.filtered.rows.get(row).and_then(|place| groups.get(*place));
        group.is_some_and(|group| screen.filtered.marks.contains(group.name.as_str()))
    };
    let table = Table {
        columns: &columns,
        length: screen.filtered.rows.len(),
        list: &screen.filtered.list,
        focused: matches!(model.focus(), Focus::Groups | Focus::FilterInput),
        sorted,
        marked: Some(&is_marked),
    };
    table.draw(frame.buffer_mut(), table_area, theme, |row, widths| {
        let group = screen.filtered.rows.get(row).and_then(|place| groups.get(*place));
        group.map(|group| cells(model, group, &query, theme, widths)).unwrap_or_default()
    });
    if let (Some(area), Some(group)) = (detail_area, model.group_under_cursor()) {
        detail(model, group, &query, theme, frame, area);
    }
}

fn sorted_column(sort: SortBy, reversed: bool) -> (&'static str, bool) {
    match sort {
        SortBy::Name => ("GROUP", reversed),
        SortBy::Features => ("FEATURES", !reversed),
        SortBy::Records => ("RECORDS", !reversed),
        SortBy::Newest => ("NEWEST", reversed),
        SortBy::Owner => ("OWNER", reversed),
    }
}

fn cells(model: &Model, group: &FeatureGroup, query: &Query, theme: &Theme, widths: &[(usize, u16)]) -> Vec<Line<'static>> {
    let remote = model.summaries.get(group.name.as_str());
    let summary = remote.and_then(|remote| remote.value());
    let unknown = || Line::from(Span::styled(format!("{UNKNOWN}  "), theme.muted));
    let cell = |(at, width): &(usize, u16)| {
        let columns = usize::from(*width);
        match COLUMNS[*at].title {
            "GROUP" => {
                let failed = is_unwell(group);
                let room = if failed { columns.saturating_sub(2) } else { columns };
                let mut spans = name(group.name.as_str(), room, &query.name_hits(group.name.as_str()), theme.text, theme.matched);
                if failed {
                    spans.insert(0, Span::styled(format!("{} ", sign::BAD), theme.bad));
                }
                Line::from(spans)
            }
            "STORES" => match model.origins.get(group.name.as_str()) {
                // What lies elsewhere says where.
                Some(origin) => Line::from(prose(&format!("⇣{}", origin.source), columns, &[], theme.accent, theme.matched)),
                None => Line::from(Span::styled(stores(group), theme.muted)),
            },
            "FEATURES" => Line::from(Span::styled(exact(group.schema.len() as u64), theme.text)),
            "RECORDS" => match summary {
                Some(summary) => Line::from(Span::styled(thin_cell(summary.records), theme.text)),
                None => unknown(),
            },
            "NEWEST" => match summary.and_then(|summary| summary.newest) {
                Some(newest) => Line::from(Span::styled(age(newest, model.now), theme.text)),
                None => Line::from(Span::styled(UNKNOWN, theme.muted)),
            },
            "OWNER" => match &group.owner {
                Some(owner) => Line::from(prose(owner, columns, &query.text_hits(owner), theme.text, theme.matched)),
                None => Line::from(Span::styled(UNKNOWN, theme.muted)),
            },
            _ => {
                let tags: Vec<String> = group.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let tags = tags.join(" ");
                Line::from(prose(&tags, columns, &query.text_hits(&tags), theme.muted, theme.matched))
            }
        }
    };
    widths.iter().map(cell).collect()
}

fn is_unwell(group: &FeatureGroup) -> bool {
    matches!(group.status, GroupStatus::CreateFailed | GroupStatus::DeleteFailed)
}

fn stores(group: &FeatureGroup) -> &'static str {
    match (&group.online, &group.offline) {
        (Some(_), Some(_)) => "both",
        (Some(_), None) => "online",
        (None, Some(offline)) if offline.external.is_some() => "in file",
        (None, Some(_)) => "offline",
        (None, None) => UNKNOWN,
    }
}

fn detail(model: &Model, group: &FeatureGroup, query: &Query, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    for row in 0..area.height {
        put(frame.buffer_mut(), layout::indent(area, 1), row, &Line::from(Span::styled(sign::RULE, theme.muted)));
    }
    let inner = layout::indent(area, 3);
    let columns = inner.width.saturating_sub(1);
    let title = fit::cut_middle(group.name.as_str(), usize::from(columns));
    put(frame.buffer_mut(), inner, 0, &Line::from(span(&title, theme.strong)));
    let mut lines = facts::group_facts(model, group, query, theme, columns);
    let left = usize::from(inner.height).saturating_sub(lines.len() + 2);
    if left >= 3 {
        lines.push(Line::default());
        lines.extend(facts::feature_lines(group, query, theme, columns, left));
    }
    for (row, line) in lines.iter().enumerate() {
        put(frame.buffer_mut(), inner, row as u16 + 1, line);
    }
}

/// The line above a list: its filter at the left, how much is left of it at the right.
pub(super) fn filter_line(filtered: &Filtered, all: usize, placeholder: &str, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    counted_line(filtered, filtered.rows.len(), all, placeholder, theme, frame, area);
}

/// The same where not all that match are rows of the list.
pub(super) fn counted_line(
    filtered: &Filtered,
    matching: usize,
    all: usize,
    placeholder: &str,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let taken = filter_input(filtered, placeholder, theme, frame, area);
    let count = match filtered.line.is_empty() {
        true => format!("{} ", exact(all as u64)),
        false => format!("{} of {} ", exact(matching as u64), exact(all as u64)),
    };
    let mut spans = vec![Span::styled(count, theme.muted)];
    if !filtered.marks.is_empty() {
        spans.insert(0, Span::styled(format!("{} {} marked   ", sign::MARK, exact(filtered.marks.len() as u64)), theme.accent));
    }
    put_right(frame.buffer_mut(), area, 0, taken + 2, &Line::from(spans));
}

/// The filter alone, as over a list that is not here yet: what is typed is looked for as soon as it is. Returns the columns it takes.
pub(super) fn filter_input(filtered: &Filtered, placeholder: &str, theme: &Theme, frame: &mut Frame<'_>, area: Rect) -> u16 {
    let placeholder = if filtered.typing { placeholder } else { "" };
    Input { sign: "/", placeholder, line: &filtered.line, typing: filtered.typing }.draw(frame, area, theme)
}
