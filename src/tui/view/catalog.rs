//! Lists of features: all of the store, and the schema of one group.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{facets, groups, layout, states};
use crate::model::{FeatureDefinition, FeatureGroup};
use crate::tui::fit;
use crate::tui::keymap::Focus;
use crate::tui::listing::Order;
use crate::tui::matching::Query;
use crate::tui::model::Model;
use crate::tui::model::columns::Listed;
use crate::tui::model::remote::Remote;
use crate::tui::model::statistics::Level;
use crate::tui::numbers::{share, spark};
use crate::tui::theme::{Theme, sign};
use crate::tui::units::{UNKNOWN, age, ago, counted, exact, thin};
use crate::tui::update::catalog::ORDERS;
use crate::tui::update::marks::feature_name;
use crate::tui::widgets::table::{Column, Table};
use crate::tui::widgets::text::{name, prose, put, span};

/// What can be typed, for whoever has typed nothing yet.
const PLACEHOLDER: &str = "words   type:frac   owner:growth   tag:pii   fresh:<1d   null:>5%";

pub(super) const ALL: [Column; 9] = [
    Column::text("FEATURE", 16, 34, 0),
    Column::text("GROUP", 12, 26, 1),
    Column::text("TYPE", 10, 12, 4),
    Column::number("NULL", 6, 2),
    Column::text("SHAPE", 8, 8, 1),
    Column::number("FRESH", 5, 3),
    Column::number("READERS", 7, 6),
    Column::text("OWNER", 8, 16, 7),
    Column::text("DESCRIPTION", 22, 90, 5),
];

pub(super) const SCHEMA: [Column; 4] = [
    Column::text("FEATURE", 16, 34, 0),
    Column::text("TYPE", 10, 14, 1),
    Column::text("DESCRIPTION", 16, 90, 2),
    Column::text("PARAMETERS", 16, 40, 3),
];

/// All features of all groups.
pub(super) fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let screen = &model.catalog_screen;
    let (facets_area, list_area, detail_area) = layout::around(body);
    let (filter_area, table_area) = layout::below(list_area, 1);
    let (Some(all_groups), Some(shelf)) = (model.groups.value(), &screen.shelf) else {
        groups::filter_input(&screen.filtered, PLACEHOLDER, theme, frame, filter_area);
        states::loading(model, model.groups.waiting_since(), "reading the catalog", theme, frame, table_area);
        return;
    };
    let listing = shelf.listing();
    groups::counted_line(&screen.filtered, screen.total, listing.len(), PLACEHOLDER, theme, frame, filter_area);
    match facets_area {
        Some(area) => facets::draw(model, theme, frame, area),
        // On narrow screens the counts take the place of the list while they have the keys.
        None if screen.facets.focused => return facets::draw(model, theme, frame, table_area),
        None => {}
    }
    let table_area = remark(model, theme, frame, table_area);
    let query = screen.filtered.query();
    if screen.filtered.rows.is_empty() {
        let found = query.rank(all_groups.iter().map(|group| crate::tui::update::groups::haystack(group))).len() as u64;
        let elsewhere = (found > 0).then(|| counted(found, "group matches", "groups match"));
        states::nothing(&screen.filtered, "feature", elsewhere, theme, frame, table_area);
        return;
    }
    // Rows are read from the columns: the group of each would read all its features for one of them.
    let found = |row: &usize| {
        let (group, at) = listing.place(*row)?;
        Some((group, at, listing.feature(*row)?))
    };
    let shown = || screen.filtered.rows.iter().take(groups::MEASURED);
    let mut columns = ALL;
    columns[0] = columns[0].fitting(shown().map(|row| fit::width(listing.name(*row))).max().unwrap_or(0), table_area.width);
    let groups_shown = || shown().filter_map(|row| Some(listing.place(*row)?.0));
    columns[1] = columns[1].fitting(groups_shown().map(|group| fit::width(group.name.as_str())).max().unwrap_or(0), table_area.width);
    let longest_owner = groups_shown().filter_map(|group| group.owner.as_deref()).map(fit::width).max().unwrap_or(0);
    columns[7] = columns[7].fitting(longest_owner, table_area.width);
    let evidence = model.known.evidence.value();
    let columns = columns.map(|column| {
        // A column without anything in it would only take the room of another.
        let is_empty = match column.title {
            "NULL" | "SHAPE" => evidence.is_some_and(|evidence| !evidence.has_figures()),
            "READERS" => evidence.is_some_and(|evidence| !evidence.has_readers()),
            "OWNER" => all_groups.iter().all(|group| group.owner.is_none()),
            _ => false,
        };
        column.hidden_if(is_empty || model.hidden_columns.holds(Listed::Features, column.title))
    });
    let is_marked = |row: usize| {
        let marks = &screen.filtered.marks;
        let named = screen.filtered.rows.get(row).filter(|_| !marks.is_empty()).and_then(|row| listing.names(*row));
        named.is_some_and(|(group, feature)| marks.contains(&feature_name(group, feature)))
    };
    let ordered = ORDERS.iter().find(|(order, _)| *order == screen.order).map(|(order, title)| {
        // Numbers stand with the largest first.
        (*title, screen.reversed == matches!(order, Order::Group | Order::Name))
    });
    let table = Table {
        columns: &columns,
        length: screen.filtered.rows.len(),
        list: &screen.filtered.list,
        focused: matches!(model.focus(), Focus::Catalog | Focus::FilterInput),
        sorted: ordered.filter(|_| !query.has_words()),
        marked: Some(&is_marked),
    };
    table.draw(frame.buffer_mut(), table_area, theme, |row, widths| {
        let Some((group, place, feature)) = screen.filtered.rows.get(row).and_then(found) else { return Vec::new() };
        widths
            .iter()
            .map(|(at, width)| match known_cell(model, ALL[*at].title, group, &feature, theme) {
                Some(line) => line,
                None => cell(ALL[*at].title, *width, group, place, &feature, &query, theme),
            })
            .collect()
    });
    if let (Some(area), Some((group, _, feature))) = (detail_area, screen.filtered.selected().as_ref().and_then(found)) {
        beside(Some(model), group, &feature, &query, theme, frame, area);
    }
}

/// What is to be said of the answer, below the filter; returns the room that is left.
fn remark(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let screen = &model.catalog_screen;
    let said = match &screen.note {
        Some(note) => note.clone(),
        None if screen.forgiven && !screen.filtered.rows.is_empty() => "no name has it just so; these are the nearest".to_owned(),
        None => return area,
    };
    let (line, rest) = layout::below(area, 1);
    let columns = usize::from(line.width.saturating_sub(4));
    let spans = vec![
        Span::styled(format!(" {} ", sign::WATCH), theme.watch),
        Span::styled(fit::cut(&crate::tui::clean::clean(&said), columns), theme.muted),
    ];
    put(frame.buffer_mut(), line, 0, &Line::from(spans));
    rest
}

/// The schema of a group: every feature with what is known of it.
pub(super) fn schema(model: &Model, group: &FeatureGroup, theme: &Theme, frame: &mut Frame<'_>, body: Rect) {
    let filtered = &model.group_screen.schema;
    let (list_area, detail_area) = layout::beside(body);
    let (filter_area, rest) = layout::below(list_area, 1);
    groups::filter_line(filtered, group.schema.len(), "words   type:frac   tag:pii", theme, frame, filter_area);
    if filtered.rows.is_empty() {
        states::nothing(filtered, "feature", None, theme, frame, rest);
        return;
    }
    let query = filtered.query();
    let footer_rows = if rest.height >= 14 && detail_area.is_none() { 5 } else { 0 };
    let (table_area, footer) = layout::below(rest, (rest.height - footer_rows).min(filtered.rows.len() as u16 + 1));
    let is_marked = |row: usize| {
        let feature = filtered.rows.get(row).and_then(|place| group.schema.features().get(*place));
        feature.is_some_and(|feature| filtered.marks.contains(feature.name.as_str()))
    };
    let mut columns = SCHEMA;
    let names = group.schema.features().iter().take(groups::MEASURED).map(|feature| fit::width(feature.name.as_str()));
    columns[0] = columns[0].fitting(names.max().unwrap_or(0), table_area.width);
    let kinds = group.schema.features().iter().take(groups::MEASURED).map(|feature| fit::width(&feature.type_text()));
    columns[1] = columns[1].fitting(kinds.max().unwrap_or(0), table_area.width);
    // A column without anything in it would only take room.
    columns[3] = columns[3].hidden_if(group.schema.features().iter().all(|feature| feature.parameters.is_empty()));
    let columns = columns.map(|column| column.hidden_if(model.hidden_columns.holds(Listed::Schema, column.title)));
    let table = Table {
        columns: &columns,
        length: filtered.rows.len(),
        list: &filtered.list,
        focused: matches!(model.focus(), Focus::Schema | Focus::FilterInput),
        sorted: None,
        marked: Some(&is_marked),
    };
    table.draw(frame.buffer_mut(), table_area, theme, |row, widths| {
        let Some(place) = filtered.rows.get(row).copied() else { return Vec::new() };
        let Some(feature) = group.schema.features().get(place) else { return Vec::new() };
        widths.iter().map(|(at, width)| cell(SCHEMA[*at].title, *width, group, place, feature, &query, theme)).collect()
    });
    if let Some(feature) = filtered.selected().and_then(|place| group.schema.features().get(place)) {
        match detail_area {
            Some(area) => beside(None, group, feature, &query, theme, frame, area),
            None => below(group, feature, theme, frame, footer),
        }
    }
}

fn cell(
    title: &str,
    width: u16,
    group: &FeatureGroup,
    place: usize,
    feature: &FeatureDefinition,
    query: &Query,
    theme: &Theme,
) -> Line<'static> {
    let columns = usize::from(width);
    match title {
        "FEATURE" => {
            let text = feature.name.as_str();
            Line::from(name(text, columns, &query.name_hits(text), theme.text, theme.matched))
        }
        "GROUP" => {
            let text = group.name.as_str();
            Line::from(name(text, columns, &query.text_hits(text), theme.muted, theme.matched))
        }
        "TYPE" => Line::from(Span::styled(fit::cut(&feature.type_text(), columns), theme.muted)),
        "OWNER" => optional(group.owner.as_deref(), columns, query, theme),
        "DESCRIPTION" => match role_at(group, place) {
            // What a key is for matters more than what was written about it.
            Some(role) if feature.description.is_none() => Line::from(prose(role, columns, &[], theme.muted, theme.matched)),
            _ => optional(feature.description.as_deref(), columns, query, theme),
        },
        _ => {
            let parameters = parameters(feature);
            optional(Some(parameters.as_str()).filter(|text| !text.is_empty()), columns, query, theme)
        }
    }
}

fn optional(text: Option<&str>, columns: usize, query: &Query, theme: &Theme) -> Line<'static> {
    match text {
        Some(text) => Line::from(prose(text, columns, &query.text_hits(text), theme.text, theme.matched)),
        None => Line::from(Span::styled(UNKNOWN, theme.muted)),
    }
}

fn parameters(feature: &FeatureDefinition) -> String {
    let pairs: Vec<String> = feature.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join("  ")
}

pub(super) fn role(group: &FeatureGroup, feature: &FeatureDefinition) -> Option<&'static str> {
    role_at(group, group.schema.position(feature.name.as_str())?)
}

/// What the feature at a place of its group is for, if it is a key.
fn role_at(group: &FeatureGroup, place: usize) -> Option<&'static str> {
    match place {
        place if place == group.schema.identifier_position() => Some("record identifier"),
        place if place == group.schema.event_time_position() => Some("event time"),
        _ => None,
    }
}

/// A cell of what is known of a feature besides its definition; none for another column.
fn known_cell(model: &Model, title: &str, group: &FeatureGroup, feature: &FeatureDefinition, theme: &Theme) -> Option<Line<'static>> {
    let line = model.known.evidence.value().and_then(|evidence| evidence.of(group, feature.name.as_str()));
    let unknown = || Span::styled(UNKNOWN, theme.muted);
    let text = |text: String| Span::styled(text, theme.text);
    Some(Line::from(match title {
        "NULL" => line.and_then(|line| line.nulls).map_or_else(unknown, |(nulls, rows)| text(share(nulls, rows))),
        "SHAPE" => match line {
            Some(line) if !line.shape.is_empty() => Span::styled(spark(&line.shape), theme.accent),
            _ => unknown(),
        },
        "FRESH" => {
            let newest = model.summary(group.name.as_str()).and_then(|summary| summary.newest);
            newest.map_or_else(unknown, |newest| text(age(newest, model.now)))
        }
        "READERS" => line.and_then(|line| line.readers).map_or_else(unknown, |readers| text(thin(readers))),
        _ => return None,
    }))
}

/// Drift and readers of a feature, in words.
fn standing(model: &Model, group: &FeatureGroup, feature: &FeatureDefinition, facts: &mut super::facts::Facts<'_>) {
    let theme = facts.theme;
    let line = model.known.evidence.value().and_then(|evidence| evidence.of(group, feature.name.as_str()));
    let drift = match line.and_then(|line| line.drift) {
        Some(Level::Alert) => Span::styled(format!("{} alert", sign::BAD), theme.bad),
        Some(Level::Watch) => Span::styled(format!("{} watch", sign::WATCH), theme.watch),
        Some(Level::Ok) => Span::styled(format!("{} no drift", sign::GOOD), theme.good),
        Some(Level::Few) | None => Span::styled(UNKNOWN, theme.muted),
    };
    facts.spans("drift", vec![drift]);
    let readers = line.and_then(|line| line.readers);
    facts.fact("readers", &readers.map_or(UNKNOWN.to_owned(), |readers| format!("{} in 30 days", exact(readers))));
    if let Some(newest) = model.summary(group.name.as_str()).and_then(|summary| summary.newest) {
        facts.fact("newest", &ago(newest, model.now));
    }
}

/// Everything about a feature, for the pane beside the list; with what is known of it and its group where the list is not of one group.
fn beside(
    model: Option<&Model>,
    group: &FeatureGroup,
    feature: &FeatureDefinition,
    query: &Query,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    for row in 0..area.height {
        put(frame.buffer_mut(), layout::indent(area, 1), row, &Line::from(Span::styled(sign::RULE, theme.muted)));
    }
    let inner = layout::indent(area, 3);
    let lines = about(model, group, feature, query, theme, inner.width.saturating_sub(1));
    for (row, line) in lines.iter().enumerate() {
        put(frame.buffer_mut(), inner, row as u16, line);
    }
    if let Some(model) = model {
        let (_, rest) = layout::below(inner, lines.len() as u16 + 1);
        values(model, group, feature, theme, frame, rest);
    }
}

/// What there is to say of a feature: its definition; with a model also how it stands, and its group.
pub(super) fn about(
    model: Option<&Model>,
    group: &FeatureGroup,
    feature: &FeatureDefinition,
    query: &Query,
    theme: &Theme,
    columns: u16,
) -> Vec<Line<'static>> {
    let mut facts = super::facts::Facts::new(theme, columns);
    facts.lines.push(Line::from(span(&fit::cut_middle(feature.name.as_str(), usize::from(columns)), theme.strong)));
    let kind = format!("{} · {}", group.name, feature.type_text());
    facts.lines.push(Line::from(span(&kind, theme.muted)));
    facts.lines.push(Line::default());
    match &feature.description {
        Some(description) => facts.paragraph(description, query),
        None => facts.lines.push(Line::from(Span::styled("no description", theme.muted))),
    }
    if let Some(role) = role(group, feature) {
        facts.fact("role", role);
    }
    if let Some(former) = feature.former_names.last() {
        facts.fact("formerly", former.as_str());
    }
    if let Some(model) = model {
        facts.lines.push(Line::default());
        standing(model, group, feature, &mut facts);
    }
    if !feature.parameters.is_empty() {
        facts.heading("parameters");
        for (key, value) in &feature.parameters {
            facts.fact(&fit::cut(&crate::tui::clean::clean(key), 11), value);
        }
    }
    if let Some(model) = model {
        facts.disagreements(super::facts::disagreements_on(model, group, feature.name.as_str()));
        facts.heading("group");
        facts.fact("name", group.name.as_str());
        facts.fact("about", group.description.as_deref().unwrap_or_default());
        facts.fact("owner", group.owner.as_deref().unwrap_or_default());
        facts.fact("identifier", group.schema.identifier().name.as_str());
    }
    facts.lines
}

/// What the values of the feature under the cursor look like: its histogram and its figures, as far as there is room.
pub(super) fn values(model: &Model, group: &FeatureGroup, feature: &FeatureDefinition, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let is_of = |of: &crate::tui::model::catalog::FeatureName| of.0 == group.name.as_str() && of.1 == feature.name.as_str();
    let known = &model.known;
    if area.height < 3 || !known.figures_of.as_ref().is_some_and(is_of) {
        return;
    }
    put(frame.buffer_mut(), area, 0, &Line::from(Span::styled("VALUES", theme.muted)));
    let (_, area) = layout::below(area, 1);
    match &known.figures {
        // Until the answer is here the figures are those of the feature before.
        Remote::Loading(_) | Remote::Stale(..) | Remote::Idle => {}
        Remote::Failed(error, _) => {
            let line = Line::from(vec![Span::styled(format!("{} ", sign::BAD), theme.bad), span(&error.what, theme.text)]);
            put(frame.buffer_mut(), area, 0, &line);
        }
        Remote::Ready(None) => {
            put(frame.buffer_mut(), area, 0, &Line::from(Span::styled("not profiled yet; the tab Stats reads them", theme.muted)));
        }
        Remote::Ready(Some(numbers)) => {
            let lines = super::statistics::figures(model, numbers, usize::from(area.width), theme);
            let height = area.height.saturating_sub(lines.len() as u16 + 1).min(6);
            let chart = Rect { width: area.width.saturating_sub(1), ..area };
            let drawn = if height >= 2 { super::statistics::histogram(numbers, theme, frame, chart, height) } else { 0 };
            let (_, rest) = layout::below(area, drawn);
            for (row, line) in lines.iter().enumerate() {
                put(frame.buffer_mut(), rest, row as u16, line);
            }
        }
    }
}

/// The whole description of the feature under the cursor, below the schema.
fn below(group: &FeatureGroup, feature: &FeatureDefinition, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    if area.height < 3 {
        return;
    }
    let inner = layout::indent(area, 1);
    let columns = usize::from(inner.width.saturating_sub(2));
    let mut title = vec![span(feature.name.as_str(), theme.strong), Span::styled(format!("  {}", feature.type_text()), theme.muted)];
    if let Some(role) = role(group, feature) {
        title.push(Span::styled(format!("  {role}"), theme.accent));
    }
    put(frame.buffer_mut(), inner, 1, &Line::from(title));
    let text = feature.description.as_deref().unwrap_or("no description");
    let mut lines: Vec<String> = fit::wrap(&crate::tui::clean::clean(text), columns).into_iter().take(2).collect();
    lines.push(fit::cut(&crate::tui::clean::clean(&parameters(feature)), columns));
    for (row, part) in lines.into_iter().enumerate() {
        put(frame.buffer_mut(), inner, row as u16 + 2, &Line::from(Span::styled(part, theme.muted)));
    }
}
